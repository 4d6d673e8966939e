"""The thread that watches readers and cards come and go, with a context of its own."""

from __future__ import annotations

import threading
import time
from typing import Protocol

from cardd.reader.pcsc import PNP_READER, Context, Observation, PcscError, Trouble
from cardd.reader.settings import ReaderSettings

__all__ = ["Monitor", "Watcher"]

# Long, because nothing depends on it: a change, a cancel and pcscd's death all end a wait.
_WAIT_S = 30.0
_CANCEL_S = 0.02
_UNAWARE = 0


class Watcher(Protocol):
    """Who is told. Called on the monitor's thread; must return at once."""

    def service_lost(self, cause: str) -> None: ...
    def service_back(self) -> None: ...
    def readers_are(self, names: tuple[str, ...]) -> None: ...
    def observed(self, seen: Observation) -> None: ...
    def scanned(self) -> None: ...


class Monitor:
    """Survives pcscd: a new context with growing pauses until it answers again."""

    def __init__(self, settings: ReaderSettings, watcher: Watcher) -> None:
        self._settings = settings
        self._watcher = watcher
        self._context: Context | None = None
        self._stopping = threading.Event()
        self._passes = threading.Condition()
        self._asked = self._answered = 0
        self._thread = threading.Thread(target=self._run, name="reader monitor", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """End the watch. A cancel is lost between two waits, so it is repeated."""
        self._stopping.set()
        give_up_at = time.monotonic() + timeout_s
        while self._thread.is_alive() and time.monotonic() < give_up_at:
            context = self._context
            if context is not None:
                context.cancel()
            self._thread.join(_CANCEL_S)

    def look(self, timeout_s: float) -> None:
        """Wait, at most so long, until everything was reported that pcscd knows by now."""
        with self._passes:
            self._asked += 1
            asked = self._asked
        give_up_at = time.monotonic() + timeout_s
        while not self._stopping.is_set() and time.monotonic() < give_up_at:
            context = self._context
            if context is None:
                return  # no pcscd
            context.cancel()  # lost between two waits, so it is repeated
            with self._passes:
                if self._passes.wait_for(lambda: self._answered >= asked, _CANCEL_S):
                    return

    def _run(self) -> None:
        lost = False
        pause_s = self._settings.pcsc_retry_s
        while not self._stopping.is_set():
            try:
                self._context = context = Context()
                try:
                    names = context.readers()
                    if lost:
                        self._watcher.service_back()
                    lost, pause_s = False, self._settings.pcsc_retry_s
                    self._watch(context, names)
                finally:
                    self._context = None
                    context.release()
            except PcscError as error:
                if not lost:
                    self._watcher.service_lost(error.name)
                    self._watcher.scanned()
                lost = True
                self._stopping.wait(pause_s)
                pause_s = min(2 * pause_s, self._settings.pcsc_retry_max_s)

    def _watch(self, context: Context, names: tuple[str, ...]) -> None:
        """Report until stopped; PcscError when pcscd is gone."""
        known: dict[str, int] = {}
        while not self._stopping.is_set():
            self._watcher.readers_are(names)
            known = {name: known.get(name, _UNAWARE) for name in names}
            asked, plug = self._asked, len(names)
            limit_s = _WAIT_S if asked == self._answered else 0.0
            waited = self._wait(context, known, plug, limit_s)
            for seen in waited:
                if seen.reader in known:
                    known[seen.reader] = seen.known
                    self._watcher.observed(seen)
            self._watcher.scanned()
            changed = any(s.reader == PNP_READER or s.unavailable for s in waited)
            if not limit_s or not waited or changed:
                names = context.readers()
            if not limit_s and set(names) == known.keys():
                with self._passes:
                    self._answered = asked
                    self._passes.notify_all()

    def _wait(
        self, context: Context, known: dict[str, int], plug: int, limit_s: float
    ) -> list[Observation]:
        states = [*known.items(), (PNP_READER, plug << 16)]
        try:
            return context.wait(states, limit_s)
        except PcscError as error:
            # A reader went away between the list and the wait: list anew.
            if error.code in Trouble.REMOVED:
                return []
            raise
