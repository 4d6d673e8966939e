"""What a PKCS #15 application says of keys, certificates and PINs.

PKCS #15 v1.1 §6.3 to §6.8, ISO/IEC 7816-15 §8: PrKDF, PuKDF, CDF, AODF, TokenInfo.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import TypeVar

from cardd.card import pkcs15, status, tlv
from cardd.card.errors import MalformedCardData
from cardd.card.pkcs15 import Location, OdfEntry
from cardd.card.uicc import FilePath, FileSystem

__all__ = [
    "AlgorithmInfo",
    "Certificate",
    "KeyKind",
    "KeyUsage",
    "Operation",
    "PinObject",
    "PrivateKey",
    "PublicKey",
    "Token",
    "read_token",
]

_SEQUENCE, _OCTETS, _INTEGER, _UTF8, _BITS, _ENUMERATED = 0x30, 0x04, 0x02, 0x0C, 0x03, 0x0A
_CONTEXT_0, _CONTEXT_1, _CONTEXT_2 = 0xA0, 0xA1, 0xA2
_PIN_REFERENCE = 0x80
_MAX_OBJECTS = 256
_SMALLEST_FIELD = 112  # bits; SEC 2 has no smaller curve

_T = TypeVar("_T")


class KeyKind(Enum):
    """The choice of PrivateKeyType and PublicKeyType (§6.3.2, §6.4.2)."""

    RSA = "rsa"
    EC = "ec"


_KINDS = {0x30: KeyKind.RSA, 0xA0: KeyKind.EC}


class KeyUsage(IntEnum):
    """Bits of KeyUsageFlags (§6.3.1)."""

    ENCRYPT = 0
    DECRYPT = 1
    SIGN = 2
    SIGN_RECOVER = 3
    WRAP = 4
    UNWRAP = 5
    VERIFY = 6
    VERIFY_RECOVER = 7
    DERIVE = 8
    NON_REPUDIATION = 9


class Operation(IntEnum):
    """Bits of Operations in an AlgorithmInfo (§6.9)."""

    SIGN = 1
    DECIPHER = 5


class PinFlag(IntEnum):
    """Bits of PinFlags (§6.8.2)."""

    LOCAL = 1
    CHANGE_DISABLED = 2
    UNBLOCK_DISABLED = 3
    NEEDS_PADDING = 5
    UNBLOCKING = 6


@dataclass(frozen=True, slots=True)
class AlgorithmInfo:
    """A line of TokenInfo.supportedAlgorithms: a PKCS #11 mechanism, and how commands name it."""

    line: int
    mechanism: int
    operations: frozenset[int]
    reference: int | None


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """An entry of a PrKDF. `lines` are those of the algorithms; () for any that fits."""

    identifier: bytes
    label: str
    kind: KeyKind
    usage: frozenset[int]
    auth_id: bytes = b""
    reference: int | None = None
    file: FilePath | None = None
    bits: int | None = None
    lines: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An entry of a PuKDF: where the key lies, or the key itself."""

    identifier: bytes
    kind: KeyKind
    location: Location | None
    value: bytes = b""


@dataclass(frozen=True, slots=True)
class Certificate:
    """An X.509 entry of a CDF: where it lies, or the certificate itself."""

    identifier: bytes
    label: str
    location: Location | None
    value: bytes = b""


@dataclass(frozen=True, slots=True)
class PinObject:
    """A PIN of an AODF, or one that a UICC is known to have."""

    reference: int
    label: str
    auth_id: bytes = b""
    min_length: int = 4
    max_length: int = 8
    stored_length: int = 8
    pad: int = 0xFF
    digits_only: bool = True
    unblocking: bool = False
    """Its value unblocks another PIN."""
    unblocked_by: bytes = b""
    """`auth_id` of the object whose value unblocks this one; empty if the card does not say."""
    application: bytes = b""
    """Application that has to be selected first; empty for a PIN of the whole card."""


@dataclass(frozen=True, slots=True)
class Token:
    """One PKCS #15 application. Directories that are not on the card are empty."""

    root: FilePath
    algorithms: tuple[AlgorithmInfo, ...] = ()
    private_keys: tuple[PrivateKey, ...] = ()
    public_keys: tuple[PublicKey, ...] = field(default=(), repr=False)
    certificates: tuple[Certificate, ...] = field(default=(), repr=False)
    pins: tuple[PinObject, ...] = ()


