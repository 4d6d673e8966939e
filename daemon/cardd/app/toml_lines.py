"""Where in a TOML file a key stands: the parser tells keys, people look for lines."""

from __future__ import annotations

import re

__all__ = ["line_of"]

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*("[^"]*"|'[^']*'|[\w-]+)\s*[.=]""")
_STEP = re.compile(r"""\.?([\w-]+|"[^"]*")((?:\[\d+\])*)""")


def line_of(text: str, place: str) -> int | None:
    """The line, from 1, of a key such as ``access.grant[2].users[0]``; of the table that it is
    in where the key has none of its own; None where neither is written as a line."""
    steps = [(name.strip("\"'"), index) for name, index in _STEP.findall(place)]
    best, depth = None, 0
    table: list[tuple[str, str]] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = [(part.strip(" \"'"), "") for part in header[2].split(".")]
            if header[1] == "[[":
                count = seen[header[2]] = seen.get(header[2], -1) + 1
                table[-1] = (table[-1][0], f"[{count}]")
            if len(table) > depth and steps[: len(table)] == table:
                best, depth = number, len(table)
        elif key := _KEY.match(line):
            path = [*table, (key[1].strip("\"'"), "")]
            names = [name for name, _ in steps[: len(path)]]
            inside = steps[: len(table)] == table and names == [name for name, _ in path]
            if inside and len(path) > depth:
                best, depth = number, len(path)
    return best
