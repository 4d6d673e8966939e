"""HTTP digest and its AKA form against published examples and hostile headers."""

from __future__ import annotations

import base64
import contextlib

import pytest
from cardea_core import Secret
from gba.digest import (
    AKA,
    MD5,
    Authorization,
    Challenge,
    aka_nonce,
    build_authorization,
    build_info,
    digest_challenge,
    parse_aka_nonce,
    parse_authorization,
    parse_info,
    respond,
    verify_info,
    verify_response,
)
from gba.errors import DigestError
from gba.headers import parse_challenges
from hypothesis import given
from hypothesis import strategies as st

# RFC 2617 §3.5
MUFASA = Challenge(
    realm="testrealm@host.com",
    nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",
    qop=("auth",),
    opaque="5ccc069c403ebaf9f0171e9517f40e41",
)
PASSWORD = Secret(b"Circle Of Life")


def mufasa() -> Authorization:
    return respond(
        MUFASA,
        username="Mufasa",
        password=PASSWORD,
        method="GET",
        uri="/dir/index.html",
        cnonce="0a4f113b",
    )


def test_response_is_the_one_of_rfc_2617() -> None:
    assert mufasa().response == "6629fae49393a05397450978507c4ef1"


def test_response_without_qop_is_that_of_rfc_2069() -> None:
    # RFC 2617 §3.2.2.1 without qop: H(H(A1):nonce:H(A2)), computed with md5sum.
    answer = respond(
        Challenge(realm="testrealm@host.com", nonce=MUFASA.nonce, qop=()),
        username="Mufasa",
        password=PASSWORD,
        method="GET",
        uri="/dir/index.html",
        cnonce="unused",
    )
    assert (answer.qop, answer.nc, answer.cnonce) == (None, None, None)
    assert answer.response == "670fd8c2df070c60b045671b8b24ff02"


def test_header_survives_being_built_and_parsed() -> None:
    assert parse_authorization(build_authorization(mufasa())) == mufasa()


