"""SCP03's two ends over Python libraries: level 33, AES-128, S8, short commands with data."""

from __future__ import annotations

from hmac import compare_digest
from typing import Protocol

from Cryptodome.Cipher import AES as CryptodomeAes
from Cryptodome.Hash import CMAC as CryptodomeCmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

HEADER = bytes.fromhex("84e20000")


class Keys:
    """Session keys, derived step by step with pycryptodomex."""

    def __init__(self, enc: bytes, mac: bytes, context: bytes) -> None:
        self.enc = derive(enc, 0x04, 128, context)
        self.mac = derive(mac, 0x06, 128, context)
        self.rmac = derive(mac, 0x07, 128, context)


class Peer(Protocol):
    """A host's session."""

    def wrap(self, data: bytes) -> bytes: ...
    def unwrap(self, response: bytes) -> bytes: ...


def derive(key: bytes, constant: int, bits: int, context: bytes) -> bytes:
    """Amendment D §4.1.5, for at most 128 bits."""
    label = bytes(11) + bytes([constant, 0]) + bits.to_bytes(2, "big") + b"\x01"
    return _code(key, label + context)[: bits // 8]


def pad(data: bytes) -> bytes:
    """80, and 00 up to a block."""
    return data + b"\x80" + bytes(15 - len(data) % 16)


def unpad(data: bytes) -> bytes:
    """What `pad` was given."""
    bare = data.rstrip(b"\x00")
    if bare[-1:] != b"\x80":
        raise ValueError("padding")
    return bare[:-1]


class OverCryptography:
    """Over `cryptography`, with everything kept between commands that it lets one keep."""

    def __init__(self, keys: Keys, chain: bytes) -> None:
        self._aes = algorithms.AES(keys.enc)
        self._counters = Cipher(self._aes, modes.ECB()).encryptor()  # noqa: S305 (single blocks)
        self._cmac = CMAC(algorithms.AES(keys.mac))
        self._rmac = CMAC(algorithms.AES(keys.rmac))
        self._chain = chain
        self._counter = 0

    def wrap(self, data: bytes) -> bytes:
        self._counter += 1
        iv = self._counters.update(self._counter.to_bytes(16, "big"))
        body = Cipher(self._aes, modes.CBC(iv)).encryptor().update(pad(data))
        message = HEADER + bytes([len(body) + 8]) + body
        code = self._cmac.copy()
        code.update(self._chain + message)
        self._chain = code.finalize()
        return message + self._chain[:8] + b"\x00"

    def unwrap(self, response: bytes) -> bytes:
        body, code, status = response[:-10], response[-10:-2], response[-2:]
        expected = self._rmac.copy()
        expected.update(self._chain + body + status)
        if not compare_digest(expected.finalize()[:8], code):
            raise ValueError("code")
        iv = self._counters.update((self._counter | 1 << 127).to_bytes(16, "big"))
        return unpad(Cipher(self._aes, modes.CBC(iv)).decryptor().update(body)) + status


class OverPycryptodomex:
    """Over pycryptodomex, which keeps no key schedule between two chains."""

    def __init__(self, keys: Keys, chain: bytes) -> None:
        self._keys = keys
        self._counters = CryptodomeAes.new(keys.enc, CryptodomeAes.MODE_ECB)
        self._chain = chain
        self._counter = 0

    def wrap(self, data: bytes) -> bytes:
        self._counter += 1
        iv = self._counters.encrypt(self._counter.to_bytes(16, "big"))
        cipher = CryptodomeAes.new(self._keys.enc, CryptodomeAes.MODE_CBC, iv)
        body = cipher.encrypt(pad(data))
        message = HEADER + bytes([len(body) + 8]) + body
        self._chain = _code(self._keys.mac, self._chain + message)
        return message + self._chain[:8] + b"\x00"

    def unwrap(self, response: bytes) -> bytes:
        body, code, status = response[:-10], response[-10:-2], response[-2:]
        if not compare_digest(_code(self._keys.rmac, self._chain + body + status)[:8], code):
            raise ValueError("code")
        iv = self._counters.encrypt((self._counter | 1 << 127).to_bytes(16, "big"))
        cipher = CryptodomeAes.new(self._keys.enc, CryptodomeAes.MODE_CBC, iv)
        opened: bytes = unpad(cipher.decrypt(body))
        return opened + status


class OverYubikeyManager:
    """The crypto layer of yubikey-manager: what its processor calls for one command."""

    def __init__(self, keys: Keys, chain: bytes) -> None:
        from yubikit.core.smartcard.scp import (  # type: ignore[import-not-found]  # bench only
            ScpState,
            SessionKeys,
        )

        self._state = ScpState(SessionKeys(keys.enc, keys.mac, keys.rmac), chain)

    def wrap(self, data: bytes) -> bytes:
        body: bytes = self._state.encrypt(data)
        message = HEADER + bytes([len(body) + 8]) + body
        code: bytes = self._state.mac(message)
        return message + code + b"\x00"

    def unwrap(self, response: bytes) -> bytes:
        data, status = response[:-2], response[-2:]
        body = self._state.unmac(data, int.from_bytes(status, "big"))
        opened: bytes = self._state.decrypt(body)
        return opened + status


class Card:
    """The other end of a handshake, and the responses to commands, over pycryptodomex."""

    def __init__(self, enc: bytes, mac: bytes, host_challenge: bytes) -> None:
        self._challenge = bytes.fromhex("0123456789abcdef")
        self._context = host_challenge + self._challenge
        self.keys = Keys(enc, mac, self._context)
        host = derive(self.keys.mac, 0x01, 64, self._context)
        command = bytes.fromhex("8482330010") + host
        self.chain = _code(self.keys.mac, bytes(16) + command)
        self.external_authenticate = command + self.chain[:8]
        self._counter = 0
        self._last = self.chain

    def initialize_update_response(self) -> bytes:
        cryptogram = derive(self.keys.mac, 0x00, 64, self._context)
        return bytes(10) + b"\x30\x03\x60" + self._challenge + cryptogram + b"\x90\x00"

    def respond(self, command: bytes, data: bytes) -> bytes:
        """The protected response to a protected command whose code fits."""
        message, code = command[:-9], command[-9:-1]
        self._last = _code(self.keys.mac, self._last + message)
        if self._last[:8] != code:
            raise ValueError("code")
        self._counter += 1
        first = (self._counter | 1 << 127).to_bytes(16, "big")
        iv = CryptodomeAes.new(self.keys.enc, CryptodomeAes.MODE_ECB).encrypt(first)
        body = CryptodomeAes.new(self.keys.enc, CryptodomeAes.MODE_CBC, iv).encrypt(pad(data))
        return body + _code(self.keys.rmac, self._last + body + b"\x90\x00")[:8] + b"\x90\x00"


def _code(key: bytes, message: bytes) -> bytes:
    code: bytes = CryptodomeCmac.new(key, message, ciphermod=CryptodomeAes).digest()
    return code
