"""NAPDEF and PXLOGICAL as the connectivity management objects (ConMO NAP and Proxy 1.0)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from omadm.clientprov import Characteristic, ProvisioningDocument
from omadm.collector import Collector
from omadm.errors import DocumentError
from omadm.names import NAP_MO, PROXY_MO

__all__ = ["References", "map_nap", "map_proxy", "port_number", "references"]


@dataclass(frozen=True, slots=True)
class References:
    naps: Mapping[str, str]
    proxies: Mapping[str, str]

    def nap(self, name: str, part: Characteristic) -> str:
        """Path of the access point that TO-NAPID names."""
        return _resolve(name, self.naps, part, "TO-NAPID")

    def proxy(self, name: str, part: Characteristic) -> str:
        """Path of the proxy that TO-PROXY names."""
        return _resolve(name, self.proxies, part, "TO-PROXY")


def references(document: ProvisioningDocument) -> References:
    """Where each NAPID and PROXY-ID of the document will stand."""
    return References(
        naps=_index(document.of_type("NAPDEF"), "NAPID", "./NAP"),
        proxies=_index(document.of_type("PXLOGICAL"), "PROXY-ID", "./Proxy"),
    )


_NAP_PARMS = {
    "NAPID": "NapID",
    "NAME": "Name",
    "NAP-ADDRESS": "Addr",
    "NAP-ADDRTYPE": "AddrType",
    "LOCAL-ADDR": "IPv4/LocalAddr",
    "LINGER": "Linger",
}
_NAP_AUTH = {
    "AUTHTYPE": "AuthType",
    "AUTHNAME": "AuthName",
    "AUTHSECRET": "AuthSecret",
    "SPI": "SPI",
}


def map_nap(tree: Collector, path: str, part: Characteristic) -> None:
    tree.object(path, NAP_MO)
    for name, node in _NAP_PARMS.items():
        tree.leaf(f"{path}/{node}", part.parm(name))
    for number, bearer in enumerate(part.values("BEARER"), 1):
        tree.leaf(f"{path}/Bearer/{number}/BearerType", bearer)
    for number, address in enumerate(part.values("DNS-ADDR"), 1):
        tree.leaf(f"{path}/IPv4/DNS/{number}/DNSAddr", address)
    for number, auth in enumerate(part.of_type("NAPAUTHINFO"), 1):
        for name, node in _NAP_AUTH.items():
            tree.leaf(f"{path}/AuthInfo/{number}/{node}", auth.parm(name))
        for index, entity in enumerate(auth.values("AUTH-ENTITY"), 1):
            tree.leaf(f"{path}/AuthInfo/{number}/AuthEntities/{index}/AuthEntity", entity)
        tree.rest(f"{path}/AuthInfo/{number}", auth, {*_NAP_AUTH, "AUTH-ENTITY"})
    if part.has("INTERNET"):
        tree.leaf(f"{path}/Ext/INTERNET", "true", "bool")
    tree.rest(path, part, {*_NAP_PARMS, "BEARER", "DNS-ADDR", "INTERNET"})
    tree.nested(f"{path}/Ext", part, skip={"NAPAUTHINFO"})


_PROXY_PARMS = {"PROXY-ID": "ProxyID", "NAME": "Name", "STARTPAGE": "StartPage"}
_PROXY_AUTH = {"PXAUTH-TYPE": "AuthType", "PXAUTH-ID": "AuthName", "PXAUTH-PW": "AuthSecret"}
_PHYSICAL = frozenset({"PXADDR", "PXADDRTYPE", "TO-NAPID", "DOMAIN", "PHYSICAL-PROXY-ID"})


def map_proxy(tree: Collector, path: str, part: Characteristic, references: References) -> None:
    """A logical proxy; addresses and ports are those of its first physical proxy, further
    ones stand below Ext/Alternative/<n>."""
    tree.object(path, PROXY_MO)
    for name, node in _PROXY_PARMS.items():
        tree.leaf(f"{path}/{node}", part.parm(name))
    for number, domain in enumerate(part.values("DOMAIN"), 1):
        tree.leaf(f"{path}/Domains/{number}/DomainName", domain)
    for number, auth in enumerate(part.of_type("PXAUTHINFO"), 1):
        for name, node in _PROXY_AUTH.items():
            tree.leaf(f"{path}/AuthInfo/{number}/{node}", auth.parm(name))
    physical = part.of_type("PXPHYSICAL")
    if not physical:
        raise DocumentError("missing_characteristic", characteristic="PXLOGICAL", parm="PXPHYSICAL")
    for number, each in enumerate(physical):
        place = path if number == 0 else f"{path}/Ext/Alternative/{number}"
        _physical_proxy(tree, place, each, part, references)
    tree.rest(path, part, {*_PROXY_PARMS, "DOMAIN"})
    tree.nested(f"{path}/Ext", part, skip={"PXAUTHINFO", "PXPHYSICAL", "PORT"})


def _physical_proxy(
    tree: Collector,
    path: str,
    part: Characteristic,
    logical: Characteristic,
    references: References,
) -> None:
    address = part.parm("PXADDR")
    if not address:
        raise DocumentError("missing_parm", characteristic="PXPHYSICAL", parm="PXADDR")
    tree.leaf(f"{path}/Addr", address)
    tree.leaf(f"{path}/AddrType", part.parm("PXADDRTYPE"))
    for number, name in enumerate(part.values("TO-NAPID"), 1):
        link = references.nap(name, part)
        tree.leaf(f"{path}/ConRefs/{number}/ConRef", link)
    # Ports of the physical proxy, else those that the logical one gives for all.
    for number, port in enumerate(part.of_type("PORT") or logical.of_type("PORT"), 1):
        tree.leaf(f"{path}/Ports/{number}/PortNbr", port_number(port))
        for index, service in enumerate(port.values("SERVICE"), 1):
            tree.leaf(f"{path}/Ports/{number}/Services/{index}/ServiceName", service)
    tree.rest(path, part, _PHYSICAL)


def port_number(part: Characteristic) -> str:
    text = (part.parm("PORTNBR") or "").strip()
    if not text:
        raise DocumentError("missing_parm", characteristic="PORT", parm="PORTNBR")
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) <= 0xFFFF):
        raise DocumentError("bad_value", characteristic="PORT", parm="PORTNBR", value=text[:20])
    return str(int(text))


def _resolve(name: str, known: Mapping[str, str], part: Characteristic, parm: str) -> str:
    try:
        return known[name]
    except KeyError:
        fact = name[:40]
        raise DocumentError("dangling", characteristic=part.type, parm=parm, value=fact) from None


def _index(parts: tuple[Characteristic, ...], parm: str, parent: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, part in enumerate(parts, 1):
        name = part.parm(parm)
        if not name:
            raise DocumentError("missing_parm", characteristic=part.type, parm=parm)
        if name in found:
            raise DocumentError("duplicate", characteristic=part.type, parm=parm, value=name[:40])
        found[name] = f"{parent}/{number}"
    return found
