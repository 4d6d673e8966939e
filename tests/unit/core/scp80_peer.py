"""Secured packets over pycryptodomex: the second implementation that Scp80Keys is held against."""

from __future__ import annotations

import zlib

from Cryptodome.Cipher import AES, DES
from Cryptodome.Hash import CMAC

__all__ = ["command", "response"]


def command(  # the fields of a packet
    kic: tuple[int, bytes],
    kid: tuple[int, bytes],
    spi: bytes,
    tar: bytes,
    counter: int,
    data: bytes,
    code_length: int,
) -> bytes:
    """A command packet (TS 102 225 §5.1)."""
    head = spi + bytes([kic[0], kid[0]]) + tar
    return _packet(kic, kid, spi[0], b"", head, counter, b"", data, code_length)


def response(  # the fields of a packet
    kic: tuple[int, bytes],
    kid: tuple[int, bytes],
    spi: bytes,
    tar: bytes,
    counter: int,
    status: int,
    data: bytes,
    code_length: int,
) -> bytes:
    """A response packet (TS 102 225 §5.2), secured as the second byte of the indicator says."""
    security = spi[1] >> 2
    prefix = b"\x02\x71\x00"
    return _packet(kic, kid, security, prefix, tar, counter, bytes([status]), data, code_length)


def _packet(  # what both packets have
    kic: tuple[int, bytes],
    kid: tuple[int, bytes],
    security: int,
    prefix: bytes,
    head: bytes,
    counter: int,
    status: bytes,
    data: bytes,
    code_length: int,
) -> bytes:
    check, ciphered = security & 3, security & 4
    size = {0: 0, 1: 2 if kid[0] & 15 == 1 else 4, 2: code_length}[check]
    block = 16 if kic[0] & 15 == 2 else 8
    padding = -(6 + len(status) + size + len(data)) % block if ciphered else 0
    counters = counter.to_bytes(5, "big") + bytes([padding]) + status
    data += bytes(padding)
    total = 1 + len(head) + len(counters) + size + len(data)
    clear = total.to_bytes(2, "big") + bytes([len(head) + len(counters) + size]) + head
    covered = prefix + clear + counters + data
    if check == 2:
        code = _checksum(kid, covered)[:size]
    elif size == 4:
        code = zlib.crc32(covered).to_bytes(4, "big")
    else:
        code = _crc16(covered)[:size]
    secret = counters + code + data
    return clear + (_encrypt(kic, secret) if ciphered else secret)


def _checksum(kid: tuple[int, bytes], message: bytes) -> bytes:
    if kid[0] & 15 == 2:
        return CMAC.new(kid[1], ciphermod=AES).update(message).digest()
    return _encrypt(kid, message + bytes(-len(message) % 8))[-8:]


def _encrypt(key: tuple[int, bytes], message: bytes) -> bytes:
    if key[0] & 15 == 2:
        return AES.new(key[1], AES.MODE_CBC, bytes(16)).encrypt(message)
    # Of single DES: DES3 refuses keys of which two are equal
    parts = [key[1][at : at + 8] for at in range(0, len(key[1]), 8)]
    chain, blocks = bytes(8), []
    for at in range(0, len(message), 8):
        mixed = bytes(a ^ b for a, b in zip(chain, message[at : at + 8], strict=True))
        chain = _triple(parts, mixed)
        blocks.append(chain)
    return b"".join(blocks)


def _triple(parts: list[bytes], block: bytes) -> bytes:
    ciphers = [DES.new(part, DES.MODE_ECB) for part in parts]
    block = ciphers[0].encrypt(block)
    if len(ciphers) == 1:
        return block
    return ciphers[2 % len(ciphers)].encrypt(ciphers[1].decrypt(block))


def _crc16(message: bytes) -> bytes:
    value = 0xFFFF
    for byte in message:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x8408 if value & 1 else 0)
    return (value ^ 0xFFFF).to_bytes(2, "big")
