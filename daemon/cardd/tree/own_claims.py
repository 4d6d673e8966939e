"""The claims that one authority makes: what it puts, takes away, and may hold at most."""

from __future__ import annotations

from omadm.nodes import TreeNode
from omadm.status import StatusCode

from cardd.tree.acl import Acl
from cardd.tree.errors import Refused
from cardd.tree.management_tree import ManagementTree
from cardd.tree.sources import ROOT, Source, parent_of
from cardd.tree.values import checked_value

__all__ = ["OwnClaims"]


class OwnClaims:
    """One source's layer of a tree, written to. Rights are Authority's matter.

    Methods raise Refused. What a server is refused has changed nothing.
    """

    def __init__(self, tree: ManagementTree, source: Source) -> None:
        self._tree = tree
        self._source = source

    def put(self, node: TreeNode, at_ms: int) -> None:
        """Claim a node as its description allows: else 413, 415 or 420."""
        rule = self._tree.descriptions.rule_for(node.path)
        checked = checked_value(node, self._tree.limits, rule)
        usage, limits = self._tree.usage(self._source), self._tree.limits
        grown = usage.value_bytes + len(checked.value or b"")
        if usage.claims >= limits.nodes_per_server or grown > limits.bytes_per_server:
            raise Refused(StatusCode.DEVICE_FULL, node.path, "this authority's share is used up")
        buried = self._own_tombstone(node.path)
        there = {n.path for n in self._tree.snapshot.walk(buried)} if buried else set()
        self._tree.put(self._source, checked, self.stamp(at_ms))
        if buried:
            self._bury_again(buried, there, at_ms)

    def remove(self, path: str, at_ms: int) -> None:
        """Withdraw what is claimed at and below a path, and hide what others claim there."""
        self._tree.withdraw(self._source, path)
        if self._tree.snapshot.get(path) is not None:
            self._tree.bury(self._source, path, self.stamp(at_ms))
            self._insist(path, self._tree.snapshot.get(path) is None)

    def set_acl(self, path: str, acl: Acl, at_ms: int) -> None:
        if not self._tree.has_room_for(acl):
            raise Refused(StatusCode.DEVICE_FULL, path, "too many different ACLs")
        self._tree.set_acl(path, self._source, acl, self.stamp(at_ms))
        self._insist(path, self._tree.acl(path) == acl)

    def set_title(self, path: str, title: str, at_ms: int) -> None:
        self._tree.set_title(path, self._source, title, self.stamp(at_ms))
        self._insist(path, self._tree.title(path) == title)

    def stamp(self, at_ms: int) -> int:
        """A time that makes this write count against what others wrote before it.

        Equal precedence is decided by time, and clocks go back.
        """
        return max(at_ms, self._tree.latest_ms_of_others(self._source) + 1)

    def _insist(self, path: str, has_effect: bool) -> None:
        """Nothing is stronger than a server; a local program may be told that it has no say."""
        if not has_effect:
            raise Refused(StatusCode.FORBIDDEN, path, "a stronger source says otherwise")

    def _own_tombstone(self, path: str) -> str:
        """Where this source once deleted the node or a parent of it; "": nowhere."""
        while path != ROOT:
            entry = self._tree.claim(self._source, path)
            if entry is not None and entry.absent:
                return path
            path = parent_of(path)
        return ""

    def _bury_again(self, path: str, there: set[str], at_ms: int) -> None:
        """Keep deleted what a put below an own tombstone would let reappear."""
        back: list[str] = []
        for node in self._tree.snapshot.walk(path):
            under_last = bool(back) and node.path.startswith(back[-1] + "/")
            claimed = self._tree.claim(self._source, node.path) is not None
            if node.path not in there and not claimed and not under_last:
                back.append(node.path)
        for gone in back:
            self._tree.bury(self._source, gone, self.stamp(at_ms))
