"""DM credentials: basic, MD5 digest, and the HMAC that travels in a transport header.

DM Security 1.2 §5.3 and §5.4. Nonces are raw bytes and arguments; so are passwords.
"""

from __future__ import annotations

import base64
import hmac
import re
from dataclasses import dataclass, field

from cardea_core import BadMac, Secret, dm_hmac, dm_hmac_verify, dm_md5, dm_md5_verify

from omadm.elements import from_base64
from omadm.errors import AuthError, FormatError
from omadm.messages import Chal, Cred

__all__ = [
    "BASIC",
    "HMAC",
    "HMAC_HEADER",
    "MD5",
    "MacHeader",
    "basic_credential",
    "basic_user",
    "challenge",
    "mac_header",
    "md5_credential",
    "parse_mac_header",
    "syncml_type",
    "verify_basic",
    "verify_mac",
    "verify_md5",
]

BASIC = "syncml:auth-basic"
MD5 = "syncml:auth-md5"
HMAC = "syncml:auth-MAC"

HMAC_HEADER = "x-syncml-hmac"

Password = Secret | bytes

# DM Standardized Objects §5.3.1, AAuthType
_TYPES = {"BASIC": BASIC, "DIGEST": MD5, "HMAC": HMAC}


def syncml_type(aauth_type: str) -> str | None:
    """The SyncML name of a DMAcc AAuthType; None for those outside the DM layer."""
    return _TYPES.get(aauth_type.upper())


def challenge(type: str, nonce: bytes | None) -> Chal:
    """A challenge; basic takes no nonce, MD5 and HMAC need one (128 bits or more)."""
    if type == BASIC:
        return Chal(BASIC)
    if nonce is None:
        raise AuthError("nonce_missing", type=type)
    return Chal(type, next_nonce=nonce)


def basic_credential(user: str, password: Password) -> Cred:
    """Base64 of ``user:password``."""
    return Cred(BASIC, "b64", base64.b64encode(_pair(user, password)).decode("ascii"))


def basic_user(cred: Cred, loc_name: str | None = None) -> str:
    """Who a basic credential claims to be. The name ends at the first colon, unless ``loc_name``
    (Source/LocName) says that it goes on: ``IMEI:493005100592800`` is a usual name."""
    pair = _decoded(cred)
    user, colon, _ = pair.partition(b":")
    if cred.type != BASIC or not colon:
        raise AuthError("credential_malformed", type=cred.type)
    if loc_name and pair.startswith(f"{loc_name}:".encode()):
        return loc_name
    try:
        return user.decode()
    except UnicodeDecodeError as error:
        raise AuthError("credential_malformed", type=cred.type) from error


def verify_basic(cred: Cred, *, user: str, password: Password) -> None:
    """AuthError("credential_wrong") unless name and password are these; constant time."""
    _expect(cred, BASIC)
    if not hmac.compare_digest(_decoded(cred), _pair(user, password)):
        raise AuthError("credential_wrong", type=BASIC, user=user)


def md5_credential(user: str, password: Password, nonce: bytes) -> Cred:
    """B64(H(B64(H(user:password)):nonce)). The user goes into Header.source_name."""
    return Cred(MD5, "b64", dm_md5(user, password, nonce))


def verify_md5(cred: Cred, *, user: str, password: Password, nonce: bytes) -> None:
    """AuthError("credential_wrong") unless made with this password and nonce; constant time."""
    _expect(cred, MD5)
    try:
        dm_md5_verify(user, password, nonce, cred.data)
    except BadMac as error:
        raise AuthError("credential_wrong", type=MD5, user=user) from error


@dataclass(frozen=True, slots=True)
class MacHeader:
    """The parts of an ``x-syncml-hmac`` header."""

    user: str
    mac: str = field(repr=False)
    algorithm: str = "MD5"


def mac_header(user: str, password: Password, nonce: bytes, body: bytes) -> str:
    """Value of the ``x-syncml-hmac`` header for a message body as sent."""
    mac = dm_hmac(user, password, nonce, body)
    return f"algorithm=MD5, username={_quoted(user)}, mac={mac}"


def parse_mac_header(value: str) -> MacHeader:
    """Read the header; parameters in any order, values quoted or not, names in any case."""
    found: dict[str, str] = {}
    position = 0
    while match := _PARAMETER.match(value, position):
        quoted, bare = match["quoted"], match["bare"]
        text = _ESCAPE.sub(r"\1", quoted) if quoted is not None else bare.strip()
        found.setdefault(match["name"].lower(), text)
        position = match.end()
    if value[position:].strip(" \t,"):
        raise AuthError("mac_header_malformed", length=len(value))
    user, mac = found.get("username"), found.get("mac")
    if user is None or not mac:
        raise AuthError("mac_header_incomplete", missing="mac" if user is not None else "username")
    algorithm = found.get("algorithm", "MD5")
    if algorithm.upper() != "MD5":
        raise AuthError("mac_algorithm", algorithm=algorithm[:20])
    return MacHeader(user, mac, "MD5")


def verify_mac(
    header: MacHeader, *, user: str, password: Password, nonce: bytes, body: bytes
) -> None:
    """AuthError("credential_wrong") unless the header vouches for this body; constant time."""
    if header.user != user:
        raise AuthError("credential_wrong", type=HMAC, user=user)
    try:
        dm_hmac_verify(user, password, nonce, body, header.mac)
    except BadMac as error:
        raise AuthError("credential_wrong", type=HMAC, user=user) from error


# token "=" ( quoted-string | anything up to a comma ); base64 padding keeps "=" in bare values.
_PARAMETER = re.compile(
    r"[\s,]*(?P<name>[A-Za-z][A-Za-z0-9-]*)\s*=\s*"
    r'(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^",]*))\s*(?=,|$)'
)
_ESCAPE = re.compile(r"\\(.)")


def _quoted(text: str) -> str:
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in text):
        raise AuthError("user_not_a_header_value")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _pair(user: str, password: Password) -> bytes:
    secret = password.expose() if isinstance(password, Secret) else password
    return user.encode() + b":" + secret


def _decoded(cred: Cred) -> bytes:
    try:
        return from_base64(cred.data)
    except FormatError as error:
        raise AuthError("credential_malformed", type=cred.type) from error


def _expect(cred: Cred, type: str) -> None:
    if cred.type != type:
        raise AuthError("credential_type", expected=type, found=cred.type[:40])
