"""A person is asked while something else is under way, and never keeps its end from being told."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import cast

import cardea
from cardctl.asking import meanwhile_asking
from cardea.v1 import provisioning_pb2 as pb

ONE, OTHER = (
    pb.Question(name=f"questions/{number}", kind=pb.QUESTION_KIND_CONFIRMATION) for number in (1, 2)
)
# What is broken off does not take so long.
LONG_S = 30.0


class Watch(queue.SimpleQueue[pb.WatchQuestionsResponse | None]):
    """The stream of questions, as a test wants it; None ends it."""

    def __iter__(self) -> Iterator[pb.WatchQuestionsResponse]:
        return iter(self.get, None)

    def open(self, question: pb.Question) -> None:
        self.put(pb.WatchQuestionsResponse(opened=question))

    def end(self, question: pb.Question) -> None:
        self.put(pb.WatchQuestionsResponse(closed=question.name))

    def close(self) -> None:
        self.put(None)


class Client:
    """What is asked for and answered."""

    def __init__(self) -> None:
        self.watch = Watch()
        self.watch.put(pb.WatchQuestionsResponse(begun=pb.QuestionWatchBegun()))
        self.answered: list[str] = []

    def watch_questions(self) -> Watch:
        return self.watch

    def answer_question(self, question: pb.Question, answer: cardea.QuestionAnswer) -> None:
        self.answered.append(question.name)


def sleeps() -> cardea.QuestionAnswer:
    threading.Event().wait(LONG_S)
    return True


def test_a_question_that_closes_is_taken_from_the_person_and_the_next_is_asked() -> None:
    client, put = Client(), []
    done = threading.Event()

    def work() -> Iterator[str]:
        client.watch.open(ONE)
        done.wait()
        yield "result"

    def ask(question: pb.Question) -> cardea.QuestionAnswer:
        put.append(question.name)
        if question == ONE:
            client.watch.end(ONE)
            client.watch.open(OTHER)
            return sleeps()
        done.set()
        return True

    brought = list(meanwhile_asking(cast("cardea.Client", client), work, ask))
    assert (brought, put) == (["result"], [ONE.name, OTHER.name])
    assert client.answered == [OTHER.name]


def test_a_question_that_has_closed_before_its_turn_is_not_asked() -> None:
    client, put = Client(), []
    done = threading.Event()
    third = pb.Question(name="questions/3", kind=pb.QUESTION_KIND_CONFIRMATION)

    def work() -> Iterator[str]:
        client.watch.open(ONE)
        done.wait()
        yield "result"

    def ask(question: pb.Question) -> cardea.QuestionAnswer:
        put.append(question.name)
        if question == ONE:
            client.watch.open(OTHER)
            client.watch.end(OTHER)
            client.watch.open(third)
            client.watch.end(ONE)
            return sleeps()
        done.set()
        return True

    list(meanwhile_asking(cast("cardea.Client", client), work, ask))
    assert put == [ONE.name, third.name]
    assert client.answered == [third.name]


def test_when_the_work_is_done_nobody_is_asked_any_more() -> None:
    client = Client()
    asked = threading.Event()

    def work() -> Iterator[str]:
        client.watch.open(ONE)
        client.watch.open(OTHER)
        asked.wait()
        yield "result"

    def ask(question: pb.Question) -> cardea.QuestionAnswer:
        asked.set()
        return sleeps()

    assert list(meanwhile_asking(cast("cardea.Client", client), work, ask)) == ["result"]
    assert client.answered == []
