"""Credentials as the standard computes them, and headers as peers spell them."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cardea_core import Secret
from omadm.auth import (
    BASIC,
    HMAC,
    MD5,
    basic_credential,
    basic_user,
    challenge,
    mac_header,
    md5_credential,
    parse_mac_header,
    syncml_type,
    verify_basic,
    verify_mac,
    verify_md5,
)
from omadm.errors import AuthError
from omadm.messages import Chal, Cred


def test_md5_credential_is_the_standards_example() -> None:
    # DM Representation 1.2 §4.1.1.6; the second one is DM Security's.
    assert (
        md5_credential("Bruce2", Secret(b"OhBehave"), b"Nonce").data == "Zz6EivR3yeaaENcRN6lpAQ=="
    )
    assert md5_credential("Bruce1", b"OhBehave", b"nonce").data == "lnZLb3wBhv5gvClt8C+m7w=="


def test_basic_credential_is_the_standards_example() -> None:
    cred = basic_credential("Bruce2", b"OhBehave")
    assert cred == Cred(BASIC, "b64", "QnJ1Y2UyOk9oQmVoYXZl")
    assert basic_user(cred) == "Bruce2"


def test_a_password_may_hold_a_colon_but_the_user_ends_at_the_first() -> None:
    cred = basic_credential("user", b"pa:ss")
    assert basic_user(cred) == "user"
    verify_basic(cred, user="user", password=Secret(b"pa:ss"))


def test_a_user_with_a_colon_is_known_by_the_loc_name() -> None:
    cred = basic_credential("IMEI:493005100592800", b"pa:ss")
    assert basic_user(cred, "IMEI:493005100592800") == "IMEI:493005100592800"
    assert basic_user(cred, "IMEI:4930") == "IMEI"


@pytest.mark.parametrize(("user", "password"), [("Bruce2", b"ohbehave"), ("Bruce1", b"OhBehave")])
def test_wrong_user_or_password_fails_both_ways(user: str, password: bytes) -> None:
    with pytest.raises(AuthError, match="credential_wrong"):
        verify_basic(basic_credential("Bruce2", b"OhBehave"), user=user, password=password)
    cred = md5_credential("Bruce2", b"OhBehave", b"n")
    with pytest.raises(AuthError, match="credential_wrong"):
        verify_md5(cred, user=user, password=password, nonce=b"n")


def test_md5_with_another_nonce_fails() -> None:
    cred = md5_credential("Bruce2", b"OhBehave", b"first")
    verify_md5(cred, user="Bruce2", password=b"OhBehave", nonce=b"first")
    with pytest.raises(AuthError, match="credential_wrong"):
        verify_md5(cred, user="Bruce2", password=b"OhBehave", nonce=b"second")


def test_a_credential_of_another_type_is_not_tried() -> None:
    with pytest.raises(AuthError, match="credential_type"):
        verify_md5(basic_credential("u", b"p"), user="u", password=b"p", nonce=b"")


@pytest.mark.parametrize("data", ["", "!!", "Tm9Db2xvbg=="])
def test_malformed_basic_credentials_are_named(data: str) -> None:
    with pytest.raises(AuthError, match="credential_malformed"):
        basic_user(Cred(BASIC, "b64", data))


def test_nothing_secret_is_in_repr_or_error() -> None:
    cred = basic_credential("u", b"topsecret")
    assert cred.data not in repr(cred)
    with pytest.raises(AuthError) as caught:
        verify_basic(cred, user="u", password=b"other-secret")
    assert "secret" not in str(caught.value).replace("credential", "")


def test_hmac_covers_the_body() -> None:
    # DM Security 1.2 §5.4, computed here step by step.
    def h(data: bytes) -> bytes:
        return hashlib.md5(data, usedforsecurity=False).digest()

    body = b"\x02\x00\x00message"
    key = base64.b64encode(h(b"srv:pw"))
    mac = base64.b64encode(h(key + b":" + b"\x00\x01nonce" + b":" + base64.b64encode(h(body))))
    header = mac_header("srv", Secret(b"pw"), b"\x00\x01nonce", body)
    assert header == f'algorithm=MD5, username="srv", mac={mac.decode()}'
    found = parse_mac_header(header)
    verify_mac(found, user="srv", password=b"pw", nonce=b"\x00\x01nonce", body=body)
    with pytest.raises(AuthError, match="credential_wrong"):
        verify_mac(found, user="srv", password=b"pw", nonce=b"\x00\x01nonce", body=body + b"x")


@pytest.mark.parametrize(
    "header",
    [
        'algorithm=MD5, username="Robert Jordan", mac=NTI2OTJh==',
        'username="Robert Jordan",mac="NTI2OTJh=="',
        'MAC=NTI2OTJh== , Username="Robert\\ Jordan"',
        "algorithm=md5,username=Robert Jordan,mac=NTI2OTJh==",
        '  mac=NTI2OTJh==,,username="Robert Jordan",  ',
    ],
)
def test_hmac_headers_of_deployed_peers_are_read(header: str) -> None:
    found = parse_mac_header(header)
    assert (found.user, found.mac, found.algorithm) == ("Robert Jordan", "NTI2OTJh==", "MD5")


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("", "mac_header_incomplete"),
        ('username="x"', "mac_header_incomplete"),
        ("mac=abc", "mac_header_incomplete"),
        ("algorithm=SHA, username=x, mac=abc", "mac_algorithm"),
        ('username="x', "mac_header_malformed"),
        ("=;", "mac_header_malformed"),
    ],
)
def test_bad_hmac_headers_are_named(header: str, reason: str) -> None:
    with pytest.raises(AuthError) as caught:
        parse_mac_header(header)
    assert caught.value.reason == reason


def test_quotes_in_a_user_name_survive_the_header() -> None:
    name = 'a"b\\c, mac=x'
    assert parse_mac_header(mac_header(name, b"p", b"n", b"")).user == name


def test_a_user_name_cannot_break_the_header() -> None:
    with pytest.raises(AuthError, match="user_not_a_header_value"):
        mac_header("a\r\nX-Evil: 1", b"p", b"n", b"")


def test_challenges_carry_a_nonce_where_the_type_needs_one() -> None:
    assert challenge(BASIC, None) == Chal(BASIC)
    assert challenge(MD5, b"n" * 16).next_nonce == b"n" * 16
    with pytest.raises(AuthError, match="nonce_missing"):
        challenge(HMAC, None)


def test_account_types_have_their_syncml_names() -> None:
    assert [syncml_type(name) for name in ("BASIC", "digest", "HMAC", "TRANSPORT")] == [
        BASIC,
        MD5,
        HMAC,
        None,
    ]
