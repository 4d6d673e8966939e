"""Secured packets at the card's end (TS 102 225), written apart from the daemon's own."""

import hmac
import zlib
from dataclasses import dataclass, field
from enum import IntEnum

from Cryptodome.Cipher import AES, DES
from Cryptodome.Cipher._mode_ecb import EcbMode
from Cryptodome.Hash import CMAC

from softcard.errors import SoftCardError

__all__ = [
    "RESPONSE_MARK",
    "Command",
    "Header",
    "PacketKeys",
    "PacketRefused",
    "PacketStatus",
    "opened",
    "response",
    "sealed",
]

# First byte of the security parameter indicator (TS 102 225 §5.1.1).
_CHECK, _RC, _CC, _DS = 0x03, 1, 2, 3
_CIPHERED = 0x04
# Lower half of KIc and KID: AES, and triple DES with two and three keys (§5.1.2, §5.1.3).
_AES = 2
_KEY_LENGTHS = {_AES: (16, 24, 32), 5: (16,), 9: (24,)}
# Command packet: CPL, CHL, SPI, KIc, KID, TAR; then what may be ciphered.
_HEAD_BYTES = 10
_COUNTERS_BYTES = 6
# In front of a response packet: user data header with the element 71 (TS 31.115 §4.4); the code
# covers it too.
RESPONSE_MARK = b"\x02\x71\x00"


class PacketStatus(IntEnum):
    """Status of a response packet (TS 102 225 §5.2 table 5)."""

    OK = 0x00
    CHECK_FAILED = 0x01
    COUNTER_LOW = 0x02
    COUNTER_HIGH = 0x03
    COUNTER_BLOCKED = 0x04
    CIPHERING = 0x05
    UNIDENTIFIED = 0x06
    TAR_UNKNOWN = 0x09
    SECURITY_INSUFFICIENT = 0x0A


class PacketRefused(SoftCardError):
    """A packet that is not obeyed."""

    def __init__(self, status: PacketStatus) -> None:
        super().__init__(f"packet refused: {status.name}")
        self.status = status


@dataclass(frozen=True, slots=True)
class PacketKeys:
    """A key set: KIc and KID as they stand in packets, and the keys behind them."""

    kic: int
    cipher_key: bytes = field(repr=False)
    kid: int
    checksum_key: bytes = field(repr=False)
    code_bytes: int = 8

    def fit(self) -> bool:
        """Whether each key has a length of its algorithm."""
        both = ((self.kic, self.cipher_key), (self.kid, self.checksum_key))
        return all(len(key) in _KEY_LENGTHS.get(kind & 0x0F, ()) for kind, key in both)


@dataclass(frozen=True, slots=True)
class Header:
    """What stands in front of a command packet in the clear."""

    spi: bytes
    kic: int
    kid: int
    tar: bytes

    @classmethod
    def read(cls, packet: bytes) -> "Header":
        """PacketRefused UNIDENTIFIED where lengths contradict each other."""
        whole = len(packet) > _HEAD_BYTES and int.from_bytes(packet[:2], "big") == len(packet) - 2
        if not whole:
            raise PacketRefused(PacketStatus.UNIDENTIFIED)
        return cls(packet[3:5], packet[5], packet[6], packet[7:10])


@dataclass(frozen=True, slots=True)
class Command:
    """A command packet whose check fits."""

    counter: int
    data: bytes = field(repr=False)


def opened(keys: PacketKeys, packet: bytes, header: Header) -> Command:
    """Decipher and check: the code is over the clear text (§5.1). PacketRefused."""
    check = header.spi[0] & _CHECK
    # A digital signature has no algorithm (§5.1.1).
    if (header.kic, header.kid) != (keys.kic, keys.kid) or check == _DS:
        raise PacketRefused(PacketStatus.UNIDENTIFIED)
    ciphered = bool(header.spi[0] & _CIPHERED)
    size = _code_bytes(keys, check)
    if packet[2] != _HEAD_BYTES - 3 + _COUNTERS_BYTES + size:
        raise PacketRefused(PacketStatus.UNIDENTIFIED)
    clear, secret = packet[:_HEAD_BYTES], packet[_HEAD_BYTES:]
    if len(secret) < _COUNTERS_BYTES + size or (ciphered and len(secret) % _block(keys.kic)):
        raise PacketRefused(PacketStatus.CIPHERING)
    if ciphered:
        secret = _decipher(keys.kic, keys.cipher_key, secret)
    counters, code = secret[:_COUNTERS_BYTES], secret[_COUNTERS_BYTES : _COUNTERS_BYTES + size]
    data = secret[_COUNTERS_BYTES + size :]
    expected = _code(keys, check, clear + counters + data)
    padding = counters[5]
    if not hmac.compare_digest(code, expected) or padding > len(data):
        raise PacketRefused(PacketStatus.CHECK_FAILED)
    return Command(int.from_bytes(counters[:5], "big"), data[: len(data) - padding])


