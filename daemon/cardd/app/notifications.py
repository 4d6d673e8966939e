"""Notifications of servers, however they arrived: each begins at most one session."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
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

# Sessions are held one after the other. A server with more to say waits for the ones before.
_MOST_UNDER_WAY = 16
_MOST_DECLINED = 256
_NO = frozenset({Outcome.DECLINED, Outcome.CANCELLED})

Key = tuple[bytes, bytes]


class Sessions(Protocol):
    """Holds DM sessions, one after the other."""

    async def start_session(self, server_id: str, notified: str = "") -> SessionOutcome: ...


class Questions(Protocol):
    """Asks people. Raises StoreError."""

    async def ask(self, asked: Asked) -> Reply: ...


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
    ) -> None:
        self._sessions = sessions
        self._questions = questions
        self._question_limit_s = question_limit_s
        self._store = store
        self._holder = holder
        self._under_way: dict[Key, asyncio.Task[SessionOutcome]] = {}
        # Sent again, it would ask the same person again.
        self._declined: OrderedDict[Key, None] = OrderedDict()

    async def deliver(self, message: bytes, *, user_agreed: bool) -> NotifiedSession:
        """Hold the session that a notification asks for, or join it where it is under way.

        Nothing of it is kept before its session is held: until then the message serves again,
        after a restart too.

        Raises:
            NotificationError: it cannot be read.
            LimitReachedError: too many sessions that servers have asked for are waiting.
            ProvisioningError, StoreError: as `admit`; and what a run raises.
        """
        package = parse_received(message)
        key = package.digest, package.trigger
        task = self._under_way.get(key)
        if task is None:
            accounts = accounts_in(self._holder.current.snapshot)
            admit(package, accounts, self._store)
            if len(self._under_way) >= _MOST_UNDER_WAY:
                raise LimitReachedError("sessions that servers have asked for", _MOST_UNDER_WAY)
            task = self._under_way[key] = self._begin(package, user_agreed)
            task.add_done_callback(lambda ended: self._ended(key, ended))
        # Whoever handed it over may leave.
        outcome = await asyncio.shield(task)
        return NotifiedSession(package.server_id, package.ui_mode, outcome)

    def _begin(self, package: Package0, user_agreed: bool) -> asyncio.Task[SessionOutcome]:
        _log.info(
            "notification.accepted",
            server=package.server_id,
            session=package.session_id_text,
            ui_mode=package.ui_mode.name.lower(),
            initiator=package.initiator.name.lower(),
        )
        return asyncio.create_task(self._hold(package, user_agreed))

    async def _hold(self, package: Package0, user_agreed: bool) -> SessionOutcome:
        if package.ui_mode is UiMode.USER_INTERACTION and not user_agreed:
            await self._ask(package)
        return await self._sessions.start_session(package.server_id, package.session_id_text)

    async def _ask(self, package: Package0) -> None:
        server, session = package.server_id, package.session_id_text
        key = package.digest, package.trigger
        if key in self._declined:
            raise NotificationNeedsUserError(server, session, Outcome.DECLINED.value)
        text = f"The server {server} wants to manage this device now. May it?"
        asked = Asked(
            f"servers/{server}",
            "",
            Question(AlertCode.CONFIRM, text),
            session,
            max_wait_s=self._question_limit_s,
        )
        reply = await self._questions.ask(asked)
        if reply.outcome in _NO:
            self._declined[key] = None
            while len(self._declined) > _MOST_DECLINED:
                self._declined.popitem(last=False)
        if reply.outcome is not Outcome.ANSWERED:
            raise NotificationNeedsUserError(server, session, reply.outcome.value)

    def _ended(self, key: Key, task: asyncio.Task[SessionOutcome]) -> None:
        del self._under_way[key]
        if not task.cancelled():
            task.exception()  # whoever waits gets it; if nobody does, the run has logged it
