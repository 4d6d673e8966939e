"""The one thread that sees to it that nothing is late, and that events come in order."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from cardd.reader.events import ReaderEvent
from cardd.reader.executor import monotonic

__all__ = ["EventDispatcher", "Watchdog"]

_NEVER = float("inf")


class Watchdog:
    """Calls `check(now)` when it is due; sleeps without waking up in between.

    `check` returns when it wants to be called next, None for not before `wake_at` says so.
    """

    def __init__(self, check: Callable[[float], float | None]) -> None:
        self._check = check
        self._wake = threading.Condition()
        self._due = _NEVER
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join(1.0)

    def wake_at(self, when: float) -> None:
        """Check no later than this."""
        if when >= self._due:  # read without the lock: it is taken if there is anything to do
            return
        with self._wake:
            if when < self._due:
                self._due = when
                self._wake.notify()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._stopping and (rest := self._due - monotonic()) > 0:
                    self._wake.wait(None if rest == _NEVER else rest)
                if self._stopping:
                    return
                self._due = _NEVER
            due = self._check(monotonic())
            if due is not None:
                self.wake_at(due)


class EventDispatcher:
    """Hands events to one callback, in order, on a thread that holds no lock."""

    def __init__(self, callback: Callable[[ReaderEvent], None]) -> None:
        self._callback = callback
        self._events: queue.SimpleQueue[ReaderEvent | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="reader events", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._events.put(None)
        self._thread.join(1.0)

    def emit(self, event: ReaderEvent) -> None:
        self._events.put(event)

    def _run(self) -> None:
        while (event := self._events.get()) is not None:
            try:
                self._callback(event)
            except Exception as error:  # noqa: BLE001  the next event is owed all the same
                report = (type(error), error, error.__traceback__, self._thread)
                threading.excepthook(threading.ExceptHookArgs(report))
