"""Descriptions of subscribers, cards and devices as operators give them, in JSON.

Secrets come in a file or on standard input, never on a command line.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from cardea_core import Milenage, Secret
from gba.realm import impi_from_imsi

from dmsd.errors import InputError
from dmsd.registry import CardKey, CredentialAccount, NetworkAccount, OtaKeys, Subscriber
from dmsd.registry.subscribers import MOST_COUNTER

__all__ = ["AUTH_TYPES", "parse_account", "parse_card", "parse_raise", "parse_subscriber"]

AUTH_TYPES = ("basic", "md5", "hmac")


def parse_subscriber(raw: Any) -> tuple[Subscriber, CardKey | None]:
    """``{"imsi", "k", "opc" | "op", …}``; with ``iccid`` and its keys the card comes along."""
    fields = _Fields(
        raw, {"imsi", "mnc_length", "impi", "k", "opc", "op", "amf", "sqn", "iccid", "adm1", "ota"}
    )
    imsi = fields.text("imsi")
    if not (imsi.isascii() and imsi.isdecimal() and 6 <= len(imsi) <= 15):
        raise InputError("imsi", "must be 6 to 15 digits")
    k = fields.secret("k", 16)
    impi = fields.optional_text("impi") or impi_from_imsi(imsi, _mnc_length(fields))
    subscriber = Subscriber(
        impi=impi,
        imsi=imsi,
        k=k,
        opc=_opc(fields, k),
        amf=fields.binary("amf", 2, default="8000"),
        sqn=int.from_bytes(fields.binary("sqn", 6, default="000000000000"), "big"),
    )
    card = _card(fields, impi) if any(map(fields.has, ("iccid", "adm1", "ota"))) else None
    return subscriber, card


def parse_card(raw: Any) -> CardKey:
    """``{"iccid", "ota" | "adm1", "impi"?}``: a card whose subscription is not ours, or has none.

    ``ota``: ``{"tar", "kic", "kid", "algorithm"?, "key_set"?, "counter"?}``, keys for packets.
    """
    fields = _Fields(raw, {"iccid", "adm1", "impi", "ota"})
    return _card(fields, fields.optional_text("impi") or None)


def parse_raise(raw: Any) -> tuple[int, str | None]:
    """``{"by", "iccid"?}``: by how much a card's counter is raised, or that of every card."""
    fields = _Fields(raw, {"by", "iccid"})
    by = fields.number("by", 0)
    if not 1 <= by <= MOST_COUNTER:
        raise InputError("by", f"must be 1 to {MOST_COUNTER}")
    return by, _iccid(fields) if fields.has("iccid") else None


def parse_account(
    raw: Any, *, device: str | None, server_id: str
) -> CredentialAccount | NetworkAccount:
    """``{"impi"}``, or ``{"user", "client_secret", "auth"?, "client_nonce"?, "server_…"?}``.

    Secrets are text as a provisioning document carries them; nonces are base64.
    """
    if isinstance(raw, Mapping) and "impi" in raw:
        return NetworkAccount(0, device, _Fields(raw, {"impi"}).text("impi"))
    fields = _Fields(
        raw,
        {
            "user",
            "auth",
            "client_secret",
            "client_nonce",
            "server_auth",
            "server_user",
            "server_secret",
            "server_nonce",
        },
    )
    auth = _auth(fields, "auth", "md5")
    client_secret = Secret(fields.text("client_secret").encode())
    server_text = fields.optional_text("server_secret")
    server_secret = Secret(server_text.encode()) if server_text else None
    if server_secret is not None and server_secret == client_secret:
        # DM Security 1.2 §5.2.3: or the client could pose as the server.
        raise InputError("server_secret", "must differ from client_secret")
    return CredentialAccount(
        id=0,
        device=device,
        auth=auth,
        user=fields.text("user"),
        client_secret=client_secret,
        client_nonce=fields.nonce("client_nonce"),
        server_auth=_auth(fields, "server_auth", auth),
        server_user=fields.optional_text("server_user") or server_id,
        server_secret=server_secret,
        server_nonce=fields.nonce("server_nonce"),
    )


