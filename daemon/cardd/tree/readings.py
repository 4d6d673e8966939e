"""What a Get answers: values, children, properties, sub-trees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cardea_core import Node
from omadm.nodes import INTERIOR, TreeNode
from omadm.status import StatusCode

from cardd.tree.acl import Verb
from cardd.tree.addresses import Address, tnds_with_acl
from cardd.tree.errors import Refused
from cardd.tree.management_tree import ManagementTree
from cardd.tree.rules import is_secret, rule_for

__all__ = ["Reading", "listing_of", "property_of", "value_of"]


@dataclass(frozen=True, slots=True)
class Reading:
    """One item of an answer. ``value`` None: no data; ``nodes``: the answer is a TNDS document."""

    uri: str
    format: str
    mime: str
    value: bytes | None = field(default=None, repr=False)
    nodes: tuple[TreeNode, ...] | None = field(default=None, repr=False)


def value_of(tree: ManagementTree, uri: str, node: Node) -> Reading:
    """A leaf's value, or the names of an interior node's children (DM TND 1.2 §6.3)."""
    if node.interior:
        names = "/".join(tree.snapshot.children(node.path))
        return Reading(uri, INTERIOR, "text/plain", names.encode())
    return Reading(uri, node.format, node.mime, node.value)


def property_of(tree: ManagementTree, uri: str, node: Node, prop: str) -> Reading:
    """A property's value as text (§7.2)."""
    if prop == "Size":
        if node.value is None:
            raise Refused(StatusCode.NOT_SUPPORTED, node.path, "interior nodes have no Size")
        if is_secret(node.path) and Verb.GET not in rule_for(node.path).access:
            raise Refused(StatusCode.NOT_ALLOWED, node.path, "the size of a secret is kept back")
        text = str(len(node.value))
    elif prop == "TStamp":
        at = datetime.fromtimestamp(node.at_ms // 1000, UTC)
        text = f"{at:%Y%m%dT%H%M%SZ}"
    else:
        text = {
            "ACL": str(tree.acl(node.path)),
            "Format": node.format,
            "Name": node.name,
            "Type": node.mime,
        }[prop]
    return Reading(uri, "chr", "text/plain", text.encode())


def listing_of(
    tree: ManagementTree, address: Address, uri: str, server_id: str
) -> tuple[Reading, ...]:
    """``?list=Struct``, ``StructData`` or ``TNDS``: what the server may see of a sub-tree (§8)."""
    visible = [
        node
        for node in tree.snapshot.walk(address.path)
        if tree.allows(server_id, Verb.GET, node.path)
    ]
    if address.listing == "Struct":
        return tuple(Reading(node.path, node.format, node.mime) for node in visible)
    if address.listing == "StructData":
        return tuple(
            Reading(node.path, node.format, node.mime, node.value if _readable(node) else None)
            for node in visible
        )
    with_acl = tnds_with_acl(address.listing)
    if with_acl is None:
        raise Refused(StatusCode.NOT_SUPPORTED, address.path, "property list of TNDS")
    nodes = tuple(_serialised(tree, visible, with_acl=with_acl))
    return (Reading(uri, "xml", "application/vnd.syncml.dmtnds+xml", nodes=nodes),)


def _serialised(tree: ManagementTree, visible: list[Node], *, with_acl: bool) -> Iterator[TreeNode]:
    for node in visible:
        if node.interior or _readable(node):
            acl = str(tree.acl(node.path)) if with_acl and tree.acl(node.path) else None
            yield TreeNode(node.path, node.value, node.format, node.mime, acl)


def _readable(node: Node) -> bool:
    return Verb.GET in rule_for(node.path).access
