"""Keys of 5G AKA and sequence numbers through the Python door."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Any

import pytest
from cardea_core import (
    CryptoError,
    Secret,
    SqnWindow,
    hres_star,
    k_ausf,
    k_seaf,
    res_star,
    sqn_after_resynchronisation,
    sqn_next,
)
from hypothesis import given
from hypothesis import strategies as st

Vectors = Callable[[str], dict[str, Any]]
_hex = bytes.fromhex
_KEY = st.binary(min_size=16, max_size=16)


def _derive(key: bytes, function: int, *parameters: bytes) -> bytes:
    message = bytes([function])
    for parameter in parameters:
        message += parameter + len(parameter).to_bytes(2, "big")
    return hmac.new(key, message, hashlib.sha256).digest()


def _sqn(seq: int, index: int = 0) -> bytes:
    return (seq << 5 | index).to_bytes(6, "big")


def test_responses_and_keys_are_bound_to_the_network(vectors: Vectors) -> None:
    for case in vectors("five_g")["cases"]:
        ck, ik, rand = Secret(_hex(case["ck"])), _hex(case["ik"]), _hex(case["rand"])
        response = res_star(ck, ik, case["network"], rand, _hex(case["res"]))
        assert response.expose() == _hex(case["res_star"])
        assert hres_star(rand, response) == _hex(case["hres_star"])
        key = k_ausf(ck, ik, case["network"], _hex(case["concealed_sqn"]))
        assert key.expose() == _hex(case["k_ausf"])
        assert k_seaf(key, case["network"]).expose() == _hex(case["k_seaf"])


@given(_KEY, _KEY, st.text(max_size=40), _KEY, st.binary(min_size=4, max_size=32))
def test_a_second_implementation_agrees(
    ck: bytes, ik: bytes, network: str, rand: bytes, res: bytes
) -> None:
    name = network.encode()
    made = res_star(ck, ik, network, rand, res)
    assert made.expose() == _derive(ck + ik, 0x6B, name, rand, res)[16:]
    assert hres_star(rand, made) == hashlib.sha256(rand + made.expose()).digest()[16:]
    key = k_ausf(ck, ik, network, rand[:6])
    assert key.expose() == _derive(ck + ik, 0x6A, name, rand[:6])
    assert k_seaf(key, network).expose() == _derive(key.expose(), 0x6C, name)


def test_a_card_takes_each_number_once() -> None:
    last = _sqn(7, 31)
    card = SqnWindow(last)
    following = sqn_next(last)
    assert following == _sqn(8, 0)
    card = card.accept(following)
    assert card.highest == following
    with pytest.raises(CryptoError) as caught:
        card.accept(following)
    assert caught.value.code == "counter_low"
    with pytest.raises(CryptoError) as caught:
        card.accept(_sqn(9 + (1 << 28)))
    assert caught.value.code == "counter_high"
    assert SqnWindow.from_seen(card.seen) == card
    assert repr(card) == "<SqnWindow highest=8>"
    with pytest.raises(CryptoError):
        card.accept(_sqn(8, 1), age_limit=0)
    with pytest.raises(CryptoError):
        SqnWindow.from_seen([0] * 31)


def test_numbers_follow_a_clock_and_a_resynchronisation() -> None:
    assert sqn_next(_sqn(5, 1), clock=100) == _sqn(100, 2)
    assert sqn_next(_sqn(105, 1), clock=100) == _sqn(106, 2)
    assert sqn_next(_sqn(0x29), clock=0x5, clock_bits=4, most_ahead=4) == _sqn(0x35, 1)
    assert sqn_next(_sqn(0x29), clock=0x5, most_ahead=1) == _sqn((1 << 24) + 0x5, 1)
    with pytest.raises(CryptoError) as caught:
        sqn_next(_sqn(5), clock=0, most_ahead=0)
    assert caught.value.code == "bad_input"
    assert sqn_after_resynchronisation(_sqn(5), _sqn(9, 3)) == _sqn(9, 3)
    assert sqn_after_resynchronisation(_sqn(9, 3), _sqn(5)) == _sqn(9, 3)
    with pytest.raises(CryptoError) as caught:
        sqn_next(b"\xff" * 6)
    assert caught.value.code == "counter_blocked"
    with pytest.raises(CryptoError, match=r"^SQN has 5 bytes, not 6$"):
        sqn_next(bytes(5))


def test_networks_and_cards_count_as_the_vectors_say(vectors: Vectors) -> None:
    document = vectors("sqn")
    for case in document["counted"]:
        if case["next"] is None:
            with pytest.raises(CryptoError) as caught:
                sqn_next(_hex(case["last"]))
            assert caught.value.code == "counter_blocked"
        else:
            assert sqn_next(_hex(case["last"])).hex() == case["next"]
    for case in document["cards"]:
        window = SqnWindow(_hex(case["seen"]))
        for offered in case["offered"]:
            code = None
            try:
                window = window.accept(_hex(offered["sqn"]))
            except CryptoError as error:
                code = error.code
            assert code == offered["code"], (case["name"], offered)
        assert window.highest.hex() == case["highest"]
    for case in document["resynchronisations"]:
        agreed = sqn_after_resynchronisation(_hex(case["network"]), _hex(case["card"]))
        assert agreed.hex() == case["agreed"]
