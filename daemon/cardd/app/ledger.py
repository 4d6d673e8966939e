"""The one way in which the tree changes: a commit to the store, then the tree in force."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from cardea_core import Change

from cardd.provisioning.records import NewConfirmation
from cardd.store import Origin, Revision, Store
from cardd.tree import DEVICE, Delta, ManagementTree, TreeHolder

from .lane import Lane

__all__ = ["Ledger"]


class Ledger:
    """Commits and their history.

    Who changes the tree does so in ``lane``, one after the other: two that fork the same tree at
    once would undo each other.
    """

    def __init__(self, store: Store, holder: TreeHolder, lane: Lane) -> None:
        self._store = store
        self._holder = holder
        self.lane = lane

    @property
    def tree(self) -> ManagementTree:
        """The tree in force; fork it to change it."""
        return self._holder.current

    def commit(
        self,
        tree: ManagementTree,
        origin: Origin,
        confirmations: Iterable[NewConfirmation] = (),
    ) -> Delta:
        """In the lane: put a tree in force. Raises StoreError; then nothing has changed."""
        now_ms = time.time_ns() // 1_000_000
        revision = self._store.commit(tree, now_ms, origin=origin, confirmations=confirmations)
        return self._holder.replace(tree, revision)

    # -- for an event loop

    def revisions(self, limit: int) -> tuple[Revision, ...]:
        """The commits that are kept, newest first."""
        return self._store.revisions(limit)

    async def compare(self, before: int, after: int | None) -> tuple[tuple[Change, ...], int]:
        """Which nodes differ, from one revision to another or to the present one, and its number.

        Raises: RevisionNotFoundError, StoreError.
        """

        def compared() -> tuple[tuple[Change, ...], int]:
            newer = self._holder.revision if after is None else after
            old, new = (self._store.tree_at(number).tree() for number in (before, newer))
            return tuple(old.diff(new)), newer

        return await asyncio.to_thread(compared)

    async def roll_back(self, revision: int, actor: str) -> Delta:
        """Restore what every source claimed at a revision, but for the device's own: that is what
        its configuration says now.

        Raises: RevisionNotFoundError, StoreError.
        """

        def restored() -> Delta:
            tree = self._holder.fork()
            then = self._store.tree_at(revision).tree()
            tree.take_over(then, lambda source: source != DEVICE)
            return self.commit(tree, Origin("rollback", actor, restored=revision))

        return await asyncio.get_running_loop().run_in_executor(self.lane, restored)
