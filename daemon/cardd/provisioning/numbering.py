"""Which number a card's objects get in the tree: ``./DMAcc/1``, ``./NAP/2``.

A document numbers its objects from 1 (DM Bootstrap 1.2 §5.3.2), as if it were alone. It is not: the
device, servers and cards in other readers have objects too. The same object, by its own identifier,
shares the number, so that the stronger source overrides it; different objects never share one, or
they would be merged node by node into an object that nobody meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from cardea_core import Layer
from omadm.mapping import MappedAccount
from omadm.nodes import TreeNode

__all__ = ["renumbered", "renumbering"]

# Objects that come in numbers, and the leaf that says which one it is.
_IDENTIFIER: Mapping[str, str | None] = {
    "DMAcc": "ServerID",
    "NAP": "NapID",
    "Proxy": "ProxyID",
    "AppData": None,
}
_OBJECT = re.compile(r"\./(\w+)/(\d+)(?=/|$)")


def renumbering(nodes: Iterable[TreeNode], others: Iterable[Layer]) -> dict[str, str]:
    """For each object of a card's documents its place in the tree: ``{"./NAP/1": "./NAP/2"}``.

    Args:
        nodes: what the documents say, numbered from 1.
        others: the claims of all other sources. What a server or the device claims for an object
            without saying which one it is (an override of a value) takes no number: it was made
            for the object that stands there.
    """
    taken = _identified(
        (layer.kind, entry.path, entry.value) for layer in others for entry in layer.entries()
    )
    own = _identified(("own", node.path, node.value) for node in nodes)
    places: dict[str, str] = {}
    for path, identifier in own.items():
        kind = path.split("/")[1]
        places[path] = _place(kind, identifier, taken, frozenset(places.values()))
    return places


def renumbered(
    nodes: Iterable[TreeNode], accounts: Iterable[MappedAccount], places: Mapping[str, str]
) -> tuple[tuple[TreeNode, ...], tuple[MappedAccount, ...]]:
    """Nodes and accounts at their places; values that name an object (ConRef) follow it."""
    by_value = {old.encode(): new.encode() for old, new in places.items()}
    moved = (
        replace(
            node,
            path=_moved(node.path, places),
            value=node.value if node.value is None else by_value.get(node.value, node.value),
        )
        for node in nodes
    )
    return tuple(moved), tuple(
        replace(account, path=_moved(account.path, places)) for account in accounts
    )


def _identified(claims: Iterable[tuple[str, str, bytes | None]]) -> dict[str, bytes | None]:
    """Objects by path in order of appearance, with their identifiers.

    Of other sources' objects only those count that have one, and every object of another card.
    """
    found: dict[str, bytes | None] = {}
    for source, path, value in claims:
        match = _OBJECT.match(path)
        if match is None or match[1] not in _IDENTIFIER:
            continue
        if source in ("own", "card"):
            found.setdefault(match[0], None)
        if path == f"{match[0]}/{_IDENTIFIER[match[1]]}":
            found[match[0]] = value
    return found


def _place(
    kind: str, identifier: bytes | None, taken: Mapping[str, bytes | None], used: frozenset[str]
) -> str:
    if identifier is not None:
        for path, other in taken.items():
            if other == identifier and path.split("/")[1] == kind and path not in used:
                return path
    number = 1
    while (path := f"./{kind}/{number}") in taken or path in used:
        number += 1
    return path


def _moved(path: str, places: Mapping[str, str]) -> str:
    match = _OBJECT.match(path)
    if match is None or match[0] not in places:
        return path
    return places[match[0]] + path[match.end() :]
