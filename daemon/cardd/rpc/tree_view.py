"""What a caller sees of the tree: by the access policy, and by ACLs that name local programs."""

from __future__ import annotations

from collections.abc import Iterator

from cardea_core import Node

from cardd.tree import Delta, ManagementTree

from .call import Call
from .refusals import AccessDeniedError, NodeNotFoundError

__all__ = ["TreeView", "may_see_change"]


class TreeView:
    """One caller's view of one tree."""

    def __init__(self, call: Call, tree: ManagementTree) -> None:
        self._call = call
        self._tree = tree
        self._authority = call.authority
        # Asking the ACLs costs; mostly none names a program.
        self._has_private = tree.names_programs()

    def covers(self, path: str) -> bool:
        if not self._call.may(node=path):
            return False
        readers = self._tree.programs_reading(path) if self._has_private else frozenset()
        return not readers or self._authority in readers or self._call.oversees(path)

    def require(self, path: str) -> None:
        """Raises AccessDeniedError."""
        self._call.require(node=path)
        if not self.covers(path):
            raise AccessDeniedError(self._call.caller, "Get", node=path)

    def node(self, path: str) -> Node:
        """Raises AccessDeniedError, NodeNotFoundError."""
        self.require(path)
        node = self._tree.snapshot.get(path)
        if node is None:
            raise NodeNotFoundError(path)
        return node

    def below(self, path: str) -> Iterator[Node]:
        """The nodes at and below a path; none if it does not exist."""
        return (node for node in self._tree.snapshot.nodes(path) if self.covers(node.path))


def may_see_change(call: Call, delta: Delta, path: str) -> bool:
    """Whether a change of a node is for this caller, as ACLs were then."""
    readers = delta.readers.get(path)
    if not call.may(node=path):
        return False
    return readers is None or call.authority in readers or call.oversees(path)
