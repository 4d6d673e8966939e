"""The one way in which the tree changes: a commit to the store, then the tree in force."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import structlog
from omadm.status import StatusCode

from cardd.dm.events import CommandDone
from cardd.provisioning.errors import RenderingFailedError
from cardd.provisioning.records import NewConfirmation, SessionRecord
from cardd.render.renderer import Renderer
from cardd.render.rendering import Rendering
from cardd.rpc.errors import failure_of
from cardd.rpc.ports import LocalOperation
from cardd.store import Operation, Origin, Revision, Store, StoreError
from cardd.tree import (
    Delta,
    ManagementTree,
    Refused,
    TreeHolder,
    is_program,
    purge_servers,
    restored,
)

from .serial_executor import SerialExecutor

__all__ = ["TreeCommitter"]

T = TypeVar("T")

_log = structlog.get_logger("cardd.render")


class TreeCommitter:
    """Commits and their history.

    Runs and rollbacks change the tree on ``executor``, one after the other: two that fork the same
    tree at once would undo each other. Local programs need not wait for a run to end: they change
    only what they claim themselves, and that a run takes over when it commits.
    """

    def __init__(
        self,
        store: Store,
        holder: TreeHolder,
        executor: SerialExecutor,
        renderers: Sequence[Renderer] = (),
    ) -> None:
        self._store = store
        self._holder = holder
        self._rendering = Rendering(renderers, store.renderings)
        self._stale = False
        self.executor = executor
        # Held from looking at the tree in force to its replacement.
        self._committing = threading.Lock()
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
        """On the executor: put the tree of a run in force, with what local programs claim by now.

        Who does not call `render` next need not: the executor does. Raises StoreError; then nothing
        has changed.
        """
        with self._committing:
            tree.take_over(self._holder.current, is_program)
            now_ms = _now_ms()
            revision = self._store.commit(tree, now_ms, origin=origin, confirmations=confirmations)
            delta = self._holder.replace(tree, revision)
        self._render_later()
        return delta

    def render(self) -> tuple[str, ...]:
        """On the executor: let local programs have what the tree says, then confirmations go.

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
            self.executor.submit(self._render_if_stale)

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

    async def revisions(self, limit: int) -> tuple[Revision, ...]:
        """The commits that are kept, newest first. Raises StoreError."""
        return await asyncio.to_thread(self._store.revisions, limit)

    async def compare(self, before: int, after: int | None) -> Delta:
        """Which nodes differ, from one revision to another or to the present one.

        Raises: RevisionNotFoundError, StoreError.
        """

        def compared() -> Delta:
            newer = self._holder.revision if after is None else after
            old, new = (self._store.tree_at(number).tree() for number in (before, newer))
            return Delta.between(old, new, newer)

        return await asyncio.to_thread(compared)

    async def roll_back(self, revision: int, actor: str) -> Delta:
        """Restore what every source claimed at a revision, as `restored` does. At the present one
        there is nothing to restore, and no commit.

        Raises: RevisionNotFoundError, StoreError; RenderingFailedError after it was done.
        """

        def rolled_back() -> Delta:
            with self._committing:
                if revision == self._holder.revision:
                    return Delta(revision, ())
                then, now_ms = self._store.tree_at(revision).tree(), _now_ms()
                tree = restored(self._holder.current, then, now_ms)
                origin = Origin("rollback", actor, restored=revision)
                number = self._store.commit(tree, now_ms, origin=origin)
                delta = self._holder.replace(tree, number)
            self.render()
            return delta

        return await asyncio.get_running_loop().run_in_executor(self.executor, rolled_back)

    def operations(self, authority: str, limit: int, before: int) -> tuple[Operation, ...]:
        """What authorities did and were refused, newest first. Raises StoreError."""
        return self._store.operations(authority, limit, before)

    async def change(
        self, operation: LocalOperation, act: Callable[[ManagementTree, int], T]
    ) -> tuple[T, ManagementTree, int]:
        """Let a local program act on a fork of the tree, and commit that; keep the operation with
        its result (S9).

        Raises: Refused, StoreError, and what ``act`` raises; then nothing has changed.
        """
        return await asyncio.to_thread(self._changed, operation, act)

    def _changed(
        self, operation: LocalOperation, act: Callable[[ManagementTree, int], T]
    ) -> tuple[T, ManagementTree, int]:
        with self._committing:
            tree, now_ms = self._holder.fork(), _now_ms()
            try:
                result = act(tree, now_ms)
            except Refused as refusal:
                self._store.end_session(_record(operation, refusal.status, now_ms))
                raise
            purge_servers(tree, self._holder.current)
            if not tree.claims_the_same(self._holder.current):
                origin = Origin("local", f"users/{operation.uid}")
                record = _record(operation, StatusCode.OK, now_ms)
                revision = self._store.commit(tree, now_ms, origin=origin, session=record)
                self._holder.replace(tree, revision)
                self._render_later()
            return result, *self._holder.state()


def _record(operation: LocalOperation, status: StatusCode, now_ms: int) -> SessionRecord:
    """A local program's call is a session of one command."""
    return SessionRecord(
        session_id=operation.call,
        server_id=operation.authority,
        began_ms=now_ms,
        ended_ms=now_ms,
        outcome="ok" if status is StatusCode.OK else "refused",
        trust="local",
        commands=(CommandDone(operation.verb, operation.path, status),),
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