def sealed(
    keys: PacketKeys,
    security: int,
    head: bytes,
    counter: int,
    data: bytes,
    *,
    status: bytes = b"",
    mark: bytes = b"",
) -> bytes:
    """A packet of either kind from its length on; `security`: which check, and if ciphered.

    `head` is all between the lengths and the counter; a response has `status` and `mark`.
    """
    size = _code_bytes(keys, security & _CHECK)
    block = _block(keys.kic)
    padding = -(_COUNTERS_BYTES + len(status) + size + len(data)) % block
    padding = padding if security & _CIPHERED else 0
    counters = counter.to_bytes(5, "big") + bytes([padding]) + status
    data += bytes(padding)
    length = len(head) + len(counters) + size
    clear = (1 + length + len(data)).to_bytes(2, "big") + bytes([length]) + head
    code = _code(keys, security & _CHECK, mark + clear + counters + data)
    secret = counters + code + data
    return clear + (
        _encipher(keys.kic, keys.cipher_key, secret) if security & _CIPHERED else secret
    )


def response(
    keys: PacketKeys, spi: bytes, tar: bytes, counter: int, status: int, data: bytes
) -> bytes:
    """A response packet (§5.2), secured as the second byte of the indicator asks."""
    return sealed(keys, spi[1] >> 2, tar, counter, data, status=bytes([status]), mark=RESPONSE_MARK)


def _code_bytes(keys: PacketKeys, check: int) -> int:
    if check == _RC:
        # §5.1.3.1: CRC 16 for algorithm 1 of KID, else CRC 32.
        return 2 if keys.kid & 0x0F == 1 else 4
    return keys.code_bytes if check == _CC else 0


def _code(keys: PacketKeys, check: int, covered: bytes) -> bytes:
    size = _code_bytes(keys, check)
    if check == _CC:
        return _checksum(keys, covered)[:size]
    if check == _RC:
        return zlib.crc32(covered).to_bytes(4, "big") if size == 4 else _crc16(covered)
    return b""


def _checksum(keys: PacketKeys, message: bytes) -> bytes:
    if keys.kid & 0x0F == _AES:
        return CMAC.new(keys.checksum_key, ciphermod=AES).update(message).digest()
    message += bytes(-len(message) % DES.block_size)
    return _encipher(keys.kid, keys.checksum_key, message)[-8:]


def _block(kic: int) -> int:
    return AES.block_size if kic & 0x0F == _AES else DES.block_size


def _encipher(kind: int, key: bytes, message: bytes) -> bytes:
    if kind & 0x0F == _AES:
        return AES.new(key, AES.MODE_CBC, bytes(AES.block_size)).encrypt(message)
    chain, blocks = bytes(8), []
    for at in range(0, len(message), 8):
        chain = _triple_des(key, _xor(chain, message[at : at + 8]))
        blocks.append(chain)
    return b"".join(blocks)


def _decipher(kind: int, key: bytes, message: bytes) -> bytes:
    if kind & 0x0F == _AES:
        return AES.new(key, AES.MODE_CBC, bytes(AES.block_size)).decrypt(message)
    chain, blocks = bytes(8), []
    for at in range(0, len(message), 8):
        block = message[at : at + 8]
        blocks.append(_xor(chain, _triple_des_back(key, block)))
        chain = block
    return b"".join(blocks)


# Triple DES of single DES, for the library refuses keys of which two parts are equal.


def _triple_des(key: bytes, block: bytes) -> bytes:
    first, second, third = _parts(key)
    return _des(third).encrypt(_des(second).decrypt(_des(first).encrypt(block)))


def _triple_des_back(key: bytes, block: bytes) -> bytes:
    first, second, third = _parts(key)
    return _des(first).decrypt(_des(second).encrypt(_des(third).decrypt(block)))


def _parts(key: bytes) -> list[bytes]:
    return [key[at : at + 8] for at in (0, 8 % len(key), 16 % len(key))]


def _des(key: bytes) -> EcbMode:
    # The standard's triple DES is made of it.
    made = DES.new(key, DES.MODE_ECB)  # noqa: S304
    assert isinstance(made, EcbMode)
    return made


def _crc16(message: bytes) -> bytes:
    value = 0xFFFF
    for byte in message:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x8408 if value & 1 else 0)
    return (value ^ 0xFFFF).to_bytes(2, "big")


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
