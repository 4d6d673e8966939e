"""Access points as NetworkManager keyfiles (nm-settings-keyfile(5)), one for each NAP object.

An object is rendered that names an APN: `Addr`, with an `AddrType` of APN or none.
"""

from __future__ import annotations

import ipaddress
import re
import uuid
from collections.abc import Iterable, Iterator
from functools import partial
from typing import TypeAlias

from cardea_core import Snapshot

from .output import OWN_PREFIX, Output, OutputFile, Plan, PlanError

__all__ = ["networkmanager"]

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

# Of our own, so that a connection keeps its identity while its node keeps its place.
_NAMESPACE = uuid.UUID("b7a8f0a4-53a6-5c1e-9f0e-6b1f4bb0a9d5")
# As NetworkManager takes them: 3GPP TS 23.003 §9.1, and the underscore of some operators.
_APN = re.compile(r"[A-Za-z0-9._-]{1,64}")
# [ppp]: what the peer may not ask for, by the one method that the object names.
_REFUSALS = {
    "PAP": ("refuse-chap", "refuse-eap", "refuse-mschap", "refuse-mschapv2"),
    "CHAP": ("refuse-eap", "refuse-mschap", "refuse-mschapv2", "refuse-pap"),
}


def networkmanager(root: str) -> Plan:
    """Renders every access point below ``root``, "./NAP" by default."""
    return partial(_plan, root)


def _plan(root: str, tree: Snapshot) -> Output:
    files, problems = [], []
    for name in tree.children(root) if tree.get(root) is not None else ():
        try:
            file = _keyfile(tree, f"{root}/{name}")
        except PlanError as error:
            problems.append(str(error))
            continue
        if file is not None:
            files.append(file)
    return Output(tuple(files), tuple(problems))


def _keyfile(tree: Snapshot, path: str) -> OutputFile | None:
    apn = _text(tree, f"{path}/Addr")
    if not apn or _text(tree, f"{path}/AddrType") not in ("", "APN"):
        return None
    if not _APN.fullmatch(apn):
        raise PlanError(f"{path}/Addr is no access point name")
    own = str(uuid.uuid5(_NAMESPACE, path))
    servers = _name_servers(tree, path)
    name = _text(tree, f"{path}/Name") or _text(tree, f"{path}/NapID") or apn
    lines = [
        *("[connection]", f"id={_escaped(name)}", f"uuid={own}", "type=gsm", ""),
        *("[gsm]", f"apn={apn}", *_credentials(tree, path), ""),
        *_authentication(tree, path),
        *("[ipv4]", *_dns(servers, 4), "method=auto", ""),
        *("[ipv6]", *_dns(servers, 6), "method=auto", ""),
    ]
    return OutputFile(f"{OWN_PREFIX}{own}.nmconnection", "\n".join(lines).encode())


def _credentials(tree: Snapshot, path: str) -> Iterator[str]:
    info = _first(tree, f"{path}/AuthInfo")
    for leaf, key in (("AuthSecret", "password"), ("AuthName", "username")):
        value = _exact(tree, f"{info}/{leaf}") if info else ""
        if value:
            yield f"{key}={_escaped(value)}"


def _authentication(tree: Snapshot, path: str) -> Iterator[str]:
    info = _first(tree, f"{path}/AuthInfo")
    method = _text(tree, f"{info}/AuthType").upper() if info else ""
    if method in _REFUSALS:
        yield "[ppp]"
        yield from (f"{refusal}=true" for refusal in _REFUSALS[method])
        yield ""


def _name_servers(tree: Snapshot, path: str) -> tuple[_Address, ...]:
    """Of both versions: what a card says of name servers has no version (Provisioning Content)."""
    listed = f"{path}/IPv4/DNS"
    addresses = [_text(tree, f"{listed}/{name}/DNSAddr") for name in tree.children(listed)]
    try:
        return tuple(ipaddress.ip_address(each) for each in addresses if each)
    except ValueError:
        raise PlanError(f"{listed} has what is no IP address") from None


def _dns(servers: Iterable[_Address], version: int) -> Iterator[str]:
    known = [str(server) for server in servers if server.version == version]
    if known:
        yield f"dns={';'.join(known)};"


def _first(tree: Snapshot, path: str) -> str:
    names = tree.children(path)
    return f"{path}/{names[0]}" if names else ""


def _text(tree: Snapshot, path: str) -> str:
    """The leaf's value without blanks around it; "" where there is none."""
    return _exact(tree, path).strip()


def _exact(tree: Snapshot, path: str) -> str:
    """The leaf's value: a password may begin or end with a blank."""
    node = tree.get(path)
    if node is None or not node.value:
        return ""
    try:
        text = node.value.decode()
    except UnicodeDecodeError:
        raise PlanError(f"{path} is no text") from None
    # A line break would begin a key of the sender's choice.
    if not text.isprintable():
        raise PlanError(f"{path} has characters that no setting has")
    return text


def _escaped(text: str) -> str:
    """A GKeyFile string: a backslash begins an escape, and blanks before a value are dropped."""
    bare = text.lstrip(" ")
    return "\\s" * (len(text) - len(bare)) + bare.replace("\\", "\\\\")
