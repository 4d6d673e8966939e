"""The PKCS#15 application with its provisioning files, in the dialects that cards speak."""

from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

from Cryptodome.PublicKey import ECC, RSA

from softcard.files import Access, Condition, Df, Ef
from softcard.keydirectories import key_files, supported_algorithms
from softcard.keys import CardKey, Usage
from softcard.section import Section
from softcard.security import PIN1, PinSpec
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


def pkcs15(section: Section, pins: tuple[PinSpec, ...]) -> tuple[Df, tuple[CardKey, ...]]:
    """The application: ODF, TokenInfo, directories of keys and data objects, what they point at."""
    dialect = _Dialect(
        section.choice("entry", EntryKind, EntryKind.OID),
        section.choice("oid", OidCoding, OidCoding.ONCE),
        section.choice("path", PathKind, PathKind.ABSOLUTE),
        section.flag("sizes", True),
        section.fid("fid", "7F50"),
    )
    label = section.text("label", "PKCS#15")
    keys = tuple(_key(key, position) for position, key in enumerate(section.tables("key"), 1))
    files = [
        Ef(0x5032, "EF.TokenInfo", _token_info(section, label, keys), access=_PUBLIC),
    ]
    references = b""
    if keys:
        pin = next((pin for pin in pins if pin.reference == PIN1), None)
        references, key_directories = key_files(keys, pin, lambda ef: _path(ef, dialect))
        files += key_directories
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
    return df, keys


def _key(section: Section, position: int) -> CardKey:
    key = CardKey(
        identifier=section.octets("id"),
        label=section.text("label"),
        fid=section.fid("fid", f"{0x4B00 + position:04X}"),
        reference=section.number("reference", position, 1, 127),
        usage=frozenset(_usage(section, name) for name in section.texts("usage", ["sign"])),
        condition=section.choice("use", Condition, Condition.PIN1),
        private=_private_key(section),
        certificate=section.content("certificate"),
    )
    section.finish()
    return key


def _usage(section: Section, name: str) -> Usage:
    try:
        return Usage[name.upper()]
    except KeyError:
        known = ", ".join(usage.name.lower() for usage in Usage)
        raise section.error("usage", f"{name!r} is none of {known}") from None


def _private_key(section: Section) -> RSA.RsaKey | ECC.EccKey:
    encoded = section.content("private")
    for read in (ECC.import_key, RSA.import_key):
        with suppress(ValueError, IndexError, TypeError):
            key = read(encoded)
            if key.has_private():
                return key
    raise section.error("private", "is no private RSA or EC key in PEM or DER")


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
    size = section.number("size", max(len(content), 1), 1, 0x8000)
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


def _token_info(section: Section, label: str, keys: tuple[CardKey, ...]) -> bytes:
    # PKCS#15 v1.1 §6.1: version 0 (v1), serial number, maker, label, flags (login required where
    # there are keys), algorithms.
    return encode(
        0x30,
        encode(0x02, b"\x00"),
        encode(0x04, section.octets("serial", default="00")),
        encode(0x0C, section.text("manufacturer", "Cardea").encode("utf-8")),
        encode(0x80, label.encode("utf-8")),
        encode(0x03, b"\x06\x40" if keys else b"\x00"),
        supported_algorithms(keys) if keys else b"",
    )
