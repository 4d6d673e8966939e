"""Batches through the Python door: the same as one by one, while others may run."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any

import pytest
from cardea_core import (
    CryptoError,
    Milenage,
    Scp02Host,
    Scp02Session,
    Scp80Keys,
    Scp80Spi,
    Secret,
    Tuak,
    diversified_keys_aes,
    diversified_keys_des,
    milenage_vectors,
    scp02_unwrap_many,
    scp02_wrap_many,
    scp80_commands,
    scp80_receipts,
    tuak_vectors,
)
from Cryptodome.Cipher import AES, DES3
from support.client import eventually

from .scp02_card import Scp02Card

_AMF = b"\x80\x00"
_CARDS = 300
_SPI = Scp80Spi(check="cc", ciphered=True, counter="higher")

Vectors = Callable[[str], dict[str, Any]]
_hex = bytes.fromhex


@pytest.mark.parametrize("chosen", [False, True])
@pytest.mark.parametrize("count", [0, 1, 3, 1500])
def test_a_batch_of_vectors_is_each_vector(count: int, *, chosen: bool) -> None:
    random = Random(count)
    own: dict[str, Any] = {}
    if chosen:
        own = {"rotations": [1, 127, 64, 0, 99], "constants": random.randbytes(80)}
    subscribers, rands = random.randbytes(32 * count), random.randbytes(16 * count)
    sqns = random.randbytes(6 * count)
    vectors = bytearray(56 * count)
    milenage_vectors(subscribers, rands, memoryview(sqns), _AMF, vectors, **own)
    for at in range(count):
        key = subscribers[32 * at : 32 * at + 32]
        rand, sqn = rands[16 * at : 16 * at + 16], sqns[6 * at : 6 * at + 6]
        expected = Milenage(key[:16], key[16:], **own).vector(rand, sqn, _AMF)
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


@pytest.mark.parametrize(("algorithm", "size"), [(0x12, 16), (0x15, 16), (0x19, 24)])
def test_receipts_of_many_are_those_of_each(algorithm: int, size: int) -> None:
    keys = os.urandom(_CARDS * size)
    counters = os.urandom(_CARDS * 5)
    spi = Scp80Spi(receipt="always", receipt_check="cc", receipt_ciphered=True)
    packets = bytearray()
    for card in range(_CARDS):
        key = keys[card * size : card * size + size]
        counter = int.from_bytes(counters[card * 5 : card * 5 + 5], "big")
        packets += Scp80Keys(algorithm, key, algorithm, key).build_response(
            card.to_bytes(2, "big"), spi=spi, tar=b"TAR", status=card % 13, counter=counter
        )
    length = len(packets) // _CARDS
    packets[7 * length + 20] ^= 1
    records = scp80_receipts(
        algorithm, Secret(keys), algorithm, keys, counters=counters, packets=packets, spi=spi
    )
    for card in range(_CARDS):
        record = records[card * (length + 4) : (card + 1) * (length + 4)]
        answer = bytes([1, card % 13, 0, 2]) + card.to_bytes(2, "big")
        assert record == (b"" if card == 7 else answer).ljust(length + 4, b"\0")


def test_diversified_keys_have_the_published_check_values(vectors: Vectors) -> None:
    document = vectors("diversified_keys")
    for case in document["des"]:
        keys = bytearray(48)
        diversified_keys_des(Secret(_hex(case["master"])), _hex(case["data"]), keys)
        for at, value in enumerate(case["check_values"]):
            cipher = DES3.new(bytes(keys[16 * at : 16 * at + 16]), DES3.MODE_ECB)
            assert cipher.encrypt(bytes(8))[:3] == _hex(value)
    for case in document["aes"]:
        master = _hex(case["master"])
        keys = bytearray(3 * len(master))
        diversified_keys_aes(master, _hex(case["data"]), keys)
        for at, value in enumerate(case["check_values"]):
            key = bytes(keys[at * len(master) : (at + 1) * len(master)])
            assert AES.new(key, AES.MODE_ECB).encrypt(b"\x01" * 16)[:3] == _hex(value)


def test_keys_go_into_a_buffer_that_can_be_wiped() -> None:
    with pytest.raises(BufferError, match=r"^keys: a writable buffer is needed$"):
        diversified_keys_des(bytes(16), bytes(10), bytes(48))
    with pytest.raises(CryptoError, match=r"^keys has 96 bytes, not 48$"):
        diversified_keys_aes(bytes(16), bytes(10), bytearray(96))


def _channels(count: int, level: int) -> tuple[list[Scp02Card], list[Scp02Session]]:
    """Open sessions, and their cards, which are written over another library."""
    cards, sessions = [], []
    for number in range(count):
        enc, mac = os.urandom(16), os.urandom(16)
        card = Scp02Card(enc, mac, number, os.urandom(6))
        host = Scp02Host(enc, mac, challenge=os.urandom(8), level=level)
        opening = host.receive(card.initialize_update(host.initialize_update()))
        cards.append(card)
        sessions.append(opening.confirm(card.external_authenticate(opening.external_authenticate)))
    return cards, sessions


@pytest.mark.parametrize("level", [0x01, 0x03, 0x10, 0x11, 0x13])
def test_channels_to_many_cards_are_understood_by_each(level: int) -> None:
    count = 67  # more than are made in one go
    cards, sessions = _channels(count, level)
    commands = [bytes.fromhex("80E2000014") + os.urandom(20) for _ in cards]
    for exchange in (commands, [bytes.fromhex("80CA0066")] * count):
        own = exchange is commands
        flat = b"".join(exchange) if own else exchange[0]
        wrapped = scp02_wrap_many(sessions, memoryview(flat), own_commands=own)
        length = len(wrapped) // count
        for number, (card, command) in enumerate(zip(cards, exchange, strict=True)):
            plain = card.receive(bytes(wrapped[number * length : (number + 1) * length]))
            assert plain == command.ljust(5, b"\0")
        said = [os.urandom(30) for _ in cards]
        answers = [card.answer(data, b"\x90\x00") for card, data in zip(cards, said, strict=True)]
        records = scp02_unwrap_many(sessions, b"".join(answers))
        assert records == b"".join(b"\x01" + data + b"\x90\x00" for data in said)


def test_a_session_that_is_named_twice_is_refused_and_left_as_it_was() -> None:
    (card, *_), (session, other) = _channels(2, 0x13)
    command = bytes.fromhex("80CA0066")
    with pytest.raises(CryptoError, match="is in use, or has been named twice") as caught:
        scp02_wrap_many([session, other, session], command)
    assert caught.value.code == "wrong_state"
    assert card.receive(bytes(scp02_wrap_many([session], command)))
    assert scp02_wrap_many([], command) == scp02_unwrap_many([], b"") == bytearray()
    with pytest.raises(TypeError):
        scp02_wrap_many([session, None], command)  # type: ignore[list-item]


def test_who_waits_for_a_batch_leaves_the_interpreter_to_others() -> None:
    _, sessions = _channels(400, 0x13)
    command = bytes.fromhex("80E20000C8") + bytes(200)
    ended = threading.Event()
    ticks = 0

    def tick() -> None:
        nonlocal ticks
        while not ended.is_set():
            ticks += 1
            time.sleep(0)

    def batches() -> None:
        while not ended.is_set():
            with suppress(CryptoError):  # a single call was first
                scp02_wrap_many(sessions, command)

    def others_went_on() -> bool:
        if repr(sessions[-1]) != "<Scp02Session in use>":
            time.sleep(0)
            return False
        before = ticks
        sessions[-1].wrap(command)
        return ticks > before

    threads = [threading.Thread(target=run) for run in (tick, batches)]
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(30)  # nobody is interrupted: others go on only where one lets them
    try:
        for thread in threads:
            thread.start()
        eventually(others_went_on)
    finally:
        ended.set()
        for thread in threads:
            thread.join()
        sys.setswitchinterval(usual_s)
    assert repr(sessions[-1]) == "<Scp02Session level=0x13>"


def test_two_batches_over_the_same_sessions_do_not_wait_for_each_other() -> None:
    _, sessions = _channels(200, 0x13)
    command = bytes.fromhex("80E20000C8") + bytes(200)
    outcomes: list[str] = []

    def run(order: list[Scp02Session]) -> None:
        for _ in range(20):
            try:
                scp02_wrap_many(order, command)
                outcomes.append("done")
            except CryptoError as refused:
                outcomes.append(refused.code)

    threads = [threading.Thread(target=run, args=(order,)) for order in (sessions, sessions[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 40
    assert set(outcomes) <= {"done", "wrong_state"}
    assert scp02_wrap_many(sessions, command)
