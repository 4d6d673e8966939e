"""Readings that are shared: whom one ends with, and whom it does not."""

from __future__ import annotations

import asyncio

import pytest
from cardd.reader.errors import CardBusy
from cardd.rpc.access import Policy
from cardd.rpc.call import Call
from cardd.rpc.card_leases import CardLeases
from cardd.rpc.file_reads import FileReads
from cardd.rpc.peer import Caller
from support.readers import ONE_CARD, OneReader


@pytest.fixture
def readers() -> OneReader:
    return OneReader()


@pytest.fixture
def files(readers: OneReader) -> FileReads:
    return FileReads(CardLeases(readers, max_wait_s=10.0), readers, believe_s=1.0)


def reading(files: FileReads, uid: int) -> asyncio.Task[object]:
    caller = Caller(uid, frozenset(), uid)
    call = Call("id", "/cardea.v1.CardService/ReadFile", "cards.read", caller, Policy(()))
    read = files.read(ONE_CARD, call, "ReadFile", None, ["EF.ICCID"])
    return asyncio.get_running_loop().create_task(_awaited(read))


async def _awaited(read: object) -> object:
    return await read  # type: ignore[misc]


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_asks_as_the_last_reader_leaves_asks_the_card_anew(
    files: FileReads, readers: OneReader
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
    files: FileReads, readers: OneReader
) -> None:
    both = [reading(files, 1000), reading(files, 1000)]
    await settled()
    assert len(readers.asked) == 1
    for each in both:
        each.cancel()
    await asyncio.wait(both)


async def test_another_users_turn_is_not_waited_for(files: FileReads, readers: OneReader) -> None:
    """It may be the last of many: users get the card in turn."""
    both = [reading(files, 1000), reading(files, 1001)]
    await settled()
    assert [caller.split(",")[0] for caller, _ in readers.asked] == ["uid 1000", "uid 1001"]
    for each in both:
        each.cancel()
    await asyncio.wait(both)
