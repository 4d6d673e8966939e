"""What was read of one card, for as long as it holds. Pure; time is an argument."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["Mark", "ReadCache"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Mark:
    """A state of a card's content.

    `number` goes up with every write, reset, insertion and sign of another program. `lasting`:
    nobody else can get at the card. Where others can, one that neither resets the card nor is
    still there when the daemon looks leaves no sign: PC/SC has none.
    """

    number: int
    lasting: bool = False


@dataclass(frozen=True, slots=True)
class _Entry(Generic[V]):
    value: V
    size: int
    read_at: float


class ReadCache(Generic[K, V]):
    """Values read under one mark; those of an earlier one are gone.

    Unless the mark is lasting an entry is believed for `believe_s`. At most `max_bytes` are kept;
    what was not asked for longest goes first. Not thread-safe.
    """

    def __init__(self, *, believe_s: float, max_bytes: int = 1 << 20) -> None:
        self._believe_s = believe_s
        self._max_bytes = max_bytes
        self._number = -1
        self._entries: OrderedDict[K, _Entry[V]] = OrderedDict()
        self._bytes = 0
        self.hits = 0

    def get(self, key: K, mark: Mark, now: float) -> V | None:
        """What the card would answer now; None if that has to be asked."""
        self._move_on(mark)
        entry = self._entries.get(key)
        if entry is None or (not mark.lasting and now >= entry.read_at + self._believe_s):
            return None
        self._entries.move_to_end(key)
        self.hits += 1
        return entry.value

    def put(self, key: K, value: V, size: int, before: Mark, after: Mark, read_at: float) -> None:
        """Keep what was read between two marks; not if they differ, or have been overtaken.

        `read_at` is when reading began.
        """
        if before.number != after.number or after.number < self._number or size > self._max_bytes:
            return
        self._move_on(after)
        self._forget(key)
        self._entries[key] = _Entry(value, size, read_at)
        self._bytes += size
        while self._bytes > self._max_bytes:
            self._forget(next(iter(self._entries)))

    def _move_on(self, mark: Mark) -> None:
        if mark.number > self._number:
            self._number = mark.number
            self._entries.clear()
            self._bytes = 0

    def _forget(self, key: K) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= entry.size
