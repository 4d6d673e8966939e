"""TUAK through the Python door: the published sets, and a second implementation in plain Python."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, TypedDict

import pytest
from cardea_core import BadMac, CryptoError, Secret, Tuak
from hypothesis import given, settings
from hypothesis import strategies as st

from . import keccak

Vectors = Callable[[str], dict[str, Any]]
_hex = bytes.fromhex


class _Lengths(TypedDict):
    mac_length: int
    res_length: int
    ck_length: int
    ik_length: int
    iterations: int


def _lengths(case: dict[str, Any]) -> _Lengths:
    return _Lengths(
        mac_length=len(case["f1"]) // 2,
        res_length=len(case["f2"]) // 2,
        ck_length=len(case["f3"]) // 2,
        ik_length=len(case["f4"]) // 2,
        iterations=case["iterations"],
    )


def test_tuak_yields_the_published_sets(vectors: Vectors) -> None:
    for case in vectors("tuak")["sets"]:
        rand, sqn, amf = _hex(case["rand"]), _hex(case["sqn"]), _hex(case["amf"])
        tuak = Tuak.from_top(Secret(_hex(case["k"])), _hex(case["top"]), **_lengths(case))
        assert tuak.topc.expose() == _hex(case["topc"])
        assert tuak.f1(rand, sqn, amf) == _hex(case["f1"])
        assert tuak.f1_star(rand, sqn, amf) == _hex(case["f1_star"])
        assert tuak.f2(rand) == Secret(_hex(case["f2"]))
        assert tuak.f3(rand) == Secret(_hex(case["f3"]))
        assert tuak.f4(rand) == Secret(_hex(case["f4"]))
        assert tuak.f5(rand) == _hex(case["f5"])
        assert tuak.f5_star(rand) == _hex(case["f5_star"])


def test_an_authentication_vector_carries_keys_as_secrets(vectors: Vectors) -> None:
    case = vectors("tuak")["sets"][0]
    tuak = Tuak(_hex(case["k"]), _hex(case["topc"]), **_lengths(case))
    vector = tuak.vector(_hex(case["rand"]), _hex(case["sqn"]), _hex(case["amf"]))
    assert len(vector.autn) == 16
    assert vector.xres == Secret(_hex(case["f2"]))
    assert vector.ck == Secret(_hex(case["f3"]))
    assert vector.ik == Secret(_hex(case["f4"]))
    assert tuak.open_autn(vector.rand, vector.autn) == _hex(case["sqn"])
    assert repr(tuak) == "<Tuak>"


def test_a_token_of_another_key_is_refused() -> None:
    card, network = Tuak(bytes(16), bytes(32)), Tuak(b"\1" * 16, bytes(32))
    with pytest.raises(BadMac):
        card.open_autn(bytes(16), network.vector(bytes(16), bytes(6), bytes(2)).autn)
    with pytest.raises(BadMac):
        network.resync(bytes(16), card.auts(bytes(16), bytes(6)))
    assert card.resync(bytes(16), card.auts(bytes(16), b"sequen")) == b"sequen"


def test_a_wrong_shape_names_the_field_and_not_the_value() -> None:
    with pytest.raises(CryptoError, match=r"^K has 17 bytes, not 16$") as caught:
        Tuak(b"k" * 17, bytes(32))
    assert caught.value.code == "wrong_length"
    with pytest.raises(CryptoError) as caught:
        Tuak(bytes(16), bytes(32), res_length=5)
    assert caught.value.code == "bad_input"
    tuak = Tuak(bytes(16), bytes(32))
    calls: dict[str, Callable[[], object]] = {
        "RAND": lambda: tuak.f2(b"short"),
        "SQN": lambda: tuak.f1(bytes(16), bytes(5), bytes(2)),
        "AMF": lambda: tuak.vector(bytes(16), bytes(6), bytes(3)),
        "AUTS": lambda: tuak.resync(bytes(16), bytes(13)),
        "AUTN": lambda: tuak.open_autn(bytes(16), bytes(15)),
    }
    for name, call in calls.items():
        with pytest.raises(CryptoError, match=f"^{name} has "):
            call()


@given(st.binary(max_size=135))
@settings(max_examples=20, deadline=None)
def test_the_second_implementation_permutes_as_sha3_does(message: bytes) -> None:
    assert keccak.sha3_256(message) == hashlib.sha3_256(message).digest()


@given(
    k=st.binary(min_size=16, max_size=16) | st.binary(min_size=32, max_size=32),
    top=st.binary(min_size=32, max_size=32),
    rand=st.binary(min_size=16, max_size=16),
    sqn=st.binary(min_size=6, max_size=6),
    amf=st.binary(min_size=2, max_size=2),
    mac_length=st.sampled_from((8, 16, 32)),
    iterations=st.integers(1, 2),
)
@settings(max_examples=25, deadline=None)
def test_a_second_implementation_agrees(
    k: bytes, top: bytes, rand: bytes, sqn: bytes, amf: bytes, mac_length: int, iterations: int
) -> None:
    tuak = Tuak.from_top(k, top, mac_length=mac_length, iterations=iterations)
    topc = keccak.tuak(k, top, 0x00, iterations=iterations)[31::-1]
    assert tuak.topc.expose() == topc
    code = keccak.tuak(k, topc, mac_length, rand=rand, amf=amf, sqn=sqn, iterations=iterations)
    assert tuak.f1(rand, sqn, amf) == code[mac_length - 1 :: -1]
    out = keccak.tuak(k, topc, 0x48, rand=rand, iterations=iterations)
    assert tuak.f2(rand).expose() == out[7::-1]
    assert tuak.f3(rand).expose() == out[47:31:-1]
    assert tuak.f4(rand).expose() == out[79:63:-1]
    assert tuak.f5(rand) == out[101:95:-1]
