"""What a Get answers: values, children, properties, sub-trees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice

from cardea_core import Node
from omadm import tnds
from omadm.names import TNDS_XML_TYPE
from omadm.nodes import INTERIOR, TreeNode
from omadm.status import StatusCode

from cardd.tree.acl import Verb
from cardd.tree.addresses import TNDS_PROPERTIES, Address, tnds_properties
from cardd.tree.errors import Refused
from cardd.tree.export import carried
from cardd.tree.management_tree import ManagementTree

__all__ = ["Reading", "listing_of", "property_of", "serialised", "value_of"]

# Nodes of one answer. A session keeps no more waiting; a document has fewer still.
_MOST_LISTED = 1 << 16


@dataclass(frozen=True, slots=True)
class Reading:
    """One item of an answer. ``value`` None: no data; ``nodes``: the answer is a TNDS document."""

    uri: str
    format: str
    mime: str
    value: bytes | None = field(default=None, repr=False)
    nodes: tuple[TreeNode, ...] | None = field(default=None, repr=False)
    # What such a document is to leave out of its nodes: Format, Value.
    without: frozenset[str] = frozenset()


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
        if tree.descriptions.is_secret(node.path) and not _readable(tree, node):
            raise Refused(StatusCode.NOT_ALLOWED, node.path, "the size of a secret is kept back")
        text = str(len(node.value))
    elif prop == "TStamp":
        text = _t_stamp(tree, node)
    else:
        text = {
            "ACL": str(tree.acl(node.path)),
            "Format": node.format,
            "Name": node.name,
            "Title": tree.title(node.path),
            "Type": node.mime,
            "VerNo": str(tree.version(node.path)),
        }[prop]
    return Reading(uri, "chr", "text/plain", text.encode())


def listing_of(
    tree: ManagementTree, address: Address, uri: str, server_id: str
) -> tuple[Reading, ...]:
    """``?list=Struct``, ``StructData`` or ``TNDS``: what the server may see of a sub-tree (§8)."""
    most = tnds.MAX_NODES if address.listing.startswith("TNDS") else _MOST_LISTED
    visible = list(islice(_visible(tree, address.path, server_id), most + 1))
    if len(visible) > most:
        raise Refused(StatusCode.TOO_LARGE, address.path, "too many nodes for an answer")
    if address.listing == "Struct":
        return tuple(Reading(node.path, node.format, node.mime) for node in visible)
    if address.listing == "StructData":
        return tuple(
            Reading(
                node.path, node.format, node.mime, node.value if _readable(tree, node) else None
            )
            for node in visible
        )
    properties = tnds_properties(address.listing)
    if properties is None:
        raise Refused(StatusCode.NOT_SUPPORTED, address.path, "property list of TNDS")
    readable = (node for node in visible if node.interior or _readable(tree, node))
    nodes = tuple(carried(serialised(tree, node, properties)) for node in readable)
    without = frozenset({"Format", "Value"}) - properties
    return (Reading(uri, "xml", TNDS_XML_TYPE, nodes=nodes, without=without),)


def _visible(tree: ManagementTree, path: str, server_id: str) -> Iterator[Node]:
    for node in tree.snapshot.nodes(path):
        if tree.allows(server_id, Verb.GET, node.path):
            yield node


def serialised(
    tree: ManagementTree, node: Node, properties: frozenset[str] = TNDS_PROPERTIES
) -> TreeNode:
    """The node with the properties that a TNDS document is to state."""
    path = node.path
    return TreeNode(
        path,
        node.value,
        node.format,
        node.mime,
        acl=(str(tree.acl(path)) or None) if "ACL" in properties else None,
        title=(tree.title(path) or None) if "Title" in properties else None,
        t_stamp=_t_stamp(tree, node) if "TStamp" in properties else "",
        ver_no=tree.version(path) if "VerNo" in properties else None,
    )


def _t_stamp(tree: ManagementTree, node: Node) -> str:
    """ISO 8601 basic format in UTC (§7.7.6); as VerNo does, it counts ACL and Title too (§7.5)."""
    at = datetime.fromtimestamp(tree.stated_ms(node) // 1000, UTC)
    return f"{at:%Y%m%dT%H%M%SZ}"


def _readable(tree: ManagementTree, node: Node) -> bool:
    return Verb.GET in tree.descriptions.rule_for(node.path).access
