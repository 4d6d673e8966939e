"""Secured packets and their messages through the Python door: published ones, a second library."""

from __future__ import annotations

import contextlib
import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from cardea_core import (
    BadMac,
    CryptoError,
    Scp80Command,
    Scp80Keys,
    Scp80Spi,
    Secret,
    SmsSegment,
    sms_assemble,
    sms_cut,
)
from hypothesis import given
from hypothesis import strategies as st

from . import scp80_peer

Vectors = Callable[[str], dict[str, Any]]
_hex = bytes.fromhex
_SIZES = {0x11: (8,), 0x15: (16,), 0x19: (24,), 0x12: (16, 24, 32)}
_CODE_SIZES = st.sampled_from((4, 8))
_KEYS = st.sampled_from([(byte, size) for byte, sizes in _SIZES.items() for size in sizes]).flatmap(
    lambda key: st.tuples(st.just(key[0]), st.binary(min_size=key[1], max_size=key[1]))
)


def _keys(case: dict[str, Any]) -> Scp80Keys:
    cipher_key, checksum_key = Secret(_hex(case["cipher_key"])), _hex(case["checksum_key"])
    return Scp80Keys(int(case["kic"], 16), cipher_key, int(case["kid"], 16), checksum_key)


def test_command_packets_are_the_published_ones(vectors: Vectors) -> None:
    for case in vectors("scp80")["commands"]:
        keys, spi = _keys(case), Scp80Spi.from_bytes(_hex(case["spi"]))
        tar, data, packet = _hex(case["tar"]), _hex(case["data"]), _hex(case["packet"])
        assert keys.build_command(data, spi=spi, tar=tar, counter=case["counter"]) == packet
        command = keys.open_command(packet, least=spi)
        assert (command.tar, command.counter, command.data) == (tar, case["counter"], data)
        peeked = Scp80Command.peek(packet)
        assert (peeked.spi, peeked.kic, peeked.kid, peeked.tar) == (spi, keys.kic, keys.kid, tar)
        assert peeked.data is None
        assert peeked.counter is None


def test_response_packets_are_the_published_ones(vectors: Vectors) -> None:
    for case in vectors("scp80")["responses"]:
        keys, spi = _keys(case), Scp80Spi.from_bytes(_hex(case["spi"]))
        tar, data, packet = _hex(case["tar"]), _hex(case["data"]), _hex(case["packet"])
        response = keys.open_response(packet, spi=spi)
        assert (response.tar, response.data) == (tar, data)
        assert (response.status, response.counter) == (case["status"], case["counter"])
        built = keys.build_response(data, spi=spi, tar=tar, status=case["status"])
        assert built == packet
        assert sms_cut(packet, kind="response", reference=1) == [_hex(case["user_data"])]


@given(
    kic=_KEYS,
    kid=_KEYS,
    spi=st.tuples(st.sampled_from((0, 2, 4, 6)), st.sampled_from((0x01, 0x09, 0x11, 0x19))),
    tar=st.binary(min_size=3, max_size=3),
    counter=st.integers(0, (1 << 40) - 1),
    status=st.integers(0, 255),
    data=st.binary(max_size=150),
    size=_CODE_SIZES,
)
def test_a_second_library_agrees(
    kic: tuple[int, bytes],
    kid: tuple[int, bytes],
    spi: tuple[int, int],
    tar: bytes,
    counter: int,
    status: int,
    data: bytes,
    size: int,
) -> None:
    keys, indicator = Scp80Keys(*kic, *kid, code_length=size), Scp80Spi.from_bytes(bytes(spi))
    built = keys.build_command(data, spi=indicator, tar=tar, counter=counter)
    assert built == scp80_peer.command(kic, kid, bytes(spi), tar, counter, data, size)
    assert keys.open_command(built, least=indicator).data == data
    built = keys.build_response(data, spi=indicator, tar=tar, status=status, counter=counter)
    expected = scp80_peer.response(kic, kid, bytes(spi), tar, counter, status, data, size)
    assert built == expected
    assert keys.open_response(built, spi=indicator).data == data