def read_token(files: FileSystem, root: FilePath) -> Token:
    """Read the application's directories. MalformedCardData if one does not parse."""
    try:
        odf = pkcs15.parse_odf(files.read_transparent(root.below(pkcs15.ODF)), root)
    except status.NotFoundOnCard:
        return Token(root)

    def listed(kind: str, parse: Callable[[tlv.Tlv, FilePath, str], _T | None]) -> tuple[_T, ...]:
        entries = (each for each in odf if each.kind == kind)
        found = [one for entry in entries for one in _objects(files, entry, root, parse)]
        if len(found) > _MAX_OBJECTS:
            raise MalformedCardData(f"{len(found)} {kind}", str(root))
        return tuple(found)

    private_keys = listed("private keys", _private_key)
    return Token(
        root,
        _algorithms(files, root) if private_keys else (),
        private_keys,
        listed("public keys", _public_key) if private_keys else (),
        listed("certificates", _certificate) if private_keys else (),
        listed("authentication objects", _pin),
    )


def _objects(
    files: FileSystem,
    directory: OdfEntry,
    root: FilePath,
    parse: Callable[[tlv.Tlv, FilePath, str], _T | None],
) -> Iterator[_T]:
    where = directory.location
    name, data = "PKCS15/EF.ODF", directory.inline
    if where is not None:
        name = str(where.path)
        try:
            data = files.read_transparent(where.path, offset=where.offset, size=where.size)
        except status.NotFoundOnCard:
            return
    for entry in tlv.parse(data, name):
        found = parse(entry, root, name)
        if found is not None:
            yield found


def _algorithms(files: FileSystem, root: FilePath) -> tuple[AlgorithmInfo, ...]:
    name = "PKCS15/EF.TokenInfo"
    try:
        info = tlv.first(files.read_transparent(root.below(pkcs15.TOKEN_INFO)), _SEQUENCE, name)
    except status.NotFoundOnCard:
        return ()
    listed = None if info is None else info.find(_CONTEXT_2)
    return tuple(_algorithm(line, name) for line in (() if listed is None else listed.children))


def _algorithm(line: tlv.Tlv, file: str) -> AlgorithmInfo:
    numbers = [_integer(child, file) for child in line.children if child.tag == _INTEGER]
    if len(numbers) < 2:
        raise MalformedCardData("algorithm without its number", file)
    reference = numbers[2] if len(numbers) > 2 else None
    return AlgorithmInfo(numbers[0], numbers[1], _bits(line.find(_BITS)), reference)


def _private_key(entry: tlv.Tlv, root: FilePath, file: str) -> PrivateKey | None:
    kind = _KINDS.get(entry.tag)
    if kind is None:
        return None
    common, attributes, value = _parts(entry, file)
    numbers = [child for child in attributes.children if child.tag == _INTEGER]
    lines = attributes.find(_CONTEXT_1)
    location = pkcs15.parse_location(value.children[0], root, file) if value.children else None
    sizes = [child for child in value.children if child.tag == _INTEGER]
    auth_id = common.find(_OCTETS)
    return PrivateKey(
        identifier=_identifier(attributes, file),
        label=pkcs15.utf8_text(common.find(_UTF8)),
        kind=kind,
        usage=_bits(attributes.find(_BITS)),
        auth_id=b"" if auth_id is None else auth_id.value,
        # Early middleware wrote references above 7F as negative numbers.
        reference=_integer(numbers[0], file) & 0xFF if numbers else None,
        file=None if location is None else location.path,
        bits=_size(kind, _integer(sizes[0], file)) if sizes else None,
        lines=() if lines is None else tuple(_integer(n, file) for n in lines.children),
    )


def _size(kind: KeyKind, number: int) -> int | None:
    """RSA keys have their modulusLength there. The standard has no size of an EC key, but a small
    reference to its parameters; OpenSC's cards have the size in its place."""
    return number if kind is KeyKind.RSA or number >= _SMALLEST_FIELD else None


