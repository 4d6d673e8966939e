"""A home network: bootstrapping server, and HTTP digest before a DM server (TS 24.109)."""

from __future__ import annotations

import base64
import os
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from foreign.dm_server import DmServer
from foreign.https import Request, Response
from foreign.ue import SUITES, UA_HTTP_DIGEST, UA_TLS, Usim, ks_naf, parameters, response


@dataclass(frozen=True)
class Manner:
    """How the servers write what a device has to read."""

    name: str
    # With {realm} {nonce} {opaque}; each is a header of its own.
    challenge: tuple[str, ...] = (
        'Digest realm="{realm}", nonce="{nonce}", qop="auth-int", opaque="{opaque}", '
        "algorithm=AKAv1-MD5",
    )
    # With {qop} {rspauth} {cnonce} {nc} {nonce} {opaque} {realm} {username}
    info: str = 'qop={qop}, rspauth="{rspauth}", cnonce="{cnonce}", nc={nc}'
    body: str = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<BootstrappingInfo xmlns="uri:3gpp-gba"><btid>{btid}</btid>'
        "<lifetime>{lifetime}</lifetime></BootstrappingInfo>"
    )
    lifetime: str = "2099-11-21T13:20:00Z"
    extra: bytes = b""
    naf_challenge: tuple[str, ...] = (
        'Digest realm="3GPP-bootstrapping@{fqdn}", nonce="{nonce}", algorithm=MD5, '
        'qop="auth-int", opaque="{opaque}"',
    )
    # Whether the suite of the connection is in the name of the protocol (TS 33.220 annex H).
    names_suite: bool = True


USUAL = Manner("usual")
MANNERS = [
    USUAL,
    replace(
        USUAL,
        name="algorithm first and quoted, no spaces, both qop",
        challenge=(
            'digest algorithm="AKAv1-MD5",opaque="{opaque}",qop="auth,auth-int",'
            'nonce="{nonce}",realm="{realm}"',
        ),
        info='rspauth="{rspauth}",nc="{nc}",cnonce="{cnonce}",qop="{qop}",nextnonce="{nonce}"',
        naf_challenge=(
            'Digest qop="auth, auth-int" , nonce="{nonce}",stale=FALSE,'
            'realm="3GPP-bootstrapping@{fqdn};3GPP-bootstrapping-uicc@{fqdn}"',
        ),
    ),
    replace(USUAL, name="protocol named without TLS", names_suite=False),
    replace(
        USUAL,
        name="qop auth only, capitals, more parameters",
        challenge=(
            'Digest REALM="{realm}", Nonce="{nonce}", DOMAIN="/", Algorithm=akav1-md5, '
            'QOP="auth", ext=1, stale=false',
        ),
        info='QOP=auth, rspauth="{rspauth}", cnonce="{cnonce}", nc={nc}, opaque="{opaque}", '
        'nonce="{nonce}", realm="{realm}", username="{username}"',
        naf_challenge=(
            'Digest nonce="{nonce}",QOP=auth,Realm="3GPP-bootstrapping-uicc@{fqdn};'
            '3GPP-bootstrapping@{fqdn}",ALGORITHM="md5"',
        ),
    ),
    replace(
        USUAL,
        name="other schemes beside it, each in a header",
        challenge=(
            'Basic realm="a, b"',
            'Digest realm="{realm}", nonce="{nonce}", algorithm=AKAv2-MD5, qop="auth"',
            USUAL.challenge[0],
        ),
        naf_challenge=("Negotiate", USUAL.naf_challenge[0]),
        extra=b"server data",
    ),
    replace(
        USUAL,
        name="schemes in one header, prefixed XML",
        challenge=('Basic realm="x", ' + USUAL.challenge[0],),
        body='<?xml version="1.0" encoding="utf-8"?>\r\n<!-- key -->\r\n'
        '<g:BootstrappingInfo xmlns:g="uri:3gpp-gba"\n'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" >\n'
        " <g:btid> {btid} </g:btid>\n <g:lifetime>{lifetime}</g:lifetime>\n <g:ext/>\n"
        "</g:BootstrappingInfo>\n",
        lifetime="2099-11-21T13:20:00.123+02:00",
        naf_challenge=('Basic realm="x", ' + USUAL.naf_challenge[0],),
    ),
]


