"""Ub, device side, without I/O: the exchange with the bootstrapping server (TS 24.109 §4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from cardea_core import Secret

from gba import btid
from gba.digest import (
    AKA,
    Authorization,
    Challenge,
    build_authorization,
    digest_challenge,
    parse_aka_nonce,
    parse_info,
    respond,
    verify_info,
)
from gba.errors import BootstrapError, DigestError

__all__ = ["Ask", "BootstrapClient", "Bootstrapped", "Request", "Response"]

_USER_AGENT = "Bootstrapping Client Agent; Release-6"


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request to the bootstrapping server, without body; ``uri`` is a path."""

    method: str
    uri: str
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response; header names in any case, repeated ones one by one."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def values(self, name: str) -> list[str]:
        """All values of a header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


@dataclass(frozen=True, slots=True)
class Ask:
    """The card has to answer this: USIM AUTHENTICATE in 3G context (TS 31.102 §7.1.2)."""

    rand: bytes
    autn: bytes


@dataclass(frozen=True, slots=True)
class Bootstrapped:
    """Keys agreed with the bootstrapping server; Ks = CK ‖ IK. ``expires_ms`` is Unix time."""

    btid: str
    rand: bytes
    expires_ms: int
    impi: str
    ck: Secret = field(repr=False)
    ik: Secret = field(repr=False)


class _State(Enum):
    START = "start"
    FIRST_SENT = "first_sent"
    CARD_ASKED = "card_asked"
    ANSWER_READY = "answer_ready"
    ANSWERED = "answered"
    DONE = "done"


class BootstrapClient:
    """One bootstrapping run.

    ``request()`` → send → ``receive(response)`` gives an ``Ask`` or the result. To an ``Ask``
    reply with ``answer(res, ck, ik)`` or, when the card reports a sequence failure, with
    ``resynchronise(auts)``, then go on with ``request()``. cnonces are arguments.
    """

    def __init__(self, *, impi: str, bsf: str, uri: str = "/") -> None:
        self._impi = impi
        self._bsf = bsf
        self._uri = uri
        self._state = _State.START
        self._challenge: Challenge | None = None
        self._ask: Ask | None = None
        self._authorization: Authorization | None = None
        self._keys: tuple[Secret, Secret, Secret] | None = None
        self._resynchronised = False

    def __repr__(self) -> str:
        return f"<BootstrapClient bsf={self._bsf} state={self._state.value}>"

    def request(self) -> Request:
        """The next request to send."""
        if self._state is _State.START:
            # TS 24.109 §4.3: the first request names the IMPI; nonce and response are empty.
            first = Authorization(self._impi, self._bsf, "", self._uri, "")
            self._state = _State.FIRST_SENT
            return self._request(build_authorization(first))
        if self._state is _State.ANSWER_READY and self._authorization is not None:
            self._state = _State.ANSWERED
            return self._request(build_authorization(self._authorization))
        raise BootstrapError("no_request_due", state=self._state.value)

    def receive(self, response: Response) -> Ask | Bootstrapped:
        """What a response means; BootstrapError when it ends the run."""
        if self._state not in (_State.FIRST_SENT, _State.ANSWERED):
            raise BootstrapError("no_response_due", state=self._state.value)
        if response.status == 401:
            return self._challenged(response)
        if response.status != 200:
            self._state = _State.DONE
            raise BootstrapError("http_status", status=response.status)
        if self._keys is None or self._authorization is None:
            self._state = _State.DONE
            raise BootstrapError("no_challenge", status=200)
        return self._finished(response, self._authorization, self._keys)

    def answer(self, *, res: Secret, ck: Secret, ik: Secret, cnonce: str) -> None:
        """The card accepted the challenge. RES is the password, as bytes (RFC 3310 §3.3)."""
        challenge = self._asked()
        self._keys = (res, ck, ik)
        self._authorization = self._respond(challenge, res, cnonce, None)
        self._state = _State.ANSWER_READY

    def resynchronise(self, auts: bytes, *, cnonce: str) -> None:
        """The card's sequence number is ahead: tell the server, once."""
        challenge = self._asked()
        if self._resynchronised:
            self._state = _State.DONE
            raise BootstrapError("resynchronisation_failed")
        if len(auts) != 14:
            raise BootstrapError("auts_length", length=len(auts))
        self._resynchronised = True
        self._authorization = self._respond(challenge, b"", cnonce, auts)
        self._state = _State.ANSWER_READY

    def _asked(self) -> Challenge:
        if self._state is not _State.CARD_ASKED or self._challenge is None:
            raise BootstrapError("card_not_asked", state=self._state.value)
        return self._challenge

    def _respond(
        self, challenge: Challenge, password: Secret | bytes, cnonce: str, auts: bytes | None
    ) -> Authorization:
        try:
            return respond(
                challenge,
                username=self._impi,
                password=password,
                method="GET",
                uri=self._uri,
                cnonce=cnonce,
                auts=auts,
            )
        except DigestError as error:
            raise BootstrapError("cannot_answer", cause=error.reason) from error

    def _challenged(self, response: Response) -> Ask:
        # A second challenge is right after a resynchronisation only.
        if self._keys is not None:
            self._state = _State.DONE
            raise BootstrapError("refused", status=401)
        try:
            challenge = digest_challenge(response.values("WWW-Authenticate"), algorithm=AKA)
            nonce = parse_aka_nonce(challenge.nonce)
        except DigestError as error:
            self._state = _State.DONE
            raise BootstrapError("bad_challenge", cause=error.reason) from error
        self._challenge = challenge
        self._ask = Ask(nonce.rand, nonce.autn)
        self._state = _State.CARD_ASKED
        return self._ask

    def _finished(
        self, response: Response, request: Authorization, keys: tuple[Secret, Secret, Secret]
    ) -> Bootstrapped:
        self._state = _State.DONE
        res, ck, ik = keys
        headers = response.values("Authentication-Info")
        if not headers:
            raise BootstrapError("server_not_authenticated", cause="no_authentication_info")
        try:
            verify_info(parse_info(headers[0]), request=request, password=res, body=response.body)
        except DigestError as error:
            raise BootstrapError("server_not_authenticated", cause=error.reason) from error
        info = btid.parse(response.body)
        if self._ask is None:
            raise BootstrapError("no_challenge")
        return Bootstrapped(info.btid, self._ask.rand, info.expires_ms, self._impi, ck, ik)

    def _request(self, authorization: str) -> Request:
        headers = (
            ("User-Agent", _USER_AGENT),
            ("Authorization", authorization),
        )
        return Request("GET", self._uri, headers)
