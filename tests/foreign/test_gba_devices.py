"""Our bootstrapping server and our DM server's HTTP digest under a device that they do not know."""

from __future__ import annotations

import base64
import http.client
import itertools
import socket
import ssl
from dataclasses import dataclass, replace

import pytest

from foreign.dm_client import DmClient, Link
from foreign.servers import BSF, DM, Dmsd
from foreign.ue import (
    STYLES,
    SUITES,
    UA_HTTP_DIGEST,
    UA_TLS,
    Style,
    Ue,
    Usim,
    parameters,
    response,
)

NUMBERS = itertools.count(101)
K, OPC = bytes(range(16)), bytes(range(16, 32))


@pytest.fixture
def ue(dmsd: Dmsd) -> Ue:
    """A subscriber whom the server knows, with a device."""
    imsi = f"001010000000{next(NUMBERS)}"
    dmsd.call("POST", "subscribers", body={"imsi": imsi, "k": K.hex(), "opc": OPC.hex()})
    impi = f"{imsi}@ims.mnc001.mcc001.3gppnetwork.org"
    device = f"urn:gsma:{imsi}"
    dmsd.call("POST", "devices", body={"device": device, "accounts": [{"impi": impi}]})
    dmsd.call("PUT", "devices", device, "desired", body={"tree": {"./A": "value"}})
    return Ue(impi, Usim(K, OPC), BSF)


def ask(dmsd: Dmsd, ue: Ue, authorization: str | None) -> tuple[int, dict[str, str], bytes]:
    """One request on Ub."""
    host, _, port = dmsd.bsf.partition(":")
    context = ssl.create_default_context(cafile=str(dmsd.ca))
    connection = http.client.HTTPSConnection(BSF, timeout=60)
    raw = socket.create_connection((host, int(port)), 60)
    connection.sock = context.wrap_socket(raw, server_hostname=BSF)
    headers = {"User-Agent": "Bootstrapping Client Agent; Release-6", "Accept": "*/*"}
    if authorization is not None:
        headers["Authorization"] = authorization
    connection.request("GET", ue.uri, headers=headers)
    answer = connection.getresponse()
    found = {name.lower(): value for name, value in answer.getheaders()}
    body = answer.read()
    connection.close()
    return answer.status, found, body


def bootstrap(dmsd: Dmsd, ue: Ue) -> None:
    """The whole of Ub, with every check that a device makes."""
    status, headers, _ = ask(dmsd, ue, ue.first())
    while status == 401:
        challenge = headers["www-authenticate"]
        told = parameters(challenge)
        assert challenge.startswith("Digest ")
        assert (told["realm"], told["algorithm"]) == (BSF, "AKAv1-MD5")
        assert "auth-int" in told["qop"].split(",")
        header, given, password = ue.answer(challenge)
        status, headers, body = ask(dmsd, ue, header)
        ue.codes.append(status)
        assert len(ue.codes) < 4
    assert status == 200, (status, body)
    assert headers["content-type"].startswith("application/vnd.3gpp.bsf+xml")
    info = parameters(headers["authentication-info"])
    assert info["rspauth"] == response(given, password, "", body)
    assert (info["cnonce"], info["nc"], info["qop"]) == (given["cnonce"], given["nc"], given["qop"])
    lifetime = ue.bootstrapped(body)
    assert lifetime.endswith("Z")
    assert ue.keys is not None
    assert ue.btid == f"{base64.b64encode(ue.keys[0]).decode()}@{BSF}"


