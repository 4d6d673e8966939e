"""HTTP digest (RFC 2617, MD5 part of RFC 7616) and its AKA form (RFC 3310), both ends."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from cardea_core import CryptoError, Secret, http_digest

from gba.errors import DigestError
from gba.headers import format_parameters, parse_challenges, parse_parameters

__all__ = [
    "AKA",
    "MD5",
    "AkaNonce",
    "AuthenticationInfo",
    "Authorization",
    "Challenge",
    "aka_nonce",
    "build_authorization",
    "build_info",
    "digest_challenge",
    "parse_aka_nonce",
    "parse_authorization",
    "parse_info",
    "respond",
    "verify_info",
    "verify_response",
]

MD5 = "MD5"
AKA = "AKAv1-MD5"

Password = Secret | bytes

_BARE = dict.fromkeys(("algorithm", "nc", "stale"))
_AUTS_LENGTH = 14


@dataclass(frozen=True, slots=True)
class Challenge:
    """A WWW-Authenticate digest challenge; ``qop`` lists what the server offers."""

    realm: str
    nonce: str
    algorithm: str = MD5
    qop: tuple[str, ...] = ("auth-int", "auth")
    opaque: str | None = None
    domain: str | None = None
    stale: bool = False

    def header(self) -> str:
        """Value of WWW-Authenticate."""
        pairs = [
            ("realm", self.realm),
            ("nonce", self.nonce),
            ("qop", ",".join(self.qop) or None),
            ("opaque", self.opaque),
            ("domain", self.domain),
            ("algorithm", self.algorithm),
            ("stale", "true" if self.stale else None),
        ]
        return f"Digest {format_parameters(pairs, bare=_BARE)}"


@dataclass(frozen=True, slots=True)
class Authorization:
    """An Authorization header; ``nc`` is the text of eight hexadecimal digits."""

    username: str
    realm: str
    nonce: str
    uri: str
    response: str = field(repr=False)
    algorithm: str | None = None
    qop: str | None = None
    nc: str | None = None
    cnonce: str | None = None
    opaque: str | None = None
    auts: bytes | None = None

    @property
    def counter(self) -> int:
        """The nonce count as a number; 0 without qop."""
        return int(self.nc, 16) if self.nc else 0


@dataclass(frozen=True, slots=True)
class AuthenticationInfo:
    """An Authentication-Info header (RFC 2617 §3.2.3)."""

    rspauth: str | None = field(default=None, repr=False)
    qop: str | None = None
    nc: str | None = None
    cnonce: str | None = None
    nextnonce: str | None = None


@dataclass(frozen=True, slots=True)
class AkaNonce:
    """What an AKA challenge asks of the card; ``extra`` is the server's own data."""

    rand: bytes
    autn: bytes
    extra: bytes = b""


def aka_nonce(rand: bytes, autn: bytes, extra: bytes = b"") -> str:
    """Base64(RAND ‖ AUTN ‖ server data) (RFC 3310 §3.2)."""
    if len(rand) != 16 or len(autn) != 16:
        raise DigestError("aka_lengths", rand=len(rand), autn=len(autn))
    return base64.b64encode(rand + autn + extra).decode("ascii")


def parse_aka_nonce(nonce: str) -> AkaNonce:
    """RAND and AUTN in a nonce; DigestError when it holds no AKA challenge."""
    raw = _base64(nonce, "aka_nonce")
    if len(raw) < 32:
        raise DigestError("aka_nonce", length=len(raw))
    return AkaNonce(raw[:16], raw[16:32], raw[32:])


def digest_challenge(headers: Iterable[str], *, algorithm: str) -> Challenge:
    """The digest challenge with that algorithm among WWW-Authenticate values."""
    offered: list[str] = []
    for value in headers:
        for scheme, parameters in parse_challenges(value):
            if scheme != "digest":
                continue
            name = parameters.get("algorithm", MD5)
            offered.append(name[:20])
            if name.lower() == algorithm.lower():
                return _challenge(parameters, algorithm)
    raise DigestError("no_challenge", wanted=algorithm, offered=",".join(offered) or None)


def parse_authorization(value: str) -> Authorization:
    """Read an Authorization header; DigestError unless it is a digest with all it needs."""
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() != "digest":
        raise DigestError("not_digest", scheme=scheme[:20])
    found = parse_parameters(rest)
    # TS 24.109 §4.3: in a device's first request nonce and response are empty; some leave them out.
    missing = [name for name in ("username", "realm", "uri") if name not in found]
    if missing:
        raise DigestError("missing_parameter", parameter=missing[0])
    nc = found.get("nc")
    if nc is not None and (len(nc) != 8 or not _is_hex(nc)):
        raise DigestError("bad_nonce_count", length=len(nc))
    auts = found.get("auts")
    return Authorization(
        username=found["username"],
        realm=found["realm"],
        nonce=found.get("nonce", ""),
        uri=found["uri"],
        response=found.get("response", ""),
        algorithm=found.get("algorithm"),
        qop=found.get("qop"),
        nc=nc,
        cnonce=found.get("cnonce"),
        opaque=found.get("opaque"),
        auts=None if auts is None else _auts(auts),
    )


