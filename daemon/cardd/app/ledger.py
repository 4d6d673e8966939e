"""The one way in which the tree changes: a commit to the store, then the tree in force."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable, Sequence

import structlog
from cardea_core import Change

from cardd.provisioning.errors import RenderingFailedError
from cardd.provisioning.records import NewConfirmation
from cardd.render.renderer import Renderer
from cardd.render.rendering import Rendering
from cardd.rpc.errors import failure_of
from cardd.store import Origin, Revision, Store, StoreError
from cardd.tree import DEVICE, Delta, ManagementTree, TreeHolder

from .lane import Lane

__all__ = ["Ledger"]

_log = structlog.get_logger("cardd.render")


class Ledger:
    """Commits and their history.

    Who changes the tree does so in ``lane``, one after the other: two that fork the same tree at
    once would undo each other.
    """

    def __init__(
        self, store: Store, holder: TreeHolder, lane: Lane, renderers: Sequence[Renderer] = ()
    ) -> None:
        self._store = store
        self._holder = holder
        self._rendering = Rendering(renderers, store.renderings)
        self._stale = False
        self.lane = lane
        # What a commit before the last end was not followed by; also after a new configuration.
        self._render_later()

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
        """In the lane: put a tree in force. Raises StoreError; then nothing has changed.

        Who does not call `render` next need not: the lane does.
        """
        now_ms = time.time_ns() // 1_000_000
        revision = self._store.commit(tree, now_ms, origin=origin, confirmations=confirmations)
        delta = self._holder.replace(tree, revision)
        self._render_later()
        return delta

    def render(self) -> tuple[str, ...]:
        """In the lane: let local programs have what the tree says, and then the confirmations go.

        Returns the names of the renderers that had something to do.

        Raises:
            RenderingFailedError: one could not; the confirmations say so.
            StoreError: what has been rendered is not known; confirmations stay where they are.
        """
        self._stale = False
        try:
            done = self._rendering.bring_up_to_date(self.tree.snapshot)
        except RenderingFailedError as error:
            self._store.release_confirmations(f"500 {failure_of(error).reason_name}")
            raise
        self._store.release_confirmations()
        return done

    def _render_later(self) -> None:
        self._stale = True
        # What comes to its end with the daemon is rendered by the next one.
        with contextlib.suppress(RuntimeError):
            self.lane.submit(self._render_if_stale)

    def _render_if_stale(self) -> None:
        if not self._stale:
            return
        try:
            self.render()
        except RenderingFailedError:
            pass  # It has been logged where it happened.
        except StoreError as error:
            _log.error("render.not_known", reason=error.reason)

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

        Raises: RevisionNotFoundError, StoreError; RenderingFailedError after it was done.
        """

        def restored() -> Delta:
            tree = self._holder.fork()
            then = self._store.tree_at(revision).tree()
            tree.take_over(then, lambda source: source != DEVICE)
            delta = self.commit(tree, Origin("rollback", actor, restored=revision))
            self.render()
            return delta

        return await asyncio.get_running_loop().run_in_executor(self.lane, restored)