@dataclass
class NafLink(Link):
    """As a DM client's way to the server, with HTTP digest around each message."""

    ue: Ue | None = None
    challenge: dict[str, str] | None = None
    count: int = 0
    upper_count: bool = False
    rounds: int = 0
    # Whether the suite is in the name of the protocol (TS 33.220 annex H).
    names_suite: bool = True

    def post(
        self, url: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        assert self.ue is not None
        agent = {"User-Agent": "some device 3gpp-gba", **headers}
        path = url.partition(self.name)[2]
        for _ in range(2):
            given: dict[str, str] = {}
            extra = {}
            if self.challenge is not None:
                protocol = UA_TLS + SUITES[self.suite] if self.names_suite else UA_HTTP_DIGEST
                password = self.ue.naf_password(self.name, protocol)
                self.count += 1
                count = f"{self.count:08x}"
                given = {
                    "username": self.ue.btid,
                    "realm": self.challenge["realm"],
                    "nonce": self.challenge["nonce"],
                    "uri": path,
                    "qop": self.ue.qop,
                    "nc": count.upper() if self.upper_count else count,
                    "cnonce": "0a4f113b",
                    "algorithm": "MD5",
                }
                given["response"] = response(given, password, "POST", body)
                extra = {"Authorization": self.ue.style.header(given)}
            status, found, answer = super().post(url, body, {**agent, **extra})
            if status != 401:
                assert given, "served without being asked who we are"
                info = parameters(found["authentication-info"])
                assert info["rspauth"] == response(given, password, "", answer)
                return status, found, answer
            self.challenge = parameters(found["www-authenticate"])
            assert self.challenge["realm"] == f"3GPP-bootstrapping@{self.name}"
            self.count, self.rounds = 9, self.rounds + 1
        return status, found, answer


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
def test_a_device_bootstraps_and_is_managed_however_it_writes_its_headers(
    dmsd: Dmsd, ue: Ue, style: Style
) -> None:
    ue.style = style
    bootstrap(dmsd, ue)
    link = NafLink(dmsd.dm, dmsd.ca, DM, ue=ue, upper_count=style.capitals)
    is_managed(dmsd, ue, link)


def test_a_device_that_names_the_protocol_without_tls_is_managed(dmsd: Dmsd, ue: Ue) -> None:
    bootstrap(dmsd, ue)
    is_managed(dmsd, ue, NafLink(dmsd.dm, dmsd.ca, DM, ue=ue, names_suite=False))


def is_managed(dmsd: Dmsd, ue: Ue, link: NafLink) -> None:
    device = f"urn:gsma:{ue.impi.partition('@')[0]}"
    client = DmClient(link, f"https://{DM}/dm", device, "", "", show_at_first=False)
    client.run()
    assert client.tree == {"./A": ("chr", "value")}
    assert link.rounds == 1
    assert dmsd.outcome(device) == "converged"


@pytest.mark.parametrize(
    ("qop", "uri", "count"),
    [("auth", "/", "00000001"), ("auth-int", "/bsf", "0000000A"), ("auth", "/bsf", "0000000f")],
)
def test_bootstrapping_takes_what_rfc_2617_allows(
    dmsd: Dmsd, ue: Ue, qop: str, uri: str, count: str
) -> None:
    ue.qop, ue.uri, ue.count = qop, uri, count
    bootstrap(dmsd, ue)


def test_a_card_that_is_ahead_is_followed(dmsd: Dmsd, ue: Ue) -> None:
    """RFC 3310 §3.4, TS 33.102 §6.3.5."""
    ue.usim.sqn = 0x7000_0000
    bootstrap(dmsd, ue)
    assert ue.codes == [401, 200]


def test_the_first_request_may_leave_out_what_is_empty(dmsd: Dmsd, ue: Ue) -> None:
    ue.style = replace(STYLES[0], without=("response", "nonce"))
    status, headers, _ = ask(dmsd, ue, ue.first())
    assert status == 401
    assert parameters(headers["www-authenticate"])["algorithm"] == "AKAv1-MD5"


def test_a_wrong_response_is_refused_and_unknown_subscribers_are_not_challenged(
    dmsd: Dmsd, ue: Ue
) -> None:
    _, headers, _ = ask(dmsd, ue, ue.first())
    header, given, _ = ue.answer(headers["www-authenticate"])
    wrong = header.replace(given["response"], "0" * 32)
    assert ask(dmsd, ue, wrong)[0] == 403
    ue.impi = "nobody@ims.mnc001.mcc001.3gppnetwork.org"
    assert ask(dmsd, ue, ue.first())[0] == 403
    assert ask(dmsd, ue, None)[0] == 400
