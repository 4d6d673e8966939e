"""Characteristics made from what a management authority knows: for servers, cards and tests."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

from cardea_core import Secret

from omadm.clientprov import Characteristic, characteristic

__all__ = ["Credentials", "dm_account", "nap", "proxy"]

_Parms = list[tuple[str, str | None]]


@dataclass(frozen=True, slots=True)
class Credentials:
    """What one side proves itself with; ``nonce`` is raw, ``type`` an AAuthType word."""

    name: str
    secret: Secret | bytes = field(repr=False)
    nonce: bytes | None = None
    type: str = "DIGEST"


def dm_account(
    *,
    server_id: str,
    address: str,
    name: str | None = None,
    port: int | None = None,
    client: Credentials | None = None,
    server: Credentials | None = None,
    naps: tuple[str, ...] = (),
    proxies: tuple[str, ...] = (),
    start_session: bool = False,
) -> Characteristic:
    """A w7 APPLICATION; ``start_session`` sets INIT."""
    parms: _Parms = [("APPID", "w7"), ("PROVIDER-ID", server_id)]
    if name is not None:
        parms.append(("NAME", name))
    parms += [("TO-PROXY", proxy_id) for proxy_id in proxies]
    parms += [("TO-NAPID", nap_id) for nap_id in naps]
    if start_session:
        parms.append(("INIT", None))
    ports = [] if port is None else [characteristic("PORT", [("PORTNBR", str(port))])]
    inner = [characteristic("APPADDR", [("ADDR", address)], *ports)]
    # APPSRV: what the application server asks of the client; CLIENT: what the client asks.
    inner += [
        _auth(level, given) for level, given in (("APPSRV", client), ("CLIENT", server)) if given
    ]
    return characteristic("APPLICATION", parms, *inner)


def nap(
    nap_id: str,
    *,
    address: str,
    name: str | None = None,
    bearer: str = "GSM-GPRS",
    address_type: str = "APN",
    auth: Credentials | None = None,
) -> Characteristic:
    """A network access point (NAPDEF); ``auth.type`` is PAP or CHAP."""
    parms: _Parms = [("NAPID", nap_id), ("BEARER", bearer)]
    if name is not None:
        parms.append(("NAME", name))
    parms += [("NAP-ADDRESS", address), ("NAP-ADDRTYPE", address_type)]
    inner: list[Characteristic] = []
    if auth is not None:
        secret = _text(auth.secret)
        inner.append(
            characteristic(
                "NAPAUTHINFO",
                [("AUTHTYPE", auth.type), ("AUTHNAME", auth.name), ("AUTHSECRET", secret)],
            )
        )
    return characteristic("NAPDEF", parms, *inner)


def proxy(
    proxy_id: str,
    *,
    address: str,
    port: int,
    naps: tuple[str, ...],
    name: str | None = None,
    address_type: str = "ALPHA",
) -> Characteristic:
    """A logical proxy with one physical one behind it."""
    parms: _Parms = [("PROXY-ID", proxy_id)]
    if name is not None:
        parms.append(("NAME", name))
    physical: _Parms = [
        ("PHYSICAL-PROXY-ID", proxy_id),
        ("PXADDR", address),
        ("PXADDRTYPE", address_type),
        *(("TO-NAPID", nap_id) for nap_id in naps),
    ]
    ports = characteristic("PORT", [("PORTNBR", str(port))])
    return characteristic("PXLOGICAL", parms, characteristic("PXPHYSICAL", physical, ports))


def _auth(level: str, given: Credentials) -> Characteristic:
    parms: _Parms = [
        ("AAUTHLEVEL", level),
        ("AAUTHTYPE", given.type),
        ("AAUTHNAME", given.name),
        ("AAUTHSECRET", _text(given.secret)),
    ]
    if given.nonce is not None:
        parms.append(("AAUTHDATA", base64.b64encode(given.nonce).decode("ascii")))
    return characteristic("APPAUTH", parms)


def _text(secret: Secret | bytes) -> str:
    return (secret.expose() if isinstance(secret, Secret) else secret).decode()
