"""Who may wait for a card, and how many calls of one user at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future

import pytest
from cardd.reader.events import Queue, ReaderState, ReaderStatus
from cardd.reader.lease import Lease
from cardd.rpc.access import Policy
from cardd.rpc.call import Call
from cardd.rpc.card_leases import CardLeases
from cardd.rpc.peer import Caller
from cardd.rpc.refusals import LimitReachedError
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


class BusyReaders:
    """A card that nobody ever gets."""

    pcsc_available = True

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
        return Future()

    def queue(self, reader: str) -> Queue:
        raise NotImplementedError

    def mark(self, reader: str) -> Mark:
        return Mark(0)


def call_of(uid: int) -> Call:
    caller = Caller(uid, frozenset(), 1)
    return Call("id", "/cardea.v1.CardService/Transmit", "cards.transmit", caller, Policy(()))


async def wait(leases: CardLeases, uid: int) -> None:
    async with leases.lease(READER, call_of(uid), "test", None):
        pass


@pytest.fixture
def leases() -> CardLeases:
    return CardLeases(BusyReaders(), max_wait_s=1.0, waiting_per_uid=2)


async def test_only_so_many_calls_of_one_user_wait_and_those_who_leave_make_room(
    leases: CardLeases,
) -> None:
    waiting = [asyncio.ensure_future(wait(leases, 7)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(LimitReachedError):
        await wait(leases, 7)
    waiting[0].cancel()
    await asyncio.sleep(0)
    third = asyncio.ensure_future(wait(leases, 7))
    await asyncio.sleep(0)
    assert not third.done()
    third.cancel()
    waiting[1].cancel()


async def test_one_users_waiting_calls_keep_no_other_user_out(leases: CardLeases) -> None:
    waiting = [asyncio.ensure_future(wait(leases, 7)) for _ in range(2)]
    await asyncio.sleep(0)
    other = asyncio.ensure_future(wait(leases, 8))
    await asyncio.sleep(0)
    assert not other.done()
    for task in (*waiting, other):
        task.cancel()
