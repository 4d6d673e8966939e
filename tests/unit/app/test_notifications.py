"""One notification is one session, however often it is handed over."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Literal

import pytest
from cardd.app.notifications import Notifications
from cardd.network.errors import ServerUnreachableError
from cardd.provisioning.errors import NotificationNeedsUserError
from cardd.provisioning.people import Asked
from cardd.provisioning.progress import SessionOutcome
from cardd.rpc.ports import NotifiedSession
from cardd.rpc.questions import OpenQuestions
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
        self._another = asyncio.Event()
        self.end: asyncio.Future[SessionOutcome] = asyncio.get_running_loop().create_future()

    async def start_session(self, server_id: str, notified: str = "") -> SessionOutcome:
        self.asked_for.append((server_id, notified))
        self._another.set()
        return await asyncio.shield(self.end)

    async def begun(self, count: int) -> None:
        """Wait until so many have begun, and whoever joins them has."""
        async with asyncio.timeout(60):
            while len(self.asked_for) < count:
                self._another.clear()
                await self._another.wait()
        for _ in range(100):
            await asyncio.sleep(0)


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

    async def ask(self, asked: Asked, needless: asyncio.Future[None]) -> Reply:
        self.asked.append(asked)
        await asyncio.sleep(0)
        return Reply(self.outcome)


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def notifications(
    store: Store,
    people: People | OpenQuestions | None = None,
    clock: Clock | None = None,
    servers: int = 1,
) -> tuple[Sessions, Notifications]:
    tree = ManagementTree()
    nodes = [account(f"./DMAcc/{n}", server=server(n)) for n in range(1, servers + 1)]
    tree.adopt("device", "local", [each for some in nodes for each in some], 1)
    sessions = Sessions()
    questions = people or People(Outcome.NOBODY)
    subject = Notifications(
        sessions,
        questions,
        store,
        TreeHolder(tree, 1),
        question_limit_s=60.0,
        monotonic_s=clock or Clock(),
    )
    return sessions, subject


def server(number: int) -> str:
    return SERVER if number == 1 else f"dm{number}.example.org"


def push(session: int, mode: UiMode = UiMode.BACKGROUND, by: int = 1) -> bytes:
    body = build(
        server_id=server(by), password=SECRET, nonce=IN_TREE, session_id=session, ui_mode=mode
    )
    return WSP_HEADER + body


def handed_over(
    subject: Notifications, message: bytes, *, user_agreed: bool = False
) -> asyncio.Task[NotifiedSession]:
    return asyncio.create_task(subject.deliver(message, user_agreed=user_agreed))


async def test_a_message_that_comes_again_joins_its_session(store: Store) -> None:
    sessions, subject = notifications(store)
    # By datagram, by a local program, with and without its envelope.
    calls = [
        handed_over(subject, message)
        for message in (push(0xAB), push(0xAB), push(0xAB)[len(WSP_HEADER) :])
    ]
    await sessions.begun(1)
    sessions.end.set_result(OUTCOME)
    assert [done.outcome for done in await asyncio.gather(*calls)] == [OUTCOME] * 3
    assert sessions.asked_for == [(SERVER, "AB")]


async def test_who_hands_over_may_leave_and_the_session_goes_on(store: Store) -> None:
    sessions, subject = notifications(store)
    call = handed_over(subject, push(0xAB))
    await sessions.begun(1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    again = handed_over(subject, push(0xAB))
    await sessions.begun(1)
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


async def test_a_server_has_only_so_many_sessions_waiting_and_leaves_others_room(
    store: Store,
) -> None:
    sessions, subject = notifications(store, servers=2)
    calls = [handed_over(subject, push(number)) for number in range(1, 5)]
    await sessions.begun(4)
    with pytest.raises(LimitReachedError):
        await asyncio.wait_for(handed_over(subject, push(5)), 60)
    other = handed_over(subject, push(1, by=2))
    await sessions.begun(5)
    sessions.end.set_result(OUTCOME)
    await asyncio.gather(*calls, other)
    assert (await subject.deliver(push(5), user_agreed=False)).outcome == OUTCOME


async def test_all_servers_together_have_only_so_many_sessions_waiting(store: Store) -> None:
    sessions, subject = notifications(store, servers=17)
    calls = [
        handed_over(subject, push(number, by=by)) for by in range(1, 17) for number in range(1, 5)
    ]
    await sessions.begun(64)
    with pytest.raises(LimitReachedError):
        await asyncio.wait_for(handed_over(subject, push(1, by=17)), 60)
    sessions.end.set_result(OUTCOME)
    await asyncio.gather(*calls)


class BusyStore(Store):
    """Answers as soon as it is released, as one with a large commit under way."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.released = threading.Event()

    def nonce(self, server_id: str, direction: Literal["client", "server"]) -> bytes | None:
        assert self.released.wait(20), "nothing else goes on meanwhile"
        return super().nonce(server_id, direction)


