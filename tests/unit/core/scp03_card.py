"""A card that speaks SCP03, written over pycryptodomex from Amendment D: the second opinion.

It shares nothing with the core, so that agreement is evidence and not an echo.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from Cryptodome.Cipher import AES
from Cryptodome.Cipher._mode_cbc import CbcMode
from Cryptodome.Hash import CMAC


def cmac(key: bytes, message: bytes) -> bytes:
    return CMAC.new(key, message, ciphermod=AES).digest()


def derive(key: bytes, constant: int, bits: int, context: bytes) -> bytes:
    """Amendment D §4.1.5."""
    derived = b""
    for counter in (1, 2):
        label = bytes(11) + bytes([constant, 0]) + bits.to_bytes(2, "big") + bytes([counter])
        derived += cmac(key, label + context)
    return derived[: bits // 8]


@dataclass
class Scp03Card:
    """The card's end of one session. `challenge` sets the mode by its length."""

    enc: bytes
    mac: bytes
    challenge: bytes
    counter_advances: bool = True
    parameter: int = 0x60
    trailer: bytes = b""
    key_version: int = 0x30
    level: int = 0
    counter: int = 0
    chain: bytes = bytes(16)
    keys: dict[int, bytes] = field(default_factory=dict, repr=False)
    context: bytes = b""

    @property
    def size(self) -> int:
        return len(self.challenge)

    def initialize_update(self, command: bytes) -> bytes:
        """The response to INITIALIZE UPDATE, with its status word."""
        assert command[:2] == b"\x80\x50"
        assert command[4] == self.size
        self.context = command[5 : 5 + self.size] + self.challenge
        bits = len(self.enc) * 8
        self.keys = {
            0x04: derive(self.enc, 0x04, bits, self.context),
            0x06: derive(self.mac, 0x06, bits, self.context),
            0x07: derive(self.mac, 0x07, bits, self.context),
        }
        cryptogram = derive(self.keys[0x06], 0x00, self.size * 8, self.context)
        information = bytes(10) + bytes([self.key_version, 0x03, self.parameter])
        return information + self.challenge + cryptogram + self.trailer + b"\x90\x00"

    def external_authenticate(self, command: bytes) -> bytes:
        """The response to EXTERNAL AUTHENTICATE: 9000, or 6300 if the host is none."""
        body, code = command[: -self.size], command[-self.size :]
        self.chain = cmac(self.keys[0x06], bytes(16) + body)
        expected = derive(self.keys[0x06], 0x01, self.size * 8, self.context)
        if body[5:] != expected or self.chain[: self.size] != code:
            return b"\x63\x00"
        self.level = command[2]
        return b"\x90\x00"

    def open_command(self, wrapped: bytes) -> tuple[bytes, bytes]:
        """Header and plain data of a protected command; AssertionError if its code is wrong."""
        if wrapped[4]:
            start, length = 5, wrapped[4]
        else:
            start, length = 7, int.from_bytes(wrapped[5:7], "big")
        end = start + length - self.size
        header = bytes([(wrapped[0] & 0x90) | 0x04]) + wrapped[1:start]
        data, code = wrapped[start:end], wrapped[end : end + self.size]
        self.chain = cmac(self.keys[0x06], self.chain + header + data)
        assert self.chain[: self.size] == code
        if data or self.counter_advances:
            self.counter += 1
        if self.level & 0x02 and data:
            data = _unpad(self._cbc(0x00).decrypt(data))
        return wrapped[:4], data

    def protect(self, data: bytes, status: bytes) -> bytes:
        """The response to the last command, protected as the level says."""
        protected = status == b"\x90\x00" or status[0] in (0x62, 0x63)
        if not self.level & 0x10 or (not data and not protected):
            return data + status
        if self.level & 0x20 and data:
            padded = data + b"\x80"
            data = self._cbc(0x80).encrypt(padded + bytes(-len(padded) % 16))
        return data + cmac(self.keys[0x07], self.chain + data + status)[: self.size] + status

    def _cbc(self, direction: int) -> CbcMode:
        block = bytes([direction]) + self.counter.to_bytes(15, "big")
        iv = AES.new(self.keys[0x04], AES.MODE_ECB).encrypt(block)
        return AES.new(self.keys[0x04], AES.MODE_CBC, iv)


def _unpad(padded: bytes) -> bytes:
    bare = padded.rstrip(b"\x00")
    assert bare[-1] == 0x80
    return bare[:-1]
