"""From a Client Provisioning document to nodes of the management tree.

w7 follows the mapping appendix of DM Standardized Objects 1.2, NAPDEF and PXLOGICAL the node
names of the connectivity objects (ConMO 1.0). What has no standard object stands below
``./AppData/<n>`` as it was written: ``Type``, ``Parm/<name>`` and nested ``<TYPE>/<n>``.
Instances are numbered from 1 in order of priority (DM Bootstrap 1.2 §5.3.2).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from omadm.clientprov import Characteristic, ProvisioningDocument
from omadm.collector import Collector
from omadm.connectivity import References, map_nap, map_proxy, port_number, references
from omadm.elements import from_base64
from omadm.errors import DocumentError, FormatError
from omadm.names import DMACC_MO
from omadm.nodes import TreeNode

__all__ = ["MappedAccount", "MappedDocument", "fits_acl", "map_document"]


@dataclass(frozen=True, slots=True)
class MappedAccount:
    """A DM account in a document; ``init`` says that it asks for a session at once."""

    server_id: str
    path: str
    init: bool = False


@dataclass(frozen=True, slots=True)
class MappedDocument:
    """Nodes, parents before children, and what was noted on the way."""

    nodes: tuple[TreeNode, ...]
    accounts: tuple[MappedAccount, ...] = ()
    notes: tuple[str, ...] = ()
    format: str = "client-provisioning"


def map_document(document: ProvisioningDocument) -> MappedDocument:
    """Nodes and accounts of a document; DocumentError names what contradicts itself."""
    known = references(document)
    tree = Collector()
    for number, part in enumerate(document.of_type("NAPDEF"), 1):
        map_nap(tree, f"./NAP/{number}", part)
    for number, part in enumerate(document.of_type("PXLOGICAL"), 1):
        map_proxy(tree, f"./Proxy/{number}", part, known)
    accounts: list[MappedAccount] = []
    others = 0
    for part in document.characteristics:
        if part.type in ("NAPDEF", "PXLOGICAL"):
            continue
        if part.type == "APPLICATION" and (part.parm("APPID") or "").lower() == "w7":
            accounts.append(_account(tree, f"./DMAcc/{len(accounts) + 1}", part, known))
            continue
        others += 1
        tree.as_written(f"./AppData/{others}", part)
    _check_distinct(accounts)
    return MappedDocument(_with_rights(tree.nodes(), accounts), tuple(accounts))


_ACCOUNT_PARMS = frozenset({"APPID", "PROVIDER-ID", "NAME", "TO-PROXY", "TO-NAPID", "INIT", "ADDR"})


def _account(tree: Collector, path: str, part: Characteristic, known: References) -> MappedAccount:
    server_id = part.parm("PROVIDER-ID")
    if not server_id:
        raise DocumentError("missing_parm", characteristic="APPLICATION w7", parm="PROVIDER-ID")
    tree.object(path, DMACC_MO)
    tree.leaf(f"{path}/AppID", "w7")
    tree.leaf(f"{path}/ServerID", server_id)
    tree.leaf(f"{path}/Name", part.parm("NAME"))
    links = [known.proxy(name, part) for name in part.values("TO-PROXY")]
    links += [known.nap(name, part) for name in _naps(part, known)]
    if links:
        tree.leaf(f"{path}/PrefConRef", links[0])
    for number, link in enumerate(links, 1):
        tree.leaf(f"{path}/ToConRef/{number}/ConRef", link)
    _addresses(tree, f"{path}/AppAddr", part)
    auths = [auth for each in part.of_type("APPAUTH") for auth in _auths(each)]
    preferred = next((auth for auth in auths if auth.level == "CLCRED"), None)
    if preferred is not None:
        tree.leaf(f"{path}/AAuthPref", preferred.type)
    for number, auth in enumerate(auths, 1):
        _auth(tree, f"{path}/AppAuth/{number}", auth)
    tree.rest(path, part, _ACCOUNT_PARMS)
    tree.nested(f"{path}/Ext", part, skip=("APPADDR", "APPAUTH"))
    return MappedAccount(server_id, path, part.has("INIT"))


def _addresses(tree: Collector, path: str, part: Characteristic) -> None:
    found = part.of_type("APPADDR")
    direct = part.values("ADDR")
    if not found and not direct:
        raise DocumentError("missing_parm", characteristic="APPADDR", parm="ADDR")
    number = 0
    # Provisioning Content §4.6.6: a short form puts ADDR straight into APPLICATION.
    for address in direct:
        number += 1
        tree.leaf(f"{path}/{number}/Addr", address)
        tree.leaf(f"{path}/{number}/AddrType", "URI")
    for each in found:
        number += 1
        address = each.parm("ADDR") or ""
        if not address:
            raise DocumentError("missing_parm", characteristic="APPADDR", parm="ADDR")
        tree.leaf(f"{path}/{number}/Addr", address)
        tree.leaf(f"{path}/{number}/AddrType", _address_type(each))
        for index, port in enumerate(each.of_type("PORT"), 1):
            tree.leaf(f"{path}/{number}/Port/{index}/PortNbr", port_number(port))


# DM Standardized Objects §5.3.1: URI, IPv4 or IPv6; Provisioning Content spells them otherwise.
_ADDRESS_TYPES = {"": "URI", "URI": "URI", "ALPHA": "URI", "IPV4": "IPv4", "IPV6": "IPv6"}


def _address_type(part: Characteristic) -> str:
    word = (part.parm("ADDRTYPE") or "").upper()
    if word not in _ADDRESS_TYPES:
        raise DocumentError("bad_value", characteristic="APPADDR", parm="ADDRTYPE", value=word[:20])
    return _ADDRESS_TYPES[word]


@dataclass(frozen=True, slots=True)
class _Auth:
    level: str
    type: str
    name: str | None
    secret: str | None = field(repr=False)
    data: bytes | None = field(repr=False)


# DM Standardized Objects, mapping appendix: APPSRV is what the client shows to the server.
_LEVELS = {"APPSRV": "CLCRED", "CLIENT": "SRVCRED", "OBEX": "OBEX", "HTTP": "HTTP"}
_TYPES = frozenset(
    {
        "HTTP-BASIC",
        "HTTP-DIGEST",
        "BASIC",
        "DIGEST",
        "HMAC",
        "X509",
        "SECURID",
        "SAFEWORD",
        "DIGIPASS",
        "TRANSPORT",
    }
)


def _auths(part: Characteristic) -> list[_Auth]:
    """One for each listed AAUTHTYPE, in order of preference; DIGEST when none is listed."""
    word = (part.parm("AAUTHLEVEL") or "").upper()
    if word not in _LEVELS:
        reason = "bad_value" if word else "missing_parm"
        value = word[:20] or None
        raise DocumentError(reason, characteristic="APPAUTH", parm="AAUTHLEVEL", value=value)
    types = [name.strip().upper() for name in (part.parm("AAUTHTYPE") or "DIGEST").split(",")]
    for name in types:
        if name not in _TYPES:
            value = name[:20]
            raise DocumentError(
                "bad_value", characteristic="APPAUTH", parm="AAUTHTYPE", value=value
            )
    data = part.parm("AAUTHDATA")
    raw = None if data is None else _nonce(data)
    user, secret = part.parm("AAUTHNAME"), part.parm("AAUTHSECRET")
    return [_Auth(_LEVELS[word], name, user, secret, raw) for name in types]


def _nonce(text: str) -> bytes:
    # Nonces come in base64; documents that hold the bare text exist, and mean that text.
    compact = "".join(text.split())
    try:
        return from_base64(compact) if len(compact) % 4 == 0 else text.encode()
    except FormatError:
        return text.encode()


def _auth(tree: Collector, path: str, auth: _Auth) -> None:
    tree.leaf(f"{path}/AAuthLevel", auth.level)
    tree.leaf(f"{path}/AAuthType", auth.type)
    tree.leaf(f"{path}/AAuthName", auth.name)
    tree.leaf(f"{path}/AAuthSecret", auth.secret)
    tree.leaf(f"{path}/AAuthData", auth.data)


def _naps(part: Characteristic, known: References) -> list[str]:
    # Provisioning Content §4.6.5: INTERNET stands for any NAP with the INTERNET parm, unless one
    # is really called so.
    names = part.values("TO-NAPID")
    return [name for name in names if name in known.naps or name != "INTERNET"]


def _check_distinct(accounts: list[MappedAccount]) -> None:
    seen: set[str] = set()
    for account in accounts:
        if account.server_id in seen:
            fact = account.server_id[:40]
            raise DocumentError(
                "duplicate", characteristic="APPLICATION w7", parm="PROVIDER-ID", value=fact
            )
        seen.add(account.server_id)


def _with_rights(
    nodes: tuple[TreeNode, ...], accounts: list[MappedAccount]
) -> tuple[TreeNode, ...]:
    """DM Bootstrap 1.2 §5.3.4: Get, Replace and Delete for the ServerID of the w7, on each
    mapped object; below it the value is inherited. Without w7 nobody gets a right."""
    own = {account.path: account.server_id for account in accounts}
    everyone = "+".join(_acl_name(account.server_id) for account in accounts)

    def acl(path: str) -> str | None:
        # An object is the second segment: ./DMAcc/1, ./NAP/2. An account belongs to its own
        # server only; what is shared belongs to all servers of the document.
        if path.count("/") != 2 or not everyone:
            return None
        who = _acl_name(own[path]) if path in own else everyone
        return f"Get={who}&Replace={who}&Delete={who}"

    return tuple(replace(node, acl=acl(node.path)) for node in nodes)


def fits_acl(server_id: str) -> bool:
    """Whether ACLs can name the server (DM TND 1.2 §7.7.1.5)."""
    used = any(each.isspace() or each in "+&=*" for each in server_id)
    return bool(server_id) and server_id.isprintable() and not used


def _acl_name(server_id: str) -> str:
    if not fits_acl(server_id):
        fact = server_id[:40]
        raise DocumentError(
            "bad_value", characteristic="APPLICATION w7", parm="PROVIDER-ID", value=fact
        )
    return server_id
