"""Who takes part in the demonstration: the made-up subscribers of softcard's profiles."""

from __future__ import annotations

import base64
import tomllib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from omadm.builder import Credentials, dm_account, nap
from omadm.clientprov import build_document
from softcard.profile import profile_text

from .system import DM_OPERATOR, SERVER_ID

__all__ = ["ALICE", "BOB", "CAROL", "DAVE", "DOCUMENT_OID", "Person", "parameters"]

DOCUMENT_OID = "2.23.43.5.1"
_NONCE = b"first nonce"


@dataclass(frozen=True)
class Person:
    """A card, and its owner's account with the operator. ``auth`` is an AAuthType."""

    name: str
    profile: str
    auth: str = "DIGEST"

    @cached_property
    def _card(self) -> dict[str, Any]:
        """What the card's maker tells the operator: the profile."""
        return tomllib.loads(profile_text(self.profile)[0])

    @property
    def iccid(self) -> str:
        return str(self._card["card"]["iccid"])

    @property
    def card(self) -> str:
        return f"cards/{self.iccid}"

    @property
    def adm(self) -> str:
        """The card's administrative key, hexadecimal."""
        return str(self._card["pins"]["adm1"]["value"])

    @property
    def impi(self) -> str:
        return f"{self._card['usim']['imsi']}@ims.mnc001.mcc001.3gppnetwork.org"

    def subscriber(self) -> dict[str, Any]:
        """As the operator registers subscriber and card: with its keys for secured packets, or,
        where it takes none, with its administrative key."""
        usim = self._card["usim"]
        keys = {name: usim[name] for name in ("imsi", "k", "opc")}
        if "ota" not in self._card:
            return {**keys, "iccid": self.iccid, "adm1": self.adm}
        ota = dict(self._card["ota"])
        (files, *_) = ota.pop("application")
        return {**keys, "iccid": self.iccid, "ota": {**ota, "tar": files["tar"]}}

    def account(self) -> dict[str, str]:
        """As the operator registers the DM account."""
        nonce = base64.b64encode(_NONCE).decode()
        return {
            "user": self.name,
            "auth": "hmac" if self.auth == "HMAC" else "md5",
            "client_secret": self._secret("device"),
            "client_nonce": nonce,
            "server_secret": self._secret("server"),
            "server_nonce": nonce,
        }

    def credentials(self, side: str) -> Credentials:
        """The same account as the card's document states it; ``side`` is device or server."""
        name = self.name if side == "device" else SERVER_ID
        return Credentials(name, self._secret(side).encode(), _NONCE, self.auth)

    def _secret(self, side: str) -> str:
        return f"made up for {self.name}, {side} side"


def parameters(person: Person, *, apn: str, mms_apn: str = "") -> bytes:
    """The document that an operator puts on the person's card: access points and a DM account."""
    naps = [nap("internet", address=apn, name="Internet")]
    if mms_apn:
        naps.append(nap("mms", address=mms_apn, name="Picture messages"))
    account = dm_account(
        server_id=SERVER_ID,
        address=f"https://{DM_OPERATOR}/dm",
        name="Device management",
        client=person.credentials("device"),
        server=person.credentials("server"),
        naps=("internet",),
        start_session=True,
    )
    return build_document(*naps, account)


ALICE = Person("alice", "operator", auth="HMAC")
BOB = Person("bob", "key-only")
CAROL = Person("carol", "second-operator")
DAVE = Person("dave", "bare")
