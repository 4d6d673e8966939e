"""Idempotency by request_id: one effect however often it is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from cardd.rpc.idempotency import IdempotentCalls, IdempotentStreams
from cardd.rpc.refusals import ArgumentInvalidError, LimitReachedError

KEY = (1000, "request")


class BrokenError(Exception):
    """How the work fails."""


class Work:
    """Counts how often it was begun; ends when it is let go."""

    def __init__(self, *, fails: bool = False) -> None:
        self.begun = 0
        self.go = asyncio.Event()
        self._fails = fails

    async def run(self) -> int:
        self.begun += 1
        await self.go.wait()
        if self._fails:
            raise BrokenError
        return self.begun

    async def stream(self) -> AsyncIterator[int]:
        self.begun += 1
        yield 1
        await self.go.wait()
        yield 2
        if self._fails:
            raise BrokenError


async def test_a_repetition_joins_the_call_under_way_and_gets_its_result() -> None:
    idempotent, work = IdempotentCalls[int](), Work()
    calls = [asyncio.create_task(idempotent.once(KEY, b"", work.run)) for _ in range(3)]
    await asyncio.sleep(0)
    work.go.set()
    assert await asyncio.gather(*calls) == [1, 1, 1]
    assert await idempotent.once(KEY, b"", work.run) == 1


async def test_the_work_goes_on_if_the_caller_leaves() -> None:
    idempotent, work = IdempotentCalls[int](), Work()
    leaving = asyncio.create_task(idempotent.once(KEY, b"", work.run))
    await asyncio.sleep(0)
    leaving.cancel()
    work.go.set()
    assert await idempotent.once(KEY, b"", work.run) == 1


async def test_what_failed_can_be_tried_again() -> None:
    idempotent, work = IdempotentCalls[int](), Work(fails=True)
    work.go.set()
    for _ in range(2):
        with pytest.raises(BrokenError):
            await idempotent.once(KEY, b"", work.run)
    assert work.begun == 2


async def test_another_users_same_id_is_another_request() -> None:
    idempotent, work = IdempotentCalls[int](), Work()
    work.go.set()
    assert await idempotent.once((1, "id"), b"", work.run) == 1
    assert await idempotent.once((2, "id"), b"", work.run) == 2


async def test_an_id_for_two_different_requests_is_refused() -> None:
    idempotent, work = IdempotentCalls[int](), Work()
    work.go.set()
    await idempotent.once(KEY, b"one", work.run)
    with pytest.raises(ArgumentInvalidError):
        await idempotent.once(KEY, b"two", work.run)
    streams = IdempotentStreams[int]()
    assert [n async for n in streams.play(KEY, b"one", work.stream)] == [1, 2]
    with pytest.raises(ArgumentInvalidError):
        streams.play(KEY, b"two", work.stream)


async def test_without_an_id_every_call_is_a_new_one() -> None:
    idempotent, work = IdempotentCalls[int](), Work()
    work.go.set()
    assert [await idempotent.once((1000, ""), b"", work.run) for _ in range(2)] == [1, 2]


async def test_a_recorded_stream_is_played_from_its_beginning_to_everybody() -> None:
    streams, work = IdempotentStreams[int](), Work()
    first = streams.play(KEY, b"", work.stream)
    assert await anext(first) == 1
    second = streams.play(KEY, b"", work.stream)
    assert await anext(second) == 1
    work.go.set()
    assert [n async for n in first] == [2]
    assert [n async for n in second] == [2]
    assert [n async for n in streams.play(KEY, b"", work.stream)] == [1, 2]
    assert work.begun == 1


async def test_a_recorded_stream_ends_for_everybody_as_it_ended() -> None:
    streams, work = IdempotentStreams[int](), Work(fails=True)
    work.go.set()
    for _ in range(2):
        playing = streams.play(KEY, b"", work.stream)
        assert [await anext(playing), await anext(playing)] == [1, 2]
        with pytest.raises(BrokenError):
            await anext(playing)
    assert work.begun == 1


async def test_an_id_that_would_only_fill_the_memory_is_refused() -> None:
    work = Work()
    work.go.set()
    assert await IdempotentCalls[int]().once((1000, "x" * 256), b"", work.run) == 1
    with pytest.raises(ArgumentInvalidError):
        await IdempotentCalls[int]().once((1000, "x" * 257), b"", work.run)
    with pytest.raises(ArgumentInvalidError):
        IdempotentStreams[int]().play((1000, "x" * 257), b"", work.stream)
    assert work.begun == 1


async def test_nobody_makes_the_result_of_another_user_forgotten() -> None:
    idempotent, work = IdempotentCalls[int](kept=2), Work()
    work.go.set()
    assert await idempotent.once(KEY, b"", work.run) == 1
    for n in range(10):
        await idempotent.once((1001, str(n)), b"", work.run)
    assert await idempotent.once(KEY, b"", work.run) == 1
    assert await idempotent.once((1001, "9"), b"", work.run) == 11


async def test_what_is_under_way_is_not_forgotten_however_much_follows() -> None:
    idempotent, long, short = IdempotentCalls[int](kept=2), Work(), Work()
    under_way = asyncio.create_task(idempotent.once(KEY, b"", long.run))
    await asyncio.sleep(0)
    short.go.set()
    for n in range(10):
        await idempotent.once((KEY[0], str(n)), b"", short.run)
    again = asyncio.create_task(idempotent.once(KEY, b"", long.run))
    await asyncio.sleep(0)
    long.go.set()
    assert (await under_way, await again) == (1, 1)


async def test_a_user_has_only_so_many_under_way_and_others_theirs() -> None:
    idempotent, work = IdempotentCalls[int](kept=2), Work()
    begun = [asyncio.create_task(idempotent.once((1000, str(n)), b"", work.run)) for n in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(LimitReachedError):
        await idempotent.once((1000, "2"), b"", work.run)
    begun.append(asyncio.create_task(idempotent.once((1001, "2"), b"", work.run)))
    await asyncio.sleep(0)
    work.go.set()
    assert await asyncio.gather(*begun) == [3, 3, 3]


async def test_of_very_many_users_those_are_forgotten_that_asked_longest_ago() -> None:
    idempotent, work = IdempotentCalls[int](), Work()
    work.go.set()
    for uid in range(300):
        await idempotent.once((uid, "id"), b"", work.run)
    assert await idempotent.once((299, "id"), b"", work.run) == 300
    assert await idempotent.once((0, "id"), b"", work.run) == 301
