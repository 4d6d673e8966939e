"""Ua: HTTP digest with the bootstrapped key (TS 33.220 §4.5.3, TS 33.222 §5.3, TS 24.109 §5.2).

User name is the B-TID, the password is base64(Ks_NAF), the realm names the application server.
Ks_NAF depends on the protocol too: inside TLS, on the cipher suite of the connection.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass

from cardea_core import Secret, gba_ks_naf, naf_id

from gba.digest import (
    MD5,
    AuthenticationInfo,
    Authorization,
    Challenge,
    build_authorization,
    build_info,
    digest_challenge,
    parse_info,
    respond,
    verify_info,
    verify_response,
)
from gba.errors import DigestError, NafError

__all__ = [
    "REALM_PREFIX",
    "UA_HTTP_DIGEST",
    "USER_AGENT_TOKEN",
    "NafClient",
    "challenge",
    "check_request",
    "fqdn_of_realm",
    "ks_naf",
    "naf_password",
    "naf_realm",
    "success_info",
    "ua_protocols",
]

# TS 33.220 Annex H: HTTP digest as in TS 24.109, by itself.
UA_HTTP_DIGEST = bytes.fromhex("0100000002")
# The same inside TLS where a certificate proves the server (TS 33.222 §5.3); two bytes follow.
_UA_TLS = bytes.fromhex("010001")
REALM_PREFIX = "3GPP-bootstrapping@"
# TS 33.222 §5.3: with this product token in User-Agent a device says that it can bootstrap.
USER_AGENT_TOKEN = "3gpp-gba"  # noqa: S105  # a product token, no password


def ua_protocols(cipher_suite: int | None) -> tuple[bytes, ...]:
    """The identifiers that a peer may go by, the standard's first. ``cipher_suite``: that of the
    TLS connection. Both are in use inside TLS: Android has one setting or the other by network."""
    if cipher_suite is None:
        return (UA_HTTP_DIGEST,)
    return _UA_TLS + cipher_suite.to_bytes(2, "big"), UA_HTTP_DIGEST


def naf_realm(fqdn: str) -> str:
    """The realm of an application server (TS 24.109 §5.2.4)."""
    return REALM_PREFIX + fqdn


def fqdn_of_realm(realm: str) -> str:
    """The server named in a realm; NafError when bootstrapping is not what it asks for."""
    # TS 24.109 §5.2.4: one realm may list another beside it, for GBA_U, in whichever order:
    # "3GPP-bootstrapping@a;3GPP-bootstrapping-uicc@a".
    for part in realm.split(";"):
        if part.startswith(REALM_PREFIX) and len(part) > len(REALM_PREFIX):
            return part.removeprefix(REALM_PREFIX)
    raise NafError("realm_asks_for_no_bootstrapping", realm=realm[:80])


def ks_naf(
    *,
    ck: Secret,
    ik: Secret,
    rand: bytes,
    impi: str,
    fqdn: str,
    ua_protocol: bytes,
) -> Secret:
    """Ks_NAF of GBA_ME for one application server (TS 33.220 Annex B.3)."""
    return gba_ks_naf(ck, ik, rand, impi, naf_id(fqdn, ua_protocol))


def naf_password(key: Secret) -> Secret:
    """Ks_NAF as the digest takes it: its base64 text."""
    return Secret(base64.b64encode(key.expose()))


def challenge(
    fqdn: str, *, nonce: str, opaque: str | None = None, stale: bool = False
) -> Challenge:
    """What the application server sends with 401."""
    return Challenge(
        realm=naf_realm(fqdn), nonce=nonce, qop=("auth-int",), opaque=opaque, stale=stale
    )


def check_request(
    given: Authorization,
    *,
    fqdn: str,
    password: Secret,
    method: str,
    uri: str,
    nonce: str,
    minimum_count: int,
    body: bytes,
) -> int:
    """Server side: NafError unless the header is the device's answer to ``nonce`` for this
    request. Returns the nonce count, which the next request has to exceed."""
    if given.realm != naf_realm(fqdn):
        raise NafError("realm", realm=given.realm[:80])
    if given.uri != uri:
        raise NafError("uri", uri=given.uri[:80])
    if given.nonce != nonce:
        raise NafError("nonce")
    if given.qop is None:
        raise NafError("qop_missing")
    if given.counter < minimum_count:
        raise NafError("replayed", count=given.counter, minimum=minimum_count)
    if given.auts is not None:
        raise NafError("auts")
    try:
        verify_response(given, password=password, method=method, body=body)
    except DigestError as error:
        raise NafError("response", cause=error.reason) from error
    return given.counter


def success_info(
    request: Authorization, *, password: Secret, body: bytes, nextnonce: str | None = None
) -> str:
    """Server side: Authentication-Info for the answer, by which the device knows the server."""
    return build_info(request, password=password, body=body, nextnonce=nextnonce)


@dataclass(slots=True)
class NafClient:
    """Device side: makes the Authorization header of each request and checks each answer.

    One per server and bootstrapping; ``authorize`` before a request, ``accept`` after its
    answer, ``challenged`` on 401. ``password_for`` gives the password for a Ua security protocol.
    """

    btid: str
    fqdn: str
    password_for: Callable[[bytes], Secret]
    _protocols: tuple[bytes, ...] = ()
    _tried: int = 0
    _password: Secret | None = None
    _challenge: Challenge | None = None
    _count: int = 0
    _last: Authorization | None = None

    def challenged(self, headers: list[str], *, cipher_suite: int | None = None) -> None:
        """Take the challenge of a 401 that came on such a connection; NafError when it asks for
        something else, or when it refuses all that we could answer."""
        try:
            found = digest_challenge(headers, algorithm=MD5)
        except DigestError as error:
            raise NafError("no_challenge", cause=error.reason) from error
        if fqdn_of_realm(found.realm) != self.fqdn:
            raise NafError("realm_of_another_server", realm=found.realm[:80])
        protocols = ua_protocols(cipher_suite)
        if protocols != self._protocols:
            self._protocols, self._tried = protocols, 0
        elif self._last is not None and not found.stale:
            self._tried += 1
        if self._tried == len(protocols):
            raise NafError("refused")
        self._password = self.password_for(protocols[self._tried])
        self._challenge, self._count, self._last = found, 0, None

    def authorize(self, *, method: str, uri: str, cnonce: str, body: bytes) -> str | None:
        """Value of Authorization; None as long as there was no challenge."""
        if self._challenge is None or self._password is None:
            return None
        self._count += 1
        try:
            self._last = respond(
                self._challenge,
                username=self.btid,
                password=self._password,
                method=method,
                uri=uri,
                cnonce=cnonce,
                nc=self._count,
                body=body,
            )
        except DigestError as error:
            raise NafError("cannot_answer", cause=error.reason) from error
        return build_authorization(self._last)

    def accept(self, header: str | None, *, body: bytes) -> None:
        """NafError unless Authentication-Info proves that the server holds the key and that
        the body is the one it sent."""
        request, password = self._last, self._password
        if request is None or password is None:
            raise NafError("nothing_sent")
        if header is None:
            raise NafError("server_not_authenticated", cause="no_authentication_info")
        try:
            info: AuthenticationInfo = parse_info(header)
            verify_info(info, request=request, password=password, body=body)
        except DigestError as error:
            raise NafError("server_not_authenticated", cause=error.reason) from error
        self._last = None
        if info.nextnonce and self._challenge is not None:
            self._challenge = _with_nonce(self._challenge, info.nextnonce)
            self._count = 0


def _with_nonce(found: Challenge, nonce: str) -> Challenge:
    return Challenge(found.realm, nonce, found.algorithm, found.qop, found.opaque, found.domain)
