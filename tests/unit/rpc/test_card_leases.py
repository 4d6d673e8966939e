"""Who may wait for a card, and how many calls of one user at once."""

from __future__ import annotations

import asyncio
import os
import threading
from dataclasses import replace

import pytest
from cardd.reader.events import ReaderState
from cardd.rpc.access import Grant, Policy
from cardd.rpc.call import Call
from cardd.rpc.card_leases import CardLeases
from cardd.rpc.peer import Caller
from cardd.rpc.refusals import CardNotFoundError, LimitReachedError
from support.readers import ONE_CARD, OneReader

EVERYTHING = Policy((Grant(uids=frozenset({os.geteuid()}), rights=("*",)),))
EMPTY = replace(ONE_CARD, state=ReaderState.EMPTY, card="", identity=None)


def call_of(uid: int) -> Call:
    caller = Caller(uid, frozenset(), 1)
    return Call("id", "/cardea.v1.CardService/Transmit", "cards.transmit", caller, Policy(()))


async def wait(leases: CardLeases, uid: int) -> None:
    async with leases.lease(ONE_CARD, call_of(uid), "test", None):
        pass


@pytest.fixture
def leases() -> CardLeases:
    return CardLeases(OneReader(), max_wait_s=1.0, waiting_per_uid=2)


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


class SlowReaders(OneReader):
    """pcscd knows of a card that the daemon has yet to hear of."""

    def __init__(self) -> None:
        super().__init__(EMPTY)
        self.began, self.go = threading.Event(), threading.Event()

    def look_again(self) -> None:
        super().look_again()
        self.began.set()
        assert self.go.wait(30)
        self.status = ONE_CARD


def call_of_mine() -> Call:
    caller = Caller(os.geteuid(), frozenset(), 1)
    return Call("id", "/cardea.v1.CardService/GetCard", "cards.get", caller, EVERYTHING)


@pytest.mark.parametrize("name", ["", "readers/A"])
async def test_a_card_that_pcscd_knows_of_when_the_call_begins_is_found(name: str) -> None:
    readers = SlowReaders()
    readers.go.set()
    leases = CardLeases(readers, max_wait_s=1.0)
    assert await leases.find(name, call_of_mine()) is ONE_CARD
    assert await leases.find(name, call_of_mine()) is ONE_CARD
    assert readers.looked_again == 1


async def test_many_who_find_nothing_share_a_look_that_begins_after_they_asked() -> None:
    readers = SlowReaders()
    leases = CardLeases(readers, max_wait_s=1.0)
    first = asyncio.ensure_future(leases.find("", call_of_mine()))
    assert await asyncio.to_thread(readers.began.wait, 30)
    others = [asyncio.ensure_future(leases.find("", call_of_mine())) for _ in range(50)]
    await asyncio.sleep(0)
    readers.go.set()
    for found in (first, *others):
        assert await found is ONE_CARD
    assert readers.looked_again == 2


async def test_no_card_is_no_card_after_a_second_look() -> None:
    readers = OneReader(EMPTY)
    with pytest.raises(CardNotFoundError):
        await CardLeases(readers, max_wait_s=1.0).find("", call_of_mine())
    assert readers.looked_again == 1