def build_authorization(given: Authorization) -> str:
    """Value of the Authorization header."""
    auts = given.auts
    pairs = [
        ("username", given.username),
        ("realm", given.realm),
        ("nonce", given.nonce),
        ("uri", given.uri),
        ("qop", given.qop),
        ("nc", given.nc),
        ("cnonce", given.cnonce),
        ("response", given.response),
        ("opaque", given.opaque),
        ("algorithm", given.algorithm),
        ("auts", None if auts is None else base64.b64encode(auts).decode("ascii")),
    ]
    # RFC 2617 §3.2.2 wants qop bare in requests (and RFC 3310 shows it so).
    return f"Digest {format_parameters(pairs, bare={**_BARE, 'qop': None})}"


def respond(
    challenge: Challenge,
    *,
    username: str,
    password: Password,
    method: str,
    uri: str,
    cnonce: str,
    nc: int = 1,
    body: bytes = b"",
    auts: bytes | None = None,
) -> Authorization:
    """The answer to a challenge; auth-int where it is offered.

    With ``auts`` the password is empty (RFC 3310 §3.4): the card refused the sequence number.
    """
    qop = _choose(challenge.qop)
    count = f"{nc:08x}"
    unanswered = Authorization(
        username=username,
        realm=challenge.realm,
        nonce=challenge.nonce,
        uri=uri,
        response="",
        algorithm=challenge.algorithm,
        qop=qop,
        nc=count if qop else None,
        cnonce=cnonce if qop else None,
        opaque=challenge.opaque,
        auts=auts,
    )
    return replace(unanswered, response=_compute(unanswered, password, method, body))


def verify_response(
    given: Authorization, *, password: Password, method: str, body: bytes = b""
) -> None:
    """DigestError("response") unless the header was made with this password; constant time.

    Whether nonce, realm, uri and nonce count are the ones expected is the caller's to check.
    """
    if given.qop not in (None, "auth", "auth-int"):
        raise DigestError("qop", qop=given.qop[:20])
    if given.qop and (not given.nc or given.cnonce is None):
        raise DigestError("missing_parameter", parameter="cnonce" if given.nc else "nc")
    expected = _compute(given, password, method, body)
    if not hmac.compare_digest(expected.encode(), given.response.lower().encode()):
        raise DigestError("response")


def build_info(
    request: Authorization, *, password: Password, body: bytes, nextnonce: str | None = None
) -> str:
    """Value of Authentication-Info that answers a verified request."""
    rspauth = _rspauth(request, password, body)
    pairs = [
        ("qop", request.qop),
        ("rspauth", rspauth),
        ("cnonce", request.cnonce),
        ("nc", request.nc),
        ("nextnonce", nextnonce),
    ]
    return format_parameters(pairs, bare={**_BARE, "qop": None})


def parse_info(value: str) -> AuthenticationInfo:
    """Read an Authentication-Info header."""
    found = parse_parameters(value)
    return AuthenticationInfo(
        rspauth=found.get("rspauth"),
        qop=found.get("qop"),
        nc=found.get("nc"),
        cnonce=found.get("cnonce"),
        nextnonce=found.get("nextnonce"),
    )


def verify_info(
    info: AuthenticationInfo, *, request: Authorization, password: Password, body: bytes
) -> None:
    """DigestError unless the server knows the password, saw our request, and sent this body."""
    if not info.rspauth:
        raise DigestError("rspauth_missing")
    if info.cnonce is not None and info.cnonce != request.cnonce:
        raise DigestError("cnonce_differs")
    if info.nc is not None and info.nc.lower() != (request.nc or ""):
        raise DigestError("nonce_count_differs")
    if info.qop is not None and info.qop != request.qop:
        raise DigestError("qop_differs", qop=info.qop[:20])
    expected = _rspauth(request, password, body)
    if not hmac.compare_digest(expected.encode(), info.rspauth.lower().encode()):
        raise DigestError("rspauth")


def _rspauth(request: Authorization, password: Password, body: bytes) -> str:
    # RFC 2617 §3.2.3: as the response, with an empty method. The password is the real one even
    # where the request carried auts.
    return _compute(replace(request, auts=None), password, "", body)


def _compute(given: Authorization, password: Password, method: str, body: bytes) -> str:
    """The digest over what a header states. RFC 3310 §3.4: with auts the password is empty."""
    try:
        return http_digest(
            username=given.username,
            realm=given.realm,
            password=b"" if given.auts is not None else password,
            method=method,
            uri=given.uri,
            nonce=given.nonce,
            nc=given.nc or "",
            cnonce=given.cnonce or "",
            qop=given.qop,
            body=body,
        )
    except CryptoError as error:
        raise DigestError("not_computable", cause=error.code) from error


def _challenge(found: dict[str, str], algorithm: str) -> Challenge:
    for name in ("realm", "nonce"):
        if name not in found:
            raise DigestError("missing_parameter", parameter=name)
    qop = tuple(part.strip().lower() for part in found.get("qop", "").split(",") if part.strip())
    return Challenge(
        realm=found["realm"],
        nonce=found["nonce"],
        algorithm=algorithm,
        qop=qop,
        opaque=found.get("opaque"),
        domain=found.get("domain"),
        stale=found.get("stale", "").lower() == "true",
    )


def _choose(offered: tuple[str, ...]) -> str | None:
    for qop in ("auth-int", "auth"):
        if qop in offered:
            return qop
    if offered:
        raise DigestError("qop", qop=",".join(offered)[:40])
    return None


def _auts(text: str) -> bytes:
    raw = _base64(text, "auts")
    if len(raw) != _AUTS_LENGTH:
        raise DigestError("auts", length=len(raw))
    return raw


def _base64(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise DigestError(what, length=len(text)) from error


def _is_hex(text: str) -> bool:
    return all(character in "0123456789abcdefABCDEF" for character in text)
