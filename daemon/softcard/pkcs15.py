"""The PKCS#15 application with its provisioning files, in the dialects that cards speak."""

from dataclasses import dataclass
from enum import Enum

from softcard.files import Access, Condition, Df, Ef
from softcard.section import Section
from softcard.tlv import encode, object_identifier

__all__ = ["pkcs15"]

PKCS15_AID = "A000000063504B43532D3135"

_PUBLIC = Access(Condition.ALWAYS, Condition.ADM)


class EntryKind(Enum):
    """The choice of PKCS15DataType that an entry takes (PKCS#15 v1.1 §6.9)."""

    OID = "oid"  # oidDO, A1
    OPAQUE = "opaque"  # opaqueDO, SEQUENCE


class OidCoding(Enum):
    """Some cards wrap the object identifier in another one."""

    ONCE = "once"
    TWICE = "twice"


class PathKind(Enum):
    """How an entry names its file."""

    ABSOLUTE = "absolute"  # 3F00 7F50 6431
    RELATIVE = "relative"  # 6431


@dataclass(frozen=True, slots=True)
class _Dialect:
    entry: EntryKind
    oid: OidCoding
    path: PathKind
    sizes: bool
    fid: int


def pkcs15(section: Section) -> Df:
    """The application: ODF, TokenInfo, directories of data objects, and what they point at."""
    dialect = _Dialect(
        section.choice("entry", EntryKind, EntryKind.OID),
        section.choice("oid", OidCoding, OidCoding.ONCE),
        section.choice("path", PathKind, PathKind.ABSOLUTE),
        section.flag("sizes", True),
        section.fid("fid", "7F50"),
    )
    label = section.text("label", "PKCS#15")
    files = [
        Ef(0x5032, "EF.TokenInfo", _token_info(section, label), access=_PUBLIC),
    ]
    references = b""
    for dodf in section.tables("dodf"):
        fid = dodf.fid("fid", "6430")
        references += encode(0xA7, encode(0x30, encode(0x04, fid.to_bytes(2, "big"))))
        files += _directory(dodf, fid, dialect)
    odf_size = max(section.number("odf_size", 64, 0, 4096), len(references))
    files.append(Ef(0x5031, "EF.ODF", references.ljust(odf_size, b"\xff"), access=_PUBLIC))
    df = Df(
        dialect.fid,
        "DF.PKCS15",
        tuple(files),
        aid=section.octets("aid", default=PKCS15_AID),
        label=label,
        by_aid=section.flag("by_aid", True),
    )
    section.finish()
    return df


def _directory(section: Section, fid: int, dialect: _Dialect) -> list[Ef]:
    """One DODF and the files it lists. `blank` leaves it filled with FF, as some cards do."""
    entries = b""
    files: list[Ef] = []
    for file in section.tables("file"):
        ef, oid = _provisioning_file(file)
        files.append(ef)
        entries += _entry(ef, oid, dialect)
    if section.flag("blank", False):
        entries = b""
    size = max(section.number("size", 128, 0, 4096), len(entries))
    content = entries.ljust(size, b"\xff")
    name = section.text("name", f"EF.DODF-{fid:04X}")
    section.finish()
    return [Ef(fid, name, content, access=_PUBLIC), *files]


def _provisioning_file(section: Section) -> tuple[Ef, str]:
    content = section.content()
    size = section.number("size", max(len(content), 1), 1, 32767)
    if len(content) > size:
        raise section.error("size", f"{size} is less than the {len(content)} bytes of content")
    oid = section.text("oid")
    try:
        object_identifier(oid)
    except ValueError:
        raise section.error("oid", f"{oid!r} is not an object identifier") from None
    access = Access(
        section.choice("read", Condition, Condition.ALWAYS),
        section.choice("update", Condition, Condition.ADM),
    )
    ef = Ef(section.fid("fid"), section.text("name"), content.ljust(size, b"\xff"), access=access)
    section.finish()
    return ef, oid


def _entry(ef: Ef, oid: str, dialect: _Dialect) -> bytes:
    """One PKCS15DataType (PKCS#15 v1.1 §6.9)."""
    identifier = encode(0x06, object_identifier(oid))
    if dialect.oid is OidCoding.TWICE:
        identifier = encode(0x06, identifier)
    label = encode(0x0C, ef.name.encode("utf-8"))
    path = _path(ef, dialect)
    common = encode(0x30)
    if dialect.entry is EntryKind.OPAQUE:
        return encode(0x30, common, encode(0x30, label, identifier), encode(0xA1, path))
    return encode(0xA1, common, encode(0x30, label), encode(0xA1, encode(0x30, identifier, path)))


def _path(ef: Ef, dialect: _Dialect) -> bytes:
    steps = [ef.fid]
    if dialect.path is PathKind.ABSOLUTE:
        steps = [0x3F00, dialect.fid, ef.fid]
    path = encode(0x04, b"".join(fid.to_bytes(2, "big") for fid in steps))
    if not dialect.sizes:
        return encode(0x30, path)
    # PKCS#15 v1.1 §6.2.3: index and length come together.
    size = ef.size.to_bytes(ef.size.bit_length() // 8 + 1, "big")
    return encode(0x30, path, encode(0x02, b"\x00"), encode(0x80, size))


def _token_info(section: Section, label: str) -> bytes:
    # PKCS#15 v1.1 §6.1: version 0 (v1), serial number, maker, label, flags (none).
    return encode(
        0x30,
        encode(0x02, b"\x00"),
        encode(0x04, section.octets("serial", default="00")),
        encode(0x0C, section.text("manufacturer", "Cardea").encode("utf-8")),
        encode(0x80, label.encode("utf-8")),
        encode(0x03, b"\x00"),
    )
