"""A card's end of SCP02 over pycryptodomex: the second implementation of what Scp02Host speaks."""

from __future__ import annotations

from Cryptodome.Cipher import DES

__all__ = ["Scp02Card", "session_key"]

_CODE = 8


class Scp02Card:
    """Answers one host, and checks whatever it is sent."""

    def __init__(self, enc: bytes, mac: bytes, counter: int, challenge: bytes) -> None:
        self._counter = counter.to_bytes(2, "big")
        self._challenge = challenge
        self._enc = session_key(enc, b"\x01\x82", self._counter)
        self._mac = session_key(mac, b"\x01\x01", self._counter)
        self._rmac = session_key(mac, b"\x01\x02", self._counter)
        self._host = b""
        self._chain = bytes(_CODE)
        self._response_chain = bytes(_CODE)
        self._level = 0
        self._command = b""

    def initialize_update(self, command: bytes) -> bytes:
        assert command[:2] == b"\x80\x50"
        self._host = command[5:13]
        card = self._counter + self._challenge
        proof = _cbc(self._enc, _pad(self._host + card))[-8:]
        return bytes(10) + bytes([command[2], 2]) + card + proof + b"\x90\x00"

    def external_authenticate(self, command: bytes) -> bytes:
        assert command[:2] == b"\x84\x82"
        self._level = command[2]
        self._chain = _retail(self._mac, bytes(_CODE), command[:-_CODE])
        self._response_chain = self._chain
        assert command[-_CODE:] == self._chain
        card = self._counter + self._challenge
        assert command[5:13] == _cbc(self._enc, _pad(card + self._host))[-8:]
        return b"\x90\x00"

    def receive(self, command: bytes) -> bytes:
        """The command as the host's application made it, without Le."""
        if self._level & 1:
            body, code = command[5 : 5 + command[4] - _CODE], command[5 + command[4] - _CODE :]
            if self._level & 2 and body:
                body = _cbc_decrypt(self._enc, body).rstrip(b"\0")
                assert body[-1:] == b"\x80"
                body = body[:-1]
            covered = command[:4] + bytes([len(body) + _CODE]) + body
            vector = DES.new(self._mac[:8], DES.MODE_ECB).encrypt(self._chain)
            self._chain = _retail(self._mac, vector, covered)
            assert code[:_CODE] == self._chain
        else:
            body = command[5 : 5 + command[4]] if len(command) > 5 else b""
        self._command = bytes([command[0] & 0xF8]) + command[1:4] + bytes([len(body)]) + body
        return self._command

    def answer(self, data: bytes, status: bytes) -> bytes:
        if not self._level & 0x10:
            return data + status
        covered = self._command + bytes([len(data)]) + data + status
        self._response_chain = _retail(self._rmac, self._response_chain, covered)
        return data + self._response_chain + status


def session_key(key: bytes, constant: bytes, counter: bytes) -> bytes:
    """Appendix E.4.1."""
    return _cbc(key, (constant + counter).ljust(16, b"\0"))


def _pad(message: bytes) -> bytes:
    return message + b"\x80" + bytes(-(len(message) + 1) % 8)


def _retail(key: bytes, vector: bytes, message: bytes) -> bytes:
    *before, last = _blocks(_pad(message))
    single = DES.new(key[:8], DES.MODE_ECB)
    for block in before:
        vector = single.encrypt(_xor(vector, block))
    return _triple(key, _xor(vector, last))


def _cbc(key: bytes, message: bytes) -> bytes:
    chain, sealed = bytes(8), b""
    for block in _blocks(message):
        chain = _triple(key, _xor(chain, block))
        sealed += chain
    return sealed


def _cbc_decrypt(key: bytes, sealed: bytes) -> bytes:
    left, right = (DES.new(half, DES.MODE_ECB) for half in (key[:8], key[8:]))
    chain, message = bytes(8), b""
    for block in _blocks(sealed):
        message += _xor(chain, left.decrypt(right.encrypt(left.decrypt(block))))
        chain = block
    return message


def _triple(key: bytes, block: bytes) -> bytes:
    """Of single DES: DES3 refuses keys whose halves are equal."""
    left, right = (DES.new(half, DES.MODE_ECB) for half in (key[:8], key[8:]))
    return left.encrypt(right.decrypt(left.encrypt(block)))


def _blocks(message: bytes) -> list[bytes]:
    return [message[at : at + 8] for at in range(0, len(message), 8)]


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
