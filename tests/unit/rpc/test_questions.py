"""A question is open while somebody can be asked, is answered once, and is kept."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from cardd.provisioning.people import Asked
from cardd.rpc.questions import OpenQuestions
from cardd.rpc.refusals import QuestionClosedError, QuestionNotFoundError
from cardd.store import Retention, Store, StoreError
from cardd.store.questions import QuestionRecord, QuestionTable
from cardea.v1 import provisioning_pb2 as pb
from omadm.interaction import Outcome, Question, Reply
from omadm.status import AlertCode

YES, NO = Reply(Outcome.ANSWERED), Reply(Outcome.DECLINED)
CONFIRM, TEXT = Question(AlertCode.CONFIRM, "Sure?"), Question(AlertCode.TEXT_INPUT, "Name?")

Watch = AsyncIterator[pb.WatchQuestionsResponse]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "s" / "store.sqlite") as opened:
        yield opened


def asked(question: Question = CONFIRM, wait_s: float | None = None) -> Asked:
    return Asked("servers/dm.example", "provisionings/1", question, "1F", max_wait_s=wait_s)


async def watching(questions: OpenQuestions) -> Watch:
    watch = questions.watch()
    assert (await anext(watch)).HasField("begun")
    return watch


async def opened(watch: Watch) -> pb.Question:
    async with asyncio.timeout(30):
        return (await anext(watch)).opened


async def closed(watch: Watch) -> str:
    async with asyncio.timeout(30):
        return (await anext(watch)).closed


def outcomes(store: Store) -> list[Outcome | None]:
    return [record.outcome for record in store.questions.list(10)]


async def test_where_nobody_can_be_asked_the_answer_is_at_once_and_kept(store: Store) -> None:
    assert await OpenQuestions(store.questions).ask(asked()) == Reply(Outcome.NOBODY)
    assert outcomes(store) == [Outcome.NOBODY]


async def test_the_answer_is_kept_with_who_asked_and_who_answered(store: Store) -> None:
    questions = OpenQuestions(store.questions)
    watch = await watching(questions)
    asking = asyncio.create_task(questions.ask(asked(TEXT)))
    shown = await opened(watch)
    reply = Reply(Outcome.ANSWERED, ("CNN",))
    await questions.answer(shown.name, lambda _: reply, "users/1000")
    assert await asking == reply
    assert (await anext(watch)).closed == shown.name
    (record,) = store.questions.list(10)
    assert f"questions/{record.id}" == shown.name
    assert (record.asker, record.run, record.session, record.text) == (
        *("servers/dm.example", "provisionings/1"),
        *("1F", "Name?"),
    )
    assert (record.outcome, record.answer, record.answered_by) == (
        *(Outcome.ANSWERED, ("CNN",)),
        "users/1000",
    )
    assert record.asked_ms <= record.closed_ms


async def test_what_is_typed_like_a_password_is_told_and_not_kept(store: Store) -> None:
    questions = OpenQuestions(store.questions)
    watch = await watching(questions)
    hidden = Question(AlertCode.TEXT_INPUT, "Password?", hidden=True)
    asking = asyncio.create_task(questions.ask(asked(hidden)))
    shown = await opened(watch)
    reply = Reply(Outcome.ANSWERED, ("canary",))
    await questions.answer(shown.name, lambda _: reply, "users/0")
    assert (await asking).values == ("canary",)
    assert store.questions.list(1)[0].answer == ()
    assert "canary" not in repr(reply)


async def test_the_first_answer_counts_and_the_same_again_is_none(store: Store) -> None:
    questions = OpenQuestions(store.questions)
    one, other = await watching(questions), await watching(questions)
    asking = asyncio.create_task(questions.ask(asked()))
    shown = await opened(one)
    assert (await opened(other)).name == shown.name
    results = await asyncio.gather(
        questions.answer(shown.name, lambda _: YES, "users/1"),
        questions.answer(shown.name, lambda _: NO, "users/2"),
        return_exceptions=True,
    )
    first = YES if results[0] is None else NO
    assert [type(each) for each in results].count(QuestionClosedError) == 1
    assert await asking == first
    user = "users/1" if first is YES else "users/2"
    await questions.answer(shown.name, lambda _: first, user)
    with pytest.raises(QuestionClosedError):
        await questions.answer(shown.name, lambda _: first, "users/3")
    with pytest.raises(QuestionClosedError):
        await questions.answer(shown.name, lambda _: Reply(Outcome.CANCELLED), user)
    assert (await anext(other)).closed == shown.name


async def test_a_question_that_was_never_asked_is_not_found(store: Store) -> None:
    with pytest.raises(QuestionNotFoundError):
        await OpenQuestions(store.questions).answer("questions/00", lambda _: YES, "users/0")


async def test_time_closes_a_question(store: Store) -> None:
    questions = OpenQuestions(store.questions)
    watch = await watching(questions)
    assert await questions.ask(asked(wait_s=0.01)) == Reply(Outcome.TIMED_OUT)
    assert outcomes(store) == [Outcome.TIMED_OUT]
    await watch.aclose()  # type: ignore[attr-defined] # it is a generator


async def test_one_of_two_programs_may_go_and_the_last_takes_the_questions_along(
    store: Store,
) -> None:
    questions = OpenQuestions(store.questions)
    one, other = await watching(questions), await watching(questions)
    asking = asyncio.create_task(questions.ask(asked()))
    await opened(one)
    await one.aclose()  # type: ignore[attr-defined] # it is a generator
    assert (await opened(other)).text == "Sure?"
    assert not asking.done()
    await other.aclose()  # type: ignore[attr-defined] # it is a generator
    assert await asking == Reply(Outcome.NOBODY)


async def test_a_program_that_comes_later_sees_what_is_open(store: Store) -> None:
    questions = OpenQuestions(store.questions)
    one = await watching(questions)
    asking = asyncio.create_task(questions.ask(asked()))
    first = await opened(one)
    assert await opened(await watching(questions)) == first
    questions.keep_cards(set())
    await questions.answer(first.name, lambda _: YES, "users/0")
    assert await asking == YES


async def test_what_a_card_asks_goes_with_the_card(store: Store) -> None:
    questions = OpenQuestions(store.questions)
    watch = await watching(questions)
    about = Asked("cards/8949", "provisionings/1", CONFIRM, digest=b"d")
    asking = asyncio.create_task(questions.ask(about))
    shown = await opened(watch)
    questions.keep_cards({"", "8949"})
    questions.keep_cards({"", "8950"})
    assert await asking == Reply(Outcome.WITHDRAWN)
    assert (await anext(watch)).closed == shown.name


async def test_a_question_that_needs_no_answer_any_more_is_withdrawn(store: Store) -> None:
    questions = OpenQuestions(store.questions)
    watch = await watching(questions)
    needless: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asking = asyncio.create_task(questions.ask(asked(), needless))
    shown = await opened(watch)
    needless.set_result(None)
    assert await asking == Reply(Outcome.WITHDRAWN)
    assert (await anext(watch)).closed == shown.name
    assert outcomes(store) == [Outcome.WITHDRAWN]
    # Also where that was so before it was in the record.
    assert await questions.ask(asked(), needless) == Reply(Outcome.WITHDRAWN)


async def test_what_two_runs_ask_about_one_card_is_one_question(store: Store) -> None:
    questions = OpenQuestions(store.questions)
    watch = await watching(questions)
    about = Asked("cards/8949", "provisionings/1", CONFIRM, digest=b"d")
    one = asyncio.create_task(questions.ask(about))
    shown = await opened(watch)
    other = asyncio.create_task(questions.ask(about))
    await asyncio.sleep(0)
    await questions.answer(shown.name, lambda _: NO, "users/0")
    assert [await one, await other] == [NO, NO]
    assert len(store.questions.list(10)) == 1
    assert store.questions.agreed("cards/8949", b"d") is False
    assert store.questions.agreed("cards/8949", b"e") is None


async def test_who_comes_after_nobody_is_noticed_once(store: Store) -> None:
    questions = OpenQuestions(store.questions)
    noticed: list[None] = []
    questions.on_asker = lambda: noticed.append(None)
    one, other = await watching(questions), await watching(questions)
    for watch in (one, other):
        await watch.aclose()  # type: ignore[attr-defined] # it is a generator
    await watching(questions)
    assert len(noticed) == 2


async def test_an_answer_that_cannot_be_kept_is_none(store: Store) -> None:
    questions = OpenQuestions(store.questions)
    watch = await watching(questions)
    asking = asyncio.create_task(questions.ask(asked()))
    shown = await opened(watch)
    store.close()
    with pytest.raises(StoreError):
        await questions.answer(shown.name, lambda _: YES, "users/0")
    assert not asking.done()
    await watch.aclose()  # type: ignore[attr-defined] # it is a generator
    with pytest.raises(StoreError):
        await asking


def test_what_the_last_process_left_open_is_closed(store: Store) -> None:
    async def ask() -> None:
        questions = OpenQuestions(store.questions)
        watch = await watching(questions)
        asking = asyncio.create_task(questions.ask(asked()))
        await opened(watch)
        asking.cancel()

    asyncio.run(ask())
    assert outcomes(store) == [None]
    store.questions.close_all(1)
    assert outcomes(store) == [Outcome.WITHDRAWN]


async def test_of_each_asker_only_so_many_are_kept_and_none_pushes_out_anothers(
    tmp_path: Path,
) -> None:
    with Store(tmp_path / "t" / "store.sqlite", Retention(count=2)) as store:
        questions = OpenQuestions(store.questions)
        await questions.ask(Asked("cards/8949", "", CONFIRM))
        for _ in range(4):
            await questions.ask(asked())
        kept = [record.asker for record in store.questions.list(10)]
    assert kept == ["servers/dm.example", "servers/dm.example", "cards/8949"]


async def test_two_cards_with_the_same_documents_are_two_questions(store: Store) -> None:
    questions = OpenQuestions(store.questions)
    watch = await watching(questions)
    about = Asked("cards/8949", "", CONFIRM, digest=b"d")
    one = asyncio.create_task(questions.ask(about))
    first = await opened(watch)
    other = asyncio.create_task(questions.ask(replace(about, asker="cards/8950")))
    second = await opened(watch)
    await questions.answer(first.name, lambda _: YES, "users/0")
    assert await one == YES
    assert not other.done()
    assert store.questions.agreed("cards/8950", b"d") is None
    await questions.answer(second.name, lambda _: NO, "users/0")
    assert await other == NO


async def test_who_joins_a_question_waits_no_longer_than_he_wants_to(store: Store) -> None:
    questions = OpenQuestions(store.questions)
    watch = await watching(questions)
    about = Asked("cards/8949", "", CONFIRM, digest=b"d")
    asking = asyncio.create_task(questions.ask(about))
    shown = await opened(watch)
    async with asyncio.timeout(30):
        assert await questions.ask(replace(about, max_wait_s=0.01)) == Reply(Outcome.TIMED_OUT)
    await questions.answer(shown.name, lambda _: YES, "users/0")
    assert await asking == YES


async def test_a_question_whose_end_could_not_be_kept_is_withdrawn(store: Store) -> None:
    questions = OpenQuestions(store.questions)
    watch = await watching(questions)
    with full_disk():
        asking = asyncio.create_task(questions.ask(asked(wait_s=0.01)))
        shown = await opened(watch)
        with pytest.raises(StoreError):
            await asking
        assert await closed(watch) == shown.name
        assert [each.outcome for each in await questions.records(10)] == [Outcome.WITHDRAWN]
        with pytest.raises(QuestionClosedError):
            await questions.answer(shown.name, lambda _: YES, "users/0")
        assert outcomes(store) == [None]
    await questions.records(10)
    assert outcomes(store) == [Outcome.WITHDRAWN]


async def test_a_question_can_be_answered_as_soon_as_it_is_in_the_record(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = OpenQuestions(store.questions)
    watch = await watching(questions)
    go_on, open = threading.Event(), store.questions.open
    loop, recorded = asyncio.get_running_loop(), asyncio.Event()

    def slowly(new: QuestionRecord) -> None:
        open(new)
        loop.call_soon_threadsafe(recorded.set)
        go_on.wait()

    monkeypatch.setattr(QuestionTable, "open", lambda _, new: slowly(new))
    asking = asyncio.create_task(questions.ask(asked()))
    await recorded.wait()
    (record,) = await questions.records(1)
    answering = asyncio.create_task(
        questions.answer(f"questions/{record.id}", lambda _: YES, "users/0")
    )
    await asyncio.sleep(0)
    go_on.set()
    await answering
    assert await asking == YES
    await watch.aclose()  # type: ignore[attr-defined] # it is a generator


async def test_the_last_yes_or_no_to_what_a_card_brings_is_not_pruned(tmp_path: Path) -> None:
    with Store(tmp_path / "t" / "store.sqlite", Retention(count=2)) as store:
        questions = OpenQuestions(store.questions)
        watch = await watching(questions)
        about = Asked("cards/8949", "", CONFIRM, digest=b"d")
        for said in (NO, YES):
            asking = asyncio.create_task(questions.ask(about))
            name = (await opened(watch)).name
            await questions.answer(name, partial(_said, said), "users/0")
            await asking
            assert await closed(watch) == name
        await watch.aclose()  # type: ignore[attr-defined] # it is a generator
        for digest in (b"d", b"e", b"e", b"e"):
            await questions.ask(replace(about, digest=digest))
        assert store.questions.agreed("cards/8949", b"d") is True
        store.questions.close("", YES, "", 400 * 86_400_000 + time.time_ns() // 1_000_000)
        assert store.questions.agreed("cards/8949", b"d") is True
        assert outcomes(store) == [Outcome.NOBODY, Outcome.ANSWERED]


def _said(reply: Reply, question: Question) -> Reply:
    return reply


@contextmanager
def full_disk() -> Iterator[None]:
    """No end of a question can be kept."""

    def fails(*_: object) -> bool:
        raise StoreError("failed", Path("store"), "database: SQLITE_FULL")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(QuestionTable, "close", fails)
        yield