@given(st.sampled_from((0x11, 0x15)), st.binary(max_size=60), st.booleans())
def test_redundancy_checks_are_those_of_a_second_library(
    kid: int, data: bytes, ciphered: bool
) -> None:
    spi = Scp80Spi(check="rc", ciphered=ciphered)
    cipher = (0x12, bytes(16))
    built = Scp80Keys(*cipher, kid, b"").build_command(data, spi=spi, tar=b"TAR", counter=1)
    peer = scp80_peer.command(cipher, (kid, b""), bytes(spi), b"TAR", 1, data, 8)
    assert built == peer


def test_an_indicator_says_the_same_in_words_and_in_bytes() -> None:
    spi = Scp80Spi(
        check="cc",
        ciphered=True,
        counter="higher",
        receipt="on_error",
        receipt_check="rc",
        receipt_ciphered=True,
        receipt_by_submit=True,
    )
    assert bytes(spi) == b"\x16\x36"
    same = Scp80Spi.from_bytes(b"\x16\x36")
    assert same == spi
    assert hash(same) == hash(spi)
    assert (same.check, same.ciphered, same.counter) == ("cc", True, "higher")
    assert (same.receipt, same.receipt_check) == ("on_error", "rc")
    assert (same.receipt_ciphered, same.receipt_by_submit) == (True, True)
    assert repr(spi) == "<Scp80Spi 1636>"
    with pytest.raises(CryptoError) as caught:
        Scp80Spi.from_bytes(b"\x20\x00")
    assert caught.value.code == "bad_input"
    with pytest.raises(CryptoError, match=r"^check: is none of its words$"):
        Scp80Spi(check="mac")  # type: ignore[arg-type]  # what a caller without types may write


def test_a_command_played_again_is_refused() -> None:
    keys = Scp80Keys(0x12, bytes(16), 0x12, bytes(16))
    spi = Scp80Spi(check="cc", ciphered=True, counter="higher")
    packet = keys.build_command(b"once", spi=spi, tar=b"TAR", counter=8)
    received = keys.open_command(packet, least=spi).counter
    assert received == 8
    stored = spi.advance(7, received)
    with pytest.raises(CryptoError) as caught:
        spi.advance(stored, received)
    assert caught.value.code == "counter_low"
    with pytest.raises(CryptoError) as caught:
        Scp80Spi(counter="next").advance(5, 7)
    assert caught.value.code == "counter_high"
    with pytest.raises(CryptoError) as caught:
        spi.advance((1 << 40) - 1, 7)
    assert caught.value.code == "counter_blocked"


def test_one_error_tells_nothing_of_check_and_padding() -> None:
    keys = Scp80Keys(0x15, bytes(range(16)), 0x15, bytes(range(16)))
    spi = Scp80Spi(check="cc", ciphered=True)
    packet = keys.build_command(b"data", spi=spi, tar=b"TAR")
    messages = set()
    for at in range(10, len(packet)):
        changed = bytearray(packet)
        changed[at] ^= 1
        with pytest.raises(BadMac) as caught:
            keys.open_command(changed, least=spi)
        messages.add(str(caught.value))
    assert messages == {"the presented value does not fit"}


def test_keys_neither_print_nor_pickle() -> None:
    keys = Scp80Keys(0x12, b"k" * 16, 0x12, b"k" * 16)
    assert repr(keys) == "<Scp80Keys kic=12 kid=12>"
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            leak(keys)


def test_a_long_packet_goes_in_several_messages() -> None:
    packet = bytes(range(256)) * 2
    messages = sms_cut(packet, kind="command", reference=0xA5)
    assert [len(message) for message in messages] == [140, 140, 140, 118]
    first = SmsSegment(messages[0])
    assert (first.kind, first.reference, first.total, first.index) == ("command", 0xA5, 4, 1)
    assert SmsSegment(memoryview(messages[3])).kind is None
    assert sms_assemble(messages[::-1]) == ("command", packet)
    with pytest.raises(CryptoError) as caught:
        sms_assemble(messages[1:])
    assert caught.value.code == "bad_input"
    with pytest.raises(CryptoError):
        sms_cut(packet, kind="both", reference=0)  # type: ignore[arg-type]  # as above


@given(st.lists(st.binary(max_size=20), max_size=4))
def test_any_messages_are_answered(messages: list[bytes]) -> None:
    kind: str | None = None
    with contextlib.suppress(CryptoError):
        kind, packet = sms_assemble(messages)
        assert len(packet) <= 80
    assert kind in {None, "command", "response"}
