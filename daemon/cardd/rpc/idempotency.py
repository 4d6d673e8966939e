"""Calls that are idempotent by request_id: a repetition gets the first call's result."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Generic, TypeVar

from .feed import Signal
from .refusals import ArgumentInvalidError

__all__ = ["IdempotentCalls", "IdempotentStreams"]

T = TypeVar("T")

# uid and request_id; an empty request_id asks for no idempotency.
Key = tuple[int, str]

_LONGEST_ID = 256


class IdempotentCalls(Generic[T]):
    """The last results by (uid, request_id). What failed is forgotten and can be tried again."""

    def __init__(self, kept: int = 256) -> None:
        self._kept = kept
        self._done: OrderedDict[Key, tuple[bytes, asyncio.Task[T]]] = OrderedDict()

    async def once(
        self,
        key: Key,
        fingerprint: bytes,
        start: Callable[[], Coroutine[Any, Any, T]],
    ) -> T:
        """The result of ``start``, which runs to its end even if the caller leaves.

        Raises:
            ArgumentInvalidError: the id was used for another request before, or is too long.
        """
        if not key[1]:
            return await start()
        fingerprint = _kept_of(key, fingerprint)
        known = self._done.get(key)
        if known is None:
            task = asyncio.create_task(start())
            self._done[key] = (fingerprint, task)
            task.add_done_callback(lambda t: self._forget_failure(key, t))
            while len(self._done) > self._kept:
                self._done.popitem(last=False)
            return await asyncio.shield(task)
        if known[0] != fingerprint:
            raise ArgumentInvalidError("request_id", "was used for a different request")
        return await asyncio.shield(known[1])

    def _forget_failure(self, key: Key, task: asyncio.Task[T]) -> None:
        if task.cancelled() or task.exception() is not None:
            self._done.pop(key, None)


class IdempotentStreams(Generic[T]):
    """Streams that are idempotent by request_id: a repetition is played what was and what comes."""

    def __init__(self, kept: int = 64) -> None:
        self._kept = kept
        self._known: OrderedDict[Key, tuple[bytes, _Recording[T]]] = OrderedDict()

    def play(
        self, key: Key, fingerprint: bytes, start: Callable[[], AsyncIterator[T]]
    ) -> AsyncIterator[T]:
        """The items of the stream, from its first, whoever began it.

        Raises:
            ArgumentInvalidError: the id was used for another request before, or is too long.
        """
        if not key[1]:
            return start()
        fingerprint = _kept_of(key, fingerprint)
        known = self._known.get(key)
        if known is None:
            known = (fingerprint, _Recording(start()))
            self._known[key] = known
            while len(self._known) > self._kept:
                self._known.popitem(last=False)
        if known[0] != fingerprint:
            raise ArgumentInvalidError("request_id", "was used for a different request")
        return known[1].play()


def _kept_of(key: Key, fingerprint: bytes) -> bytes:
    """What is kept of a request: as much of a large one as of a small one."""
    if len(key[1]) > _LONGEST_ID:
        raise ArgumentInvalidError("request_id", f"is longer than {_LONGEST_ID} characters")
    return hashlib.sha256(fingerprint).digest()


class _Recording(Generic[T]):
    """Takes a stream to its end, whether or not anybody listens."""

    def __init__(self, source: AsyncIterator[T]) -> None:
        self._items: list[T] = []
        self._ended = False
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
            if self._ended:
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
            self._ended = True
            self._signal.raise_()
