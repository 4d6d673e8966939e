"""Notifications of servers, however they arrived: each begins at most one session."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import structlog
from omadm.accounts import accounts_in
from omadm.interaction import Outcome, Question, Reply
from omadm.notification import Package0, UiMode, parse_received
from omadm.status import AlertCode

from cardd.provisioning.errors import NotificationNeedsUserError
from cardd.provisioning.notification import admit
from cardd.provisioning.people import Asked
from cardd.provisioning.progress import SessionOutcome
from cardd.rpc.ports import NotifiedSession
from cardd.rpc.refusals import LimitReachedError
from cardd.store import Store
from cardd.tree import TreeHolder

__all__ = ["Notifications"]

_log = structlog.get_logger("cardd.notifications")

# Sessions are held one after the other. No server with much to say keeps the others' out.
_MOST_OF_ONE, _MOST_OF_ALL = 4, 64

# How long the same message asks nobody again, in seconds by how its question ended.
_SILENT_S = {
    Outcome.DECLINED: float("inf"),
    Outcome.CANCELLED: float("inf"),
    Outcome.TIMED_OUT: 3600.0,
}
_MOST_SILENT = 256

Key = tuple[bytes, bytes]


class Sessions(Protocol):
    """Holds DM sessions, one after the other."""

    async def start_session(self, server_id: str, notified: str = "") -> SessionOutcome: ...


class Questions(Protocol):
    """Asks people, until it is ``needless``. Raises StoreError."""

    async def ask(self, asked: Asked, needless: asyncio.Future[None]) -> Reply: ...


@dataclass(slots=True, eq=False)
class _UnderWay:
    """``agreed``: done when somebody who handed the message over has a person's word."""

    server_id: str
    task: asyncio.Task[SessionOutcome]
    agreed: asyncio.Future[None]


class Notifications:
    """Belongs to the event loop. ``question_limit_s``: how long a person's word is waited for."""

    def __init__(
        self,
        sessions: Sessions,
        questions: Questions,
        store: Store,
        holder: TreeHolder,
        *,
        question_limit_s: float,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sessions = sessions
        self._questions = questions
        self._question_limit_s = question_limit_s
        self._monotonic_s = monotonic_s
        self._store = store
        self._holder = holder
        # One at a time: two of the same message must not both find it new.
        self._admitting = asyncio.Lock()
        self._under_way: dict[Key, _UnderWay] = {}
        self._asking: set[str] = set()
        # Messages that ask nobody: how their questions ended, and until when on the clock.
        self._silent: OrderedDict[Key, tuple[Outcome, float]] = OrderedDict()

    async def deliver(self, message: bytes, *, user_agreed: bool) -> NotifiedSession:
        """Hold the session that a notification asks for, or join it where it is under way.

        Nothing of it is kept before its session is held: until then the message serves again,
        after a restart too.

        Raises:
            NotificationError: it cannot be read.
            LimitReachedError: too many sessions that servers have asked for are waiting, or a
                person is being asked about another one of this server.
            ProvisioningError, StoreError: as `admit`; and what a run raises.
        """
        package = parse_received(message)
        key = package.digest, package.trigger
        async with self._admitting:
            under_way = self._under_way.get(key)
            if under_way is None:
                # The store may be busy with a commit, and anybody can send what is not authentic.
                await asyncio.to_thread(self._admit, package)
                under_way = self._under_way[key] = self._begin(key, package)
        if user_agreed and not under_way.agreed.done():
            under_way.agreed.set_result(None)
        # Whoever handed it over may leave.
        outcome = await asyncio.shield(under_way.task)
        return NotifiedSession(package.server_id, package.ui_mode, outcome)

    def _admit(self, package: Package0) -> None:
        admit(package, accounts_in(self._holder.current.snapshot), self._store)

    def _begin(self, key: Key, package: Package0) -> _UnderWay:
        servers = [each.server_id for each in self._under_way.values()]
        if servers.count(package.server_id) >= _MOST_OF_ONE:
            raise LimitReachedError(f"sessions that {package.server_id} wants", _MOST_OF_ONE)
        if len(servers) >= _MOST_OF_ALL:
            raise LimitReachedError("sessions that servers want", _MOST_OF_ALL)
        _log.info(
            "notification.accepted",
            server=package.server_id,
            session=package.session_id_text,
            ui_mode=package.ui_mode.name.lower(),
            initiator=package.initiator.name.lower(),
        )
        agreed = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._hold(key, package, agreed))
        task.add_done_callback(_looked_at)
        return _UnderWay(package.server_id, task, agreed)

    async def _hold(
        self, key: Key, package: Package0, agreed: asyncio.Future[None]
    ) -> SessionOutcome:
        try:
            if package.ui_mode is UiMode.USER_INTERACTION and not agreed.done():
                await self._ask(key, package, agreed)
            return await self._sessions.start_session(package.server_id, package.session_id_text)
        finally:
            del self._under_way[key]

    async def _ask(self, key: Key, package: Package0, agreed: asyncio.Future[None]) -> None:
        server, session = package.server_id, package.session_id_text
        outcome, until_s = self._silent.get(key, (Outcome.NOBODY, 0.0))
        if self._monotonic_s() < until_s:
            raise NotificationNeedsUserError(server, session, outcome.value)
        if server in self._asking:
            raise LimitReachedError(f"open questions of {server}", 1)
        text = f"The server {server} wants to manage this device now. May it?"
        asked = Asked(
            f"servers/{server}",
            "",
            Question(AlertCode.CONFIRM, text),
            session,
            max_wait_s=self._question_limit_s,
        )
        self._asking.add(server)
        try:
            reply = await self._questions.ask(asked, agreed)
        finally:
            self._asking.remove(server)
        if agreed.done() or reply.outcome is Outcome.ANSWERED:
            return
        self._keep_silent(key, reply.outcome)
        raise NotificationNeedsUserError(server, session, reply.outcome.value)

    def _keep_silent(self, key: Key, outcome: Outcome) -> None:
        """What nobody was there to be asked about is asked when somebody is."""
        silent_s = _SILENT_S.get(outcome)
        if silent_s is None:
            return
        self._silent[key] = outcome, self._monotonic_s() + silent_s
        self._silent.move_to_end(key)
        while len(self._silent) > _MOST_SILENT:
            self._silent.popitem(last=False)


def _looked_at(task: asyncio.Task[SessionOutcome]) -> None:
    if not task.cancelled():
        task.exception()  # whoever waits gets it; if nobody does, the run has logged it
