"""Calls that are idempotent by request_id: a repetition gets the first call's result."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from .refusals import ArgumentInvalidError

__all__ = ["Repeats"]

T = TypeVar("T")

Key = tuple[int, str]


class Repeats(Generic[T]):
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
            ArgumentInvalidError: the id was used for another request before.
        """
        if not key[1]:
            return await start()
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
