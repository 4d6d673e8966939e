"""The reader layer as the gRPC edge sees it, with one card in one reader."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future

from cardd.card.identify import CardIdentity
from cardd.reader.events import Queue, ReaderState, ReaderStatus
from cardd.reader.lease import Lease
from cardd.sharing.cache import Mark
from cardd.sharing.ticket import Priority

__all__ = ["ONE_CARD", "OneReader"]

ONE_CARD = ReaderStatus(
    name="A",
    state=ReaderState.CARD_READY,
    atr=b"",
    card="8949",
    insertion=1,
    holder="",
    holder_purpose="",
    waiting=0,
    waiters=(),
    identity=CardIdentity("8949", "8949", "", b"", ()),
)


class OneReader:
    """A card for which everybody waits; ``asked`` are those who wait, by caller."""

    pcsc_available = True

    def __init__(self, status: ReaderStatus = ONE_CARD) -> None:
        self.status = status
        self.asked: list[tuple[str, Future[Lease]]] = []
        self.looked_again = 0

    def readers(self) -> Sequence[ReaderStatus]:
        return (self.status,)

    def reader(self, name: str) -> ReaderStatus:
        return self.status

    def find_card(self, card: str) -> ReaderStatus:
        return self.status

    def submit_lease(
        self,
        reader: str,
        caller: str,
        purpose: str,
        max_wait_s: float,
        insertion: int | None = None,
        priority: Priority = Priority.NORMAL,
    ) -> Future[Lease]:
        coming: Future[Lease] = Future()
        self.asked.append((caller, coming))
        return coming

    def queue(self, reader: str) -> Queue:
        raise NotImplementedError

    def mark(self, reader: str) -> Mark:
        return Mark(0)

    def look_again(self) -> None:
        self.looked_again += 1
