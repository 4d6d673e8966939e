"""SCP02 through the Python door: recorded sessions, and a card written over another library."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from cardea_core import BadMac, CryptoError, Scp02Host, Scp02Session, Secret
from hypothesis import given
from hypothesis import strategies as st

from .scp02_card import Scp02Card, session_key

Vectors = Callable[[str], dict[str, Any]]
_hex = bytes.fromhex
_OK = b"\x90\x00"
_KEY = st.binary(min_size=16, max_size=16)
_LEVELS = (0x01, 0x03, 0x10, 0x11, 0x13)


def _open(card: Scp02Card, enc: bytes, mac: bytes, level: int) -> Scp02Session:
    host = Scp02Host(Secret(enc), mac, challenge=b"hostchal", level=level)
    opening = host.receive(card.initialize_update(host.initialize_update()))
    return opening.confirm(card.external_authenticate(opening.external_authenticate))


def test_recorded_sessions_come_out_byte_for_byte(vectors: Vectors) -> None:
    for case in vectors("scp02")["sessions"]:
        host = Scp02Host(
            _hex(case["enc"]),
            _hex(case["mac"]),
            challenge=_hex(case["host_challenge"]),
            level=case["level"],
            key_version=case["key_version"],
        )
        assert host.initialize_update() == _hex(case["initialize_update"])
        opening = host.receive(_hex(case["initialize_update_response"]))
        assert opening.external_authenticate == _hex(case["external_authenticate"])
        session = opening.confirm(_OK)
        assert session.level == case["level"]
        for exchange in case["exchanges"]:
            wrapped = session.wrap(_hex(exchange["plain"]))
            if exchange["wrapped"]:
                assert wrapped == _hex(exchange["wrapped"])
            if exchange["response"]:
                assert session.unwrap(_hex(exchange["response"])) == _hex(exchange["opened"])


def test_the_other_card_derives_the_published_keys(vectors: Vectors) -> None:
    case = vectors("scp02")["derived"]
    key, counter = _hex(case["key"]), _hex(case["counter"])
    for constant, name in ((b"\x01\x01", "s_mac"), (b"\x01\x02", "s_rmac"), (b"\x01\x82", "s_enc")):
        assert session_key(key, constant, counter) == _hex(case[name])


@given(
    enc=_KEY,
    mac=_KEY,
    level=st.sampled_from(_LEVELS),
    counter=st.integers(0, 0xFFFF),
    exchanges=st.lists(
        st.tuples(st.binary(max_size=239), st.binary(max_size=240)), min_size=1, max_size=4
    ),
)
def test_a_card_over_another_library_understands_every_level(
    enc: bytes, mac: bytes, level: int, counter: int, exchanges: list[tuple[bytes, bytes]]
) -> None:
    card = Scp02Card(enc, mac, counter, b"random")
    session = _open(card, enc, mac, level)
    for data, answer in exchanges:
        header = b"\x80\xe2\x01\x02" + bytes([len(data)])
        command = header + data if data else header[:4] + b"\x00"
        assert card.receive(session.wrap(command)) == header + data
        assert session.unwrap(card.answer(answer, _OK)) == answer + _OK


def test_a_card_with_other_keys_is_refused() -> None:
    card = Scp02Card(b"e" * 16, b"m" * 16, 1, b"random")
    host = Scp02Host(b"f" * 16, b"m" * 16, challenge=b"hostchal")
    with pytest.raises(BadMac):
        host.receive(card.initialize_update(host.initialize_update()))
    with pytest.raises(CryptoError) as caught:
        host.receive(b"")
    assert caught.value.code == "wrong_state"


def test_an_opening_tells_of_the_card() -> None:
    card = Scp02Card(b"e" * 16, b"m" * 16, 0x1234, b"random")
    host = Scp02Host(b"e" * 16, b"m" * 16, challenge=b"hostchal", key_version=0x20)
    opening = host.receive(card.initialize_update(host.initialize_update()))
    assert opening.sequence_counter == 0x1234
    assert opening.key_version == 0x20
    assert opening.diversification == bytes(10)
    with pytest.raises(CryptoError) as caught:
        opening.confirm(b"\x63\x00")
    assert caught.value.code == "card_refused"


def test_a_response_played_again_closes_the_session() -> None:
    card = Scp02Card(b"e" * 16, b"m" * 16, 1, b"random")
    session = _open(card, b"e" * 16, b"m" * 16, 0x13)
    card.receive(session.wrap(b"\x80\xca\x00\x66\x00"))
    response = card.answer(b"data", _OK)
    assert session.unwrap(response) == b"data" + _OK
    session.wrap(b"\x80\xca\x00\x66\x00")
    with pytest.raises(BadMac):
        session.unwrap(response)
    assert session.closed
    assert repr(session) == "<Scp02Session level=0x13 closed>"


def test_nothing_prints_or_pickles_keys() -> None:
    host = Scp02Host(b"e" * 16, b"m" * 16, challenge=b"hostchal")
    assert repr(host) == "<Scp02Host>"
    card = Scp02Card(b"e" * 16, b"m" * 16, 1, b"random")
    session = _open(card, b"e" * 16, b"m" * 16, 0x11)
    for kept in (host, session):
        for leak in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError):
                leak(kept)
    with pytest.raises(CryptoError) as caught:
        Scp02Host(b"e" * 15, b"m" * 16, challenge=b"hostchal")
    assert str(caught.value) == "ENC key has 15 bytes, not 16"
    with pytest.raises(CryptoError) as caught:
        Scp02Host(b"e" * 16, b"m" * 16, challenge=b"hostchal", level=0x33)
    assert caught.value.code == "bad_input"


def test_a_challenge_that_is_a_code_over_the_identifier_is_recomputed(vectors: Vectors) -> None:
    case = {name: bytes.fromhex(value) for name, value in vectors("scp02")["i55"].items()}
    response = case["initialize_update_response"]
    assert response[14:20] == case["card_challenge"]
    for aid, fits in ((case["aid"], True), (b"\xa0\0\0\0\x03", False)):
        host = Scp02Host(case["enc"], case["mac"], challenge=case["host_challenge"], aid=aid)
        if fits:
            assert host.receive(response).sequence_counter == 0x2A
        else:
            with pytest.raises(BadMac):
                host.receive(response)
