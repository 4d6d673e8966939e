"""Device and bootstrapping server in memory, with a card made of MILENAGE."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from cardea_core import Milenage, Secret
from gba.btid import BootstrappingInfo, build
from gba.client import Ask, BootstrapClient, Bootstrapped, Request, Response
from gba.digest import (
    AKA,
    Authorization,
    Challenge,
    aka_nonce,
    build_info,
    parse_authorization,
    verify_response,
)
from gba.errors import BootstrapError
from gba.naf import UA_HTTP_DIGEST, ks_naf
from gba.realm import bsf_fqdn, btid, impi_from_imsi

IMSI = "001010123456789"
IMPI = impi_from_imsi(IMSI, 2)
BSF = bsf_fqdn(IMSI, 2)

# TS 35.208 test set 1
K = bytes.fromhex("465b5ce8b199b49faa5f0a2ee238a6bc")
OPC = bytes.fromhex("cd63cb71954a9f4e48a5994e37a02baf")
RAND = bytes.fromhex("23553cbe9637a89d218ae64dae47bf35")
SQN = bytes.fromhex("ff9bb4d0b607")
AMF = bytes.fromhex("b9b9")
CARD = Milenage(K, OPC)
VECTOR = CARD.vector(RAND, SQN, AMF)
AUTS = bytes(range(14))


@dataclass
class Server:
    """Answers as TS 24.109 §4.3 describes; remembers what came."""

    seen: list[Authorization]
    change: Callable[[Response], Response] = lambda response: response

    def answer(self, request: Request) -> Response:
        header = dict(request.headers)["Authorization"]
        given = parse_authorization(header)
        self.seen.append(given)
        if not given.nonce or given.auts is not None:
            if given.auts is not None:
                verify_response(given, password=b"", method=request.method)
            nonce = aka_nonce(RAND, VECTOR.autn)
            challenge = Challenge(BSF, nonce, AKA, ("auth-int",), opaque="o")
            headers = (("WWW-Authenticate", challenge.header()),)
            return self.change(Response(401, headers, b""))
        verify_response(given, password=VECTOR.xres, method=request.method)
        body = build(BootstrappingInfo(btid(RAND, BSF), 1_700_000_000_000))
        info = build_info(given, password=VECTOR.xres, body=body)
        return self.change(Response(200, (("authentication-info", info),), body))


def start(server: Server) -> tuple[BootstrapClient, Ask]:
    client = BootstrapClient(impi=IMPI, bsf=BSF)
    ask = client.receive(server.answer(client.request()))
    assert isinstance(ask, Ask)
    return client, ask


def finish(client: BootstrapClient, server: Server) -> Bootstrapped:
    client.answer(res=VECTOR.xres, ck=VECTOR.ck, ik=VECTOR.ik, cnonce="0a4f113b")
    result = client.receive(server.answer(client.request()))
    assert isinstance(result, Bootstrapped)
    return result


def test_first_request_names_the_subscriber_and_nothing_else() -> None:
    request = BootstrapClient(impi=IMPI, bsf=BSF).request()
    assert (request.method, request.uri) == ("GET", "/")
    assert dict(request.headers)["Authorization"] == (
        f'Digest username="{IMPI}", realm="{BSF}", nonce="", uri="/", response=""'
    )


def test_keys_are_agreed_and_both_sides_proved() -> None:
    server = Server([])
    client, ask = start(server)
    assert (ask.rand, ask.autn) == (RAND, VECTOR.autn)
    result = finish(client, server)
    assert result.btid == btid(RAND, BSF)
    assert result.expires_ms == 1_700_000_000_000
    assert (result.rand, result.impi) == (RAND, IMPI)
    assert server.seen[-1].algorithm == AKA
    assert server.seen[-1].opaque == "o"


def test_key_of_an_application_server_is_the_computed_vector() -> None:
    # Built from TS 35.208 set 1 and TS 33.220 Annex B.3; no vector is published.
    server = Server([])
    client, _ = start(server)
    result = finish(client, server)
    key = ks_naf(
        ck=result.ck,
        ik=result.ik,
        rand=result.rand,
        impi=result.impi,
        fqdn="dm.example.org",
        ua_protocol=UA_HTTP_DIGEST,
    )
    assert key == Secret(
        bytes.fromhex("8b3cfeca813d32872b1d84261eb5d02f58441d619a8deeced6f407b30714c376")
    )


def test_a_card_that_is_ahead_resynchronises_once() -> None:
    server = Server([])
    client, _ = start(server)
    client.resynchronise(AUTS, cnonce="c1")
    ask = client.receive(server.answer(client.request()))
    assert isinstance(ask, Ask)
    assert server.seen[-1].auts == AUTS
    assert finish(client, server).btid == btid(RAND, BSF)


def test_a_second_resynchronisation_ends_the_run() -> None:
    server = Server([])
    client, _ = start(server)
    client.resynchronise(AUTS, cnonce="c1")
    client.receive(server.answer(client.request()))
    with pytest.raises(BootstrapError, match="resynchronisation_failed"):
        client.resynchronise(AUTS, cnonce="c2")


def test_a_refused_answer_ends_the_run() -> None:
    server = Server([])
    client, _ = start(server)
    client.answer(res=VECTOR.xres, ck=VECTOR.ck, ik=VECTOR.ik, cnonce="c")
    client.request()
    nonce = aka_nonce(RAND, VECTOR.autn)
    again = Response(401, (("WWW-Authenticate", Challenge(BSF, nonce, AKA).header()),), b"")
    with pytest.raises(BootstrapError, match="refused"):
        client.receive(again)


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda r: replace(r, headers=()), "no_authentication_info"),
        (lambda r: replace(r, body=r.body.replace(b"2023", b"2033")), "rspauth"),
        (lambda r: replace(r, headers=(("Authentication-Info", 'rspauth="00"'),)), "rspauth"),
        (lambda r: replace(r, headers=(("Authentication-Info", "nc=1"),)), "rspauth_missing"),
    ],
)
def test_a_server_that_cannot_prove_itself_gives_no_keys(
    change: Callable[[Response], Response], cause: str
) -> None:
    server = Server([])
    client, _ = start(server)
    server.change = change
    with pytest.raises(BootstrapError) as caught:
        finish(client, server)
    assert caught.value.reason == "server_not_authenticated"
    assert caught.value.facts["cause"] == cause


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (Response(403, (), b""), "http_status"),
        (Response(200, (), b"<html/>"), "no_challenge"),
        (Response(401, (), b""), "bad_challenge"),
        (Response(401, (("WWW-Authenticate", 'Basic realm="x"'),), b""), "bad_challenge"),
        (
            Response(
                401,
                (("WWW-Authenticate", 'Digest realm="r", nonce="AAAA", algorithm=AKAv1-MD5'),),
                b"",
            ),
            "bad_challenge",
        ),
    ],
)
def test_nonsense_from_the_server_is_named(response: Response, reason: str) -> None:
    client = BootstrapClient(impi=IMPI, bsf=BSF)
    client.request()
    with pytest.raises(BootstrapError) as caught:
        client.receive(response)
    assert caught.value.reason == reason


def test_steps_out_of_order_are_refused() -> None:
    client = BootstrapClient(impi=IMPI, bsf=BSF)
    with pytest.raises(BootstrapError, match="no_response_due"):
        client.receive(Response(200, (), b""))
    with pytest.raises(BootstrapError, match="card_not_asked"):
        client.resynchronise(AUTS, cnonce="c")
    client.request()
    with pytest.raises(BootstrapError, match="no_request_due"):
        client.request()
    with pytest.raises(BootstrapError, match="card_not_asked"):
        client.answer(res=VECTOR.xres, ck=VECTOR.ck, ik=VECTOR.ik, cnonce="c")


def test_auts_has_fourteen_bytes() -> None:
    client, _ = start(Server([]))
    with pytest.raises(BootstrapError, match="auts_length"):
        client.resynchronise(b"short", cnonce="c")


def test_no_key_is_in_a_repr() -> None:
    server = Server([])
    client, _ = start(server)
    result = finish(client, server)
    for text in (repr(client), repr(result)):
        assert VECTOR.ck.expose().hex() not in text
        assert "ck" not in text