async def test_a_busy_store_holds_up_nothing_but_the_notification(tmp_path: Path) -> None:
    with closing(BusyStore(tmp_path / "s" / "cardd.sqlite")) as store:
        sessions, subject = notifications(store)
        calls = [handed_over(subject, push(0xAB)) for _ in range(2)]
        asyncio.get_running_loop().call_later(0.01, store.released.set)
        await sessions.begun(1)
        sessions.end.set_result(OUTCOME)
        assert [done.outcome for done in await asyncio.gather(*calls)] == [OUTCOME] * 2
        assert sessions.asked_for == [(SERVER, "AB")]


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
    calls = [handed_over(subject, push(0xAB, INTERACTION)) for _ in range(3)]
    await sessions.begun(1)
    sessions.end.set_result(OUTCOME)
    assert [done.outcome for done in await asyncio.gather(*calls)] == [OUTCOME] * 3
    (asked,) = people.asked
    assert (asked.asker, asked.session, asked.max_wait_s) == (f"servers/{SERVER}", "AB", 60.0)
    assert SERVER in asked.question.text
    assert sessions.asked_for == [(SERVER, "AB")]


@pytest.mark.parametrize(
    ("outcome", "at_once", "an_hour_later"),
    [
        *((Outcome.DECLINED, 1, 1), (Outcome.CANCELLED, 1, 1)),
        *((Outcome.TIMED_OUT, 1, 2), (Outcome.NOBODY, 2, 3)),
    ],
)
async def test_without_a_yes_there_is_no_session_and_the_same_message_asks_not_on_and_on(
    store: Store, outcome: Outcome, at_once: int, an_hour_later: int
) -> None:
    people, clock = People(outcome), Clock()
    sessions, subject = notifications(store, people, clock)

    async def refused() -> int:
        with pytest.raises(NotificationNeedsUserError) as raised:
            await subject.deliver(push(0xAB, INTERACTION), user_agreed=False)
        assert raised.value.outcome == outcome.value
        return len(people.asked)

    await refused()
    assert await refused() == at_once
    clock.now_s += 3601.0
    assert await refused() == an_hour_later
    assert sessions.asked_for == []


async def test_a_server_has_one_question_open_and_leaves_others_theirs(store: Store) -> None:
    questions = OpenQuestions(store.questions)
    watch = questions.watch()
    await anext(watch)
    sessions, subject = notifications(store, questions, servers=2)
    sessions.end.set_result(OUTCOME)
    calls = [handed_over(subject, push(1, INTERACTION, by=by)) for by in (1, 2)]
    names = [(await anext(watch)).opened.name for _ in calls]
    with pytest.raises(LimitReachedError):
        await asyncio.wait_for(handed_over(subject, push(2, INTERACTION)), 60)
    for name in names:
        await questions.answer(name, lambda _: Reply(Outcome.ANSWERED), "users/0")
    assert [done.outcome for done in await asyncio.gather(*calls)] == [OUTCOME] * 2


async def test_a_word_that_comes_with_the_message_again_ends_the_question(store: Store) -> None:
    questions = OpenQuestions(store.questions)
    watch = questions.watch()
    await anext(watch)
    sessions, subject = notifications(store, questions)
    sessions.end.set_result(OUTCOME)
    by_datagram = handed_over(subject, push(0xAB, INTERACTION))
    shown = (await anext(watch)).opened
    by_program = handed_over(subject, push(0xAB, INTERACTION), user_agreed=True)
    assert (await by_datagram).outcome == (await by_program).outcome == OUTCOME
    assert sessions.asked_for == [(SERVER, "AB")]
    assert (await anext(watch)).closed == shown.name


async def test_whoever_hands_over_may_have_asked_already(store: Store) -> None:
    people = People(Outcome.DECLINED)
    sessions, subject = notifications(store, people)
    sessions.end.set_result(OUTCOME)
    done = await subject.deliver(push(0xAB, INTERACTION), user_agreed=True)
    assert (done.outcome, people.asked) == (OUTCOME, [])
