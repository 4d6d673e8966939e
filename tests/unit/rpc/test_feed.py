"""Numbered events: bounded, resumable, none lost and none invented."""

from __future__ import annotations

import asyncio

import pytest
from cardd.rpc.feed import Feed, Signal
from cardd.rpc.refusals import EventsGoneError
from hypothesis import given
from hypothesis import strategies as st


def filled(events: int, *, kept: int = 8, origin: int = 100) -> Feed[int]:
    feed: Feed[int] = Feed(origin=origin, kept=kept)
    for event in range(events):
        feed.publish(event)
    return feed


@given(events=st.integers(0, 40), kept=st.integers(1, 20), after=st.integers(0, 200))
def test_since_gives_exactly_what_followed_or_says_that_it_is_gone(
    events: int, kept: int, after: int
) -> None:
    feed = filled(events, kept=kept)
    if 100 + max(0, events - kept) <= after <= 100 + events:
        assert feed.since(after) == tuple((100 + n + 1, n) for n in range(after - 100, events))
    else:
        with pytest.raises(EventsGoneError):
            feed.since(after)


async def test_a_follower_gets_what_was_and_what_comes() -> None:
    feed = filled(3)
    seen = []

    async def follow() -> None:
        async for number, event in feed.follow(101):
            seen.append((number, event))
            if len(seen) == 4:
                return

    task = asyncio.create_task(follow())
    await asyncio.sleep(0)
    feed.publish(30)
    feed.publish(40)
    await asyncio.wait_for(task, 60)
    assert seen == [(102, 1), (103, 2), (104, 30), (105, 40)]


async def test_a_follower_that_is_too_slow_is_told_and_costs_no_memory() -> None:
    feed = filled(0, kept=4)
    follower = feed.follow(100)
    feed.publish(0)
    assert await anext(follower) == (101, 0)
    for event in range(10):
        feed.publish(event)
    with pytest.raises(EventsGoneError):
        await anext(follower)


async def test_one_follower_that_leaves_disturbs_no_other() -> None:
    feed = filled(0)
    staying = asyncio.ensure_future(anext(feed.follow(100)))
    leaving = asyncio.ensure_future(anext(feed.follow(100)))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.sleep(0)
    feed.publish(1)
    assert await asyncio.wait_for(staying, 60) == (101, 1)


async def test_a_signal_from_another_thread_wakes_the_loop() -> None:
    signal = Signal()
    signal.bind(asyncio.get_running_loop())
    waiting = signal.next()
    await asyncio.to_thread(signal.raise_from_thread)
    await asyncio.wait_for(asyncio.shield(waiting), 60)
