"""All readers: found, watched, shared, and healed when something below them breaks."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import Future

from cardd.reader.errors import CardNotFound, PcscUnavailable, ReaderNotFound
from cardd.reader.events import (
    PcscBack,
    PcscLost,
    Queue,
    ReaderAdded,
    ReaderEvent,
    ReaderRemoved,
    ReaderState,
    ReaderStatus,
)
from cardd.reader.lease import Lease
from cardd.reader.monitor import Monitor
from cardd.reader.pcsc import Observation
from cardd.reader.settings import ReaderSettings
from cardd.reader.watchdog import EventDispatcher, Watchdog
from cardd.reader.worker import Worker
from cardd.sharing.cache import Mark
from cardd.sharing.ticket import Priority

__all__ = ["ReaderSupervisor"]

_GRACE_S = 2.0  # on top of what the watchdog allows
_JOIN_S = 1.0
_LOOK_S = 1.0


class ReaderSupervisor:
    """Every reader that pcscd knows. Methods may be called from any thread.

    `on_event` is called on a thread of its own, one event at a time and in order; what it
    delays is only later events.
    """

    def __init__(
        self,
        on_event: Callable[[ReaderEvent], None],
        settings: ReaderSettings | None = None,
    ) -> None:
        self._settings = settings or ReaderSettings()
        self._lock = threading.Lock()
        self._workers: dict[str, Worker] = {}
        self._insertions = itertools.count(1)
        self._service_cause: str | None = None
        self._scanned = threading.Event()
        self._dispatcher = EventDispatcher(on_event)
        self._watchdog = Watchdog(self._check)
        self._monitor = Monitor(self._settings, self)

    def start(self) -> None:
        """Begin to watch; returns at once. `wait_scanned` tells when the readers are known."""
        self._dispatcher.start()
        self._watchdog.start()
        self._monitor.start()

    def stop(self) -> None:
        """End every lease and let every card go. A reader that hangs is left behind."""
        self._monitor.stop()
        with self._lock:
            workers, self._workers = list(self._workers.values()), {}
        executors = [worker.close() for worker in workers]
        for executor in executors:
            executor.join(_JOIN_S)
        self._watchdog.stop()
        self._dispatcher.stop()

    def wait_scanned(self, timeout_s: float) -> bool:
        """Wait until the readers were looked at once, or pcscd was found to be absent."""
        return self._scanned.wait(timeout_s)

    def look_again(self) -> None:
        """Wait until all that pcscd knows by now is known here: it tells a little later."""
        self._monitor.look(_LOOK_S)

    @property
    def pcsc_available(self) -> bool:
        return self._service_cause is None

    def readers(self) -> tuple[ReaderStatus, ...]:
        """Every reader in pcscd's order; the last known ones while pcscd is gone."""
        return tuple(worker.status() for worker in self._all())

    def reader(self, name: str) -> ReaderStatus:
        """One reader; ReaderNotFound."""
        return self.worker(name).status()

    def worker(self, name: str) -> Worker:
        """What leases a reader's card; ReaderNotFound."""
        with self._lock:
            worker = self._workers.get(name)
        if worker is None:
            raise ReaderNotFound(name)
        return worker

    def release(self, name: str) -> None:
        """Take a reader out of quarantine; ReaderNotFound, ReaderNotQuarantined."""
        self.worker(name).release()

    def find_card(self, card: str) -> ReaderStatus:
        """The reader that holds the card of this name; CardNotFound, PcscUnavailable."""
        for status in self.readers():
            if status.state is ReaderState.CARD_READY and status.card == card:
                return status
        if self._service_cause is not None:
            raise PcscUnavailable(self._service_cause)
        raise CardNotFound(card)

    def submit_lease(
        self,
        reader: str,
        caller: str,
        purpose: str,
        max_wait_s: float,
        insertion: int | None = None,
        priority: Priority = Priority.NORMAL,
    ) -> Future[Lease]:
        """Ask for a reader's card; see Worker.submit_lease. ReaderNotFound is raised at once."""
        return self.worker(reader).submit_lease(caller, purpose, max_wait_s, insertion, priority)

    def queue(self, reader: str) -> Queue:
        """Who has a reader's card and who waits; ReaderNotFound."""
        return self.worker(reader).queue()

    def mark(self, reader: str) -> Mark:
        """The state of the content of the card in a reader; ReaderNotFound."""
        return self.worker(reader).mark()

    def lease(
        self,
        reader: str,
        caller: str,
        purpose: str,
        max_wait_s: float,
        insertion: int | None = None,
        priority: Priority = Priority.NORMAL,
    ) -> Lease:
        """The same, blocking."""
        future = self.submit_lease(reader, caller, purpose, max_wait_s, insertion, priority)
        try:
            return future.result(max_wait_s + self._settings.call_limit_s + _GRACE_S)
        except BaseException:
            future.cancel()
            raise

    # What the workers need: SupervisorPort.

    def emit(self, event: ReaderEvent) -> None:
        self._dispatcher.emit(event)

    def next_insertion(self) -> int:
        return next(self._insertions)

    def wake_at(self, when: float) -> None:
        self._watchdog.wake_at(when)

    # What the monitor sees.

    def service_lost(self, cause: str) -> None:
        self._service_cause = cause
        for worker in self._all():
            worker.service_lost(cause)
        self.emit(PcscLost(cause))

    def service_back(self) -> None:
        self._service_cause = None
        self.emit(PcscBack())

    def readers_are(self, names: tuple[str, ...]) -> None:
        with self._lock:
            gone = [worker for name, worker in self._workers.items() if name not in names]
            for worker in gone:
                del self._workers[worker.name]
            for name in names:
                if name not in self._workers:
                    self._workers[name] = Worker(name, self._settings.of(name), self)
                    self.emit(ReaderAdded(name))
        for worker in gone:
            worker.close()
            self.emit(ReaderRemoved(worker.name))

    def observed(self, seen: Observation) -> None:
        with self._lock:
            worker = self._workers.get(seen.reader)
        if worker is not None:
            worker.observe(seen)

    def scanned(self) -> None:
        self._scanned.set()

    def _check(self, now: float) -> float | None:
        due = [worker.check(now) for worker in self._all()]
        return min((when for when in due if when is not None), default=None)

    def _all(self) -> list[Worker]:
        with self._lock:
            return list(self._workers.values())
