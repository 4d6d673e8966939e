"""Questions to people: which are open, who can be asked, and the calls that are about them."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from cardea.v1 import provisioning_pb2 as pb
from cardea.v1 import provisioning_pb2_grpc as pb_grpc
from omadm.interaction import Outcome, Question, Reply
from omadm.status import AlertCode

from cardd.provisioning.people import Asked
from cardd.store import StoreError
from cardd.store.questions import QuestionRecord, QuestionTable

from . import convert
from .call import current_call
from .feed import Signal
from .refusals import ArgumentInvalidError, QuestionClosedError, QuestionNotFoundError

__all__ = ["OpenQuestions", "QuestionCalls"]

_LIMIT = 100
_ID_BYTES = 8


@dataclass(slots=True, eq=False)
class _Open:
    record: QuestionRecord
    question: Question
    closes_ms: int | None
    # It is in the record, or will never be.
    kept: asyncio.Event = field(default_factory=asyncio.Event)
    reply: asyncio.Future[Reply] = field(default_factory=asyncio.Future)


class OpenQuestions:
    """The questions that are open, and the programs that can ask them; belongs to the event loop.

    A question is open as long as somebody is there who can be asked. It is in the record before
    anybody sees it, and its answer before anything follows from it.
    """

    def __init__(self, log: QuestionTable) -> None:
        self._log = log
        self._open: dict[str, _Open] = {}
        # Nobody waits for them any more, but the record could not be told.
        self._overdue: set[str] = set()
        self._askers = 0
        self._changed = Signal()
        self._ending: set[asyncio.Task[None]] = set()
        # Called when there is somebody who can be asked, after there was nobody.
        self.on_asker: Callable[[], None] = lambda: None

    async def ask(self, asked: Asked, needless: asyncio.Future[None] | None = None) -> Reply:
        """What somebody answers. What one card asks about one and the same is one question, for
        which everybody waits as long as he wants to.

        It is withdrawn as soon as ``needless`` is done. Raises StoreError.
        """
        await self._close_overdue()
        for each in self._open.values():
            if asked.digest and each.record.about == (asked.asker, asked.digest):
                return await _join(each, asked.max_wait_s)
        now_ms = _now_ms()
        question = _readable(asked.question)
        record = QuestionRecord.of(secrets.token_hex(_ID_BYTES), asked, question, now_ms)
        wait_s = asked.max_wait_s
        closes_ms = None if wait_s is None else now_ms + round(wait_s * 1000)
        mine = self._open[record.id] = _Open(record, question, closes_ms)
        if needless is not None:
            needless.add_done_callback(lambda _: self._let_go([mine], Outcome.WITHDRAWN))
        try:
            await asyncio.to_thread(self._log.open, record)
            mine.kept.set()
            self._changed.raise_()
            if not self._askers:
                await self._close(mine, Reply(Outcome.NOBODY))
            async with asyncio.timeout(wait_s):
                return await asyncio.shield(mine.reply)
        except TimeoutError:
            await self._end(mine, Outcome.TIMED_OUT)
            return await mine.reply
        except StoreError as error:
            _fail(mine, error)
            return await mine.reply
        finally:
            self._let_pass(mine)

    async def answer(self, name: str, reply_to: Callable[[Question], Reply], user: str) -> None:
        """Take a person's answer.

        Raises: QuestionNotFoundError, QuestionClosedError, StoreError, what ``reply_to`` raises.
        """
        await self._close_overdue()
        id = name.removeprefix("questions/")
        mine = self._open.get(id)
        if mine is not None:
            reply = reply_to(mine.question)
            if await self._close(mine, reply, user):
                return
        known = await asyncio.to_thread(self._log.get, id)
        if known is None:
            raise QuestionNotFoundError(name)
        # Of a question that is closed only what was kept is known, and of a hidden answer nothing.
        reply = reply_to(Question(known.kind, known.text, known.choices))
        same = (known.outcome, known.answer) == (reply.outcome, reply.values)
        if not same or known.answered_by != user:
            raise QuestionClosedError(name, (known.outcome or Outcome.WITHDRAWN).value)

    async def watch(self) -> AsyncIterator[pb.WatchQuestionsResponse]:
        """What is open and what comes; meanwhile there is somebody who can be asked."""
        self._askers += 1
        if self._askers == 1:
            self.on_asker()
        told: set[str] = set()
        try:
            yield pb.WatchQuestionsResponse(begun=pb.QuestionWatchBegun())
            while True:
                changed = self._changed.next()
                for id in told - self._open.keys():
                    told.remove(id)
                    yield pb.WatchQuestionsResponse(closed=f"questions/{id}")
                for id, each in list(self._open.items()):
                    if id not in told and each.kept.is_set():
                        told.add(id)
                        yield pb.WatchQuestionsResponse(opened=_open_message(each))
                await asyncio.shield(changed)
        finally:
            self._askers -= 1
            if not self._askers:
                self._let_go(self._open.values(), Outcome.NOBODY)

    def keep_cards(self, present: Collection[str]) -> None:
        """What other cards wanted to know is of no use any more."""
        askers = {f"cards/{card}" for card in present if card}
        asked = (each for each in self._open.values() if each.record.asker.startswith("cards/"))
        gone = (each for each in asked if each.record.asker not in askers)
        self._let_go(gone, Outcome.WITHDRAWN)

    async def records(self, limit: int) -> tuple[QuestionRecord, ...]:
        """Newest first. Raises StoreError."""
        await self._close_overdue()
        records = await asyncio.to_thread(self._log.list, limit)
        return tuple(
            replace(each, outcome=Outcome.WITHDRAWN) if each.id in self._overdue else each
            for each in records
        )

    async def _close_overdue(self) -> None:
        """Tell the record what it could not be told; if it still cannot, another time."""
        with contextlib.suppress(StoreError):
            for id in list(self._overdue):
                withdrawn = Reply(Outcome.WITHDRAWN)
                await asyncio.to_thread(self._log.close, id, withdrawn, "", _now_ms())
                self._overdue.discard(id)

    def _let_pass(self, mine: _Open) -> None:
        """Nobody waits for it any more, whether or not its end is in the record."""
        mine.kept.set()
        if self._open.pop(mine.record.id, None) is not None:
            self._overdue.add(mine.record.id)
            self._changed.raise_()

    def _let_go(self, questions: Iterable[_Open], outcome: Outcome) -> None:
        for each in list(questions):
            task = asyncio.create_task(self._end(each, outcome))
            self._ending.add(task)  # else nobody holds it
            task.add_done_callback(self._ending.discard)

    async def _end(self, mine: _Open, outcome: Outcome) -> None:
        try:
            await self._close(mine, Reply(outcome))
        except StoreError as error:
            _fail(mine, error)

    async def _close(self, mine: _Open, reply: Reply, user: str = "") -> bool:
        """Whether the question ends so: the first that is in the record does."""
        await mine.kept.wait()
        kept = Reply(reply.outcome) if mine.question.hidden else reply
        now_ms = _now_ms()
        if not await asyncio.to_thread(self._log.close, mine.record.id, kept, user, now_ms):
            return False
        self._open.pop(mine.record.id, None)
        if not mine.reply.done():
            mine.reply.set_result(reply)
        self._changed.raise_()
        return True


async def _join(open: _Open, wait_s: float | None) -> Reply:
    """The answer to a question that somebody else has asked, and that stays open for him."""
    try:
        async with asyncio.timeout(wait_s):
            return await asyncio.shield(open.reply)
    except TimeoutError:
        return Reply(Outcome.TIMED_OUT)


def _fail(mine: _Open, error: StoreError) -> None:
    """Whoever waits must not wait for ever."""
    if not mine.reply.done():
        mine.reply.set_exception(error)


class QuestionCalls(pb_grpc.ProvisioningServiceServicer):
    """The part of ProvisioningService that is about questions: converts, calls, converts."""

    def __init__(self, questions: OpenQuestions) -> None:
        self._questions = questions

    async def WatchQuestions(
        self, request: pb.WatchQuestionsRequest, context: Any
    ) -> AsyncIterator[pb.WatchQuestionsResponse]:
        async for event in self._questions.watch():
            yield event

    async def AnswerQuestion(
        self, request: pb.AnswerQuestionRequest, context: Any
    ) -> pb.AnswerQuestionResponse:
        user = f"users/{current_call().caller.uid}"
        await self._questions.answer(request.name, lambda to: _reply(request, to), user)
        return pb.AnswerQuestionResponse()

    async def ListQuestions(
        self, request: pb.ListQuestionsRequest, context: Any
    ) -> pb.ListQuestionsResponse:
        records = await self._questions.records(request.limit or _LIMIT)
        return pb.ListQuestionsResponse(questions=map(_message, records))


_KINDS = {
    AlertCode.DISPLAY: pb.QUESTION_KIND_NOTICE,
    AlertCode.CONFIRM: pb.QUESTION_KIND_CONFIRMATION,
    AlertCode.TEXT_INPUT: pb.QUESTION_KIND_TEXT,
    AlertCode.SINGLE_CHOICE: pb.QUESTION_KIND_CHOICE,
    AlertCode.MULTIPLE_CHOICE: pb.QUESTION_KIND_CHOICES,
}
_INPUTS = {
    "A": pb.QUESTION_INPUT_UNSPECIFIED,
    "N": pb.QUESTION_INPUT_NUMBER,
    "D": pb.QUESTION_INPUT_DATE,
    "T": pb.QUESTION_INPUT_TIME,
    "P": pb.QUESTION_INPUT_PHONE,
    "I": pb.QUESTION_INPUT_IP_ADDRESS,
}
# Which answer of the request a kind of question takes, besides `cancelled`.
_ANSWERS = {
    AlertCode.DISPLAY: "shown",
    AlertCode.CONFIRM: "confirmed",
    AlertCode.TEXT_INPUT: "text",
    AlertCode.SINGLE_CHOICE: "chosen",
    AlertCode.MULTIPLE_CHOICE: "chosen",
}


def _reply(request: pb.AnswerQuestionRequest, question: Question) -> Reply:
    given = request.WhichOneof("answer")
    if given == "cancelled":
        return Reply(Outcome.CANCELLED)
    if given != _ANSWERS[question.kind]:
        raise ArgumentInvalidError("answer", f"must be {_ANSWERS[question.kind]} or cancelled")
    if given == "confirmed" and not request.confirmed:
        return Reply(Outcome.DECLINED)
    values: tuple[str, ...] = ()
    if given == "text":
        values = (request.text,)
    elif given == "chosen":
        values = tuple(map(str, request.chosen.numbers))
    if not question.takes(values):
        raise ArgumentInvalidError("answer", "is not what the question asks for")
    return Reply(Outcome.ANSWERED, values)


def _message(record: QuestionRecord) -> pb.Question:
    outcome = "UNSPECIFIED" if record.outcome is None else record.outcome.name
    return pb.Question(
        name=f"questions/{record.id}",
        kind=_KINDS[record.kind],
        text=record.text,
        choices=record.choices,
        asker=record.asker,
        run=record.run,
        session=record.session,
        asked_at=convert.timestamp(record.asked_ms),
        outcome=pb.QuestionOutcome.Value(f"QUESTION_OUTCOME_{outcome}"),
        answer=record.answer,
        answered_by=record.answered_by,
        closed_at=convert.timestamp(record.closed_ms) if record.closed_ms else None,
    )


def _open_message(mine: _Open) -> pb.Question:
    question, message = mine.question, _message(mine.record)
    message.default_answer = question.default
    message.max_length = question.max_length or 0
    message.input = _INPUTS[question.input]
    message.hidden = question.hidden
    if question.min_s is not None:
        message.min_display.CopyFrom(convert.duration(question.min_s))
    if mine.closes_ms is not None:
        message.closes_at.FromMilliseconds(mine.closes_ms)
    return message


def _readable(question: Question) -> Question:
    """What a terminal or a window can show as it is: the words are those of anybody."""
    return replace(
        question,
        text=_clean(question.text),
        choices=tuple(map(_clean, question.choices)),
        default=_clean(question.default),
    )


def _clean(text: str) -> str:
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
