"""How a digest is dressed for a key (RFC 8017 §9, FIPS 186-5 §6.4), and signatures in one form."""

from __future__ import annotations

import hashlib
from enum import Enum

from cardd.card import tlv
from cardd.card.errors import CardError, MalformedCardData

__all__ = ["Hash", "digest_info", "ecdsa_signature", "pkcs1_block", "pss_block"]

_SEQUENCE, _INTEGER = 0x30, 0x02


class Hash(Enum):
    """Hash functions: name for hashlib, last byte of the object identifier 2.16.840.1.101.3.4.2."""

    SHA256 = ("sha256", 1)
    SHA384 = ("sha384", 2)
    SHA512 = ("sha512", 3)

    @property
    def size(self) -> int:
        """Bytes of a digest."""
        return hashlib.new(self.value[0]).digest_size

    def of(self, data: bytes) -> bytes:
        """The digest of data."""
        return hashlib.new(self.value[0], data).digest()


def digest_info(hash: Hash, digest: bytes) -> bytes:
    """DigestInfo, DER (RFC 8017 §9.2, note 1)."""
    identifier = bytes.fromhex("06096086480165030402") + bytes((hash.value[1],))
    algorithm = bytes((0x30, len(identifier) + 2)) + identifier + b"\x05\x00"
    octets = bytes((0x04, len(digest))) + digest
    return bytes((0x30, len(algorithm) + len(octets))) + algorithm + octets


def pkcs1_block(info: bytes, size: int) -> bytes:
    """EMSA-PKCS1-v1_5 (RFC 8017 §9.2) as long as the modulus."""
    filling = size - len(info) - 3
    if filling < 8:
        raise CardError(f"a key of {size} bytes is too short for this digest")
    return b"\x00\x01" + b"\xff" * filling + b"\x00" + info


def pss_block(hash: Hash, digest: bytes, salt: bytes, bits: int) -> bytes:
    """EMSA-PSS with MGF1 of the same hash (RFC 8017 §9.1.1), as long as a modulus of so many bits.

    The encoded message has one bit less than the modulus, and so sometimes a byte less.
    """
    message_size = (bits - 1 + 7) // 8
    masked_size = message_size - hash.size - 1
    if masked_size < len(salt) + 1:
        raise CardError(f"a key of {bits} bits is too short for this digest and salt")
    hashed = hash.of(bytes(8) + digest + salt)
    block = bytes(masked_size - len(salt) - 1) + b"\x01" + salt
    mask = b"".join(
        hash.of(hashed + counter.to_bytes(4, "big"))
        for counter in range(-(-masked_size // hash.size))
    )
    masked = bytearray(a ^ b for a, b in zip(block, mask, strict=False))
    masked[0] &= 0xFF >> (8 * message_size - (bits - 1))
    return (bytes(masked) + hashed + b"\xbc").rjust((bits + 7) // 8, b"\x00")


def ecdsa_signature(answer: bytes) -> bytes:
    """Ecdsa-Sig-Value in DER (RFC 3279 §2.2.3), whichever of the two usual forms the card has."""
    try:
        (whole,) = tlv.parse(answer, "signature")
        r, s = whole.children
        if whole.tag == _SEQUENCE and r.tag == s.tag == _INTEGER:
            return answer
    except (MalformedCardData, ValueError):
        pass
    if not answer or len(answer) % 2:
        raise MalformedCardData("ECDSA signature", "signature")
    half = len(answer) // 2
    body = _integer(answer[:half]) + _integer(answer[half:])
    length = bytes((len(body),)) if len(body) < 0x80 else bytes((0x81, len(body)))
    return b"\x30" + length + body


def _integer(number: bytes) -> bytes:
    value = number.lstrip(b"\x00") or b"\x00"
    if value[0] & 0x80:
        value = b"\x00" + value
    return bytes((_INTEGER, len(value))) + value
