"""Calls that are idempotent by request_id: a repetition gets the first call's result."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Generic, TypeVar

from .feed import Signal
from .refusals import ArgumentInvalidError, LimitReachedError

__all__ = ["IdempotentCalls", "IdempotentStreams"]

T = TypeVar("T")
V = TypeVar("V")

# uid and request_id; an empty request_id asks for no idempotency.
Key = tuple[int, str]

_LONGEST_ID = 256
_MOST_USERS = 256


class IdempotentCalls(Generic[T]):
    """The last results by (uid, request_id). What failed is forgotten and can be tried again."""

    def __init__(self, kept: int = 64) -> None:
        self._known: _Known[asyncio.Task[T]] = _Known(kept, lambda task: task.done())
        self._nameless: set[asyncio.Task[T]] = set()

    async def once(
        self,
        key: Key,
        fingerprint: bytes,
        start: Callable[[], Coroutine[Any, Any, T]],
    ) -> T:
        """The result of ``start``, which runs to its end even if the caller leaves.

        Raises:
            ArgumentInvalidError: the id was used for another request before, or is too long.
            LimitReachedError: too many of the user's are under way.
        """
        if not key[1]:
            return await start()

        def begin() -> asyncio.Task[T]:
            task = asyncio.create_task(start())
            task.add_done_callback(lambda ended: self._forget_failure(key, ended))
            return task

        return await asyncio.shield(self._known.begun(key, fingerprint, begin))

    async def to_its_end(
        self, key: Key, fingerprint: bytes, start: Callable[[], Coroutine[Any, Any, T]]
    ) -> T:
        """As ``once``, but what has no id runs to its end too. It is not remembered: ids would be
        forgotten for it."""
        if key[1]:
            return await self.once(key, fingerprint, start)
        task = asyncio.create_task(start())
        self._nameless.add(task)
        task.add_done_callback(self._forget_nameless)
        return await asyncio.shield(task)

    def _forget_nameless(self, task: asyncio.Task[T]) -> None:
        self._nameless.discard(task)
        if not task.cancelled():
            task.exception()  # of which the caller heard, unless it has left

    def _forget_failure(self, key: Key, task: asyncio.Task[T]) -> None:
        if task.cancelled() or task.exception() is not None:
            self._known.forget(key, task)


class IdempotentStreams(Generic[T]):
    """Streams that are idempotent by request_id: a repetition is played what was and what comes."""

    def __init__(self, kept: int = 16) -> None:
        self._known: _Known[_Recording[T]] = _Known(kept, lambda recording: recording.ended)

    def play(
        self, key: Key, fingerprint: bytes, start: Callable[[], AsyncIterator[T]]
    ) -> AsyncIterator[T]:
        """The items of the stream, from its first, whoever began it. Raises as ``once``."""
        if not key[1]:
            return start()
        return self._known.begun(key, fingerprint, lambda: _Recording(start())).play()


class _Known(Generic[V]):
    """What each user has begun. At most so many a user, and no user makes another's forgotten.

    The oldest that has ended goes first; what is under way stays, for to forget it would be to do
    it twice. Of more users than a machine has, those are forgotten that asked longest ago.
    """

    def __init__(self, kept: int, ended: Callable[[V], bool]) -> None:
        self._kept = kept
        self._ended = ended
        self._of: OrderedDict[int, OrderedDict[str, tuple[bytes, V]]] = OrderedDict()

    def begun(self, key: Key, fingerprint: bytes, begin: Callable[[], V]) -> V:
        """What was begun under this key, now or before."""
        uid, name = key
        if len(name) > _LONGEST_ID:
            raise ArgumentInvalidError("request_id", f"is longer than {_LONGEST_ID} characters")
        fingerprint = hashlib.sha256(fingerprint).digest()  # as much of a large one as of a small
        own = self._of.setdefault(uid, OrderedDict())
        self._of.move_to_end(uid)
        known = own.get(name)
        if known is None:
            self._make_room(own)
            known = own[name] = (fingerprint, begin())
        elif known[0] != fingerprint:
            raise ArgumentInvalidError("request_id", "was used for a different request")
        return known[1]

    def forget(self, key: Key, value: V) -> None:
        """Let it be begun anew."""
        own = self._of.get(key[0])
        known = None if own is None else own.get(key[1])
        if own is not None and known is not None and known[1] is value:
            del own[key[1]]

    def _make_room(self, own: OrderedDict[str, tuple[bytes, V]]) -> None:
        if len(self._of) > _MOST_USERS:
            users = ((uid, each) for uid, each in self._of.items() if each is not own)
            idle = (uid for uid, each in users if all(self._ended(v) for _, v in each.values()))
            forgotten = next(idle, None)
            if forgotten is not None:
                del self._of[forgotten]
        if len(own) < self._kept:
            return
        oldest = next((name for name, (_, value) in own.items() if self._ended(value)), None)
        if oldest is None:
            raise LimitReachedError("calls with a request_id under way", self._kept)
        del own[oldest]


class _Recording(Generic[T]):
    """Takes a stream to its end, whether or not anybody listens."""

    def __init__(self, source: AsyncIterator[T]) -> None:
        self._items: list[T] = []
        self.ended = False
        self._error: Exception | None = None
        self._signal = Signal()
        self._task = asyncio.create_task(self._record(source))

    async def play(self) -> AsyncIterator[T]:
        at = 0
        while True:
            wake = self._signal.next()
            for item in self._items[at:]:
                yield item
                at += 1
            if at < len(self._items):
                continue
            if self._error is not None:
                raise self._error
            if self.ended:
                return
            await asyncio.shield(wake)

    async def _record(self, source: AsyncIterator[T]) -> None:
        try:
            async for item in source:
                self._items.append(item)
                self._signal.raise_()
        except Exception as error:  # noqa: BLE001 - whatever it is, the listeners get it
            self._error = error
        finally:
            self.ended = True
            self._signal.raise_()