@dataclass
class HomeNetwork:
    """Knows one subscriber. ``naf`` answers for the DM server behind it."""

    usim: Usim
    impi: str
    bsf: str
    fqdn: str
    dm: DmServer
    manner: Manner = USUAL
    sqn: int = 0x20
    resynchronised: int = 0
    problems: list[str] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    _vector: dict[str, tuple[bytes, bytes, bytes, bytes]] = field(default_factory=dict)
    _keys: dict[str, tuple[bytes, bytes, bytes]] = field(default_factory=dict)
    _naf_nonce: str = ""
    _count: int = 0

    def on_ub(self, request: Request) -> Response:
        return self._guarded(self._ub, request)

    def on_ua(self, request: Request) -> Response:
        return self._guarded(self._ua, request)

    def _guarded(self, handle: Callable[[Request], Response], request: Request) -> Response:
        self.requests.append(request)
        try:
            return handle(request)
        except Exception:  # noqa: BLE001  # told to the test, which runs in another thread
            self.problems.append(traceback.format_exc())
            return Response(500)

    def _ub(self, request: Request) -> Response:
        given = parameters(request.headers["authorization"])
        assert given["username"] == self.impi
        assert (given["realm"], given["uri"]) == (self.bsf, request.path)
        if not given["nonce"]:
            assert given["response"] == ""
            return self._challenge()
        rand, xres, ck, ik = self._vector.pop(given["nonce"])
        assert given.get("opaque") == ("cafe" if "opaque" in self.manner.challenge[-1] else None)
        auts = base64.b64decode(given.get("auts", ""))
        password = b"" if auts else xres
        assert given["response"] == response(given, password, request.method, request.body)
        if auts:
            self.resynchronised += 1
            *_, ak_star = self.usim.keys(rand)
            own = bytes(a ^ b for a, b in zip(auts, ak_star, strict=False))
            assert self.usim.f1(rand, own, b"\0\0")[8:] == auts[6:]
            self.sqn = int.from_bytes(own, "big") + 0x20
            return self._challenge()
        btid = f"{base64.b64encode(rand).decode()}@{self.bsf}"
        self._keys[btid] = ck, ik, rand
        body = self.manner.body.format(btid=btid, lifetime=self.manner.lifetime).encode()
        headers = [
            ("Content-Type", "application/vnd.3gpp.bsf+xml; charset=UTF-8"),
            ("Authentication-Info", self._info(given, xres, body)),
        ]
        return Response(200, headers, body)

    def _challenge(self) -> Response:
        rand = os.urandom(16)
        self.sqn += 0x20
        autn, xres, ck, ik = self.usim.vector(rand, self.sqn)
        nonce = base64.b64encode(rand + autn + self.manner.extra).decode()
        self._vector[nonce] = (rand, xres, ck, ik)
        told = [
            line.format(realm=self.bsf, nonce=nonce, opaque="cafe")
            for line in self.manner.challenge
        ]
        return Response(401, [("WWW-Authenticate", line) for line in told])

    def _info(self, given: dict[str, str], password: bytes, body: bytes) -> str:
        return self.manner.info.format(
            **{"opaque": "", **given, "rspauth": response(given, password, "", body)}
        )

    def _ua(self, request: Request) -> Response:
        assert "3gpp-gba" in request.headers["user-agent"]
        if "authorization" not in request.headers:
            return self._naf_challenge()
        given = parameters(request.headers["authorization"])
        if given["nonce"] != self._naf_nonce:
            return self._naf_challenge()
        protocol = UA_TLS + SUITES[request.suite] if self.manner.names_suite else UA_HTTP_DIGEST
        keys = self._keys[given["username"]]
        password = base64.b64encode(ks_naf(*keys, self.impi, self.fqdn, protocol))
        assert given["uri"] == request.path
        if given["response"] != response(given, password, request.method, request.body):
            assert not self.manner.names_suite
            return self._naf_challenge()
        assert int(given["nc"], 16) > self._count
        self._count = int(given["nc"], 16)
        answer = self.dm.handle(request)
        info = self._info(given, password, answer.body)
        if "nextnonce" in info:
            self._count = 0
        answer.headers.append(("Authentication-Info", info))
        return answer

    def _naf_challenge(self) -> Response:
        self._naf_nonce, self._count = base64.b64encode(os.urandom(12)).decode(), 0
        told = [
            line.format(fqdn=self.fqdn, nonce=self._naf_nonce, opaque="beef")
            for line in self.manner.naf_challenge
        ]
        return Response(401, [("WWW-Authenticate", line) for line in told])
