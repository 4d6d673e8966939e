"""SCP03 through the Python door: recorded sessions, and a card written over another library."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from cardea_core import (
    BadMac,
    CryptoError,
    Scp03Host,
    Scp03Opening,
    Scp03Session,
    Secret,
    scp03_card_challenge,
)
from hypothesis import given
from hypothesis import strategies as st

from .scp03_card import Scp03Card

Vectors = Callable[[str], dict[str, Any]]
_hex = bytes.fromhex
_OK = b"\x90\x00"
_KEYS = st.sampled_from([16, 24, 32]).flatmap(
    lambda size: st.tuples(*[st.binary(min_size=size, max_size=size)] * 2)
)


def _host(case: dict[str, Any]) -> Scp03Host:
    return Scp03Host(
        Secret(_hex(case["enc"])),
        Secret(_hex(case["mac"])),
        challenge=_hex(case["challenge"]),
        level=case["level"],
        key_version=case["key_version"],
        aid=None if case["aid"] is None else _hex(case["aid"]),
        counts_data_less=case["counter_advances"],
    )


def test_recorded_sessions_are_reproduced_to_the_byte(vectors: Vectors) -> None:
    for case in vectors("scp03")["sessions"]:
        host = _host(case)
        assert host.initialize_update() == _hex(case["initialize_update"]), case["source"]
        answer = _hex(case["initialize_update_response"])
        opening = host.receive(answer)
        assert opening.external_authenticate == _hex(case["external_authenticate"])
        assert opening.diversification == answer[:10]
        assert (opening.key_version, opening.parameter) == (answer[10], answer[12])
        counter = opening.sequence_counter
        assert counter == (answer[-5:-2] if opening.parameter & 0x10 else None)
        if case["aid"] is not None:
            size = len(_hex(case["challenge"]))
            assert counter is not None
            challenge = scp03_card_challenge(_hex(case["enc"]), counter, _hex(case["aid"]), size)
            assert challenge == answer[13 : 13 + size]
        session = opening.confirm(_OK)
        for exchange in case["exchanges"]:
            assert session.wrap(_hex(exchange["command"])) == _hex(exchange["wrapped"])
            if exchange["response"] is not None:
                opened = session.unwrap(bytearray(_hex(exchange["response"])))
                assert opened == _hex(exchange["opened"])
        assert session.level == case["level"]
        assert not session.closed


_DATA = st.binary(max_size=400)
_STATUS = st.sampled_from([_OK, b"\x62\x83", b"\x63\xc2", b"\x6a\x82"])
_HEADER = st.tuples(
    st.sampled_from([0x00, 0x80, 0x01, 0x83, 0x40, 0x4F]), st.binary(min_size=3, max_size=3)
)


@given(
    keys=_KEYS,
    mode=st.sampled_from([8, 16]),
    level=st.sampled_from([0x01, 0x03, 0x11, 0x13, 0x33]),
    advances=st.booleans(),
    exchanges=st.lists(st.tuples(_HEADER, _DATA, _DATA, _STATUS, st.booleans()), max_size=6),
)
def test_a_card_over_another_library_understands_every_command(
    keys: tuple[bytes, bytes],
    mode: int,
    level: int,
    advances: bool,
    exchanges: list[tuple[tuple[int, bytes], bytes, bytes, bytes, bool]],
) -> None:
    enc, mac = keys
    card = Scp03Card(enc, mac, bytes(range(mode)), counter_advances=advances)
    host = Scp03Host(enc, mac, challenge=bytes(mode), level=level, counts_data_less=advances)
    opening = host.receive(card.initialize_update(host.initialize_update()))
    session = opening.confirm(card.external_authenticate(opening.external_authenticate))
    for (cla, rest), data, answer, status, expects in exchanges:
        extended = len(data) > 200
        if status == b"\x6a\x82":
            answer = b""
        length = b"" if not data else bytes([len(data)])
        if extended:
            length = b"\x00" + len(data).to_bytes(2, "big")
        expected = b"\x00" * (1 + extended) if expects else b""
        wrapped = session.wrap(bytes([cla]) + rest + length + data + expected)
        header, received = card.open_command(wrapped)
        assert header == bytes([cla | (0x20 if cla & 0x40 else 0x04)]) + rest
        assert received == data
        assert session.unwrap(card.protect(answer, status)) == answer + status
    assert session.counter == card.counter


def _session(vectors: Vectors) -> tuple[Scp03Session, dict[str, Any]]:
    case: dict[str, Any] = next(
        case for case in vectors("scp03")["sessions"] if case["level"] == 0x33 and case["exchanges"]
    )
    opening = _host(case).receive(_hex(case["initialize_update_response"]))
    return opening.confirm(_OK), case["exchanges"][0]


def test_a_forged_response_closes_the_session(vectors: Vectors) -> None:
    session, exchange = _session(vectors)
    session.wrap(_hex(exchange["command"]))
    response = bytearray(_hex(exchange["response"]))
    response[0] ^= 1
    with pytest.raises(BadMac) as caught:
        session.unwrap(response)
    assert caught.value.code == "bad_mac"
    assert session.closed
    assert repr(session) == "<Scp03Session level=0x33 counter=1 closed>"
    steps: list[Callable[[], object]] = [
        lambda: session.wrap(b"\x80\xf2\x00\x00"),
        lambda: session.unwrap(_OK),
    ]
    for step in steps:
        with pytest.raises(CryptoError, match="the session is closed"):
            step()


def test_every_step_is_taken_once_and_in_its_order(vectors: Vectors) -> None:
    case = vectors("scp03")["sessions"][0]
    host = _host(case)
    answer = _hex(case["initialize_update_response"])
    opening = host.receive(answer)
    session = opening.confirm(_OK)
    steps: list[Callable[[], object]] = [
        host.initialize_update,
        lambda: host.receive(answer),
        lambda: opening.external_authenticate,
        lambda: opening.confirm(_OK),
        lambda: session.unwrap(_OK),
    ]
    for step in steps:
        with pytest.raises(CryptoError) as caught:
            step()
        assert caught.value.code == "wrong_state"


def test_refusals_and_wrong_keys_are_told_apart(vectors: Vectors) -> None:
    case = vectors("scp03")["sessions"][0]
    with pytest.raises(CryptoError, match="INITIALIZE UPDATE was refused with 6A88") as caught:
        _host(case).receive(b"\x6a\x88")
    assert caught.value.code == "card_refused"
    other = {**case, "mac": "00" * 16}
    with pytest.raises(BadMac):
        _host(other).receive(_hex(case["initialize_update_response"]))
    opening = _host(case).receive(_hex(case["initialize_update_response"]))
    with pytest.raises(CryptoError, match="EXTERNAL AUTHENTICATE was refused with 6300"):
        opening.confirm(b"\x63\x00")


def test_what_does_not_fit_is_said_with_the_limit(vectors: Vectors) -> None:
    session, _ = _session(vectors)
    command = b"\x80\xe2\x00\x00\xf0" + bytes(240)
    with pytest.raises(CryptoError, match="command data has 240 bytes; 239 is the most") as caught:
        session.wrap(command)
    assert caught.value.code == "too_long"
    assert session.counter == 0
    assert len(session.wrap(b"\x80\xe2\x00\x00\xef" + bytes(239))) == 5 + 240 + 8


def test_nothing_shows_or_copies_a_key(vectors: Vectors) -> None:
    case = vectors("scp03")["sessions"][0]
    host = _host(case)
    assert repr(host) == "<Scp03Host>"
    opening = _host(case).receive(_hex(case["initialize_update_response"]))
    assert repr(opening) == "<Scp03Opening>"
    session = _session(vectors)[0]
    assert repr(session) == "<Scp03Session level=0x33 counter=0>"
    things: list[Scp03Host | Scp03Opening | Scp03Session] = [host, opening, session]
    for thing in things:
        for operation in (pickle.dumps, copy.copy, copy.deepcopy, vars):
            with pytest.raises(TypeError):
                operation(thing)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"enc": "00" * 15}, "wrong_length"),
        ({"mac": "00" * 33}, "wrong_length"),
        ({"mac": "00" * 32}, "wrong_length"),
        ({"challenge": "00" * 9}, "wrong_length"),
        ({"level": 0x02}, "bad_input"),
    ],
)
def test_a_wrong_shape_is_named(vectors: Vectors, changes: dict[str, Any], code: str) -> None:
    with pytest.raises(CryptoError) as caught:
        _host({**vectors("scp03")["sessions"][0], **changes})
    assert caught.value.code == code
