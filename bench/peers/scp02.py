"""A host's SCP02 session over Python libraries: level 13, short commands with data."""

from __future__ import annotations

from abc import ABC, abstractmethod
from hmac import compare_digest

from Cryptodome.Cipher import DES as CryptodomeDes
from Cryptodome.Cipher import DES3 as CryptodomeDes3
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

HEADER = bytes.fromhex("80e20000")


class Host(ABC):
    """What does not depend on the library."""

    def __init__(self, chain: bytes) -> None:
        self._chain = self._answers = chain
        self._command = b""

    def wrap(self, data: bytes) -> bytes:
        """C-MAC over the plain command, then C-ENC (GPCS appendix E.4.4, E.4.6)."""
        self._command = HEADER + bytes([len(data)]) + data
        covered = b"\x84" + HEADER[1:] + bytes([len(data) + 8]) + data
        self._chain = self._command_code(self._chain, _pad(covered))
        body = self._encrypt(_pad(data))
        return b"\x84" + HEADER[1:] + bytes([len(body) + 8]) + body + self._chain + b"\x00"

    def unwrap(self, response: bytes) -> bytes:
        """R-MAC over the command, the length of the answer, the answer and the status (E.4.5)."""
        body, code, status = response[:-10], response[-10:-2], response[-2:]
        covered = _pad(self._command + bytes([len(body)]) + body + status)
        self._answers = self._answer_code(self._answers, covered)
        if not compare_digest(self._answers, code):
            raise ValueError("code")
        return body + status

    @abstractmethod
    def _encrypt(self, message: bytes) -> bytes: ...

    @abstractmethod
    def _command_code(self, chain: bytes, message: bytes) -> bytes: ...

    @abstractmethod
    def _answer_code(self, chain: bytes, message: bytes) -> bytes: ...


class OverCryptography(Host):
    """Single DES is triple DES with one key three times: the library has no other."""

    def __init__(self, enc: bytes, mac: bytes, rmac: bytes, chain: bytes) -> None:
        super().__init__(chain)
        self._enc, self._zero = TripleDES(enc + enc[:8]), modes.CBC(bytes(8))
        self._mac, self._mac_single = TripleDES(mac + mac[:8]), TripleDES(mac[:8] * 3)
        self._rmac, self._rmac_single = TripleDES(rmac + rmac[:8]), TripleDES(rmac[:8] * 3)
        self._chains = Cipher(self._mac_single, modes.ECB()).encryptor()  # noqa: S305 (single blocks)

    def _encrypt(self, message: bytes) -> bytes:
        return Cipher(self._enc, self._zero).encryptor().update(message)

    def _command_code(self, chain: bytes, message: bytes) -> bytes:
        return _retail(self._mac_single, self._mac, self._chains.update(chain), message)

    def _answer_code(self, chain: bytes, message: bytes) -> bytes:
        return _retail(self._rmac_single, self._rmac, chain, message)


class OverPycryptodomex(Host):
    """pycryptodomex has single DES, and keeps no key schedule between two chains."""

    def __init__(self, enc: bytes, mac: bytes, rmac: bytes, chain: bytes) -> None:
        super().__init__(chain)
        self._enc, self._mac, self._rmac = enc, mac, rmac
        self._chains = CryptodomeDes.new(mac[:8], CryptodomeDes.MODE_ECB)  # noqa: S304 (what cards speak)

    def _encrypt(self, message: bytes) -> bytes:
        return CryptodomeDes3.new(self._enc, CryptodomeDes3.MODE_CBC, bytes(8)).encrypt(message)

    def _command_code(self, chain: bytes, message: bytes) -> bytes:
        return _retail_over_pycryptodomex(self._mac, self._chains.encrypt(chain), message)

    def _answer_code(self, chain: bytes, message: bytes) -> bytes:
        return _retail_over_pycryptodomex(self._rmac, chain, message)


def _retail(single: TripleDES, triple: TripleDES, chain: bytes, message: bytes) -> bytes:
    if len(message) > 8:
        chain = Cipher(single, modes.CBC(chain)).encryptor().update(message[:-8])[-8:]
    return Cipher(triple, modes.CBC(chain)).encryptor().update(message[-8:])


def _retail_over_pycryptodomex(key: bytes, chain: bytes, message: bytes) -> bytes:
    if len(message) > 8:
        single = CryptodomeDes.new(key[:8], CryptodomeDes.MODE_CBC, chain)  # noqa: S304 (as above)
        chain = single.encrypt(message[:-8])[-8:]
    return CryptodomeDes3.new(key, CryptodomeDes3.MODE_CBC, chain).encrypt(message[-8:])


def _pad(data: bytes) -> bytes:
    return data + b"\x80" + bytes(7 - len(data) % 8)


class Card:
    """The other end of a handshake, and its answers, over pycryptodomex."""

    def __init__(self, enc: bytes, mac: bytes, host_challenge: bytes) -> None:
        counter, challenge = b"\x00\x07", b"random"
        self.keys = (
            _triple(enc, (b"\x01\x82" + counter).ljust(16, b"\0")),
            _triple(mac, (b"\x01\x01" + counter).ljust(16, b"\0")),
            _triple(mac, (b"\x01\x02" + counter).ljust(16, b"\0")),
        )
        own = counter + challenge
        proof = _triple(self.keys[0], _pad(host_challenge + own))[-8:]
        self._response = bytes(10) + b"\x20\x02" + own + proof + b"\x90\x00"
        host = _triple(self.keys[0], _pad(own + host_challenge))[-8:]
        command = bytes.fromhex("8482130010") + host
        self.chain = _retail_over_pycryptodomex(self.keys[1], bytes(8), _pad(command))
        self.external_authenticate = command + self.chain
        self._answers = self.chain

    def initialize_update_response(self) -> bytes:
        return self._response

    def respond(self, command: bytes, data: bytes) -> bytes:
        """The answer to a command, which is given as the host has it."""
        covered = _pad(command + bytes([len(data)]) + data + b"\x90\x00")
        self._answers = _retail_over_pycryptodomex(self.keys[2], self._answers, covered)
        return data + self._answers + b"\x90\x00"


def _triple(key: bytes, message: bytes) -> bytes:
    return CryptodomeDes3.new(key, CryptodomeDes3.MODE_CBC, bytes(8)).encrypt(message)
