"""MILENAGE, GBA, DM and HTTP digests through the Python door, against the vector files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cardea_core as core
import pytest
from cardea_core import BadMac, CryptoError, Milenage, Secret
from Cryptodome.Cipher import AES
from Cryptodome.Util.strxor import strxor
from hypothesis import given
from hypothesis import strategies as st

Vectors = Callable[[str], dict[str, Any]]
_hex = bytes.fromhex
_BLOCK = st.binary(min_size=16, max_size=16)


def _milenage_over_pycryptodomex(
    k: bytes, opc: bytes, rand: bytes, data: bytes, place: int, rotation: int, constant: bytes
) -> bytes:
    """OUT1 to OUT5 by their `place`, as TS 35.206 §4.1 writes them; `data` is SQN ‖ AMF."""
    encrypt = AES.new(k, AES.MODE_ECB).encrypt
    temp = encrypt(strxor(rand, opc))
    turned = int.from_bytes(strxor(data + data if place == 0 else temp, opc), "big")
    turned = (turned << rotation | turned >> (128 - rotation)) & ((1 << 128) - 1)
    mixed = strxor(turned.to_bytes(16, "big"), constant)
    return strxor(encrypt(strxor(temp, mixed) if place == 0 else mixed), opc)


@given(_BLOCK, _BLOCK, _BLOCK, st.lists(st.integers(0, 127), min_size=5, max_size=5), st.data())
def test_an_operators_own_constants_are_those_of_a_second_library(
    k: bytes, opc: bytes, rand: bytes, rotations: list[int], data: st.DataObject
) -> None:
    constants = data.draw(st.binary(min_size=80, max_size=80))
    milenage = Milenage(k, opc, rotations=rotations, constants=constants)
    sqn, amf = b"sqnsqn", b"am"
    outs = [
        _milenage_over_pycryptodomex(
            k, opc, rand, sqn + amf, place, rotation, constants[16 * place : 16 * place + 16]
        )
        for place, rotation in enumerate(rotations)
    ]
    assert milenage.f1(rand, sqn, amf) + milenage.f1_star(rand, sqn, amf) == outs[0]
    assert milenage.f5(rand) == outs[1][:6]
    assert milenage.f2(rand).expose() == outs[1][8:]
    assert milenage.f3(rand).expose() == outs[2]
    assert milenage.f4(rand).expose() == outs[3]
    assert milenage.f5_star(rand) == outs[4][:6]


def test_constants_that_milenage_cannot_have_are_refused() -> None:
    with pytest.raises(CryptoError, match=r"^constants has 79 bytes, not 80$"):
        Milenage(bytes(16), bytes(16), constants=bytes(79))
    with pytest.raises(CryptoError) as caught:
        Milenage.from_op(bytes(16), bytes(16), rotations=[0, 0, 0, 0, 128])
    assert caught.value.code == "bad_input"


def test_milenage_yields_the_published_sets(vectors: Vectors) -> None:
    for case in vectors("milenage")["sets"]:
        rand, sqn, amf = _hex(case["rand"]), _hex(case["sqn"]), _hex(case["amf"])
        milenage = Milenage.from_op(Secret(_hex(case["k"])), _hex(case["op"]))
        assert milenage.opc.expose() == _hex(case["opc"])
        assert milenage.f1(rand, sqn, amf) == _hex(case["f1"])
        assert milenage.f1_star(rand, sqn, amf) == _hex(case["f1_star"])
        assert milenage.f2(rand) == Secret(_hex(case["f2"]))
        assert milenage.f3(rand) == Secret(_hex(case["f3"]))
        assert milenage.f4(rand) == Secret(_hex(case["f4"]))
        assert milenage.f5(rand) == _hex(case["f5"])
        assert milenage.f5_star(rand) == _hex(case["f5_star"])


def test_an_authentication_vector_carries_keys_as_secrets(vectors: Vectors) -> None:
    case = vectors("milenage")["sets"][0]
    milenage = Milenage(_hex(case["k"]), _hex(case["opc"]))
    vector = milenage.vector(_hex(case["rand"]), _hex(case["sqn"]), _hex(case["amf"]))
    assert vector.rand == _hex(case["rand"])
    assert vector.autn == _hex(case["autn"])
    assert vector.xres == Secret(_hex(case["f2"]))
    assert vector.ck == Secret(_hex(case["f3"]))
    assert vector.ik == Secret(_hex(case["f4"]))
    assert milenage.open_autn(vector.rand, vector.autn) == _hex(case["sqn"])
    assert repr(vector) == "<AuthVector>"
    assert repr(milenage) == "<Milenage>"


def test_a_resynchronisation_token_gives_the_cards_sequence_number(vectors: Vectors) -> None:
    for case in vectors("milenage")["resynchronisations"]:
        milenage = Milenage(_hex(case["k"]), _hex(case["opc"]))
        rand, auts = _hex(case["rand"]), _hex(case["auts"])
        assert milenage.auts(rand, _hex(case["sqn_ms"])) == auts
        assert milenage.resync(rand, auts) == _hex(case["sqn_ms"])
        with pytest.raises(BadMac) as caught:
            milenage.resync(rand, bytes(14))
        assert caught.value.code == "bad_mac"


def test_a_wrong_length_names_the_field_and_not_the_value() -> None:
    with pytest.raises(CryptoError) as caught:
        Milenage(b"k" * 15, bytes(16))
    assert caught.value.code == "wrong_length"
    assert str(caught.value) == "K has 15 bytes, not 16"
    milenage = Milenage(bytes(16), bytes(16))
    calls: dict[str, Callable[[], object]] = {
        "RAND": lambda: milenage.f2(b"short"),
        "SQN": lambda: milenage.f1(bytes(16), bytes(5), bytes(2)),
        "AMF": lambda: milenage.vector(bytes(16), bytes(6), bytes(3)),
        "AUTS": lambda: milenage.resync(bytes(16), bytes(13)),
        "AUTN": lambda: milenage.open_autn(bytes(16), bytes(15)),
    }
    for name, call in calls.items():
        with pytest.raises(CryptoError, match=f"^{name} has "):
            call()


def test_gba_derives_one_key_for_each_server_and_protocol(vectors: Vectors) -> None:
    for case in vectors("gba")["derivations"]:
        naf_id = core.naf_id(case["fqdn"], _hex(case["ua_protocol"]))
        assert naf_id == _hex(case["naf_id"])
        ck, ik, rand = Secret(_hex(case["ck"])), Secret(_hex(case["ik"])), _hex(case["rand"])
        derived = core.gba_ks_naf(ck, ik, rand, case["impi"], naf_id)
        assert derived == Secret(_hex(case["ks_naf"]))
        derived = core.gba_ks_int_naf(ck, ik, rand, case["impi"], naf_id)
        assert derived == Secret(_hex(case["ks_int_naf"]))


def test_dm_credentials_follow_their_formulas(vectors: Vectors) -> None:
    document = vectors("dm_auth")
    for case in document["md5"]:
        user, password, nonce = case["user"], _hex(case["password"]), _hex(case["nonce"])
        assert core.dm_md5(user, password, nonce) == case["data"]
        core.dm_md5_verify(user, Secret(password), nonce, case["data"])
        with pytest.raises(BadMac):
            core.dm_md5_verify(user, Secret(password), nonce + b"x", case["data"])
    for case in document["hmac"]:
        user, password, nonce = case["user"], _hex(case["password"]), _hex(case["nonce"])
        body = memoryview(_hex(case["body"]))
        assert core.dm_hmac(user, password, nonce, body) == case["mac"]
        core.dm_hmac_verify(user, Secret(password), nonce, body, case["mac"])
        with pytest.raises(BadMac):
            core.dm_hmac_verify(user, password, nonce, bytes(body) + b"x", case["mac"])
    for case in document["notification"]:
        digest = core.dm_notification_digest(
            case["server_id"],
            _hex(case["password"]),
            _hex(case["nonce"]),
            _hex(case["trigger"]),
        )
        assert digest == _hex(case["digest"])


def test_http_digest_yields_the_published_responses(vectors: Vectors) -> None:
    for case in vectors("http_digest")["cases"]:
        fields = {name: case[name] for name in ("username", "realm", "method", "uri", "nonce")}
        response = core.http_digest(
            **fields,
            password=Secret(_hex(case["password"])),
            nc=case["nc"],
            cnonce=case["cnonce"],
            qop=case["qop"],
            body=_hex(case["body"]),
        )
        assert response == case["response"], case["source"]


def test_http_digest_refuses_an_unknown_protection() -> None:
    with pytest.raises(CryptoError) as caught:
        core.http_digest(
            username="u",
            realm="r",
            password=b"hunter2",
            method="GET",
            uri="/",
            nonce="n",
            nc="00000001",
            cnonce="c",
            qop="auth-conf",
        )
    assert caught.value.code == "bad_input"
    assert "hunter2" not in str(caught.value)


def test_a_push_is_bound_to_card_and_pin(vectors: Vectors) -> None:
    for case in vectors("push_mac")["cases"]:
        pin = None if case["pin"] is None else case["pin"].encode()
        key = (
            Secret(pin or b"") if case["imsi"] is None else core.push_network_key(case["imsi"], pin)
        )
        assert key == Secret(_hex(case["key"]))
        body = _hex(case["body"])
        assert core.push_mac(key, body) == case["mac"]
        core.push_mac_verify(key, body, case["mac"])
        with pytest.raises(BadMac):
            core.push_mac_verify(key, body + b"x", case["mac"])
    with pytest.raises(CryptoError) as caught:
        core.push_network_key("00101")
    assert caught.value.code == "bad_input"
