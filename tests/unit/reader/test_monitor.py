"""The monitor against a pcscd that is told what to say and when."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest
from cardd.reader import monitor
from cardd.reader.pcsc import PNP_READER, Context, Observation
from cardd.reader.settings import ReaderSettings

FIRST, TOKEN = "Reader 00 00", "Token 01 00"
EMPTY, PRESENT = 0x00000012, 0x00010022  # and that is news; a card is one change since the start


class PluggedIn(Context):
    """A pcscd with one reader, until somebody plugs in a token, which has its card in it."""

    def __init__(self) -> None:
        self._cancelled = threading.Event()
        self.names: tuple[str, ...] = (FIRST,)

    def release(self) -> None:
        pass

    def cancel(self) -> None:
        self._cancelled.set()

    def readers(self) -> tuple[str, ...]:
        names = self.names
        time.sleep(0.02)  # whoever believes to know enough by now goes on
        return names

    def wait(self, known: Sequence[tuple[str, int]], timeout_s: float) -> list[Observation]:
        if timeout_s:
            self._cancelled.wait(timeout_s)
            self._cancelled.clear()
            return [Observation(FIRST, EMPTY, b"")]  # at that moment something else was news
        states = dict(known)
        seen = []
        if states[PNP_READER] >> 16 != len(self.names):
            seen.append(Observation(PNP_READER, len(self.names) << 16, b""))
        if states.get(TOKEN) == 0:
            seen.append(Observation(TOKEN, PRESENT, b"\x3b"))
        return seen


class Notes:
    """What the monitor has said."""

    def __init__(self) -> None:
        self.names: tuple[str, ...] = ()
        self.seen: list[str] = []
        self.scans = threading.Event()

    def service_lost(self, cause: str) -> None:
        raise AssertionError(cause)

    def service_back(self) -> None:
        raise AssertionError

    def readers_are(self, names: tuple[str, ...]) -> None:
        self.names = names

    def observed(self, seen: Observation) -> None:
        self.seen.append(seen.reader)

    def scanned(self) -> None:
        self.scans.set()


def test_a_look_is_over_when_a_reader_that_was_plugged_in_before_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for _ in range(3):
        pcscd = PluggedIn()
        monkeypatch.setattr(monitor, "Context", lambda pcscd=pcscd: pcscd)
        notes = Notes()
        watching = monitor.Monitor(ReaderSettings(), notes)
        watching.start()
        watching.look(10)
        pcscd.names = (FIRST, TOKEN)
        watching.look(10)
        known = notes.names, TOKEN in notes.seen
        watching.stop()
        assert known == ((FIRST, TOKEN), True)
