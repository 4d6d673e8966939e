"""The thread that talks to one reader. It may hang; then it is left behind and replaced."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

from cardd.reader.link import CallClock, CardLink
from cardd.reader.settings import ReaderSettings

__all__ = ["Executor", "Job"]

Job = Callable[[CardLink], None]
"""Work on the link. Handles its own errors: one that escapes ends the thread."""


class Executor:
    """Runs jobs in order on a thread of its own, and rests the link when there are none."""

    def __init__(
        self,
        reader: str,
        settings: ReaderSettings,
        *,
        on_end: Callable[[Executor], None],
        on_foreign: Callable[[], None] = lambda: None,
    ) -> None:
        self._clock = CallClock()
        self._link = CardLink(reader, settings, self._clock, on_foreign)
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._on_end = on_end
        self._limit_s = settings.call_limit_s
        self._pending = 0
        self._count = threading.Lock()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=f"reader {reader}", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        with self._count:
            self._pending += 1
        self._jobs.put(job)

    def stop(self) -> None:
        """Finish the job under way, forget the others, let the card go."""
        self._stopping = True
        self._jobs.put(None)

    def join(self, timeout_s: float) -> bool:
        """Wait for the end; False if the thread still hangs in a call."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def kept_out(self) -> bool:
        """The call under way waits for another program's transaction."""
        return self._clock.waiting

    @property
    def transmitting(self) -> bool:
        """The call under way is an APDU."""
        return self._clock.transmitting

    def hangs_at(self, now: float) -> float | None:
        """When the work under way will have taken too long; None if there is none.

        Only a single call can hang: between calls, and while pcscd makes us wait for another
        program, the time starts anew.
        """
        started = self._clock.started_at
        if started is not None and not self._clock.waiting:
            return started + self._limit_s
        return now + self._limit_s if self._pending else None

    def _run(self) -> None:
        try:
            while True:
                try:
                    job = self._jobs.get(timeout=self._link.next_rest_s())
                except queue.Empty:
                    self._link.rest()
                    continue
                if job is None or self._stopping:
                    break
                job(self._link)
                with self._count:
                    self._pending -= 1
        finally:
            self._link.close()
            self._on_end(self)


def monotonic() -> float:
    """The clock of every time in this package."""
    return time.monotonic()
