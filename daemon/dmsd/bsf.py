"""The bootstrapping server function, without I/O (Ub: TS 24.109 §4, TS 33.220 §4.5.2).

Challenges are MILENAGE vectors whose sequence number was stored before they left. Each is
answered once, to whichever node: nothing is remembered here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cardea_core import AuthVector, BadMac, Milenage
from gba import btid
from gba.digest import (
    AKA,
    Authorization,
    Challenge,
    aka_nonce,
    build_info,
    parse_authorization,
    verify_response,
)
from gba.errors import DigestError
from gba.realm import btid as make_btid

from dmsd.errors import NotFoundError
from dmsd.registry import AkaChallenge, BootstrappedKey, Registry, Subscriber

__all__ = ["Answer", "BootstrappingServer"]

_RAND_BYTES = 16
_OPAQUE_BYTES = 16


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response; ``event`` names what happened, for the log."""

    status: int
    event: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    impi: str = ""


class BootstrappingServer:
    """Answers Ub requests. ``host`` is its realm and the end of its B-TIDs."""

    def __init__(
        self,
        registry: Registry,
        *,
        host: str,
        entropy: Callable[[int], bytes],
        ks_lifetime_ms: int,
        challenge_lifetime_ms: int,
    ) -> None:
        self._registry = registry
        self._host = host
        self._entropy = entropy
        self._ks_lifetime_ms = ks_lifetime_ms
        self._challenge_lifetime_ms = challenge_lifetime_ms

    def receive(self, *, method: str, uri: str, authorization: str | None, now_ms: int) -> Answer:
        """Answer one request; ``uri`` is path and query as they were sent."""
        if authorization is None:
            # TS 24.109 §4.3: the IMPI comes with the first request already.
            return Answer(400, "bsf.no_identity")
        try:
            given = parse_authorization(authorization)
        except DigestError as error:
            return Answer(400, f"bsf.{error.reason}")
        if given.realm != self._host or given.uri != uri:
            return Answer(400, "bsf.realm_or_uri", impi=given.username)
        # The answer goes out only when all it says is stored.
        with self._registry.database.transaction():
            if not given.nonce:
                return self._challenge(given.username, "bsf.challenged", now_ms)
            return self._answered(given, method, now_ms)

    def _answered(self, given: Authorization, method: str, now_ms: int) -> Answer:
        impi = given.username
        pending = self._registry.bootstraps.take_challenge(
            given.nonce, impi=impi, opaque=given.opaque or "", now_ms=now_ms
        )
        if pending is None:
            # Answered before, expired, or never ours: only a new challenge helps.
            return self._challenge(impi, "bsf.nonce_unknown", now_ms)
        if (given.algorithm or AKA).lower() != AKA.lower() or given.qop not in ("auth", "auth-int"):
            return Answer(400, "bsf.algorithm_or_qop", impi=impi)
        try:
            subscriber = self._registry.subscribers.get(impi)
            vector = _vector(subscriber, pending.rand, pending.sqn)
            verify_response(given, password=vector.xres, method=method)
        except NotFoundError:
            return Answer(403, "bsf.subscriber_unknown", impi=impi)
        except DigestError:
            return Answer(403, "bsf.refused", impi=impi)
        if given.auts is not None:
            return self._resynchronise(given.auts, subscriber, vector.rand, now_ms)
        return self._succeed(given, vector, now_ms)

    def _resynchronise(
        self, auts: bytes, subscriber: Subscriber, rand: bytes, now_ms: int
    ) -> Answer:
        """TS 33.102 §6.3.5: AUTS proves the card's own number, so ours is set to it."""
        impi = subscriber.impi
        try:
            sqn_ms = Milenage(subscriber.k, subscriber.opc).resync(rand, auts)
        except BadMac:
            return Answer(403, "bsf.auts_refused", impi=impi)
        self._registry.subscribers.resynchronise(impi, int.from_bytes(sqn_ms, "big"))
        return self._challenge(impi, "bsf.resynchronised", now_ms)

    def _succeed(self, given: Authorization, vector: AuthVector, now_ms: int) -> Answer:
        key = BootstrappedKey(
            btid=make_btid(vector.rand, self._host),
            impi=given.username,
            rand=vector.rand,
            ck=vector.ck,
            ik=vector.ik,
            created_ms=now_ms,
            expires_ms=now_ms + self._ks_lifetime_ms,
        )
        self._registry.bootstraps.put(key)
        body = btid.build(btid.BootstrappingInfo(key.btid, key.expires_ms))
        headers = (
            ("Content-Type", btid.CONTENT_TYPE),
            ("Authentication-Info", build_info(given, password=vector.xres, body=body)),
            # TS 33.220 §4.5.2: the answer is for this device at this moment only.
            ("Cache-Control", "no-store"),
        )
        return Answer(200, "bsf.bootstrapped", headers, body, key.impi)

    def _challenge(self, impi: str, event: str, now_ms: int) -> Answer:
        try:
            subscriber = self._registry.subscribers.get(impi)
            # Stored as used before anybody sees it.
            sqn = self._registry.subscribers.next_sqn(impi)
        except NotFoundError:
            return Answer(403, "bsf.subscriber_unknown", impi=impi)
        vector = _vector(subscriber, self._entropy(_RAND_BYTES), sqn)
        nonce = aka_nonce(vector.rand, vector.autn)
        opaque = self._entropy(_OPAQUE_BYTES).hex()
        expires_ms = now_ms + self._challenge_lifetime_ms
        self._registry.bootstraps.put_challenge(
            AkaChallenge(nonce, impi, opaque, vector.rand, sqn, expires_ms), now_ms
        )
        challenge = Challenge(
            realm=self._host, nonce=nonce, algorithm=AKA, qop=("auth-int",), opaque=opaque
        )
        return Answer(401, event, (("WWW-Authenticate", challenge.header()),), impi=impi)


def _vector(subscriber: Subscriber, rand: bytes, sqn: int) -> AuthVector:
    milenage = Milenage(subscriber.k, subscriber.opc)
    return milenage.vector(rand, sqn.to_bytes(6, "big"), subscriber.amf)
