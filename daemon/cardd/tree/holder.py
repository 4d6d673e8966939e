"""The tree in force, shared by all threads: readers take it, a commit replaces it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cardea_core import Change, Node

from cardd.tree.management_tree import ManagementTree

__all__ = ["Delta", "TreeHolder"]

HISTORY = 1024
# Of all deltas but the last: who is further behind fetches the tree, which is hardly more.
MOST_CHANGES = 1 << 16


@dataclass(frozen=True, slots=True)
class Delta:
    """One commit: nodes that are new or different, and paths that are gone."""

    revision: int
    changes: tuple[Change, ...]
    # Of nodes that an ACL gives to local programs by name: to which.
    readers: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def between(cls, before: ManagementTree, after: ManagementTree, revision: int) -> Delta:
        """What differs in a newer tree, the one of ``revision``."""
        changes = tuple(before.diff(after))
        if not (before.names_programs() or after.names_programs()):
            return cls(revision, changes)
        readers = {
            each.path: (before if each.after is None else after).programs_reading(each.path)
            for each in changes
        }
        return cls(revision, changes, {path: some for path, some in readers.items() if some})

    @property
    def changed(self) -> tuple[Node, ...]:
        return tuple(change.after for change in self.changes if change.after is not None)

    @property
    def removed(self) -> tuple[str, ...]:
        return tuple(change.path for change in self.changes if change.after is None)


class TreeHolder:
    """Owner of the present tree and of the last deltas. Thread-safe.

    ``current`` is for reading: work on ``current.fork()`` and hand it to ``replace``, one after the
    other. ``epoch`` names the history that revisions count in.
    """

    def __init__(self, tree: ManagementTree, revision: int, epoch: str = "") -> None:
        self.epoch = epoch
        self._lock = threading.RLock()
        self._tree = _settled(tree)
        self._revision = revision
        self._history: deque[Delta] = deque()
        # How many changes these have.
        self._kept = 0
        self._subscribers: dict[int, Callable[[Delta], None]] = {}
        self._next_subscriber = 0

    @property
    def current(self) -> ManagementTree:
        with self._lock:
            return self._tree

    @property
    def revision(self) -> int:
        with self._lock:
            return self._revision

    def state(self) -> tuple[ManagementTree, int]:
        """Tree and revision of one moment."""
        with self._lock:
            return self._tree, self._revision

    def fork(self) -> ManagementTree:
        """A working copy of the present tree."""
        with self._lock:
            return self._tree.fork()

    def replace(self, tree: ManagementTree, revision: int) -> Delta:
        """Put a newer tree in force and tell the subscribers, in this thread and in order.

        A subscriber must not block or raise: hand over to a queue.
        """
        before, known = self.state()
        if revision <= known:
            raise ValueError(f"revision {revision} is not newer than {known}")
        # Readers need not wait for that.
        settled = _settled(tree)
        delta = Delta.between(before, settled, revision)
        with self._lock:
            self._tree, self._revision = settled, revision
            self._history.append(delta)
            self._kept += len(delta.changes)
            while len(self._history) > 1 and (
                len(self._history) > HISTORY or self._kept > MOST_CHANGES
            ):
                self._kept -= len(self._history.popleft().changes)
            for callback in list(self._subscribers.values()):
                callback(delta)
            return delta

    def since(self, revision: int, epoch: str = "") -> tuple[Delta, ...] | None:
        """The deltas after a revision; None when they are no longer known, or never were, as after
        one of another epoch."""
        with self._lock:
            if epoch != self.epoch:
                return None
            if revision == self._revision:
                return ()
            known = self._history[0].revision if self._history else self._revision + 1
            if not known - 1 <= revision < self._revision:
                return None
            return tuple(delta for delta in self._history if delta.revision > revision)

    def subscribe(self, callback: Callable[[Delta], None]) -> Callable[[], None]:
        """Call back on every replacement; returns what ends the subscription."""
        with self._lock:
            token = self._next_subscriber
            self._next_subscriber += 1
            self._subscribers[token] = callback

        def unsubscribe() -> None:
            with self._lock:
                self._subscribers.pop(token, None)

        return unsubscribe


def _settled(tree: ManagementTree) -> ManagementTree:
    """A copy of its own with the snapshot made, so that reading it from threads changes nothing."""
    mine = tree.fork()
    _ = mine.snapshot
    return mine
