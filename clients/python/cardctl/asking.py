"""Asking the person at the terminal, also while something else is under way."""

from __future__ import annotations

import contextlib
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import cardea
import click
from cardea.v1 import provisioning_pb2 as pb
from rich.console import Console
from rich.text import Text

__all__ = ["QuestionGone", "answer_of", "ask_person", "meanwhile_asking"]

T = TypeVar("T")
_LOOK_UP_S = 0.02


class QuestionGone(Exception):
    """Nobody waits for the answer any more."""


def ask_person(console: Console, question: pb.Question) -> cardea.QuestionAnswer:
    """What the person at the terminal answers; None cancels."""
    # As Text: what servers and cards say is nothing that could format itself.
    console.print(Text(f"{question.asker} asks:", style="bold"))
    console.print(Text(question.text))
    for number, choice in enumerate(question.choices, 1):
        console.print(Text(f"  {number}  {choice}"))
    if question.kind == pb.QUESTION_KIND_NOTICE:
        return True
    shown = question.default_answer
    if question.kind == pb.QUESTION_KIND_CONFIRMATION:
        shown = {"1": "yes", "0": "no"}.get(shown, "")
    shown = shown.replace("-", " ") if question.choices else shown
    while True:
        try:
            given = click.prompt(
                _PROMPTS[question.kind],
                default=shown or None,
                hide_input=question.hidden,
                show_default=not question.hidden,
                err=True,
            )
            return answer_of(question, str(given).split() if question.choices else [str(given)])
        except click.UsageError as error:
            console.print(Text(error.message))
        except click.Abort:
            return None
        except QuestionGone:
            console.print(Text("\nThe answer is not needed any more."))
            raise


def answer_of(question: pb.Question, words: list[str]) -> cardea.QuestionAnswer:
    """The answer that somebody has written. UsageError: none to this question."""
    if words == ["cancel"]:
        return None
    match question.kind:
        case pb.QUESTION_KIND_NOTICE:
            return True
        case pb.QUESTION_KIND_CONFIRMATION:
            if len(words) == 1 and words[0].lower() in _YES_NO:
                return _YES_NO[words[0].lower()]
            raise click.UsageError("yes, no or cancel?")
        case pb.QUESTION_KIND_TEXT:
            return " ".join(words)
    try:
        return [int(word) for word in words if word != "none"]
    except ValueError:
        raise click.UsageError("numbers of choices, none or cancel?") from None


def meanwhile_asking(
    client: cardea.Client,
    work: Callable[[], Iterator[T]],
    ask: Callable[[pb.Question], cardea.QuestionAnswer],
) -> Iterator[T]:
    """What ``work`` brings; it begins when its questions find somebody. In between ``ask`` is
    called, in the main thread, for questions that open; when a question has closed, or all work
    is done, it is broken off with `QuestionGone`.

    Whoever has no right to answer is asked nothing.
    """
    events: queue.SimpleQueue[_Item[T] | pb.Question | BaseException | None] = queue.SimpleQueue()
    person = _Person(ask)
    watching = threading.Event()
    questions = client.watch_questions()

    def watch() -> None:
        try:
            for event in questions:
                watching.set()
                if event.HasField("opened"):
                    events.put(event.opened)
                elif event.HasField("closed"):
                    person.has_no_use_for(event.closed)
        except cardea.CardeaError:
            pass  # no right, or the work has ended
        finally:
            watching.set()

    def do() -> None:
        try:
            for item in work():
                events.put(_Item(item))
        except BaseException as error:  # noqa: BLE001 - whoever listens raises it
            events.put(error)
        else:
            events.put(None)
        person.has_no_use_for(None)

    threading.Thread(target=watch, daemon=True).start()
    watching.wait()
    threading.Thread(target=do, daemon=True).start()
    try:
        while (event := events.get()) is not None:
            match event:
                case pb.Question():
                    with contextlib.suppress(QuestionGone):
                        _answer(client, event, person.ask(event))
                case BaseException():
                    raise event
                case _Item(value):
                    yield value
    finally:
        questions.close()


class _Person:
    """Is asked one question at a time, and no longer than somebody wants to know."""

    def __init__(self, ask: Callable[[pb.Question], cardea.QuestionAnswer]) -> None:
        self._ask = ask
        self._question = ""
        # Names of questions; None stands for all.
        self._gone: set[str | None] = set()

    def ask(self, question: pb.Question) -> cardea.QuestionAnswer:
        """Raises QuestionGone."""
        # A terminal is waited for in a call of the system, which only a signal breaks off. This
        # one is ignored where nobody takes it.
        taken = signal.signal(signal.SIGURG, self._look_up)
        try:
            self._question = question.name
            self._look_up()
            return self._ask(question)
        finally:
            self._question = ""
            signal.signal(signal.SIGURG, taken)

    def has_no_use_for(self, question: str | None) -> None:
        """From any thread: what is asked waits for no answer any more."""
        self._gone.add(question)
        # A signal that comes just before the wait begins does not break it off.
        while self._is_gone():
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGURG)
            time.sleep(_LOOK_UP_S)

    def _is_gone(self) -> bool:
        return self._question != "" and not self._gone.isdisjoint({self._question, None})

    def _look_up(self, *_: object) -> None:
        if self._is_gone():
            self._question = ""
            raise QuestionGone


def _answer(client: cardea.Client, question: pb.Question, answer: cardea.QuestionAnswer) -> None:
    try:
        client.answer_question(question, answer)
    except cardea.CardeaError as error:
        if error.reason != "QUESTION_CLOSED":
            raise


@dataclass(frozen=True, slots=True)
class _Item(Generic[T]):
    value: T


_PROMPTS = {
    pb.QUESTION_KIND_CONFIRMATION: "yes, no or cancel",
    pb.QUESTION_KIND_TEXT: "Answer",
    pb.QUESTION_KIND_CHOICE: "Number, or cancel",
    pb.QUESTION_KIND_CHOICES: "Numbers, none or cancel",
}
_YES_NO = {"yes": True, "y": True, "no": False, "n": False}
