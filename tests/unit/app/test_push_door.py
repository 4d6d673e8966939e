"""Datagrams: each source, and all of them together, cost the daemon only so much."""

from __future__ import annotations

import asyncio
import socket

import pytest
import structlog
from cardd.app.push_door import PushDoor
from cardd.network.datagrams import listen_datagrams
from cardd.provisioning.progress import SessionOutcome
from cardd.rpc.ports import NotifiedSession
from omadm.errors import NotificationError
from omadm.notification import UiMode


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Counting:
    """Follows what says so, breaks by what says that, and refuses the rest."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    async def deliver(self, message: bytes, *, user_agreed: bool) -> NotifiedSession:
        assert not user_agreed, "nobody is asked by a datagram"
        self.seen.append(message)
        if message == b"defect":
            raise AssertionError("canary")
        if message != b"good":
            raise NotificationError("truncated", length=len(message))
        outcome = SessionOutcome("AB", 1, 1, 0, confirmed=True)
        return NotifiedSession("dm.example.org", UiMode.BACKGROUND, outcome)


async def settled() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


async def test_a_source_has_a_few_at_once_and_then_one_at_a_time() -> None:
    clock, notifications = Clock(), Counting()
    door = PushDoor(notifications, clock)
    for _ in range(100):
        door.take(b"x", "192.0.2.1")
    await settled()
    assert len(notifications.seen) == 4
    clock.now_s += 2.0
    for _ in range(100):
        door.take(b"x", "192.0.2.1")
    await settled()
    assert len(notifications.seen) == 5


async def test_one_loud_source_does_not_keep_another_out() -> None:
    notifications = Counting()
    door = PushDoor(notifications, Clock())
    for _ in range(10_000):
        door.take(b"x", "192.0.2.1")
    door.take(b"good", "192.0.2.2")
    await settled()
    assert notifications.seen.count(b"good") == 1


async def test_many_sources_together_have_a_bound_too() -> None:
    clock, notifications = Clock(), Counting()
    door = PushDoor(notifications, clock)
    for number in range(10_000):
        door.take(b"x", f"2001:db8::{number:x}")
    await settled()
    assert len(notifications.seen) == 32
    # And it is over when they are.
    clock.now_s += 1.0
    door.take(b"good", "192.0.2.1")
    await settled()
    assert notifications.seen[-1] == b"good"


async def test_what_is_dropped_is_counted_in_the_next_event() -> None:
    clock = Clock()
    door = PushDoor(Counting(), clock)
    with structlog.testing.capture_logs() as log:
        for _ in range(10):
            door.take(b"x", "192.0.2.1")
        await settled()
        clock.now_s += 2.0
        door.take(b"good", "192.0.2.1")
        await settled()
    refused = [each for each in log if each["event"] == "notification.refused"]
    assert [each["reason"] for each in refused] == ["NOTIFICATION_MALFORMED"] * 4
    followed = log[-1]
    assert (followed["event"], followed["session"]) == ("notification.followed", "AB")
    assert sum(each["left_out"] for each in log) == 6


async def test_a_defect_is_logged_without_its_words_and_the_door_stays_open() -> None:
    notifications = Counting()
    door = PushDoor(notifications, Clock())
    with structlog.testing.capture_logs() as log:
        door.take(b"defect", "192.0.2.1")
        await settled()
        door.take(b"good", "192.0.2.1")
        await settled()
    assert [each["event"] for each in log] == ["notification.refused", "notification.followed"]
    assert log[0]["reason"] == "INTERNAL"
    assert "canary" not in str(log)
    assert "test_push_door" in log[0]["where"]


async def test_a_datagram_is_taken_and_never_answered() -> None:
    taken: asyncio.Queue[tuple[bytes, str]] = asyncio.Queue()
    transport = await listen_datagrams("127.0.0.1", 0, lambda *each: taken.put_nowait(each))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.setblocking(False)
        link.connect(transport.get_extra_info("sockname"))
        link.send(b"")
        link.send(b"x" * 1400)
        assert await taken.get() == (b"", "127.0.0.1")
        assert await taken.get() == (b"x" * 1400, "127.0.0.1")
        with pytest.raises(BlockingIOError):
            link.recv(1)
    transport.close()
