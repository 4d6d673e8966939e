"""Batches through the Python door: the same as one by one, while others may run."""

from __future__ import annotations

import threading
from random import Random

import pytest
from cardea_core import CryptoError, Milenage, milenage_vectors

_AMF = b"\x80\x00"


@pytest.mark.parametrize("count", [0, 1, 3, 1500])
def test_a_batch_of_vectors_is_each_vector(count: int) -> None:
    random = Random(count)
    subscribers, rands = random.randbytes(32 * count), random.randbytes(16 * count)
    sqns = random.randbytes(6 * count)
    vectors = bytearray(56 * count)
    milenage_vectors(subscribers, rands, memoryview(sqns), _AMF, vectors)
    for at in range(count):
        key = subscribers[32 * at : 32 * at + 32]
        rand, sqn = rands[16 * at : 16 * at + 16], sqns[6 * at : 6 * at + 6]
        expected = Milenage(key[:16], key[16:]).vector(rand, sqn, _AMF)
        keys = expected.xres.expose() + expected.ck.expose() + expected.ik.expose()
        assert vectors[56 * at : 56 * at + 56] == expected.autn + keys


def test_a_buffer_that_does_not_fit_is_named_and_left_alone() -> None:
    vectors = bytearray(b"\xaa" * 57)
    with pytest.raises(CryptoError, match="vectors has 57 bytes, not 56") as caught:
        milenage_vectors(bytes(32), bytes(16), bytes(6), _AMF, vectors)
    assert caught.value.code == "wrong_length"
    assert vectors == b"\xaa" * 57
    with pytest.raises(CryptoError, match="RANDs has 15 bytes, not 16"):
        milenage_vectors(bytes(32), bytes(15), bytes(6), _AMF, bytearray(56))
    with pytest.raises(BufferError, match="writable"):
        milenage_vectors(bytes(32), bytes(16), bytes(6), _AMF, bytes(56))


def test_others_run_during_a_batch() -> None:
    count = 200_000
    done = threading.Event()
    seen = []

    def look() -> None:
        while not done.is_set():
            seen.append(True)

    watcher = threading.Thread(target=look)
    vectors = bytearray(56 * count)
    subscribers, rands, sqns = bytes(32 * count), bytes(16 * count), bytes(6 * count)
    watcher.start()
    before = len(seen)
    milenage_vectors(subscribers, rands, sqns, _AMF, vectors)
    done.set()
    watcher.join()
    assert len(seen) > before
    assert vectors[:56] == vectors[-56:]
