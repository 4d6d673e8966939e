"""Who may read a file, by the card's own word (TS 102 221 §9.2, ISO/IEC 7816-4 §5.4.3)."""

from __future__ import annotations

from cardd.card import tlv
from cardd.card.errors import MalformedCardData
from cardd.card.fcp import FileInfo
from cardd.card.status import StatusError
from cardd.card.uicc import FilePath, FileSystem

__all__ = ["AccessRules"]

_REFERENCED, _COMPACT, _EXPANDED = 0x8B, 0x8C, 0xAB
_READ = 0x01  # of an access mode byte for elementary files
_ACCESS_MODE, _ALWAYS = 0x80, 0x90
# The other access mode data objects; 81 to 8F describe commands, 9C is proprietary.
_ACCESS_MODES = frozenset({*range(0x80, 0x90), 0x9C})


class AccessRules:
    """Tells files that everybody may read at any time from all others.

    Records of EF(ARR) are read once, with the selection that the file's reading has left. What is
    not understood, or not said, is not for everybody.
    """

    def __init__(self) -> None:
        self._records: dict[tuple[FilePath, int], bytes] = {}

    def open_to_all(self, files: FileSystem, path: FilePath, info: FileInfo) -> bool:
        """Whether reading the file has the condition ALWAYS."""
        if info.security is None:
            return False
        tag, value = info.security
        try:
            if tag == _COMPACT:
                return _compact(value)
            if tag == _EXPANDED:
                return _expanded(value)
            return all(_expanded(rule) for rule in self._referenced(files, path, value))
        except MalformedCardData:
            return False

    def _referenced(self, files: FileSystem, path: FilePath, value: bytes) -> list[bytes]:
        """The records that a file names: one, or one for each security environment."""
        if len(value) == 3:
            numbers = [value[2]]
        elif len(value) >= 4 and len(value) % 2 == 0:
            numbers = list(value[3::2])
        else:
            raise MalformedCardData(f"access rule reference of {len(value)} bytes", str(path))
        fid = int.from_bytes(value[:2], "big")
        return [self._record(files, path, fid, number) for number in numbers]

    def _record(self, files: FileSystem, path: FilePath, fid: int, number: int) -> bytes:
        """The record of EF(ARR) in the file's directory, else in the nearest one above."""
        directory = path.parent
        while True:
            arr = directory.below(fid)
            known = self._records.get((arr, number))
            if known is None:
                try:
                    known = files.read_record(arr, number)
                except StatusError:
                    known = b""
                self._records[arr, number] = known
            if known or not directory.ids:
                return known
            directory = directory.parent


def _compact(value: bytes) -> bool:
    """An access mode byte, then a condition for each bit that is set, from the highest down."""
    if len(value) < 2 or value[0] & 0x80 or not value[0] & _READ:
        return False
    conditions = value[1:]
    # Reading is the lowest bit: its condition is the last.
    return len(conditions) == value[0].bit_count() and conditions[-1] == 0x00


def _expanded(value: bytes) -> bool:
    """Access mode objects, each followed by the conditions that hold for it."""
    conditions: list[int] | None = None
    for item in tlv.parse(value, "access rule"):
        if item.tag in _ACCESS_MODES:
            if conditions is not None:
                break
            if item.tag == _ACCESS_MODE and len(item.value) == 1 and item.value[0] & _READ:
                conditions = []
        elif conditions is not None:
            conditions.append(item.tag)
    return conditions == [_ALWAYS]
