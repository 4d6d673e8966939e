"""Ua at the DM server, without I/O: HTTP Digest with Ks_NAF (TS 33.222 §5.3, TS 24.109 §5).

Nonces are made of their time and a MAC, so that challenging costs no memory; the counts of those
in use are remembered, so that no request is taken twice.
"""

from __future__ import annotations

import base64
import hmac
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from cardea_core import Secret
from gba.digest import Authorization, parse_authorization
from gba.errors import DigestError, NafError
from gba.naf import (
    challenge,
    check_request,
    ks_naf,
    naf_password,
    success_info,
    ua_protocols,
)

from dmsd.registry import BootstrappedKey, Bootstraps

__all__ = ["NafAccepted", "NafAuthenticator", "NafRefused", "asks_for_bootstrapping"]

_TIME_BYTES = 8
_SALT_BYTES = 8
_MAC_BYTES = 16
_MAX_NONCES = 16384


@dataclass(frozen=True, slots=True)
class NafAccepted:
    """The request is genuine, and comes from the device with this subscription's card."""

    impi: str
    _request: Authorization
    _password: Secret

    def info(self, body: bytes) -> str:
        """Authentication-Info for the response with this body: it proves the server."""
        return success_info(self._request, password=self._password, body=body)


@dataclass(frozen=True, slots=True)
class NafRefused:
    """Answer 401 with this WWW-Authenticate (or 400 if there is none)."""

    reason: str
    challenge: str | None


class NafAuthenticator:
    """Checks requests. ``fqdn`` is the name in the realm and in NAF_Id."""

    def __init__(
        self,
        bootstraps: Bootstraps,
        *,
        fqdn: str,
        entropy: Callable[[int], bytes],
        nonce_lifetime_ms: int = 300_000,
    ) -> None:
        self._bootstraps = bootstraps
        self._fqdn = fqdn
        self._entropy = entropy
        self._nonce_lifetime_ms = nonce_lifetime_ms
        self._key = entropy(32)
        self._counts: OrderedDict[str, int] = OrderedDict()
        # Requests come on several threads.
        self._counting = threading.Lock()
        # Nonces made up to this moment are no longer taken: their counts were given up.
        self._forgotten_ms = -1

    def challenge(self, reason: str, now_ms: int, *, stale: bool = False) -> NafRefused:
        """A fresh challenge."""
        made = challenge(self._fqdn, nonce=self._nonce(now_ms), stale=stale)
        return NafRefused(reason, made.header())

    def check(
        self,
        *,
        method: str,
        uri: str,
        authorization: str,
        body: bytes,
        now_ms: int,
        cipher_suite: int | None = None,
    ) -> NafAccepted | NafRefused:
        """Who sent the request; ``uri`` is path and query as they were sent, ``cipher_suite`` that
        of the TLS connection on which they were."""
        try:
            given = parse_authorization(authorization)
        except DigestError as error:
            return NafRefused(f"naf.{error.reason}", None)
        made_ms = self._made_ms(given.nonce)
        key = self._bootstraps.get(given.username, now_ms)
        if key is None:
            # Not stale: the device sees that its B-TID is of no more use and bootstraps anew.
            return self.challenge("naf.btid_unknown", now_ms)
        reason = ""
        for protocol in ua_protocols(cipher_suite):
            password = self._password(key, protocol)
            try:
                count = check_request(
                    given,
                    fqdn=self._fqdn,
                    password=password,
                    method=method,
                    uri=uri,
                    nonce=given.nonce,
                    minimum_count=0,
                    body=body,
                )
            except NafError as error:
                reason = error.reason
            else:
                return self._counted(given, count, key.impi, password, made_ms, now_ms)
        return self.challenge("naf.nonce_unknown" if made_ms is None else f"naf.{reason}", now_ms)

    def _password(self, key: BootstrappedKey, protocol: bytes) -> Secret:
        return naf_password(
            ks_naf(
                ck=key.ck,
                ik=key.ik,
                rand=key.rand,
                impi=key.impi,
                fqdn=self._fqdn,
                ua_protocol=protocol,
            )
        )

    def _counted(
        self,
        given: Authorization,
        count: int,
        impi: str,
        password: Secret,
        made_ms: int | None,
        now_ms: int,
    ) -> NafAccepted | NafRefused:
        # Right key, but the nonce is of another node, or has had its time: RFC 2617 §3.2.1, stale.
        if made_ms is None:
            return self.challenge("naf.nonce_unknown", now_ms, stale=True)
        with self._counting:
            too_old = now_ms - made_ms > self._nonce_lifetime_ms or made_ms <= self._forgotten_ms
            if too_old or count <= self._counts.get(given.nonce, 0):
                return self.challenge("naf.nonce_used_up", now_ms, stale=True)
            self._remember(given.nonce, count, now_ms)
        return NafAccepted(impi, given, password)

    def _remember(self, nonce: str, count: int, now_ms: int) -> None:
        self._counts[nonce] = count
        self._counts.move_to_end(nonce)
        while self._counts:
            oldest = next(iter(self._counts))
            made_ms = self._made_ms(oldest) or 0
            if now_ms - made_ms <= self._nonce_lifetime_ms:
                if len(self._counts) <= _MAX_NONCES:
                    return
                self._forgotten_ms = max(self._forgotten_ms, made_ms)
            del self._counts[oldest]

    def _nonce(self, now_ms: int) -> str:
        text = now_ms.to_bytes(_TIME_BYTES, "big") + self._entropy(_SALT_BYTES)
        return base64.b64encode(text + self._mac(text)).decode()

    def _made_ms(self, nonce: str) -> int | None:
        """When we made the nonce; ``None`` if we did not."""
        try:
            raw = base64.b64decode(nonce, validate=True)
        except ValueError:
            return None
        text, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
        if len(text) != _TIME_BYTES + _SALT_BYTES or not hmac.compare_digest(mac, self._mac(text)):
            return None
        return int.from_bytes(text[:_TIME_BYTES], "big")

    def _mac(self, text: bytes) -> bytes:
        return hmac.digest(self._key, text, "sha256")[:_MAC_BYTES]


def asks_for_bootstrapping(user_agent: str) -> bool:
    """TS 24.109 §5.2.2: the device says in User-Agent that it can bootstrap."""
    return "3gpp-gba" in user_agent.lower()
