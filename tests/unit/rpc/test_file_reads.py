"""Readings that are shared: whom one ends with, and whom it does not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future

import pytest
from cardd.reader.errors import CardBusy
from cardd.reader.events import Queue, ReaderState, ReaderStatus
from cardd.reader.lease import Lease
from cardd.rpc.access import Policy
from cardd.rpc.call import Call
from cardd.rpc.card_leases import CardLeases
from cardd.rpc.file_reads import FileReads
from cardd.rpc.peer import Caller
from cardd.sharing.cache import Mark
from cardd.sharing.ticket import Priority

READER = ReaderStatus(
    name="A",
    state=ReaderState.CARD_READY,
    atr=b"",
    card="1",
    insertion=1,
    holder="",
    holder_purpose="",
    waiting=0,
    waiters=(),
    identity=None,
)


class QueuingReaders:
    """A card for which everybody waits; ``asked`` are those who wait, by caller."""

    pcsc_available = True

    def __init__(self) -> None:
        self.asked: list[tuple[str, Future[Lease]]] = []

    def readers(self) -> Sequence[ReaderStatus]:
        return (READER,)

    def reader(self, name: str) -> ReaderStatus:
        return READER

    def find_card(self, card: str) -> ReaderStatus:
        return READER

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


@pytest.fixture
def readers() -> QueuingReaders:
    return QueuingReaders()


@pytest.fixture
def files(readers: QueuingReaders) -> FileReads:
    return FileReads(CardLeases(readers, max_wait_s=10.0), readers, believe_s=1.0)


def reading(files: FileReads, uid: int) -> asyncio.Task[object]:
    caller = Caller(uid, frozenset(), uid)
    call = Call("id", "/cardea.v1.CardService/ReadFile", "cards.read", caller, Policy(()))
    read = files.read(READER, call, "ReadFile", None, ["EF.ICCID"])
    return asyncio.get_running_loop().create_task(_awaited(read))


async def _awaited(read: object) -> object:
    return await read  # type: ignore[misc]


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_asks_as_the_last_reader_leaves_asks_the_card_anew(
    files: FileReads, readers: QueuingReaders
) -> None:
    leaving = reading(files, 1000)
    await settled()
    leaving.cancel()
    following = reading(files, 1000)
    await settled()
    assert leaving.cancelled()
    assert len(readers.asked) == 2
    assert not following.done()
    readers.asked[-1][1].set_exception(CardBusy("A", "somebody", 10.0))
    with pytest.raises(CardBusy):
        await following


async def test_who_comes_while_another_of_the_same_user_waits_shares_its_turn(
    files: FileReads, readers: QueuingReaders
) -> None:
    both = [reading(files, 1000), reading(files, 1000)]
    await settled()
    assert len(readers.asked) == 1
    for each in both:
        each.cancel()
    await asyncio.wait(both)


async def test_another_users_turn_is_not_waited_for(
    files: FileReads, readers: QueuingReaders
) -> None:
    """It may be the last of many: users get the card in turn."""
    both = [reading(files, 1000), reading(files, 1001)]
    await settled()
    assert [caller.split(",")[0] for caller, _ in readers.asked] == ["uid 1000", "uid 1001"]
    for each in both:
        each.cancel()
    await asyncio.wait(both)
