"""A supervisor over the private pcscd, with the events it reports."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TypeVar

import pytest
from cardd.reader.events import CardReady, ReaderEvent, ReaderState
from cardd.reader.pcsc import Context
from cardd.reader.settings import ReaderSettings
from cardd.reader.supervisor import ReaderSupervisor
from support.client import LIMIT_S, eventually
from support.stack import Pcsc

__all__ = ["LASTING", "QUICK", "Watched", "watched"]

E = TypeVar("E")

QUICK = ReaderSettings(
    idle_limit_s=0.6,
    max_hold_s=3.0,
    call_limit_s=1.0,
    let_go_s=0.1,
    park_s=0.3,
    recheck_s=0.05,
    recheck_limit_s=1.0,
)
# The same, but for leases: for tests in which they do not end by themselves.
LASTING = replace(QUICK, idle_limit_s=30.0, max_hold_s=30.0)


class Watched:
    """The supervisor under test and its story so far."""

    def __init__(self, settings: ReaderSettings) -> None:
        self._news = threading.Condition()
        self.events: list[ReaderEvent] = []
        self.supervisor = ReaderSupervisor(self._take, settings)

    def wait_for(self, kind: type[E], after: int = 0) -> E:
        """The first event of the kind from position `after` on."""
        give_up_at = time.monotonic() + LIMIT_S
        with self._news:
            while True:
                for event in self.events[after:]:
                    if isinstance(event, kind):
                        return event
                left = give_up_at - time.monotonic()
                assert left > 0, f"no {kind.__name__} in {self.events[after:]}"
                self._news.wait(left)

    def wait_state(self, reader: str, state: ReaderState) -> None:
        eventually(lambda: self.supervisor.reader(reader).state is state)

    def ready(self, pcsc: Pcsc, profile: str = "operator", index: int = 0) -> CardReady:
        """Insert a card and wait until it is identified."""
        seen = len(self.events)
        pcsc.insert(profile, index)
        return self.wait_for(CardReady, seen)

    def _take(self, event: ReaderEvent) -> None:
        with self._news:
            self.events.append(event)
            self._news.notify_all()


@pytest.fixture
def watched(request: pytest.FixtureRequest, pcsc: Pcsc) -> Iterator[Watched]:
    """Quick limits, unless the test has its own, on a pcscd with empty readers."""
    eventually(lambda: _pcscd_sees_no_card(pcsc.names))
    watched = Watched(getattr(request, "param", QUICK))
    watched.supervisor.start()
    assert watched.supervisor.wait_scanned(LIMIT_S)
    yield watched
    watched.supervisor.stop()


def _pcscd_sees_no_card(readers: tuple[str, ...]) -> bool:
    """It may not have noticed yet that the last test's cards are gone."""
    context = Context()
    try:
        return not any(context.observe(reader).present for reader in readers)
    finally:
        context.release()
