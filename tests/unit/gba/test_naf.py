"""Device and application server in memory, with a bootstrapped key."""

from __future__ import annotations

import base64

import pytest
from cardea_core import Secret
from gba.digest import Authorization, parse_authorization
from gba.errors import NafError
from gba.naf import (
    UA_HTTP_DIGEST,
    NafClient,
    challenge,
    check_request,
    fqdn_of_realm,
    naf_password,
    naf_realm,
    success_info,
    ua_protocols,
)

FQDN = "dm.mnc001.mcc001.pub.3gppnetwork.org"
BTID = "AAECAwQFBgcICQoLDA0ODw==@bsf.mnc001.mcc001.pub.3gppnetwork.org"
KEY = Secret(bytes(range(32)))
PASSWORD = naf_password(KEY)
BODY = b"\x02\x00\x00request"


def challenged(nonce: str = "n1") -> NafClient:
    client = NafClient(BTID, FQDN, lambda _: PASSWORD)
    client.challenged([challenge(FQDN, nonce=nonce, opaque="o").header()])
    return client


def authorize(client: NafClient, body: bytes = BODY) -> Authorization:
    header = client.authorize(method="POST", uri="/dm", cnonce="c", body=body)
    assert header is not None
    return parse_authorization(header)


def check(given: Authorization, **change: object) -> int:
    values: dict[str, object] = {
        "fqdn": FQDN,
        "password": PASSWORD,
        "method": "POST",
        "uri": "/dm",
        "nonce": "n1",
        "minimum_count": 1,
        "body": BODY,
    }
    return check_request(given, **{**values, **change})  # type: ignore[arg-type]  # one table for all


def test_realm_and_password_are_those_of_the_standard() -> None:
    assert naf_realm(FQDN) == f"3GPP-bootstrapping@{FQDN}"
    assert Secret(base64.b64encode(bytes(range(32)))) == PASSWORD
    assert bytes.fromhex("0100000002") == UA_HTTP_DIGEST


def test_inside_tls_the_protocol_is_named_after_the_cipher_suite() -> None:
    # TS 33.220 annex H: 01, 00 01, and the code, here TLS_AES_256_GCM_SHA384
    assert ua_protocols(0x1302) == (bytes.fromhex("0100011302"), UA_HTTP_DIGEST)
    assert ua_protocols(None) == (UA_HTTP_DIGEST,)


def test_a_server_that_refuses_one_name_of_the_protocol_gets_the_other_and_no_third() -> None:
    client = NafClient(BTID, FQDN, lambda protocol: Secret(protocol))
    for nonce, protocol in (("n1", "0100011302"), ("n2", "0100000002")):
        client.challenged([challenge(FQDN, nonce=nonce).header()], cipher_suite=0x1302)
        password = Secret(bytes.fromhex(protocol))
        assert check(authorize(client), nonce=nonce, password=password) == 1
    with pytest.raises(NafError, match="refused"):
        client.challenged([challenge(FQDN, nonce="n3").header()], cipher_suite=0x1302)


def test_a_new_connection_with_another_suite_is_another_key() -> None:
    client = NafClient(BTID, FQDN, lambda protocol: Secret(protocol))
    client.challenged([challenge(FQDN, nonce="n1").header()], cipher_suite=0x1302)
    authorize(client)
    client.challenged([challenge(FQDN, nonce="n2").header()], cipher_suite=0x1301)
    password = Secret(bytes.fromhex("0100011301"))
    assert check(authorize(client), nonce="n2", password=password) == 1


def test_realm_that_also_offers_gba_u_is_read() -> None:
    assert fqdn_of_realm("3GPP-bootstrapping@a;3GPP-bootstrapping-uicc@a") == "a"


@pytest.mark.parametrize("realm", ["", "x@y", "3GPP-bootstrapping@", "3gpp-bootstrapping@a"])
def test_other_realms_ask_for_no_bootstrapping(realm: str) -> None:
    with pytest.raises(NafError, match="realm_asks_for_no_bootstrapping"):
        fqdn_of_realm(realm)


def test_without_a_challenge_nothing_is_shown() -> None:
    client = NafClient(BTID, FQDN, lambda _: PASSWORD)
    assert client.authorize(method="POST", uri="/", cnonce="c", body=b"") is None


def test_both_sides_prove_the_key_and_the_count_goes_up() -> None:
    client = challenged()
    for count in (1, 2, 3):
        given = authorize(client)
        assert given.username == BTID
        assert check(given, minimum_count=count) == count
        client.accept(success_info(given, password=PASSWORD, body=b"answer"), body=b"answer")


def test_next_nonce_is_used_for_the_next_request() -> None:
    client = challenged()
    given = authorize(client)
    info = success_info(given, password=PASSWORD, body=b"", nextnonce="n2")
    client.accept(info, body=b"")
    after = authorize(client)
    assert (after.nonce, after.counter) == ("n2", 1)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"fqdn": "other.example.org"}, "realm"),
        ({"uri": "/other"}, "uri"),
        ({"nonce": "n2"}, "nonce"),
        ({"minimum_count": 2}, "replayed"),
        ({"body": b"changed"}, "response"),
        ({"method": "GET"}, "response"),
        ({"password": Secret(b"other")}, "response"),
    ],
)
def test_a_request_that_does_not_fit_is_refused(change: dict[str, object], reason: str) -> None:
    with pytest.raises(NafError) as caught:
        check(authorize(challenged()), **change)
    assert caught.value.reason == reason


def test_a_response_without_qop_or_with_auts_is_refused() -> None:
    with pytest.raises(NafError, match="qop_missing"):
        check(Authorization(BTID, naf_realm(FQDN), "n1", "/dm", "00"))
    header = Authorization(
        BTID, naf_realm(FQDN), "n1", "/dm", "00", None, "auth", "00000001", "c", None, bytes(14)
    )
    with pytest.raises(NafError, match="auts"):
        check(header)


def test_a_server_without_the_key_is_noticed() -> None:
    client = challenged()
    given = authorize(client)
    wrong = success_info(given, password=Secret(b"other"), body=b"answer")
    with pytest.raises(NafError, match="server_not_authenticated"):
        client.accept(wrong, body=b"answer")


def test_a_changed_answer_and_a_missing_proof_are_noticed() -> None:
    client = challenged()
    info = success_info(authorize(client), password=PASSWORD, body=b"answer")
    with pytest.raises(NafError, match="server_not_authenticated"):
        client.accept(info, body=b"other")
    with pytest.raises(NafError, match="server_not_authenticated"):
        client.accept(None, body=b"answer")


def test_an_answer_that_was_not_asked_for_is_refused() -> None:
    with pytest.raises(NafError, match="nothing_sent"):
        challenged().accept("rspauth=x", body=b"")


def test_a_second_challenge_means_refusal_unless_stale() -> None:
    client = challenged()
    authorize(client)
    client.challenged([challenge(FQDN, nonce="n2", stale=True).header()])
    authorize(client)
    with pytest.raises(NafError, match="refused"):
        client.challenged([challenge(FQDN, nonce="n3").header()])


def test_another_server_gets_no_proof() -> None:
    client = NafClient(BTID, FQDN, lambda _: PASSWORD)
    with pytest.raises(NafError, match="realm_of_another_server"):
        client.challenged([challenge("evil.example.org", nonce="n").header()])
    with pytest.raises(NafError, match="no_challenge"):
        client.challenged(['Basic realm="x"'])
