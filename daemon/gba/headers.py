"""Header fields of HTTP authentication: ``scheme name=value, name="value", …`` (RFC 7235)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from gba.errors import DigestError

__all__ = ["format_parameters", "parse_challenges", "parse_parameters"]

_MAX_LENGTH = 8_192

_WORD = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_PARAMETER = re.compile(
    rf'[\s,]*(?P<name>{_WORD})\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s",]*))\s*'
)
_SCHEME = re.compile(rf"[\s,]*(?P<scheme>{_WORD})(?=\s+{_WORD}\s*=|\s*$|\s*,|\s+[A-Za-z0-9+/=]+$)")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def parse_parameters(text: str) -> dict[str, str]:
    """Name-value pairs with lower-case names; quotes and escapes removed, order free.

    A name given twice is refused: the two ends could read different values.
    """
    found, end = _parameters(text, 0)
    if text[end:].strip(" \t,"):
        raise DigestError("malformed_parameters", position=end)
    return found


def parse_challenges(value: str) -> list[tuple[str, dict[str, str]]]:
    """All challenges of a WWW-Authenticate value, schemes in lower case."""
    if len(value) > _MAX_LENGTH:
        raise DigestError("header_too_long", length=len(value))
    found: list[tuple[str, dict[str, str]]] = []
    position = 0
    while value[position:].strip(" \t,"):
        match = _SCHEME.match(value, position)
        if match is None:
            raise DigestError("malformed_challenge", position=position)
        parameters, position = _parameters(value, match.end())
        if position == match.end():
            # A scheme with a token68 (Negotiate, Bearer): not ours, step over it.
            position = _next_comma(value, position)
        found.append((match["scheme"].lower(), parameters))
    return found


def format_parameters(pairs: Iterable[tuple[str, str | None]], *, bare: Mapping[str, None]) -> str:
    """The pairs that have a value, those in ``bare`` without quotes."""
    parts: list[str] = []
    for name, value in pairs:
        if value is None:
            continue
        if any(ord(character) < 0x20 or ord(character) == 0x7F for character in value):
            raise DigestError("control_character", parameter=name)
        parts.append(f"{name}={value}" if name in bare else f"{name}={_quoted(value)}")
    return ", ".join(parts)


def _parameters(text: str, position: int) -> tuple[dict[str, str], int]:
    if len(text) > _MAX_LENGTH:
        raise DigestError("header_too_long", length=len(text))
    found: dict[str, str] = {}
    while match := _PARAMETER.match(text, position):
        rest = text[match.end() :]
        if rest and not rest.startswith(","):
            break
        name = match["name"].lower()
        if name in found:
            raise DigestError("duplicate_parameter", parameter=name[:20])
        quoted = match["quoted"]
        found[name] = _ESCAPE.sub(r"\1", quoted) if quoted is not None else match["bare"]
        position = match.end()
    return found, position


def _next_comma(text: str, position: int) -> int:
    comma = text.find(",", position)
    return len(text) if comma < 0 else comma


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
