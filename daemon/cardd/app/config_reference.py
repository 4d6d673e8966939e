"""docs/configuration.md, written from the fields of the section classes."""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cardd.rpc.access import FURTHER_RIGHTS, RIGHTS

from .config import DEFAULT_PATH, Config
from .settings import type_name

__all__ = ["reference"]

_HEAD = f"""# Configuration of cardd

`cardd run --config FILE` reads one TOML file, by default `{DEFAULT_PATH}`. Every key may be left
out. An unknown key is an error. `cardd check-config FILE` checks a file and changes nothing.

This page is written by `cardd config-reference`.
"""


def reference() -> str:
    """The whole page, in Markdown."""
    return "\n".join([_HEAD, *_sections(), *_rights()])


def _sections() -> Iterator[str]:
    hints = typing.get_type_hints(Config)
    for field in dataclasses.fields(Config):
        section = hints[field.name]
        if field.name in _rows(Config):
            yield from _table(f"[[{field.name}]]", _rows(Config)[field.name])
            continue
        yield from _table(f"[{field.name}]", section)
        for name, row in _rows(section).items():
            yield from _table(f"[[{field.name}.{name}]]", row)


def _table(title: str, section: Any) -> Iterator[str]:
    hints = typing.get_type_hints(section)
    yield f"## `{title}`\n\n{section.__doc__}\n"
    yield "| key | type | default | meaning |\n|---|---|---|---|"
    for field in dataclasses.fields(section):
        if field.name in _rows(section):  # has a heading of its own
            continue
        doc = field.metadata["doc"] + _bounds(field.metadata)
        yield (f"| `{field.name}` | {type_name(hints[field.name])} | `{_default(field)}` | {doc} |")
    yield ""


def _rows(section: Any) -> dict[str, Any]:
    """The keys whose values are lists of tables, with the class of a table."""
    hints = typing.get_type_hints(section)
    rows = {
        name: typing.get_args(hint)[0]
        for name, hint in hints.items()
        if typing.get_origin(hint) is tuple
    }
    return {name: row for name, row in rows.items() if dataclasses.is_dataclass(row)}


def _rights() -> Iterator[str]:
    yield "## Rights\n\n| right | calls |\n|---|---|"
    for right in sorted(set(RIGHTS.values())):
        calls = ", ".join(f"`{m.rpartition('/')[2]}`" for m, r in RIGHTS.items() if r == right)
        yield f"| `{right}` | {calls} |"
    for right, meaning in FURTHER_RIGHTS.items():
        yield f"| `{right}` | {meaning} |"
    yield ""


def _bounds(metadata: Mapping[str, Any]) -> str:
    minimum, maximum = metadata["minimum"], metadata["maximum"]
    if minimum is None:
        return ""
    return f" At least {minimum}." if maximum is None else f" {minimum} to {maximum}."


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is dataclasses.MISSING:
        return "{}"
    if isinstance(field.default, Path):
        return json.dumps(str(field.default))
    if isinstance(field.default, tuple):
        return json.dumps(list(field.default))
    return json.dumps(field.default)
