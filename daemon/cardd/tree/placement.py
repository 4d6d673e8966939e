"""Where a card's objects go when others already stand in their places.

A document names its objects 1, 2, … as if it were alone (DM Bootstrap 1.2 §5.3.1.2). Where another
authority's object has that name already, merging the two would give each a part of the other: the
newcomer takes the next free name instead (S2, S3).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, count

from cardea_core import Layer
from omadm.nodes import TreeNode

from cardd.tree.acl import Acl, Verb
from cardd.tree.descriptions import Descriptions
from cardd.tree.management_tree import ManagementTree
from cardd.tree.sources import Source, is_program, parent_of

__all__ = ["Placement", "place"]

_SERVER = "ServerID"
# What an object is known by wherever it stands: DMAcc, NAP, Proxy.
_IDENTITIES = (_SERVER, "NapID", "ProxyID")


@dataclass(frozen=True, slots=True)
class Placement:
    """Nodes to adopt, and which objects were moved: from where to where."""

    nodes: tuple[TreeNode, ...] = field(repr=False)
    moves: Mapping[str, str]

    def path(self, path: str) -> str:
        """Where a node of the document stands now."""
        for old, new in self.moves.items():
            if path == old or path.startswith(old + "/"):
                return new + path[len(old) :]
        return path


def place(tree: ManagementTree, source: Source, nodes: Iterable[TreeNode]) -> Placement:
    """Give the objects of one source places where nobody else's are.

    An object is an interior node ``./Container/Name``. A place is somebody else's when another
    card claims it, or a server that the object's ACL does not let Replace, or a local program that
    was there before, or the device with another ServerID. What the source has adopted before under
    the same ServerID, NapID or ProxyID stays in place, so that a card that says the same as before
    changes nothing. References to a moved object (PrefConRef, ConRef, …) follow it.
    """
    stated = tuple(nodes)
    others = [
        layer for layer in tree.layers() if Source(layer.kind, layer.id) != source and len(layer)
    ]
    mine = tree.layer(source.kind, source.id)
    values = {node.path: node.value for node in stated}
    objects = [node for node in stated if _is_object(node, tree.descriptions)]
    used = {node.path for node in objects}
    moves: dict[str, str] = {}
    for node in objects:
        server = values.get(f"{node.path}/{_SERVER}")
        known = _known_place(mine, node.path, values)
        numbered = (f"{parent_of(node.path)}/{number}" for number in count(1))
        for new in chain([known] if known else [], [node.path], numbered):
            free = new == node.path or new not in used
            had = mine is not None and mine.get(new) is not None
            if free and not _taken(new, node.acl, server, others, had=had):
                break
        if new != node.path:
            used.add(new)
            moves[node.path] = new
    as_stated = Placement(stated, moves)
    return Placement(tuple(_moved(node, as_stated) for node in stated), moves)


def _is_object(node: TreeNode, known: Descriptions) -> bool:
    top = node.interior and node.path.count("/") == 2
    return top and not known.rule_for(node.path).permanent


def _known_place(mine: Layer | None, path: str, values: Mapping[str, bytes | None]) -> str | None:
    """Where this source has the object of that identity at present."""
    named = ((name, values.get(f"{path}/{name}")) for name in _IDENTITIES)
    leaf, identity = next(((n, value) for n, value in named if value is not None), ("", None))
    if mine is None or identity is None:
        return None
    container = parent_of(path)
    for entry in mine.entries():
        place, _, name = entry.path.rpartition("/")
        if name == leaf and entry.value == identity and parent_of(place) == container:
            return place
    return None


def _taken(
    path: str, acl: str | None, server: bytes | None, others: list[Layer], *, had: bool
) -> bool:
    granted = Acl.parse(acl or "")
    for layer in others:
        if layer.get(path) is None:
            continue
        if layer.kind == "card" or (not had and is_program(Source(layer.kind, layer.id))):
            return True
        if layer.kind == "server" and not granted.allows(Verb.REPLACE, layer.id):
            return True
        there = layer.get(f"{path}/{_SERVER}")
        if layer.kind == "device" and there is not None and there.value != server:
            return True
    return False


def _moved(node: TreeNode, placement: Placement) -> TreeNode:
    value = node.value
    if value is not None and value.startswith(b"./"):
        # Only a path of this document can be meant; anything else is left as it is.
        value = placement.path(value.decode("utf-8", "surrogateescape")).encode(
            "utf-8", "surrogateescape"
        )
    return replace(node, path=placement.path(node.path), value=value)
