"""PKCS #15 directories: ODF, DODF, TokenInfo (PKCS #15 v1.1 §5, §6; ISO/IEC 7816-15 §8)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cardd.card import tlv
from cardd.card.directory import split_path
from cardd.card.errors import MalformedCardData
from cardd.card.uicc import MAX_FILE, FilePath

__all__ = [
    "ODF",
    "TOKEN_INFO",
    "DataObject",
    "Location",
    "OdfEntry",
    "oid_text",
    "parse_dodf",
    "parse_location",
    "parse_odf",
    "parse_serial_number",
    "utf8_text",
]

ODF = 0x5031
TOKEN_INFO = 0x5032

_SEQUENCE, _OCTETS, _OID, _INTEGER, _UTF8 = 0x30, 0x04, 0x06, 0x02, 0x0C
_CONTEXT_0, _CONTEXT_1 = 0xA0, 0xA1
_LENGTH = 0x80  # Path.length [0]
_OPAQUE_DO, _OID_DO = 0x30, 0xA1
# PKCS15Objects (PKCS #15 v1.1 §6.2): context tag to what the directory lists.
_ODF_KINDS = {
    0xA0: "private keys",
    0xA1: "public keys",
    0xA2: "trusted public keys",
    0xA3: "secret keys",
    0xA4: "certificates",
    0xA5: "trusted certificates",
    0xA6: "useful certificates",
    0xA7: "data objects",
    0xA8: "authentication objects",
}


@dataclass(frozen=True, slots=True)
class Location:
    """A `Path`: where a value lies. `size` is None where the card leaves it out."""

    path: FilePath
    offset: int = 0
    size: int | None = None


@dataclass(frozen=True, slots=True)
class OdfEntry:
    """One line of the ODF: a directory file, or (rarely) the objects themselves."""

    kind: str
    location: Location | None
    inline: bytes = b""


@dataclass(frozen=True, slots=True)
class DataObject:
    """One data object; `oid` is empty and `location` None where the card gives none."""

    oid: str
    label: str
    application: str
    location: Location | None
    private: bool = False


def parse_odf(data: bytes, root: FilePath) -> tuple[OdfEntry, ...]:
    """The directories that an ODF names, in its order; relative paths start at `root`."""
    return tuple(_odf_entries(data, root))


def parse_dodf(data: bytes, root: FilePath, file: str) -> tuple[DataObject, ...]:
    """The data objects of one DODF, in its order. Only unused space means none."""
    found = []
    for entry in tlv.parse(data, file):
        if entry.tag in (_OPAQUE_DO, _OID_DO):
            found.append(_data_object(entry, root, file))
    return tuple(found)


def parse_serial_number(data: bytes) -> bytes:
    """TokenInfo.serialNumber; empty if the card gives none."""
    info = tlv.first(data, _SEQUENCE, "PKCS15/EF.TokenInfo")
    serial = None if info is None else info.find(_OCTETS)
    return b"" if serial is None else serial.value


def oid_text(value: bytes, file: str) -> str:
    """Dotted form of an object identifier's content bytes (ISO/IEC 8825-1 §8.19).

    Some cards encode the identifier twice; the inner one is meant.
    """
    if len(value) > 2 and value[0] == _OID and value[1] == len(value) - 2:
        value = value[2:]
    if not value or value[-1] & 0x80 or len(value) > 64:
        raise MalformedCardData("object identifier", file)
    arcs = []
    arc = 0
    for byte in value:
        arc = arc << 7 | byte & 0x7F
        if not byte & 0x80:
            arcs.append(arc)
            arc = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(str(arc) for arc in (first, arcs[0] - 40 * first, *arcs[1:]))


def _odf_entries(data: bytes, root: FilePath) -> Iterator[OdfEntry]:
    for choice in tlv.parse(data, "PKCS15/EF.ODF"):
        kind = _ODF_KINDS.get(choice.tag)
        if kind is None:
            continue
        for child in choice.children:
            if child.tag == _SEQUENCE:
                location = parse_location(child, root, "PKCS15/EF.ODF")
                if location is not None:
                    yield OdfEntry(kind, location)
            elif child.tag == _CONTEXT_0:  # objects [0]: listed here and not in a file
                yield OdfEntry(kind, None, child.value)


def _data_object(entry: tlv.Tlv, root: FilePath, file: str) -> DataObject:
    sequences = [child for child in entry.children if child.tag == _SEQUENCE]
    if len(sequences) < 2:
        raise MalformedCardData("data object without its attributes", file)
    common, attributes = sequences[0], sequences[1]
    specific = entry.find(_CONTEXT_1)
    oid = attributes.find(_OID)
    location = None
    for body in [] if specific is None else [specific, *_nested(specific)]:
        oid = body.find(_OID) or oid  # an oidDO has its identifier beside the value
        location = location or _first_location(body, root, file)
    return DataObject(
        oid="" if oid is None else oid_text(oid.value, file),
        label=utf8_text(common.find(_UTF8)),
        application=utf8_text(attributes.find(_UTF8)),
        location=location,
        private=_is_private(common),
    )


def _nested(body: tlv.Tlv) -> list[tlv.Tlv]:
    """Sequences inside, two levels: cards disagree on how deep the value is wrapped."""
    first = [child for child in body.children if child.constructed]
    return first + [grandchild for child in first for grandchild in child.children]


def _first_location(body: tlv.Tlv, root: FilePath, file: str) -> Location | None:
    candidates = [body, *(child for child in body.children if child.tag == _SEQUENCE)]
    for candidate in candidates:
        if candidate.children and candidate.children[0].tag == _OCTETS:
            return parse_location(candidate, root, file)
    return None


def parse_location(sequence: tlv.Tlv, root: FilePath, file: str) -> Location | None:
    """A Path (§6.1.5); None for an empty one. Relative paths start at `root`."""
    octets = sequence.find(_OCTETS)
    if octets is None or not octets.value:
        return None
    ids = split_path(octets.value, file)
    absolute = ids[0] == 0x3F00
    ids = ids[1:] if absolute else ids
    if ids[:1] == (0x7FFF,):  # the application itself, also where the path looks absolute
        absolute, ids = False, ids[1:]
    if not ids:
        raise MalformedCardData("path of a directory where a file is meant", file)
    path = FilePath(ids) if absolute else root.below(*ids)
    offset = _number(sequence.find(_INTEGER), file) or 0
    return Location(path, offset, _number(sequence.find(_LENGTH), file))


def _number(field: tlv.Tlv | None, file: str) -> int | None:
    if field is None:
        return None
    number = int.from_bytes(field.value, "big", signed=True)
    if not field.value or not 0 <= number <= MAX_FILE:
        raise MalformedCardData("offset or length in a path", file)
    return number


def utf8_text(field: tlv.Tlv | None) -> str:
    """A label; empty where there is none."""
    return "" if field is None else field.value.decode("utf-8", "replace")


def _is_private(common: tlv.Tlv) -> bool:
    # CommonObjectFlags: BIT STRING, first bit `private` (PKCS #15 v1.1 §6.1.8)
    flags = common.find(0x03)
    return flags is not None and len(flags.value) > 1 and bool(flags.value[1] & 0x80)
