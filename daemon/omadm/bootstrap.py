"""The DM bootstrap profile: a DM message that brings TNDS objects for ./Inbox.

DM Bootstrap 1.2 §5.4. No response is made; objects that are not known are skipped with a note;
of several versions of one object the newest that is known is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from cardea_core import Element

from omadm.elements import child, child_text, children
from omadm.errors import DocumentError, FormatError
from omadm.mapping import MappedAccount, MappedDocument, fits_acl
from omadm.messages import Add, Command, Item, Message, Replace, walk
from omadm.names import DMACC_MO, NAP_MO, PROXY_MO
from omadm.nodes import TreeNode, interior
from omadm.tnds import read

__all__ = ["SUPPORTED", "map_bootstrap"]

# Where an object identifier has its place; versions up to the stated one are understood.
SUPPORTED = {
    DMACC_MO.rpartition(":")[0]: ("./DMAcc", (1, 9)),
    NAP_MO.rpartition(":")[0]: ("./NAP", (1, 9)),
    PROXY_MO.rpartition(":")[0]: ("./Proxy", (1, 9)),
}

_INBOX = re.compile(r"(?:\./)?Inbox(?:/.*)?$")
_IDENTIFIER = re.compile(
    r"(?P<name>urn:oma:mo:[a-z0-9.-]+):(?P<major>\d{1,4})\.(?P<minor>\d{1,4})$"
)


@dataclass(frozen=True, slots=True)
class _Object:
    name: str
    version: tuple[int, int]
    root: Element
    group: int


def map_bootstrap(message: Message) -> MappedDocument:
    """Nodes and accounts in a bootstrap message; DocumentError when it has none."""
    notes: list[str] = []
    objects = list(_newest(_objects(message.commands, notes), notes))
    nodes: list[TreeNode] = []
    accounts: list[MappedAccount] = []
    counts: dict[str, int] = {}
    for each in objects:
        parent, _ = SUPPORTED[each.name]
        if parent not in counts:
            nodes.append(interior(parent))
        counts[parent] = counts.get(parent, 0) + 1
        place = f"{parent}/{counts[parent]}"
        found = _placed(each, place)
        nodes += found
        if parent == "./DMAcc":
            accounts.append(_account(place, found))
    if not nodes:
        raise DocumentError("no_known_object", notes="; ".join(notes)[:200] or None)
    _check_distinct(accounts)
    _check_source(message, nodes)
    own = tuple(_with_rights(nodes, accounts))
    return MappedDocument(own, tuple(accounts), tuple(notes), "dm-bootstrap")


def _objects(commands: tuple[Command, ...], notes: list[str]) -> Iterator[_Object]:
    group = 0
    for command in walk(commands):
        if not isinstance(command, Add | Replace):
            continue
        for item in command.items:
            if not _INBOX.match(item.target or ""):
                notes.append(f"skipped target {(item.target or '')[:60]}")
                continue
            tree = _tree(item)
            group += 1
            for root in children(tree):
                if root.name == "Node":
                    found = _identified(root, group, notes)
                    if found is not None:
                        yield found


def _tree(item: Item) -> Element:
    if item.element is None or item.element.name != "MgmtTree":
        raise DocumentError("not_tnds", target=item.target)
    return item.element


def _identified(root: Element, group: int, notes: list[str]) -> _Object | None:
    identifier = _identifier(root)
    match = _IDENTIFIER.match(identifier)
    if match is None or match["name"] not in SUPPORTED:
        notes.append(f"skipped object {identifier[:60] or 'without identifier'}")
        return None
    version = (int(match["major"]), int(match["minor"]))
    newest = SUPPORTED[match["name"]][1]
    if version > newest:
        notes.append(f"skipped version {identifier[:60]}")
        return None
    return _Object(match["name"], version, root, group)


def _identifier(root: Element) -> str:
    properties = child(root, "RTProperties")
    found = None if properties is None else child(properties, "Type")
    if found is None:
        return ""
    return (child_text(found, "DDFName") or child_text(found, "MIME") or "").strip()


def _newest(objects: Iterator[_Object], notes: list[str]) -> Iterator[_Object]:
    """Of the versions of one object, the newest. Two objects are versions of one another when
    they have the same identifier name but different versions; equal versions are instances."""
    found = list(objects)
    best: dict[str, tuple[int, int]] = {}
    for each in found:
        best[each.name] = max(best.get(each.name, each.version), each.version)
    for each in found:
        if each.version == best[each.name]:
            yield each
        else:
            major, minor = each.version
            notes.append(f"skipped older version {each.name}:{major}.{minor}")


def _placed(each: _Object, place: str) -> list[TreeNode]:
    """The object's nodes at its own place, whatever name and path it was given."""
    wrapped = Element("MgmtTree", [each.root])
    try:
        found = read(wrapped, base="./Inbox")
    except FormatError as error:
        raise DocumentError("bad_object", cause=error.reason, object=each.name) from error
    top = found[0].path
    return [replace(node, path=place + node.path.removeprefix(top)) for node in found]


def _account(place: str, nodes: list[TreeNode]) -> MappedAccount:
    by_path = {node.path: node for node in nodes}
    server = by_path.get(f"{place}/ServerID")
    if server is None or not server.value:
        raise DocumentError("missing_node", object="DMAcc", node="ServerID")
    if not any(re.fullmatch(re.escape(place) + "/AppAddr/[^/]+/Addr", path) for path in by_path):
        raise DocumentError("missing_node", object="DMAcc", node="AppAddr/<x>/Addr")
    server_id = server.value.decode("utf-8", "replace")
    if not fits_acl(server_id):
        raise DocumentError("bad_value", object="DMAcc", node="ServerID", value=server_id[:40])
    # §5.4: after processing, a client-initiated session follows.
    return MappedAccount(server_id, place, init=True)


def _check_distinct(accounts: list[MappedAccount]) -> None:
    seen: set[str] = set()
    for account in accounts:
        if account.server_id in seen:
            raise DocumentError("duplicate", object="DMAcc", value=account.server_id[:40])
        seen.add(account.server_id)


def _check_source(message: Message, nodes: list[TreeNode]) -> None:
    """Kept for DM 1.3 documents, where Source has to be an address of an account in them."""
    if message.header.ver_proto in ("DM/1.1", "DM/1.2"):
        return
    addresses = {node.value for node in nodes if node.path.endswith("/Addr")}
    if message.header.source.encode() not in addresses:
        raise DocumentError("source_is_no_account", source=message.header.source[:80])


def _with_rights(nodes: list[TreeNode], accounts: list[MappedAccount]) -> Iterator[TreeNode]:
    """An object that states no ACL of its own belongs to the server that it came from."""
    own = {account.path: account.server_id for account in accounts}
    everyone = "+".join(own.values())
    for node in nodes:
        if node.path.count("/") == 2 and node.acl is None and everyone:
            who = own.get(node.path, everyone)
            yield replace(node, acl=f"Get={who}&Replace={who}&Delete={who}")
        else:
            yield node
