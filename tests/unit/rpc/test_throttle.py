"""Refusals are held back from whoever asks again and again, and from nobody else."""

from __future__ import annotations

import asyncio
import time

import grpc
import pytest
from cardd.rpc.access import Policy
from cardd.rpc.throttle import Throttle
from unit.rpc.conftest import Serve

Ask = grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]


def test_a_users_first_refusals_come_at_once() -> None:
    throttle = Throttle(burst=3, per_second=2.0)
    assert [throttle.delay_s(7, 0.0) for _ in range(3)] == [0.0, 0.0, 0.0]


def test_beyond_the_burst_refusals_come_at_the_rate_and_no_later_than_the_most() -> None:
    throttle = Throttle(burst=1, per_second=2.0, most_s=1.0)
    assert [throttle.delay_s(7, 0.0) for _ in range(5)] == [0.0, 0.5, 1.0, 1.0, 1.0]


def test_who_pauses_is_answered_at_once_again() -> None:
    throttle = Throttle(burst=1, per_second=2.0)
    for _ in range(4):
        throttle.delay_s(7, 0.0)
    assert throttle.delay_s(7, 2.0) == 0.0


def test_one_users_refusals_do_not_delay_anothers() -> None:
    throttle = Throttle(burst=1, per_second=1.0)
    for _ in range(9):
        throttle.delay_s(7, 0.0)
    assert throttle.delay_s(8, 0.0) == 0.0


def test_no_number_of_users_makes_it_grow_without_end() -> None:
    throttle = Throttle()
    for uid in range(20_000):
        throttle.delay_s(uid, uid / 1000)
    assert len(throttle._accounts) <= 4096


async def test_a_flood_of_refused_calls_is_slowed_down_but_answered(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if all of them came at one moment, however long the machine takes."""
    delay_s, delays = Throttle.delay_s, []

    def at_once(self: Throttle, uid: int, now: float, amount: float = 1) -> float:
        delays.append(delay_s(self, uid, 0.0, amount))
        return delays[-1]

    monkeypatch.setattr(Throttle, "delay_s", at_once)
    served = await serve(policy=Policy(()))
    async with served.channel() as channel:
        check: Ask = channel.unary_unary("/grpc.health.v1.Health/Check")

        async def ask() -> None:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await check(b"")
            assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED

        await asyncio.gather(*(ask() for _ in range(64)))
        assert max(delays) == 0
        before = time.monotonic()
        await asyncio.gather(*(ask() for _ in range(64)))
        assert time.monotonic() - before >= max(delays) == 2.0
