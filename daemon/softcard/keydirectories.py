"""What a PKCS #15 application says of its keys: PrKDF, PuKDF, CDF, AODF, algorithms.

PKCS #15 v1.1 §6.3 to §6.8, ISO/IEC 7816-15 §8; only what a reader of these files needs.
"""

from collections.abc import Callable, Iterable

from softcard.files import Access, Condition, Ef
from softcard.keys import Algorithm, CardKey, Usage
from softcard.security import PIN1, PinSpec
from softcard.tlv import encode, object_identifier

__all__ = ["key_files", "supported_algorithms"]

_PUBLIC = Access(Condition.ALWAYS, Condition.ADM)
_SEALED = Access(Condition.NEVER, Condition.NEVER)
_PRKDF, _PUKDF, _CDF, _AODF = 0x4001, 0x4002, 0x4004, 0x4008
_TAGS = {_PRKDF: 0xA0, _PUKDF: 0xA1, _CDF: 0xA4, _AODF: 0xA8}  # PKCS15Objects, §6.2
_AUTH_ID = b"\x01"

# Algorithm reference: PKCS #11 mechanism, SupportedOperations, object identifier (§6.1, §6.9).
_ALGORITHMS = {
    Algorithm.RSA_PKCS1: (0x0001, (1, 5), "1.2.840.113549.1.1.1"),
    Algorithm.RSA_RAW: (0x0003, (1, 5), "1.2.840.113549.1.1.1"),
    Algorithm.ECDSA: (0x1041, (1,), "1.2.840.10045.4.3"),
}

_Path = Callable[[Ef], bytes]
"""How the application's dialect writes where a file lies."""


def key_files(
    keys: tuple[CardKey, ...], pin: PinSpec | None, path: _Path
) -> tuple[bytes, list[Ef]]:
    """Lines of the ODF, and the files that they lead to, all public but for the keys."""
    public, certificates, private = [], [], []
    entries: dict[int, bytes] = dict.fromkeys(_TAGS, b"")
    for key in keys:
        inside = Ef(key.fid, f"Key {key.label}", b"\0" * key.size, access=_SEALED, internal=True)
        private.append(inside)
        entries[_PRKDF] += _private_key(key, path(inside))
        shown = Ef(key.fid + 0x80, f"Public {key.label}", key.public, access=_PUBLIC)
        public.append(shown)
        entries[_PUKDF] += _public_key(key, path(shown))
        if key.certificate:
            held = Ef(key.fid + 0x100, f"Certificate {key.label}", key.certificate, access=_PUBLIC)
            certificates.append(held)
            entries[_CDF] += _certificate(key, path(held))
    if pin is not None:
        entries[_AODF] = _pin(pin)
    directories = [
        Ef(fid, f"EF.{name}", content.ljust(len(content) + 16, b"\xff"), access=_PUBLIC)
        for (fid, content), name in zip(
            entries.items(), ("PrKDF", "PuKDF", "CDF", "AODF"), strict=True
        )
    ]
    references = b"".join(
        encode(_TAGS[directory.fid], path(directory)) for directory in directories
    )
    return references, [*directories, *private, *public, *certificates]


def supported_algorithms(keys: tuple[CardKey, ...]) -> bytes:
    """TokenInfo.supportedAlgorithms [2]."""
    used = {algorithm for key in keys for algorithm in key.algorithms}
    found = (each for each in _ALGORITHMS if each in used)
    return encode(0xA2, *(_algorithm(line, each) for line, each in enumerate(found, 1)))


def _algorithm(line: int, algorithm: Algorithm) -> bytes:
    mechanism, operations, identifier = _ALGORITHMS[algorithm]
    return encode(
        0x30,
        _number(line),
        _number(mechanism),
        encode(0x05),
        _bits(operations),
        encode(0x06, object_identifier(identifier)),
        _number(algorithm),
    )


def _private_key(key: CardKey, path: bytes) -> bytes:
    guarded = key.condition is not Condition.ALWAYS
    common = encode(
        0x30,
        encode(0x0C, key.label.encode()),
        _bits((0,)),  # private
        encode(0x04, _AUTH_ID) if guarded else b"",
    )
    attributes = encode(
        0x30,
        encode(0x04, key.identifier),
        _bits(key.usage),
        _bits((0, 2, 3)),  # sensitive, always sensitive, never extractable
        _number(key.reference),
    )
    # The size of an EC key's field is no part of the standard; OpenSC wants to know it.
    value = encode(0xA1, encode(0x30, path, _number(8 * key.size)))
    return encode(0x30 if key.is_rsa else 0xA0, common, attributes, value)


def _public_key(key: CardKey, path: bytes) -> bytes:
    opposite = {Usage.DECRYPT: 0, Usage.SIGN: 6, Usage.AUTHENTICATE: 7}
    common = encode(0x30, encode(0x0C, key.label.encode()))
    usage = _bits(opposite[usage] for usage in key.usage)
    attributes = encode(0x30, encode(0x04, key.identifier), usage)
    size = _number(8 * key.size) if key.is_rsa else b""
    value = encode(0xA1, encode(0x30, path, size))
    return encode(0x30 if key.is_rsa else 0xA0, common, attributes, value)


def _certificate(key: CardKey, path: bytes) -> bytes:
    common = encode(0x30, encode(0x0C, key.label.encode()))
    return encode(
        0x30, common, encode(0x30, encode(0x04, key.identifier)), encode(0xA1, encode(0x30, path))
    )


def _pin(pin: PinSpec) -> bytes:
    common = encode(0x30, encode(0x0C, b"PIN"), _bits((0, 1)))  # private, modifiable
    attributes = encode(
        0x30,
        _bits((4, 5)),  # initialised, needs padding
        encode(0x0A, b"\x01"),  # digits in ASCII
        _number(4),
        _number(len(pin.value)),
        _number(len(pin.value)),
        encode(0x80, bytes([PIN1])),
        encode(0x04, b"\xff"),
    )
    return encode(0x30, common, encode(0x30, encode(0x04, _AUTH_ID)), encode(0xA1, attributes))


def _bits(numbers: Iterable[int]) -> bytes:
    """A named bit list, without trailing zeros (X.690 §11.2.2)."""
    value, last = 0, -1
    for number in numbers:
        value |= 1 << (31 - number)
        last = max(last, number)
    size = last // 8 + 1
    return encode(0x03, bytes([(7 - last) % 8]) + value.to_bytes(4, "big")[:size])


def _number(value: int) -> bytes:
    return encode(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))
