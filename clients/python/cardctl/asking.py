"""Asking the person at the terminal, also while something else is under way."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import cardea
import click
from cardea.v1 import provisioning_pb2 as pb
from rich.console import Console
from rich.text import Text

__all__ = ["answer_of", "ask_person", "meanwhile_asking"]

T = TypeVar("T")


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
    called, in this thread, for questions that open.

    Whoever has no right to answer is asked nothing.
    """
    events: queue.SimpleQueue[_Item[T] | pb.Question | BaseException | None] = queue.SimpleQueue()
    watching = threading.Event()
    questions = client.watch_questions()

    def watch() -> None:
        try:
            for event in questions:
                watching.set()
                if event.HasField("opened"):
                    events.put(event.opened)
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

    threading.Thread(target=watch, daemon=True).start()
    watching.wait()
    threading.Thread(target=do, daemon=True).start()
    try:
        while (event := events.get()) is not None:
            match event:
                case pb.Question():
                    _answer(client, event, ask(event))
                case BaseException():
                    raise event
                case _Item(value):
                    yield value
    finally:
        questions.close()


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
