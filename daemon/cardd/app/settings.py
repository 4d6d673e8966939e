"""From TOML to frozen dataclasses. A key's type, default and meaning stand at its field, once.

The fields of the section classes are the only table of keys: loading, checking and the reference
(docs/configuration.md) are all driven by it. An unknown key is an error with a hint, because a
misspelt key that is silently ignored is a setting that silently does not hold.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, TypeVar

__all__ = ["ConfigError", "key", "load_section", "type_name"]

S = TypeVar("S")


class ConfigError(Exception):
    """The configuration cannot be used; ``where`` is the key, after its file and line if known."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}")
        self.where = where
        self.problem = problem


def key(
    default: Any, doc: str, *, minimum: float | None = None, maximum: float | None = None
) -> Any:
    """A key of a section: its default, what it means, and its bounds."""
    metadata = {"doc": doc, "minimum": minimum, "maximum": maximum}
    if isinstance(default, dict):
        return dataclasses.field(
            default_factory=lambda: types.MappingProxyType(default), metadata=metadata
        )
    return dataclasses.field(default=default, metadata=metadata)


def load_section(section: type[S], values: object, where: str) -> S:
    """Build ``section`` from a TOML table; ``where`` is its place in the file, "" for the whole.

    Raises:
        ConfigError: unknown key, wrong type, or out of bounds.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(where, "must be a table")
    fields = {field.name: field for field in dataclasses.fields(typing.cast(Any, section))}
    hints = typing.get_type_hints(section)
    loaded = {}
    for name, value in values.items():
        place = f"{where}.{name}" if where else name
        if name not in fields:
            raise ConfigError(place, f"unknown key{_hint(name, fields)}")
        loaded[name] = _convert(hints[name], value, place)
        _check_bounds(fields[name].metadata, loaded[name], place)
    return section(**loaded)


def type_name(hint: Any) -> str:
    """A type as the reference names it."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return " or ".join(f'"{choice}"' for choice in arguments)
    if origin is tuple:
        return f"list of {type_name(arguments[0])}s"
    if origin is Mapping:
        return "table of strings"
    return {str: "string", Path: "path", int: "integer", float: "number", bool: "boolean"}.get(
        hint, "table"
    )


def _convert(hint: Any, value: object, where: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint):
        return load_section(typing.cast(Any, hint), value, where)
    if origin is Literal:
        if value not in arguments:
            raise ConfigError(where, f"must be {type_name(hint)}, not {value!r}")
        return value
    if origin is tuple:
        if not isinstance(value, list):
            raise ConfigError(where, f"must be {_article(type_name(hint))}")
        return tuple(_convert(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if origin is Mapping:
        if not isinstance(value, Mapping):
            raise ConfigError(where, "must be a table")
        items = {str(k): _convert(str, v, f'{where}."{k}"') for k, v in value.items()}
        return types.MappingProxyType(items)
    if hint is Path and isinstance(value, str):
        return Path(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    # bool is an int to Python, but true is no number to whoever writes the file.
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise ConfigError(where, f"must be {_article(type_name(hint))}, not {value!r}")
    return value


def _check_bounds(metadata: Mapping[str, Any], value: Any, where: str) -> None:
    minimum, maximum = metadata.get("minimum"), metadata.get("maximum")
    if minimum is not None and value < minimum:
        raise ConfigError(where, f"must be at least {minimum}")
    if maximum is not None and value > maximum:
        raise ConfigError(where, f"must be at most {maximum}")


def _hint(name: str, known: Mapping[str, object]) -> str:
    close = get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(sorted(known))}"


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
