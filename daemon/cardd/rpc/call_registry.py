"""What each user has open and how much of it is too much; what the daemon has served so far."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from .refusals import AccessDeniedError, LimitReachedError
from .throttle import Throttle

__all__ = ["CallRegistry", "Limits", "Share", "UnderWay"]


_MOST_DEBT_S = 8.0  # bytes beyond the rate that a user is made to wait for


@dataclass(frozen=True, slots=True)
class Limits:
    """What one user may have open at once; how many calls a second begin for one that has more than
    ``unpaced_per_uid`` of a kind; and how many bytes a second it may send and have sent."""

    streams_per_uid: int = 64
    calls_per_uid: int = 256
    watches_per_uid: int = 64
    unpaced_per_uid: int = 16
    calls_per_second_per_uid: int = 100
    bytes_per_second_per_uid: int = 32 << 20
    largest_message: int = 4 << 20


class Share:
    """Whose calls keep the event loop from those of others: in a window of time in which the loop
    was busy and several users called, the one that called more than all others together."""

    WINDOW_S = 0.1
    BUSY = 0.7

    def __init__(self) -> None:
        self._calls: Counter[int] = Counter()
        self._began_s = self._cpu_s = 0.0
        self._hog: int | None = None

    def hogs(self, uid: int, now: float, cpu_s: float) -> bool:
        """A call of this user; whether it is the one. ``cpu_s`` is the loop's processor time."""
        elapsed_s = now - self._began_s
        if elapsed_s >= self.WINDOW_S:
            busy = cpu_s - self._cpu_s >= self.BUSY * elapsed_s
            self._hog = self._heaviest() if busy and len(self._calls) > 1 else None
            self._calls.clear()
            self._began_s, self._cpu_s = now, cpu_s
        self._calls[uid] += 1
        return uid == self._hog

    def _heaviest(self) -> int | None:
        ((uid, calls),) = self._calls.most_common(1)
        return uid if 2 * calls > self._calls.total() else None


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A call that has not ended; ``peer`` is gRPC's name of its connection."""

    peer: str
    method: str
    uid: int
    started_at_s: float = field(default_factory=time.time)


class CallRegistry:
    """Counts calls from their admission to their end. Belongs to the event loop."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._pace = Throttle(
            burst=limits.unpaced_per_uid, per_second=limits.calls_per_second_per_uid
        )
        # What comes at once may be a second's; one message alone, however large, is no flood.
        rate = limits.bytes_per_second_per_uid
        burst = max(rate, limits.largest_message)
        self._bytes = Throttle(burst=burst, per_second=rate, most_s=_MOST_DEBT_S)
        self._share = Share()
        self._open: Counter[tuple[str, int]] = Counter()
        self._under_way: dict[str, UnderWay] = {}
        self.served = 0
        self.denied = 0
        self.limited = 0

    def under_way(self) -> tuple[UnderWay, ...]:
        return tuple(self._under_way.values())

    def refused(self, error: AccessDeniedError | LimitReachedError) -> None:
        """A call was not admitted, or not let at what it was about."""
        if isinstance(error, LimitReachedError):
            self.limited += 1
        else:
            self.denied += 1

    def received(self, uid: int, size: int) -> None:
        """A message of a user. LimitReachedError if that is more than its share of bytes."""
        if delay_s := self.early_s(uid, size):
            limit = self._limits.bytes_per_second_per_uid
            raise LimitReachedError("bytes a second", limit, retry_after_s=delay_s)

    def early_s(self, uid: int, size: int) -> float:
        """A message within a call: how many seconds it comes before its user's share allows it."""
        return self._bytes.delay_s(uid, time.monotonic(), size)

    def sent(self, uid: int, size: int) -> None:
        """An answer for a user, which is not held back: what it asks for next may be."""
        self._bytes.delay_s(uid, time.monotonic(), size)

    @contextmanager
    def entry(self, call_id: str, peer: str, method: str, uid: int, kind: str) -> Iterator[float]:
        """One more call of a user, of the kind "calls", "streams" or "watches"; for how many
        seconds it has to wait before it begins.

        A user with many calls at once would take all of the daemon's time, and that of others.
        gRPC hands calls over one by one, so that a flood of short ones is not seen as many at
        once: it is known by its share of a loop that is busy. Once its calls wait, they are.

        Raises:
            LimitReachedError: the user has as many as it may.
        """
        limit = {
            "calls": self._limits.calls_per_uid,
            "streams": self._limits.streams_per_uid,
            "watches": self._limits.watches_per_uid,
        }[kind]
        if self._open[kind, uid] >= limit:
            raise LimitReachedError(kind, limit)
        self._open[kind, uid] += 1
        self._under_way[call_id] = UnderWay(peer, method, uid)
        now = time.monotonic()
        hogs = self._share.hogs(uid, now, time.thread_time())
        crowded = hogs or self._open[kind, uid] > self._limits.unpaced_per_uid
        try:
            yield self._pace.delay_s(uid, now) if crowded else 0.0
            self.served += 1
        finally:
            del self._under_way[call_id]
            self._open[kind, uid] -= 1
            if not self._open[kind, uid]:
                del self._open[kind, uid]
