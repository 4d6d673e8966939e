"""File control parameters: what SELECT tells of a file (TS 102 221 §11.1.1.3)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from cardd.card import tlv
from cardd.card.errors import MalformedCardData

__all__ = ["FileInfo", "FileStructure", "parse_fcp"]

_TEMPLATES = frozenset({0x62, 0x6F})  # FCP; FCI as some cards answer
_DESCRIPTOR, _SIZE, _FID, _NAME = 0x82, 0x80, 0x83, 0x84
_LIFE_CYCLE = 0x8A
_PIN_STATUS, _PINS_ENABLED, _KEY_REFERENCE = 0xC6, 0x90, 0x83
_SECURITY = (0x8B, 0x8C, 0xAB)  # referenced, compact, expanded


class FileStructure(Enum):
    """What kind of file it is (TS 102 221 §11.1.1.4.3)."""

    DIRECTORY = "directory"
    TRANSPARENT = "transparent"
    LINEAR_FIXED = "linear fixed"
    CYCLIC = "cyclic"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class FileInfo:
    """One file's parameters; None where the card does not say.

    `pins`: key references, and whether they are enabled (TS 102 221 §9.5.2).
    """

    structure: FileStructure
    fid: int | None
    size: int | None
    record_length: int | None
    record_count: int | None
    name: bytes
    life_cycle: int | None
    pins: tuple[tuple[int, bool], ...] = ()
    security: tuple[int, bytes] | None = None
    """Tag and value of the security attributes (TS 102 221 §11.1.1.4.7); see access_rules.py."""


def parse_fcp(data: bytes, file: str) -> FileInfo:
    """Read the template that SELECT returned."""
    template = next((t for t in tlv.parse(data, file) if t.tag in _TEMPLATES), None)
    if template is None:
        raise MalformedCardData("SELECT returned no FCP template", file)
    fields = {child.tag: child.value for child in template.children}
    structure, record_length, record_count = _descriptor(fields.get(_DESCRIPTOR, b""), file)
    fid = fields.get(_FID)
    size = fields.get(_SIZE)
    if fid is not None and len(fid) != 2:
        raise MalformedCardData("file identifier is not 2 bytes", file)
    if size is not None and not 1 <= len(size) <= 4:
        raise MalformedCardData("file size is not 1 to 4 bytes", file)
    life_cycle = fields.get(_LIFE_CYCLE)
    return FileInfo(
        structure=structure,
        fid=None if fid is None else int.from_bytes(fid, "big"),
        size=None if size is None else int.from_bytes(size, "big"),
        record_length=record_length,
        record_count=record_count,
        name=fields.get(_NAME, b""),
        life_cycle=life_cycle[0] if life_cycle else None,
        pins=_pins(template.find(_PIN_STATUS), file),
        security=next(((tag, fields[tag]) for tag in _SECURITY if tag in fields), None),
    )


def _pins(template: tlv.Tlv | None, file: str) -> tuple[tuple[int, bool], ...]:
    """The first reference belongs to the first bit (TS 102 221 §11.1.1.4.10)."""
    if template is None:
        return ()
    # C6 is a primitive tag by its coding, and a template by its name.
    inside = tlv.parse(template.value, file)
    bits = next((child for child in inside if child.tag == _PINS_ENABLED), None)
    if bits is None:
        return ()
    references = [child.value for child in inside if child.tag == _KEY_REFERENCE]
    if len(references) > 8 * len(bits.value) or any(len(each) != 1 for each in references):
        raise MalformedCardData("PIN status template", file)
    return tuple(
        (reference[0], bool(bits.value[at // 8] & 0x80 >> at % 8))
        for at, reference in enumerate(references)
    )


def _descriptor(value: bytes, file: str) -> tuple[FileStructure, int | None, int | None]:
    if not value:
        return FileStructure.UNKNOWN, None, None
    # b4-b6 = 111: DF or ADF; else the low bits are the structure of an EF.
    if value[0] & 0x38 == 0x38 and value[0] & 0x07 == 0:
        return FileStructure.DIRECTORY, None, None
    structure = {
        0x01: FileStructure.TRANSPARENT,
        0x02: FileStructure.LINEAR_FIXED,
        0x06: FileStructure.CYCLIC,
    }.get(value[0] & 0x07, FileStructure.UNKNOWN)
    if structure not in (FileStructure.LINEAR_FIXED, FileStructure.CYCLIC):
        return structure, None, None
    if len(value) < 4:
        raise MalformedCardData("record file without a record length", file)
    length = int.from_bytes(value[2:4], "big")
    if not 1 <= length <= 255:  # READ RECORD's Le; 0 would never end
        raise MalformedCardData(f"record length {length}", file)
    return structure, length, value[4] if len(value) > 4 else None