def test_header_of_the_rfc_is_read_and_verified() -> None:
    header = (
        'Digest username="Mufasa",\n realm="testrealm@host.com",\n'
        ' nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",\n uri="/dir/index.html",\n qop=auth,\n'
        ' nc=00000001,\n cnonce="0a4f113b",\n response="6629fae49393a05397450978507c4ef1",\n'
        ' opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    )
    verify_response(parse_authorization(header), password=PASSWORD, method="GET")


@pytest.mark.parametrize("method", ["POST", "get"])
def test_another_method_is_refused(method: str) -> None:
    with pytest.raises(DigestError, match="response"):
        verify_response(mufasa(), password=PASSWORD, method=method)


def test_auth_int_covers_the_body() -> None:
    challenge = Challenge(realm="r", nonce="n", qop=("auth", "auth-int"))
    answer = respond(
        challenge,
        username="u",
        password=PASSWORD,
        method="POST",
        uri="/",
        cnonce="c",
        body=b"one",
    )
    assert answer.qop == "auth-int"
    verify_response(answer, password=PASSWORD, method="POST", body=b"one")
    with pytest.raises(DigestError, match="response"):
        verify_response(answer, password=PASSWORD, method="POST", body=b"two")


def test_server_shows_that_it_knows_the_password_and_sent_the_body() -> None:
    request = mufasa()
    header = build_info(request, password=PASSWORD, body=b"answer", nextnonce="next")
    info = parse_info(header)
    assert info.nextnonce == "next"
    verify_info(info, request=request, password=PASSWORD, body=b"answer")
    with pytest.raises(DigestError, match="rspauth"):
        verify_info(info, request=request, password=Secret(b"other"), body=b"answer")


def test_an_info_for_another_request_is_refused() -> None:
    info = parse_info(build_info(mufasa(), password=PASSWORD, body=b""))
    other = respond(
        MUFASA, username="Mufasa", password=PASSWORD, method="GET", uri="/", cnonce="other"
    )
    with pytest.raises(DigestError, match="cnonce_differs"):
        verify_info(info, request=other, password=PASSWORD, body=b"")


def test_an_info_without_rspauth_proves_nothing() -> None:
    with pytest.raises(DigestError, match="rspauth_missing"):
        verify_info(parse_info('nextnonce="x"'), request=mufasa(), password=PASSWORD, body=b"")


def test_aka_nonce_carries_rand_autn_and_server_data() -> None:
    rand, autn = bytes(range(16)), bytes(range(16, 32))
    found = parse_aka_nonce(aka_nonce(rand, autn, b"extra"))
    assert (found.rand, found.autn, found.extra) == (rand, autn, b"extra")


@pytest.mark.parametrize("nonce", ["", "AAAA", "!", base64.b64encode(bytes(31)).decode()])
def test_a_nonce_without_a_challenge_is_refused(nonce: str) -> None:
    with pytest.raises(DigestError, match="aka_nonce"):
        parse_aka_nonce(nonce)


def test_with_auts_the_password_is_empty() -> None:
    # RFC 3310 §3.4
    challenge = Challenge(realm="r", nonce=aka_nonce(bytes(16), bytes(16)), algorithm=AKA)
    answer = respond(
        challenge,
        username="u",
        password=Secret(b"res"),
        method="GET",
        uri="/",
        cnonce="c",
        auts=bytes(14),
    )
    verify_response(answer, password=Secret(b"whatever"), method="GET")
    plain = respond(challenge, username="u", password=b"", method="GET", uri="/", cnonce="c")
    assert plain.response == answer.response
    assert parse_authorization(build_authorization(answer)).auts == bytes(14)


# --- reading headers


@pytest.mark.parametrize(
    "header",
    [
        'Digest realm="r", nonce="n", algorithm=AKAv1-MD5, qop="auth-int"',
        'digest REALM=r,NONCE=n,qop=auth-int,algorithm="akav1-md5"',
        'Basic realm="x", Digest realm="y", nonce="m", algorithm=MD5, '
        'Digest realm="r", nonce="n", algorithm=AKAv1-MD5, qop="auth-int"',
        'Negotiate, Digest realm="r", nonce="n", algorithm=AKAv1-MD5, qop=" auth-int ,"',
        'Negotiate abc==, Digest realm="r" , nonce = "n", algorithm=AKAv1-MD5, qop="auth-int"',
    ],
)
def test_the_right_challenge_is_found_among_others(header: str) -> None:
    found = digest_challenge([header], algorithm=AKA)
    assert (found.realm, found.nonce, found.qop) == ("r", "n", ("auth-int",))


def test_challenges_in_separate_headers_are_all_looked_at() -> None:
    headers = ['Basic realm="x"', 'Digest realm="r", nonce="n", stale=TRUE']
    found = digest_challenge(headers, algorithm=MD5)
    assert found.stale
    assert found.qop == ()


def test_challenge_header_survives() -> None:
    given_challenge = Challenge('a "quoted" realm', "n", AKA, ("auth", "auth-int"), "o", "/", True)
    assert digest_challenge([given_challenge.header()], algorithm=AKA) == given_challenge


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ([], "no_challenge"),
        (['Basic realm="x"'], "no_challenge"),
        (['Digest realm="x", nonce="n", algorithm=SHA-256'], "no_challenge"),
        (['Digest nonce="n", algorithm=AKAv1-MD5'], "missing_parameter"),
        (['Digest realm="r", algorithm=AKAv1-MD5'], "missing_parameter"),
        (['Digest realm="r", realm="s", nonce="n", algorithm=AKAv1-MD5'], "duplicate_parameter"),
        (['"'], "malformed_challenge"),
        (["Digest " + "a" * 9000], "header_too_long"),
    ],
)
def test_bad_challenges_are_named(headers: list[str], reason: str) -> None:
    with pytest.raises(DigestError) as caught:
        digest_challenge(headers, algorithm=AKA)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("Basic QWxhZGRpbjpvcGVu", "not_digest"),
        ("Digest", "missing_parameter"),
        ('Digest username="u", realm="r", nonce="n"', "missing_parameter"),
        (
            'Digest username="u", realm="r", nonce="n", uri="/", response="x", nc=1',
            "bad_nonce_count",
        ),
        ('Digest username="u", realm="r", nonce="n", uri="/", response="x", auts="AA=="', "auts"),
        ('Digest username="u" realm="r"', "malformed_parameters"),
        ('Digest username="u', "malformed_parameters"),
    ],
)
def test_bad_authorizations_are_named(header: str, reason: str) -> None:
    with pytest.raises(DigestError) as caught:
        parse_authorization(header)
    assert caught.value.reason == reason


def test_nonce_and_response_may_be_left_out_before_there_is_a_challenge() -> None:
    given = parse_authorization('Digest username="u", realm="r", uri="/"')
    assert (given.nonce, given.response) == ("", "")


def test_an_unknown_qop_is_refused_on_both_sides() -> None:
    with pytest.raises(DigestError, match="qop"):
        respond(
            Challenge("r", "n", qop=("auth-conf",)),
            username="u",
            password=b"p",
            method="GET",
            uri="/",
            cnonce="c",
        )
    with pytest.raises(DigestError, match="qop"):
        verify_response(
            Authorization("u", "r", "n", "/", "x", qop="auth-conf"), password=b"p", method="GET"
        )


def test_qop_without_count_or_cnonce_is_refused() -> None:
    for given_header in (
        Authorization("u", "r", "n", "/", "x", qop="auth", cnonce="c"),
        Authorization("u", "r", "n", "/", "x", qop="auth", nc="00000001"),
    ):
        with pytest.raises(DigestError, match="missing_parameter"):
            verify_response(given_header, password=b"p", method="GET")


def test_a_value_cannot_break_the_header() -> None:
    with pytest.raises(DigestError, match="control_character"):
        build_authorization(Authorization("u\r\nEvil: 1", "r", "n", "/", ""))


@given(st.text(max_size=80))
def test_any_text_gives_challenges_or_an_error(text: str) -> None:
    with contextlib.suppress(DigestError):
        parse_challenges(text)


@given(
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x17F, exclude_characters="\x7f")),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)),
)
def test_any_user_and_realm_survive_the_header(user: str, realm: str) -> None:
    given_header = Authorization(user, realm, "n", "/", "0" * 32, MD5, "auth", "00000001", "c")
    if len(build_authorization(given_header)) < 8000:
        assert parse_authorization(build_authorization(given_header)) == given_header
