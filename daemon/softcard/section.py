"""Typed access to the tables of a profile; every error names the key."""

from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from softcard.errors import ProfileError

__all__ = ["Section"]

_Choice = TypeVar("_Choice", bound=Enum)


class Section:
    """One table of the TOML file. `finish` complains about keys that nobody asked for."""

    def __init__(self, values: Mapping[str, Any], where: str, folder: Path) -> None:
        self._values = values
        self._where = where
        self._folder = folder
        self._used: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def error(self, key: str, reason: str) -> ProfileError:
        """An error about one key of this table."""
        return ProfileError(f"{self._where}.{key}" if self._where else key, reason)

    def table(self, key: str) -> "Section":
        """The table below `key`; empty if absent."""
        return Section(self._take(key, dict, {}), self._path(key), self._folder)

    def tables(self, key: str) -> Iterator["Section"]:
        """The array of tables `key`."""
        for position, values in enumerate(self._take(key, list, [])):
            where = f"{self._path(key)}[{position}]"
            if not isinstance(values, dict):
                raise ProfileError(where, "has to be a table")
            yield Section(values, where, self._folder)

    def text(self, key: str, default: str | None = None) -> str:
        """A string."""
        return str(self._take(key, str, default))

    def texts(self, key: str, default: list[str]) -> list[str]:
        """A list of strings."""
        return [str(item) for item in self._take(key, list, default)]

    def numbers(self, key: str, default: list[int]) -> list[int]:
        """A list of integers."""
        values = self._take(key, list, default)
        if not all(isinstance(item, int) for item in values):
            raise self.error(key, "has to be a list of whole numbers")
        return list(values)

    def number(self, key: str, default: int | None, low: int, high: int) -> int:
        """An integer within bounds."""
        value: int = self._take(key, int, default)
        if not low <= value <= high:
            raise self.error(key, f"{value} is not between {low} and {high}")
        return value

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        return bool(self._take(key, bool, default))

    def digits(self, key: str, low: int, high: int, default: str | None = None) -> str:
        """A string of decimal digits."""
        value = self.text(key, default)
        if not (low <= len(value) <= high and value.isascii() and value.isdigit()):
            raise self.error(key, f"has to be {low} to {high} decimal digits")
        return value

    def octets(self, key: str, size: int | None = None, default: str | None = None) -> bytes:
        """Bytes, written as hexadecimal digits."""
        value = self.text(key, default)
        try:
            octets = bytes.fromhex(value)
        except ValueError:
            raise self.error(key, "has to be hexadecimal digits") from None
        if size is not None and len(octets) != size:
            raise self.error(key, f"has {len(octets)} bytes, expected {size}")
        return octets

    def fid(self, key: str, default: str | None = None) -> int:
        """A file identifier, four hexadecimal digits."""
        return int.from_bytes(self.octets(key, 2, default), "big")

    def choice(self, key: str, kind: type[_Choice], default: _Choice) -> _Choice:
        """One of the values of an enumeration."""
        value = self.text(key, str(default.value))
        try:
            return kind(value)
        except ValueError:
            known = ", ".join(str(member.value) for member in kind)
            raise self.error(key, f"{value!r} is not one of {known}") from None

    def content(self, key: str = "data") -> bytes:
        """Bytes in hexadecimal digits, or under `data_file` a file beside the profile."""
        file_key = f"{key}_file"
        if file_key not in self._values:
            return self.octets(key, default="")
        if key in self._values:
            raise self.error(file_key, f"excludes {key}")
        path = self._folder / self.text(file_key)
        try:
            return path.read_bytes()
        except OSError as error:
            raise self.error(file_key, f"{path}: {error.strerror}") from error

    def finish(self) -> None:
        """Refuse keys that mean nothing here: they are spelling mistakes."""
        for key in self._values:
            if key not in self._used:
                raise self.error(key, "is not a key of this table")

    def _path(self, key: str) -> str:
        return f"{self._where}.{key}" if self._where else key

    def _take(self, key: str, kind: type, default: Any) -> Any:
        self._used.add(key)
        value = self._values.get(key, default)
        if value is None:
            raise self.error(key, "is missing")
        # A TOML boolean is an int to Python, but not to the author of a profile.
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.error(key, f"has to be {_NAMES[kind]}")
        return value


_NAMES = {
    str: "a string",
    int: "a whole number",
    bool: "true or false",
    list: "a list",
    dict: "a table",
}
