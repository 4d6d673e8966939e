"""F2: what a network hands out for many subscribers."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from random import Random

from cardea_core import milenage_vectors

from bench import measure
from bench.peers.milenage import milenage_over_cryptography
from bench.report import Row

TITLE = "authentication vectors in a batch, all processors, through Python"

_AMF = b"\x80\x00"
_MANY = 20_000
_FEW = 1_000
_ROUNDS = 41


class _Subscribers:
    def __init__(self, count: int) -> None:
        random = Random(2)  # noqa: S311 (figures, not keys)
        self.count = count
        self.keys = random.randbytes(32 * count)
        self.rands = random.randbytes(16 * count)
        self.sqns = random.randbytes(6 * count)

    def each(self) -> Iterator[tuple[bytes, bytes, bytes, bytes]]:
        for at in range(self.count):
            key = self.keys[32 * at : 32 * at + 32]
            rand, sqn = self.rands[16 * at : 16 * at + 16], self.sqns[6 * at : 6 * at + 6]
            yield key[:16], key[16:], rand, sqn


def rows() -> Iterator[Row]:
    """Outputs are compared byte for byte before anything is timed."""
    many, few = _Subscribers(_MANY), _Subscribers(_FEW)
    inputs = list(few.each())
    vectors = bytearray(56 * _FEW)
    _batch(few, vectors)
    if b"".join(_one_by_one(inputs)) != vectors:
        raise AssertionError("the two disagree on vectors")

    vectors = bytearray(56 * _MANY)

    def cardea() -> float:
        with measure.Stopwatch() as watch:
            _batch(many, vectors)
        return watch.elapsed_us / _MANY

    def other() -> float:
        with measure.Stopwatch() as watch:
            _one_by_one(inputs)
        return watch.elapsed_us / _FEW

    taken = measure.medians_us({"cardea": cardea, "other": other}, rounds=_ROUNDS)
    against = f"cryptography {version('cryptography')}"
    yield Row("MILENAGE vector", taken["cardea"], "us", against, taken["other"], 100)


def _batch(subscribers: _Subscribers, vectors: bytearray) -> None:
    milenage_vectors(subscribers.keys, subscribers.rands, subscribers.sqns, _AMF, vectors)


def _one_by_one(inputs: list[tuple[bytes, bytes, bytes, bytes]]) -> list[bytes]:
    return [milenage_over_cryptography(k, opc, rand, sqn, _AMF) for k, opc, rand, sqn in inputs]
