"""WriteCard's ids: what repeats them, and what does not take them away."""

from __future__ import annotations

import asyncio
import itertools
from types import SimpleNamespace
from typing import Any, cast

from cardd.rpc.call import Call
from cardd.rpc.card_leases import CardLeases
from cardd.rpc.card_writing import CardWriter
from cardd.rpc.peer import Caller
from cardea.v1 import cards_pb2 as pb

CALLER = Caller(1000, frozenset(), 1)
NUMBERS = itertools.count()


def call() -> Call:
    facts = SimpleNamespace(id=f"c{next(NUMBERS)}", caller=CALLER, require=lambda **_: None)
    return cast(Call, facts)


class CountingLeases:
    """Counts the writes that reach a card; they end when they are let go."""

    def __init__(self) -> None:
        self.begun = 0
        self.ended = 0
        self.go = asyncio.Event()

    async def find(self, _name: str, _call: Call) -> object:
        return SimpleNamespace(name="reader")

    async def work(self, *_: Any) -> pb.WriteCardResponse:
        self.begun += 1
        number = self.begun
        await self.go.wait()
        self.ended += 1
        return pb.WriteCardResponse(apdus=number)


def writer(leases: CountingLeases) -> CardWriter:
    none: Any = None
    return CardWriter(cast(CardLeases, leases), none, none, none, retry_floor=2)


def request(request_id: str) -> pb.WriteCardRequest:
    writes = [pb.CardFileWrite(oid="1.2.3", data=b"document")]
    return pb.WriteCardRequest(adm=b"12345678", writes=writes, request_id=request_id)


async def test_writes_without_an_id_make_no_id_forgotten() -> None:
    leases = CountingLeases()
    leases.go.set()
    card = writer(leases)
    first = await card.write(request("mine"), call())
    for _ in range(100):
        await card.write(request(""), call())
    assert await card.write(request("mine"), call()) == first
    assert leases.begun == 101


async def test_writes_without_an_id_keep_none_that_has_one_out() -> None:
    leases = CountingLeases()
    card = writer(leases)
    under_way = [asyncio.create_task(card.write(request(""), call())) for _ in range(100)]
    await asyncio.sleep(0)
    named = asyncio.create_task(card.write(request("mine"), call()))
    await asyncio.sleep(0)
    leases.go.set()
    await asyncio.gather(*under_way, named)


async def test_a_write_goes_on_if_its_caller_leaves() -> None:
    for request_id in ("", "mine"):
        leases = CountingLeases()
        leaving = asyncio.create_task(writer(leases).write(request(request_id), call()))
        await settled()
        leaving.cancel()
        await asyncio.wait([leaving])
        leases.go.set()
        await settled()
        assert (leases.begun, leases.ended) == (1, 1)


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)
