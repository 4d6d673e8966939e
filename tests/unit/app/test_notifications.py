"""One notification is one session, however often it is handed over."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from cardd.app.notifications import Notifications
from cardd.network.errors import ServerUnreachableError
from cardd.provisioning.progress import SessionOutcome
from cardd.rpc.refusals import LimitReachedError
from cardd.store import Store
from cardd.tree import ManagementTree, TreeHolder
from omadm.notification import WSP_HEADER, build
from unit.provisioning.test_notification import IN_TREE, SECRET, SERVER, account


class Sessions:
    """A provisioner whose sessions end when they are told to."""

    def __init__(self) -> None:
        self.asked_for: list[tuple[str, str]] = []
        self.end: asyncio.Future[SessionOutcome] = asyncio.get_running_loop().create_future()

    async def start_session(self, server_id: str, notified: str = "") -> SessionOutcome:
        self.asked_for.append((server_id, notified))
        return await asyncio.shield(self.end)


OUTCOME = SessionOutcome("AB", 1, 1, 0, confirmed=True)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "s" / "cardd.sqlite") as opened:
        yield opened


def notifications(store: Store) -> tuple[Sessions, Notifications]:
    tree = ManagementTree()
    tree.adopt("device", "local", account(), 1)
    sessions = Sessions()
    return sessions, Notifications(sessions, store, TreeHolder(tree, 1))


def push(session: int) -> bytes:
    body = build(server_id=SERVER, password=SECRET, nonce=IN_TREE, session_id=session)
    return WSP_HEADER + body


async def test_a_message_that_comes_again_joins_its_session(store: Store) -> None:
    sessions, subject = notifications(store)
    # By datagram, by a local program, with and without its envelope.
    calls = [
        asyncio.create_task(subject.deliver(message, user_agreed=False))
        for message in (push(0xAB), push(0xAB), push(0xAB)[len(WSP_HEADER) :])
    ]
    await asyncio.sleep(0)
    sessions.end.set_result(OUTCOME)
    assert [done.outcome for done in await asyncio.gather(*calls)] == [OUTCOME] * 3
    assert sessions.asked_for == [(SERVER, "AB")]


async def test_who_hands_over_may_leave_and_the_session_goes_on(store: Store) -> None:
    sessions, subject = notifications(store)
    call = asyncio.create_task(subject.deliver(push(0xAB), user_agreed=False))
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    again = asyncio.create_task(subject.deliver(push(0xAB), user_agreed=False))
    await asyncio.sleep(0)
    sessions.end.set_result(OUTCOME)
    assert (await again).outcome == OUTCOME
    assert len(sessions.asked_for) == 1


async def test_a_session_that_failed_may_be_asked_for_again(store: Store) -> None:
    sessions, subject = notifications(store)
    sessions.end.set_exception(ServerUnreachableError("https://dm.example/dm", "refused"))
    for _ in range(2):
        with pytest.raises(ServerUnreachableError):
            await subject.deliver(push(0xAB), user_agreed=False)
    assert len(sessions.asked_for) == 2


async def test_servers_have_only_so_many_sessions_waiting(store: Store) -> None:
    sessions, subject = notifications(store)
    calls = [
        asyncio.create_task(subject.deliver(push(number), user_agreed=False))
        for number in range(1, 17)
    ]
    await asyncio.sleep(0)
    with pytest.raises(LimitReachedError):
        await subject.deliver(push(17), user_agreed=False)
    sessions.end.set_result(OUTCOME)
    await asyncio.gather(*calls)
    assert (await subject.deliver(push(17), user_agreed=False)).outcome == OUTCOME