def _public_key(entry: tlv.Tlv, root: FilePath, file: str) -> PublicKey | None:
    kind = _KINDS.get(entry.tag)
    if kind is None:
        return None
    _, attributes, value = _parts(entry, file)
    return PublicKey(_identifier(attributes, file), kind, *_referenced(value, root, file))


def _certificate(entry: tlv.Tlv, root: FilePath, file: str) -> Certificate | None:
    if entry.tag != _SEQUENCE:  # x509Certificate; the other choices are hardly ever used
        return None
    common, attributes, value = _parts(entry, file)
    label = pkcs15.utf8_text(common.find(_UTF8))
    return Certificate(_identifier(attributes, file), label, *_referenced(value, root, file))


def _pin(entry: tlv.Tlv, root: FilePath, file: str) -> PinObject | None:
    if entry.tag != _SEQUENCE:  # biometric templates and keys are not what people type
        return None
    common, attributes, value = _parts(entry, file)
    flags = _bits(value.find(_BITS))
    kind = value.find(_ENUMERATED)
    lengths = [_integer(child, file) for child in value.children if child.tag == _INTEGER]
    if len(lengths) < 2 or not all(0 <= length <= 255 for length in lengths):
        raise MalformedCardData("PIN without its lengths", file)
    reference = value.find(_PIN_REFERENCE)
    pad = value.find(_OCTETS)
    padded = PinFlag.NEEDS_PADDING in flags
    auth_id = attributes.find(_OCTETS)
    protected_by = common.find(_OCTETS)
    return PinObject(
        reference=0 if reference is None else _integer(reference, file) & 0xFF,
        label=pkcs15.utf8_text(common.find(_UTF8)),
        auth_id=b"" if auth_id is None else auth_id.value,
        min_length=lengths[0],
        max_length=lengths[2] if len(lengths) > 2 else lengths[1],
        stored_length=lengths[1] if padded else 0,
        pad=pad.value[0] if padded and pad is not None and pad.value else 0,
        # bcd, ascii-numeric, utf8, half-nibble-bcd, iso9564-1
        digits_only=kind is None or kind.value == b"\x01",
        unblocking=PinFlag.UNBLOCKING in flags,
        unblocked_by=b"" if protected_by is None else protected_by.value,
        application=root.aid if PinFlag.LOCAL in flags else b"",
    )


def _parts(entry: tlv.Tlv, file: str) -> tuple[tlv.Tlv, tlv.Tlv, tlv.Tlv]:
    """Common, class and type attributes of a PKCS15Object (§6.1.8)."""
    sequences = [child for child in entry.children if child.tag == _SEQUENCE]
    specific = entry.find(_CONTEXT_1)
    if len(sequences) < 2 or specific is None or not specific.children:
        raise MalformedCardData("object without its attributes", file)
    return sequences[0], sequences[1], specific.children[0]


def _referenced(value: tlv.Tlv, root: FilePath, file: str) -> tuple[Location | None, bytes]:
    """An ObjectValue: a path, or the value itself under [0] (§6.1.7)."""
    first = value.children[0] if value.children else None
    if first is None:
        return None, b""
    if first.tag == _CONTEXT_0:
        return None, first.value
    return pkcs15.parse_location(first, root, file), b""


def _identifier(attributes: tlv.Tlv, file: str) -> bytes:
    octets = attributes.find(_OCTETS)
    if octets is None or not 1 <= len(octets.value) <= 64:
        raise MalformedCardData("object without an identifier", file)
    return octets.value


def _bits(string: tlv.Tlv | None) -> frozenset[int]:
    """The bits that are set, counted from the first (X.690 §8.6)."""
    if string is None:
        return frozenset()
    return frozenset(
        8 * at + bit
        for at, byte in enumerate(string.value[1:])
        for bit in range(8)
        if byte & 0x80 >> bit
    )


def _integer(number: tlv.Tlv, file: str) -> int:
    if not 1 <= len(number.value) <= 4:
        raise MalformedCardData("number", file)
    return int.from_bytes(number.value, "big", signed=True)
