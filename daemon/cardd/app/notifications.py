"""Notifications of servers, however they arrived: each begins at most one session."""

from __future__ import annotations

import asyncio
from typing import Protocol

import structlog
from omadm.accounts import accounts_in
from omadm.notification import Package0, parse_received

from cardd.provisioning.notification import admit
from cardd.provisioning.progress import SessionOutcome
from cardd.rpc.ports import NotifiedSession
from cardd.rpc.refusals import LimitReachedError
from cardd.store import Store
from cardd.tree import TreeHolder

__all__ = ["Notifications"]

_log = structlog.get_logger("cardd.notifications")

# Sessions are held one after the other. A server with more to say waits for the ones before.
_MOST_UNDER_WAY = 16


class Sessions(Protocol):
    """Holds DM sessions, one after the other."""

    async def start_session(self, server_id: str, notified: str = "") -> SessionOutcome: ...


class Notifications:
    """Belongs to the event loop."""

    def __init__(self, sessions: Sessions, store: Store, holder: TreeHolder) -> None:
        self._sessions = sessions
        self._store = store
        self._holder = holder
        self._under_way: dict[tuple[bytes, bytes], asyncio.Task[SessionOutcome]] = {}

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
            admit(package, accounts, self._store, user_agreed=user_agreed)
            if len(self._under_way) >= _MOST_UNDER_WAY:
                raise LimitReachedError("sessions that servers have asked for", _MOST_UNDER_WAY)
            task = self._under_way[key] = self._begin(package)
            task.add_done_callback(lambda ended: self._ended(key, ended))
        # Whoever handed it over may leave.
        outcome = await asyncio.shield(task)
        return NotifiedSession(package.server_id, package.ui_mode, outcome)

    def _begin(self, package: Package0) -> asyncio.Task[SessionOutcome]:
        _log.info(
            "notification.accepted",
            server=package.server_id,
            session=package.session_id_text,
            ui_mode=package.ui_mode.name.lower(),
            initiator=package.initiator.name.lower(),
        )
        return asyncio.create_task(
            self._sessions.start_session(package.server_id, package.session_id_text)
        )

    def _ended(self, key: tuple[bytes, bytes], task: asyncio.Task[SessionOutcome]) -> None:
        del self._under_way[key]
        if not task.cancelled():
            task.exception()  # whoever waits gets it; if nobody does, the run has logged it