class _Fields:
    """Typed access to an object; errors name the member."""

    def __init__(self, raw: Any, known: set[str]) -> None:
        if not isinstance(raw, Mapping):
            raise InputError("document", "must be an object")
        for key in raw:
            if key not in known:
                raise InputError(str(key), f"unknown member; known are {', '.join(sorted(known))}")
        self._raw = raw

    def has(self, name: str) -> bool:
        return name in self._raw

    def text(self, name: str) -> str:
        value = self.optional_text(name)
        if not value:
            raise InputError(name, "is missing")
        return value

    def optional_text(self, name: str) -> str:
        value = self._raw.get(name, "")
        if not isinstance(value, str):
            raise InputError(name, "must be a string")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise InputError(name, "is not valid Unicode") from error
        return value

    def number(self, name: str, default: int) -> int:
        value = self._raw.get(name, default)
        if type(value) is not int:
            raise InputError(name, "must be a whole number")
        return value

    def binary(self, name: str, *lengths: int, default: str = "") -> bytes:
        text = self.optional_text(name) or default
        if not text:
            raise InputError(name, "is missing")
        try:
            value = bytes.fromhex(text)
        except ValueError as error:
            raise InputError(name, "must be hexadecimal") from error
        if len(value) not in lengths:
            known = " or ".join(map(str, lengths))
            raise InputError(name, f"must be {known} bytes in hexadecimal")
        return value

    def secret(self, name: str, *lengths: int) -> Secret:
        return Secret(self.binary(name, *lengths))

    def below(self, name: str, known: set[str]) -> _Fields:
        """The object that is a member."""
        return _Fields(self._raw[name], known)

    def nonce(self, name: str) -> bytes:
        try:
            return base64.b64decode(self.optional_text(name), validate=True)
        except (binascii.Error, ValueError) as error:
            raise InputError(name, "must be base64") from error


def _card(fields: _Fields, impi: str | None) -> CardKey:
    iccid = _iccid(fields)
    ota = _ota(fields.below("ota", _OTA_MEMBERS)) if fields.has("ota") else None
    adm1 = fields.secret("adm1", 8) if ota is None or fields.has("adm1") else None
    return CardKey(iccid, adm1, impi, ota)


_OTA_MEMBERS = {"tar", "kic", "kid", "algorithm", "key_set", "counter"}
# Key lengths by algorithm, and what each makes of the lower half of KIc and KID (TS 102 225
# §5.1.2, §5.1.3): triple DES with two keys and with three.
_ALGORITHMS = {"aes": {16: 2, 24: 2, 32: 2}, "3des": {16: 5, 24: 9}}


def _ota(fields: _Fields) -> OtaKeys:
    algorithm = fields.optional_text("algorithm") or "aes"
    if algorithm not in _ALGORITHMS:
        raise InputError("algorithm", f"must be one of {', '.join(_ALGORITHMS)}")
    nibbles = _ALGORITHMS[algorithm]
    version = fields.number("key_set", 1)
    if not 1 <= version <= 15:
        raise InputError("key_set", "must be 1 to 15")
    counter = fields.number("counter", 0)
    if not 0 <= counter <= MOST_COUNTER:
        raise InputError("counter", f"must be 0 to {MOST_COUNTER}")
    kic, kid = (fields.secret(name, *nibbles) for name in ("kic", "kid"))
    return OtaKeys(
        version << 4 | nibbles[len(kic)],
        kic,
        version << 4 | nibbles[len(kid)],
        kid,
        fields.binary("tar", 3),
        counter,
    )


def _opc(fields: _Fields, k: Secret) -> Secret:
    if fields.has("opc") == fields.has("op"):
        raise InputError("opc", "give either opc or op")
    if fields.has("opc"):
        return fields.secret("opc", 16)
    return Milenage.from_op(k, fields.secret("op", 16)).opc


def _mnc_length(fields: _Fields) -> int:
    length = fields.number("mnc_length", 2)
    if length not in (2, 3):
        raise InputError("mnc_length", "must be 2 or 3")
    return length


def _iccid(fields: _Fields) -> str:
    iccid = fields.text("iccid")
    if not (iccid.isascii() and iccid.isalnum() and len(iccid) <= 64):
        raise InputError("iccid", "must be the card's number, letters and digits")
    return iccid


def _auth(fields: _Fields, name: str, default: str) -> str:
    auth = fields.optional_text(name) or default
    if auth not in AUTH_TYPES:
        raise InputError(name, f"must be one of {', '.join(AUTH_TYPES)}")
    return auth
