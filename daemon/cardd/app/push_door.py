"""Notifications that come as datagrams: anybody may send one, so each costs little, and none more
than its share. Nobody is answered: a sender learns nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AsyncExitStack

import structlog

from cardd.rpc.audit import Budget
from cardd.rpc.errors import failure_of, where_raised
from cardd.rpc.ports import NotificationsPort

from .config import split_address

__all__ = ["PushDoor", "open_push_door"]

_log = structlog.get_logger("cardd.notifications")

# A server knocks once and again if nobody comes; addresses are easily forged.
_OF_ONE, _OF_ALL = (4, 0.5), (32, 4.0)
_MOST_SOURCES = 256


async def open_push_door(
    listen: str, notifications: NotificationsPort, cleanup: AsyncExitStack
) -> None:
    """Take datagrams at ``listen`` until ``cleanup``. Raises OSError, ConfigError."""
    from cardd.network.datagrams import listen_datagrams  # most daemons open no such port

    door = PushDoor(notifications)
    cleanup.callback(door.close)
    address, port = split_address("notification.listen", listen)
    transport = await listen_datagrams(address, port, door.take)
    cleanup.callback(transport.close)
    port = transport.get_extra_info("sockname")[1]  # which may be known only now
    _log.info("notification.listening", address=address, port=port)


class PushDoor:
    """Takes datagrams. Belongs to the event loop; seconds on one monotonic clock."""

    def __init__(
        self, notifications: NotificationsPort, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._notifications = notifications
        self._now = now
        self._of_all = Budget(*_OF_ALL, now=now())
        self._of_source: OrderedDict[str, Budget] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self._left_out = 0

    def take(self, data: bytes, source: str) -> None:
        """One datagram. What is beyond the budgets is dropped, and counted in the next event."""
        if not self._room(source):
            self._left_out += 1
            return
        task = asyncio.get_running_loop().create_task(self._deliver(data, source))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """Wait for nothing any more; sessions under way end by themselves."""
        for task in self._tasks:
            task.cancel()

    async def _deliver(self, data: bytes, source: str) -> None:
        left_out, self._left_out = self._left_out, 0
        try:
            done = await self._notifications.deliver(data, user_agreed=False)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next datagram is taken
            failure = failure_of(error)
            _log.warning(
                "notification.refused",
                source=source,
                length=len(data),
                reason=failure.reason_name,
                where=where_raised(error) if failure.internal else "",
                left_out=left_out,
            )
        else:
            _log.info(
                "notification.followed",
                source=source,
                server=done.server_id,
                session=done.outcome.session_id,
                left_out=left_out,
            )

    def _room(self, source: str) -> bool:
        now = self._now()
        budget = self._of_source.get(source)
        if budget is None:
            budget = self._of_source[source] = Budget(*_OF_ONE, now=now)
            while len(self._of_source) > _MOST_SOURCES:
                self._of_source.popitem(last=False)
        return budget.take(now) is not None and self._of_all.take(now) is not None
