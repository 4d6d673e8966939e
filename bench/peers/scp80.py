"""Secured packets (TS 102 225) over Python libraries: a checksum of 8 bytes, everything encrypted.

AES-128 for KIc and KID 12, triple DES with two keys for 15.
"""

from __future__ import annotations

from hmac import compare_digest
from typing import Protocol

from Cryptodome.Cipher import AES as CryptodomeAes
from Cryptodome.Cipher import DES3 as CryptodomeDes3
from Cryptodome.Hash import CMAC as CryptodomeCmac
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm, Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

SPI = bytes.fromhex("1619")
TAR = b"TAR"


class Card(Protocol):
    """A card's keys, KIc and KID the same."""

    block: int

    def encrypt(self, message: bytes) -> bytes: ...
    def decrypt(self, message: bytes) -> bytes: ...
    def code(self, message: bytes) -> bytes: ...


class AesOverCryptography:
    """Key objects are kept, as far as they can be."""

    block = 16

    def __init__(self, kic: bytes, kid: bytes) -> None:
        self._aes: BlockCipherAlgorithm = AES(kic)
        self._iv = modes.CBC(bytes(16))
        self._cmac = CMAC(AES(kid))

    def encrypt(self, message: bytes) -> bytes:
        return Cipher(self._aes, self._iv).encryptor().update(message)

    def decrypt(self, message: bytes) -> bytes:
        return Cipher(self._aes, self._iv).decryptor().update(message)

    def code(self, message: bytes) -> bytes:
        code = self._cmac.copy()
        code.update(message)
        return code.finalize()[:8]


class AesOverPycryptodomex:
    """pycryptodomex keeps no key schedule between two chains."""

    block = 16

    def __init__(self, kic: bytes, kid: bytes) -> None:
        self._kic, self._kid = kic, kid

    def encrypt(self, message: bytes) -> bytes:
        return CryptodomeAes.new(self._kic, CryptodomeAes.MODE_CBC, bytes(16)).encrypt(message)

    def decrypt(self, message: bytes) -> bytes:
        return CryptodomeAes.new(self._kic, CryptodomeAes.MODE_CBC, bytes(16)).decrypt(message)

    def code(self, message: bytes) -> bytes:
        return CryptodomeCmac.new(self._kid, message, ciphermod=CryptodomeAes).digest()[:8]


class DesOverCryptography:
    """Two keys given as three: at two the library warns, which takes longer than the work."""

    block = 8

    def __init__(self, kic: bytes, kid: bytes) -> None:
        self._kic, self._kid = TripleDES(kic + kic[:8]), TripleDES(kid + kid[:8])
        self._iv = modes.CBC(bytes(8))

    def encrypt(self, message: bytes) -> bytes:
        return Cipher(self._kic, self._iv).encryptor().update(message)

    def decrypt(self, message: bytes) -> bytes:
        return Cipher(self._kic, self._iv).decryptor().update(message)

    def code(self, message: bytes) -> bytes:
        padded = message + bytes(-len(message) % 8)
        return Cipher(self._kid, self._iv).encryptor().update(padded)[-8:]


class DesOverPycryptodomex:
    """pycryptodomex keeps no key schedule between two chains."""

    block = 8

    def __init__(self, kic: bytes, kid: bytes) -> None:
        self._kic, self._kid = kic, kid

    def encrypt(self, message: bytes) -> bytes:
        return CryptodomeDes3.new(self._kic, CryptodomeDes3.MODE_CBC, bytes(8)).encrypt(message)

    def decrypt(self, message: bytes) -> bytes:
        return CryptodomeDes3.new(self._kic, CryptodomeDes3.MODE_CBC, bytes(8)).decrypt(message)

    def code(self, message: bytes) -> bytes:
        padded = message + bytes(-len(message) % 8)
        cipher = CryptodomeDes3.new(self._kid, CryptodomeDes3.MODE_CBC, bytes(8))
        return cipher.encrypt(padded)[-8:]


def build_command(card: Card, name: int, counter: bytes, data: bytes) -> bytes:
    """A command packet from CPL on (§5.1); `name` is KIc and KID."""
    padding = -(14 + len(data)) % card.block
    head = (22 + len(data) + padding).to_bytes(2, "big") + b"\x15" + SPI + bytes([name, name]) + TAR
    counters, body = counter + bytes([padding]), data + bytes(padding)
    return head + card.encrypt(counters + card.code(head + counters + body) + body)


def open_response(card: Card, packet: bytes) -> tuple[bytes, int, bytes]:
    """Counter, status and data of a proof of receipt from RPL on (§5.2)."""
    head, plain = packet[:6], card.decrypt(packet[6:])
    counters, code, body = plain[:7], plain[7:15], plain[15:]
    if not compare_digest(card.code(b"\x02\x71\x00" + head + counters + body), code):
        raise ValueError("code")
    return plain[:5], plain[6], body[: len(body) - plain[5]]
