"""MILENAGE over AES-128 (TS 35.206 §4.1), written apart from the daemon's own."""

from dataclasses import dataclass, field

from Cryptodome.Cipher import AES

__all__ = ["Milenage"]

# Rotations in bytes (r1..r5) and the last byte of the constants c1..c5: TS 35.206 §4.1.
_ROTATIONS = (8, 0, 4, 8, 12)
_CONSTANTS = (0, 1, 2, 4, 8)


@dataclass(frozen=True, slots=True)
class Milenage:
    """The functions f1 to f5* for one subscriber key."""

    k: bytes = field(repr=False)
    opc: bytes = field(repr=False)

    @classmethod
    def from_op(cls, k: bytes, op: bytes) -> "Milenage":
        """Derive OPc from the operator's OP."""
        return cls(k, _xor(op, _encrypt(k, op)))

    def f1(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        """MAC-A, 8 bytes."""
        return self._out1(rand, sqn, amf)[:8]

    def f1_star(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        """MAC-S, 8 bytes."""
        return self._out1(rand, sqn, amf)[8:]

    def f2(self, rand: bytes) -> bytes:
        """RES, 8 bytes."""
        return self._out(1, rand)[8:]

    def f3(self, rand: bytes) -> bytes:
        """CK, 16 bytes."""
        return self._out(2, rand)

    def f4(self, rand: bytes) -> bytes:
        """IK, 16 bytes."""
        return self._out(3, rand)

    def f5(self, rand: bytes) -> bytes:
        """AK, 6 bytes."""
        return self._out(1, rand)[:6]

    def f5_star(self, rand: bytes) -> bytes:
        """AK for resynchronisation, 6 bytes."""
        return self._out(4, rand)[:6]

    def _out1(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        temp = _encrypt(self.k, _xor(rand, self.opc))
        block = _rotate(_xor((sqn + amf) * 2, self.opc), _ROTATIONS[0])
        # c1 is zero.
        return _xor(_encrypt(self.k, _xor(temp, block)), self.opc)

    def _out(self, index: int, rand: bytes) -> bytes:
        temp = _encrypt(self.k, _xor(rand, self.opc))
        block = bytearray(_rotate(_xor(temp, self.opc), _ROTATIONS[index]))
        block[15] ^= _CONSTANTS[index]
        return _xor(_encrypt(self.k, bytes(block)), self.opc)


def _encrypt(key: bytes, block: bytes) -> bytes:
    # One block: MILENAGE is built on the bare cipher.
    return AES.new(key, AES.MODE_ECB).encrypt(block)


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def _rotate(block: bytes, count: int) -> bytes:
    return block[count:] + block[:count]
