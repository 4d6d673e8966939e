"""What each user has open and how much of it is too much; what the daemon has served so far."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from .refusals import AccessDeniedError, LimitReachedError

__all__ = ["Ledger", "Limits", "UnderWay"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one user may have open at once."""

    streams_per_uid: int = 64
    calls_per_uid: int = 256
    watches_per_uid: int = 64


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A call that has not ended; ``peer`` is gRPC's name of its connection."""

    peer: str
    method: str
    uid: int
    started_at_s: float = field(default_factory=time.time)


class Ledger:
    """Counts calls from their admission to their end. Belongs to the event loop."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
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

    @contextmanager
    def entry(self, call_id: str, peer: str, method: str, uid: int, kind: str) -> Iterator[None]:
        """One more call of a user, of the kind "calls", "streams" or "watches".

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
        try:
            yield
            self.served += 1
        finally:
            del self._under_way[call_id]
            self._open[kind, uid] -= 1
            if not self._open[kind, uid]:
                del self._open[kind, uid]
