"""MILENAGE and TUAK vectors over Python libraries."""

from __future__ import annotations

from hashlib import shake_256

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


def milenage_over_cryptography(k: bytes, opc: bytes, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
    """AUTN ‖ XRES ‖ CK ‖ IK of a subscriber (TS 35.206 §4.1), numbers in place of byte strings."""
    encrypt = Cipher(algorithms.AES(k), modes.ECB()).encryptor().update  # noqa: S305 (single blocks)
    key = int.from_bytes(opc, "big")
    temp = int.from_bytes(encrypt((int.from_bytes(rand, "big") ^ key).to_bytes(16, "big")), "big")
    in1 = int.from_bytes((sqn + amf) * 2, "big") ^ key
    base = temp ^ key
    inputs = (
        (temp ^ _rotate(in1, 64)).to_bytes(16, "big")
        + (base ^ 1).to_bytes(16, "big")
        + (_rotate(base, 32) ^ 2).to_bytes(16, "big")
        + (_rotate(base, 64) ^ 4).to_bytes(16, "big")
    )
    keys = int.from_bytes(opc * 4, "big")
    out = (int.from_bytes(encrypt(inputs), "big") ^ keys).to_bytes(64, "big")
    concealed = int.from_bytes(sqn, "big") ^ int.from_bytes(out[16:22], "big")
    return concealed.to_bytes(6, "big") + amf + out[:8] + out[24:]


def _rotate(block: int, bits: int) -> int:
    return ((block << bits) | (block >> (128 - bits))) & ((1 << 128) - 1)


def tuak_over_hashlib(k: bytes, topc: bytes, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
    """AUTN ‖ XRES ‖ CK ‖ IK of a subscriber with a key of 16 bytes (TS 35.231 §6.2, §7).

    No Python library offers the bare permutation in C; but with one iteration TUAK's padding is
    that of SHAKE256, and hashlib the fastest way to it.
    """
    key = bytes(16) + k
    code = _shake(key + sqn + amf + rand + b"TUAK1.0\x08" + topc, 8)
    out = _shake(key + bytes(8) + rand + b"TUAK1.0\x48" + topc, 102)
    concealed = int.from_bytes(sqn, "big") ^ int.from_bytes(out[:6], "big")
    return concealed.to_bytes(6, "big") + amf + code + out[94:] + out[54:70] + out[22:38]


def _shake(fields: bytes, length: int) -> bytes:
    return shake_256(fields[::-1]).digest(length)[::-1]
