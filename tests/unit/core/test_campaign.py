"""Work for many cards through the Python door: what is made for all is what is made for each."""

from __future__ import annotations

import os

import pytest
from cardea_core import (
    CryptoError,
    Scp80Keys,
    Scp80Spi,
    Secret,
    Tuak,
    scp80_commands,
    tuak_vectors,
)

_CARDS = 300
_SPI = Scp80Spi(check="cc", ciphered=True, counter="higher")


@pytest.mark.parametrize(("algorithm", "size"), [(0x12, 16), (0x12, 32), (0x15, 16), (0x19, 24)])
def test_packets_for_many_are_those_for_each(algorithm: int, size: int) -> None:
    cipher, checksum = os.urandom(_CARDS * size), os.urandom(_CARDS * size)
    counters, data = os.urandom(_CARDS * 5), os.urandom(_CARDS * 50)
    packets = scp80_commands(
        algorithm,
        Secret(cipher),
        algorithm,
        checksum,
        counters=counters,
        data=memoryview(data),
        spi=_SPI,
        tar=b"TAR",
        own_data=True,
    )
    length = len(packets) // _CARDS
    for card in range(_CARDS):
        part = slice(card * size, (card + 1) * size)
        keys = Scp80Keys(algorithm, cipher[part], algorithm, checksum[part])
        counter = int.from_bytes(counters[card * 5 : card * 5 + 5], "big")
        own = data[card * 50 : card * 50 + 50]
        built = keys.build_command(own, spi=_SPI, tar=b"TAR", counter=counter)
        assert packets[card * length : (card + 1) * length] == built


def test_vectors_for_many_are_those_for_each() -> None:
    subscribers = os.urandom(_CARDS * 64)
    rands, sqns = os.urandom(_CARDS * 16), os.urandom(_CARDS * 6)
    vectors = bytearray(_CARDS * 56)
    tuak_vectors(subscribers, rands, sqns, b"AF", vectors, key_length=32)
    for card in range(_CARDS):
        subscriber = subscribers[card * 64 : card * 64 + 64]
        made = Tuak(subscriber[:32], subscriber[32:]).vector(
            rands[card * 16 : card * 16 + 16], sqns[card * 6 : card * 6 + 6], b"AF"
        )
        keys = made.xres.expose() + made.ck.expose() + made.ik.expose()
        assert vectors[card * 56 : card * 56 + 56] == made.autn + keys


def test_buffers_that_do_not_fit_are_refused() -> None:
    with pytest.raises(CryptoError, match=r"^RANDs has 15 bytes, not 16$") as caught:
        tuak_vectors(bytes(48), bytes(15), bytes(6), b"AF", bytearray(56))
    assert caught.value.code == "wrong_length"
    with pytest.raises(BufferError):
        tuak_vectors(bytes(48), bytes(16), bytes(6), b"AF", bytes(56))
    with pytest.raises(CryptoError, match=r"^counters has 6 bytes, not 5$"):
        scp80_commands(
            0x12, bytes(16), 0x12, bytes(16), counters=bytes(6), data=b"", spi=_SPI, tar=b"TAR"
        )
    none = scp80_commands(0x12, b"", 0x12, b"", counters=b"", data=b"", spi=_SPI, tar=b"TAR")
    assert none == bytearray()
