"""Numbered events that many watchers follow, kept in one bounded history.

A watcher owns a cursor and no queue: a slow one costs nothing, and when the history has moved past
its cursor it is told so (EVENTS_GONE) and takes a new snapshot.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

from .refusals import EventsGoneError

__all__ = ["Feed", "Signal"]

T = TypeVar("T")


class Signal:
    """Wakes every waiter whenever it is raised. Lives on one event loop."""

    def __init__(self) -> None:
        self._future: asyncio.Future[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Name the loop of the waiters, so that other threads can raise the signal."""
        self._loop = loop

    def raise_(self) -> None:
        if self._future is not None and not self._future.done():
            self._future.set_result(None)
        self._future = None

    def raise_from_thread(self) -> None:
        """As :meth:`raise_`, from any thread; without effect once the loop is closed."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.raise_)

    def next(self) -> asyncio.Future[None]:
        """The next raise. Take it before looking at the state, so that no raise is missed."""
        if self._future is None:
            self._future = asyncio.get_running_loop().create_future()
        return self._future


class Feed(Generic[T]):
    """A history of at most ``kept`` events. All methods belong to the event loop.

    ``origin`` should differ from every number that an earlier life of the daemon gave out; then a
    client that resumes across a restart is told EVENTS_GONE and never gets another life's events.
    """

    def __init__(self, *, origin: int, kept: int = 1024) -> None:
        self._last = origin
        self._events: deque[tuple[int, T]] = deque(maxlen=kept)
        self._signal = Signal()

    @property
    def last(self) -> int:
        """Number of the newest event."""
        return self._last

    def publish(self, event: T) -> int:
        self._last += 1
        self._events.append((self._last, event))
        self._signal.raise_()
        return self._last

    def since(self, after: int) -> tuple[tuple[int, T], ...]:
        """The events after number ``after``.

        Raises:
            EventsGoneError: they are no longer kept, or this feed never had that number.
        """
        missed = self._last - after
        if missed < 0 or missed > len(self._events):
            raise EventsGoneError(after=after)
        return tuple(self._events)[len(self._events) - missed :]

    async def follow(self, after: int) -> AsyncIterator[tuple[int, T]]:
        """Events after ``after`` for ever. Raises as :meth:`since`."""
        while True:
            wake = self._signal.next()
            batch = self.since(after)
            for number, event in batch:
                yield number, event
                after = number
            if not batch:
                # Shielded: the future is shared by all watchers, one of them leaving is no event.
                await asyncio.shield(wake)
