"""Authentication vectors of 100,000 subscribers in a batch, of 500 one by one."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import cardea_core

from bench import measure
from bench.peers.aka import milenage_over_cryptography, tuak_over_hashlib

_AMF = b"\x80\x00"
_MANY = 100_000
_FEW = 500
_VECTOR = 56

_One = Callable[[bytes, bytes, bytes, bytes, bytes], bytes]
_Many = Callable[[bytes, bytes, bytes, bytes, bytearray], None]


class _Vectors:
    """`operator` is the length of OPc or TOPc."""

    def __init__(self, operator: int, batch: _Many, one: _One) -> None:
        random = Random(2)  # noqa: S311 (figures, not keys)
        size = 16 + operator
        self._keys = random.randbytes(size * _MANY)
        self._rands = random.randbytes(16 * _MANY)
        self._sqns = random.randbytes(6 * _MANY)
        self._vectors = bytearray(_VECTOR * _MANY)
        self._batch, self._one = batch, one
        self._few = [
            (
                self._keys[size * at : size * at + 16],
                self._keys[size * at + 16 : size * at + size],
                self._rands[16 * at : 16 * at + 16],
                self._sqns[6 * at : 6 * at + 6],
                _AMF,
            )
            for at in range(_FEW)
        ]
        self.many()
        if b"".join(one(*inputs) for inputs in self._few) != self._vectors[: _VECTOR * _FEW]:
            raise AssertionError(f"{one} disagrees")

    def many(self) -> float:
        """Cardea's batch."""
        with measure.Stopwatch() as watch:
            self._batch(self._keys, self._rands, self._sqns, _AMF, self._vectors)
        return watch.elapsed_us / _MANY

    def other(self) -> float:
        """The other library, one by one."""
        one = self._one
        with measure.Stopwatch() as watch:
            for inputs in self._few:
                one(*inputs)
        return watch.elapsed_us / _FEW


class Milenage(_Vectors):
    """MILENAGE, K and OPc of 16 bytes."""

    def __init__(self) -> None:
        super().__init__(16, cardea_core.milenage_vectors, milenage_over_cryptography)


class Tuak(_Vectors):
    """TUAK, K of 16 bytes, one iteration."""

    def __init__(self) -> None:
        super().__init__(32, cardea_core.tuak_vectors, tuak_over_hashlib)

        self._cards = [cardea_core.Tuak(k, topc) for k, topc, *_ in self._few]

    def each(self) -> float:
        """Cardea, one by one."""
        with measure.Stopwatch() as watch:
            for card, (_, _, rand, sqn, amf) in zip(self._cards, self._few, strict=True):
                card.vector(rand, sqn, amf)
        return watch.elapsed_us / _FEW
