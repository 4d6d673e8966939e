"""One notification is one session, however often it is handed over."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from cardd.app.notifications import Notifications
from cardd.network.errors import ServerUnreachableError
from cardd.provisioning.errors import NotificationNeedsUserError
from cardd.provisioning.people import Asked
from cardd.provisioning.progress import SessionOutcome
from cardd.rpc.refusals import LimitReachedError
from cardd.store import Store
from cardd.tree import ManagementTree, TreeHolder
from omadm.interaction import Outcome, Reply
from omadm.notification import WSP_HEADER, UiMode, build
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


class People:
    """Answer all the same."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.asked: list[Asked] = []

    async def ask(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        await asyncio.sleep(0)
        return Reply(self.outcome)


def notifications(store: Store, people: People | None = None) -> tuple[Sessions, Notifications]:
    tree = ManagementTree()
    tree.adopt("device", "local", account(), 1)
    sessions = Sessions()
    questions = people or People(Outcome.NOBODY)
    holder = TreeHolder(tree, 1)
    return sessions, Notifications(sessions, questions, store, holder, question_limit_s=60.0)


def push(session: int, mode: UiMode = UiMode.BACKGROUND) -> bytes:
    body = build(server_id=SERVER, password=SECRET, nonce=IN_TREE, session_id=session, ui_mode=mode)
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


INTERACTION = UiMode.USER_INTERACTION


@pytest.mark.parametrize("mode", [each for each in UiMode if each is not INTERACTION])
async def test_nobody_is_asked_unless_the_server_wants_it(store: Store, mode: UiMode) -> None:
    people = People(Outcome.DECLINED)
    sessions, subject = notifications(store, people)
    sessions.end.set_result(OUTCOME)
    assert (await subject.deliver(push(0xAB, mode), user_agreed=False)).ui_mode is mode
    assert people.asked == []


async def test_a_person_who_agrees_is_asked_once_about_this_session(store: Store) -> None:
    people = People(Outcome.ANSWERED)
    sessions, subject = notifications(store, people)
    sessions.end.set_result(OUTCOME)
    calls = [subject.deliver(push(0xAB, INTERACTION), user_agreed=False) for _ in range(3)]
    assert [done.outcome for done in await asyncio.gather(*calls)] == [OUTCOME] * 3
    (asked,) = people.asked
    assert (asked.asker, asked.session, asked.max_wait_s) == (f"servers/{SERVER}", "AB", 60.0)
    assert SERVER in asked.question.text
    assert sessions.asked_for == [(SERVER, "AB")]


@pytest.mark.parametrize(
    ("outcome", "times"),
    [
        *((Outcome.DECLINED, 1), (Outcome.CANCELLED, 1)),
        *((Outcome.NOBODY, 2), (Outcome.TIMED_OUT, 2)),
    ],
)
async def test_without_a_yes_there_is_no_session_and_after_a_no_no_further_question(
    store: Store, outcome: Outcome, times: int
) -> None:
    people = People(outcome)
    sessions, subject = notifications(store, people)
    for _ in range(2):
        with pytest.raises(NotificationNeedsUserError):
            await subject.deliver(push(0xAB, INTERACTION), user_agreed=False)
    assert len(people.asked) == times
    assert sessions.asked_for == []


async def test_whoever_hands_over_may_have_asked_already(store: Store) -> None:
    people = People(Outcome.DECLINED)
    sessions, subject = notifications(store, people)
    sessions.end.set_result(OUTCOME)
    done = await subject.deliver(push(0xAB, INTERACTION), user_agreed=True)
    assert (done.outcome, people.asked) == (OUTCOME, [])
