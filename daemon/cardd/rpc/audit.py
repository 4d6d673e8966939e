"""Decisions about access, as events for whoever has to answer for them.

Every refusal, and everything granted that changes something or reaches the card itself, becomes one
event: who, what, on what, by which row. A program that is refused in a loop must not fill the disk:
each user has a budget of events, all users together another, and what is left out is counted.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

import structlog

from .access import QUIET_RIGHTS, Grant, Objects
from .peer import Caller

__all__ = ["Audit", "Budget", "Decisions"]

Facts = dict[str, str]

_log = structlog.get_logger("cardd.audit")

_MOST_USERS = 1024


class Budget:
    """So many events at once, so many a second. Seconds on one monotonic clock."""

    def __init__(self, burst: int, per_second: float, now: float) -> None:
        self._burst = burst
        self._per_second = per_second
        self._left = float(burst)
        self._at = now
        self._left_out = 0

    def take(self, now: float) -> int | None:
        """How many were left out since the last that was not; None: leave this one out too."""
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            self._left_out += 1
            return None
        self._left -= 1
        left_out, self._left_out = self._left_out, 0
        return left_out


class Audit:
    """Writes the events. Thread-safe."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._of_all = Budget(burst=256, per_second=4.0, now=now())
        self._of_user: OrderedDict[tuple[int, bool], Budget] = OrderedDict()

    def denied(self, facts: Facts, caller: Caller, objects: Objects) -> None:
        """No row gives it."""
        left_out = self._room(caller.uid, granted=False)
        if left_out is not None:
            _log.warning("access.denied", **facts, **_named(caller), **objects, left_out=left_out)

    def granted(
        self, facts: Facts, caller: Caller, row: Grant, objects: Objects, outcome: str
    ) -> None:
        """That row gave it, and that came of it."""
        left_out = self._room(caller.uid, granted=True)
        if left_out is not None:
            _log.info(
                "access.granted",
                **facts,
                **_named(caller),
                **objects,
                row=row.name,
                outcome=outcome,
                left_out=left_out,
            )

    def _room(self, uid: int, *, granted: bool) -> int | None:
        with self._lock:
            return self._taken(uid, granted=granted)

    def _taken(self, uid: int, *, granted: bool) -> int | None:
        now = self._now()
        budget = self._of_user.get((uid, granted))
        if budget is None:
            burst, per_second = (256, 32.0) if granted else (32, 1.0)
            budget = self._of_user[uid, granted] = Budget(burst, per_second, now)
            while len(self._of_user) > _MOST_USERS:
                self._of_user.popitem(last=False)
        left_out = budget.take(now)
        # What is granted is bounded by what it costs; a budget shared with it would silence it.
        if left_out is None or (not granted and self._of_all.take(now) is None):
            return None
        return left_out


class Decisions:
    """Those of one call. A refusal is written at once: a call may go on for days. What was granted
    is written when the call ends, with what came of it. Thread-safe."""

    def __init__(self, audit: Audit, call_id: str, method: str, caller: Caller) -> None:
        self._audit = audit
        self._facts = {"call": call_id, "method": method}
        self._caller = caller
        self._lock = threading.Lock()
        # By right: part of a call may be judged by another one than the call itself.
        self._granted: dict[str, tuple[Grant, Objects]] = {}
        self._outcome: str | None = None

    def take(self, right: str, row: Grant | None, objects: Objects) -> None:
        """A decision: the row that gives the right, None for a refusal, and what it was about."""
        if row is None:
            self._audit.denied({**self._facts, "right": right}, self._caller, objects)
            return
        with self._lock:
            outcome = self._outcome
            if outcome is None:
                _, before = self._granted.get(right, (row, Objects()))
                self._granted[right] = row, before | objects
        if outcome is not None:  # its work goes on in a thread
            self._tell(right, row, objects, outcome)

    def close(self, outcome: str) -> None:
        """The call has ended."""
        with self._lock:
            self._outcome = outcome
            granted, self._granted = self._granted, {}
        for right, (row, objects) in granted.items():
            self._tell(right, row, objects, outcome)

    def _tell(self, right: str, row: Grant, objects: Objects, outcome: str) -> None:
        """Rights that only look at things are passed over."""
        if right not in QUIET_RIGHTS:
            facts = {**self._facts, "right": right}
            self._audit.granted(facts, self._caller, row, objects, outcome)


def _named(caller: Caller) -> dict[str, object]:
    """Whom the kernel names; ``comm`` is the program's own word."""
    return {
        "uid": caller.uid,
        "gid": caller.gid,
        "pid": caller.pid,
        "unit": caller.unit,
        "exe": caller.exe,
        "comm": caller.comm,
    }
