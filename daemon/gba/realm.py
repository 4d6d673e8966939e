"""Names made from a subscriber identity (3GPP TS 23.003 §13, §16)."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from gba.errors import RealmError

__all__ = [
    "Plmn",
    "bsf_fqdn",
    "bsf_fqdn_of_impi",
    "btid",
    "dm_fqdn",
    "home_domain",
    "impi_from_imsi",
    "plmn_of",
    "split_btid",
]

_NETWORK = "3gppnetwork.org"
_PUBLIC = "pub.3gppnetwork.org"


@dataclass(frozen=True, slots=True)
class Plmn:
    """Country and network code; both three digits, as domain names want them."""

    mcc: str
    mnc: str

    @property
    def public_domain(self) -> str:
        """Part of the names that resolve on the Internet."""
        return f"mnc{self.mnc}.mcc{self.mcc}.{_PUBLIC}"


def plmn_of(imsi: str, mnc_length: int) -> Plmn:
    """The network of an IMSI; ``mnc_length`` is 2 or 3, from EF.AD (TS 31.102 §4.2.18)."""
    if not (imsi.isascii() and imsi.isdigit() and 6 <= len(imsi) <= 15):
        raise RealmError("imsi", length=len(imsi))
    if mnc_length not in (2, 3):
        raise RealmError("mnc_length", mnc_length=mnc_length)
    # TS 23.003 §13.2: a two-digit MNC gets a zero in front.
    return Plmn(imsi[:3], imsi[3 : 3 + mnc_length].zfill(3))


def home_domain(imsi: str, mnc_length: int) -> str:
    """Home network domain name of a USIM without ISIM (TS 23.003 §13.2)."""
    plmn = plmn_of(imsi, mnc_length)
    return f"ims.mnc{plmn.mnc}.mcc{plmn.mcc}.{_NETWORK}"


def impi_from_imsi(imsi: str, mnc_length: int) -> str:
    """Private user identity of a USIM without ISIM (TS 23.003 §13.3)."""
    return f"{imsi}@{home_domain(imsi, mnc_length)}"


def bsf_fqdn(imsi: str, mnc_length: int) -> str:
    """Bootstrapping server of a USIM's network (TS 23.003 §16.2)."""
    return f"bsf.{plmn_of(imsi, mnc_length).public_domain}"


def bsf_fqdn_of_impi(impi: str) -> str:
    """Bootstrapping server for an IMPI as an ISIM states it (TS 23.003 §16.2): "bsf." before
    its domain, and "pub." before 3gppnetwork.org."""
    user, at, domain = impi.rpartition("@")
    if not (user and at and domain):
        raise RealmError("impi")
    domain = domain.lower()
    if domain.endswith("." + _NETWORK) and not domain.endswith("." + _PUBLIC):
        domain = f"{domain.removesuffix(_NETWORK)}{_PUBLIC}"
    return f"bsf.{domain}"


def dm_fqdn(imsi: str, mnc_length: int) -> str:
    """Management server of a card that names none. This is a convention of Cardea, made after
    the names of TS 23.003; no standard assigns it."""
    return f"dm.{plmn_of(imsi, mnc_length).public_domain}"


def btid(rand: bytes, bsf: str) -> str:
    """Bootstrapping transaction identifier: base64(RAND)@BSF (TS 33.220 §4.5.2)."""
    if len(rand) != 16:
        raise RealmError("rand_length", length=len(rand))
    return f"{base64.b64encode(rand).decode('ascii')}@{bsf}"


def split_btid(btid: str) -> tuple[bytes, str]:
    """RAND and the bootstrapping server's name."""
    text, at, bsf = btid.rpartition("@")
    try:
        rand = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise RealmError("btid") from error
    if not at or not bsf or len(rand) != 16:
        raise RealmError("btid")
    return rand, bsf
