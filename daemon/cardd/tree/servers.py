"""The servers that have an account, and what becomes of one that has none any more."""

from __future__ import annotations

from cardd.tree.management_tree import ManagementTree

__all__ = ["purge_servers"]

_ACCOUNTS = "./DMAcc"


def purge_servers(tree: ManagementTree, before: ManagementTree) -> None:
    """Take servers whose accounts an authority has deleted out of every ACL (DM TND 1.2 §7.7.1.4).

    An account that goes with its card is not deleted: the card may be back in a minute, and what
    the server owns would have become everybody's.
    """
    for gone in _server_ids(before) - _server_ids(tree):
        tree.purge(gone)


def _server_ids(tree: ManagementTree) -> frozenset[str]:
    """Every server that has an account."""
    snapshot = tree.snapshot
    if snapshot.get(_ACCOUNTS) is None:
        return frozenset()
    names = snapshot.children(_ACCOUNTS)
    leaves = (snapshot.get(f"{_ACCOUNTS}/{name}/ServerID") for name in names)
    values = (leaf.value for leaf in leaves if leaf is not None and leaf.value)
    return frozenset(value.decode("utf-8", "replace") for value in values)
