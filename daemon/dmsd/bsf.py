"""The bootstrapping server function, without I/O (Ub: TS 24.109 §4, TS 33.220 §4.5.2).

Challenges are MILENAGE vectors whose sequence number was stored before they left. Each is
answered once.
"""

from __future__ import annotations

from collections import OrderedDict
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
from dmsd.registry import BootstrappedKey, Registry

__all__ = ["Answer", "BootstrappingServer"]

_RAND_BYTES = 16
_OPAQUE_BYTES = 16
_MAX_CHALLENGES = 4096
# A subscription under attack by requests in its name keeps room for its own card.
_MAX_PER_SUBSCRIBER = 16


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response; ``event`` names what happened, for the log."""

    status: int
    event: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    impi: str = ""


@dataclass(frozen=True, slots=True)
class _Challenge:
    impi: str
    opaque: str
    vector: AuthVector
    expires_ms: int


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
        self._challenges: OrderedDict[str, _Challenge] = OrderedDict()

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
        self._drop_expired(now_ms)
        if not given.nonce:
            return self._challenge(given.username, "bsf.challenged", now_ms)
        return self._answered(given, method, now_ms)

    def _answered(self, given: Authorization, method: str, now_ms: int) -> Answer:
        pending = self._challenges.get(given.nonce)
        if pending is None or pending.impi != given.username or pending.opaque != given.opaque:
            # Answered before, expired, or never ours: only a new challenge helps.
            return self._challenge(given.username, "bsf.nonce_unknown", now_ms)
        del self._challenges[given.nonce]
        if (given.algorithm or AKA).lower() != AKA.lower() or given.qop not in ("auth", "auth-int"):
            return Answer(400, "bsf.algorithm_or_qop", impi=given.username)
        try:
            verify_response(given, password=pending.vector.xres, method=method)
        except DigestError:
            return Answer(403, "bsf.refused", impi=given.username)
        if given.auts is not None:
            return self._resynchronise(given.auts, pending, now_ms)
        return self._succeed(given, pending, now_ms)

    def _resynchronise(self, auts: bytes, pending: _Challenge, now_ms: int) -> Answer:
        """TS 33.102 §6.3.5: AUTS proves the card's own number, so ours is set to it."""
        subscriber = self._registry.subscribers.get(pending.impi)
        milenage = Milenage(subscriber.k, subscriber.opc)
        try:
            sqn_ms = milenage.resync(pending.vector.rand, auts)
        except BadMac:
            return Answer(403, "bsf.auts_refused", impi=pending.impi)
        self._registry.subscribers.resynchronise(pending.impi, int.from_bytes(sqn_ms, "big"))
        return self._challenge(pending.impi, "bsf.resynchronised", now_ms)

    def _succeed(self, given: Authorization, pending: _Challenge, now_ms: int) -> Answer:
        vector = pending.vector
        key = BootstrappedKey(
            btid=make_btid(vector.rand, self._host),
            impi=pending.impi,
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
        return Answer(200, "bsf.bootstrapped", headers, body, pending.impi)

    def _challenge(self, impi: str, event: str, now_ms: int) -> Answer:
        try:
            subscriber = self._registry.subscribers.get(impi)
            # Stored as used before anybody sees it.
            sqn = self._registry.subscribers.next_sqn(impi)
        except NotFoundError:
            return Answer(403, "bsf.subscriber_unknown", impi=impi)
        vector = Milenage(subscriber.k, subscriber.opc).vector(
            self._entropy(_RAND_BYTES), sqn.to_bytes(6, "big"), subscriber.amf
        )
        nonce = aka_nonce(vector.rand, vector.autn)
        opaque = self._entropy(_OPAQUE_BYTES).hex()
        self._make_room(impi)
        self._challenges[nonce] = _Challenge(
            impi, opaque, vector, now_ms + self._challenge_lifetime_ms
        )
        challenge = Challenge(
            realm=self._host, nonce=nonce, algorithm=AKA, qop=("auth-int",), opaque=opaque
        )
        return Answer(401, event, (("WWW-Authenticate", challenge.header()),), impi=impi)

    def _drop_expired(self, now_ms: int) -> None:
        while self._challenges:
            nonce, oldest = next(iter(self._challenges.items()))
            if oldest.expires_ms > now_ms:
                return
            del self._challenges[nonce]

    def _make_room(self, impi: str) -> None:
        own = [nonce for nonce, pending in self._challenges.items() if pending.impi == impi]
        if len(own) >= _MAX_PER_SUBSCRIBER:
            del self._challenges[own[0]]
        elif len(self._challenges) >= _MAX_CHALLENGES:
            self._challenges.popitem(last=False)
