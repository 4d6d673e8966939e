"""A program that asks people, as a test wants them to answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import cardea
from cardea.v1 import provisioning_pb2 as pb

from support.client import LIMIT_S

__all__ = ["Asker", "asking"]

Decide = Callable[[pb.Question], cardea.QuestionAnswer]


class Asker:
    """What was asked, in order."""

    def __init__(self) -> None:
        self.asked: list[pb.Question] = []
        self.closed: list[str] = []


@contextmanager
def asking(client: Callable[[], cardea.Client], decide: Decide) -> Iterator[Asker]:
    """Be somebody who can be asked, from the first line of the block to its end."""
    asker, ready = Asker(), threading.Event()

    def answer(question: pb.Question) -> cardea.QuestionAnswer:
        asker.asked.append(question)
        return decide(question)

    def serve() -> None:
        try:
            mine.serve_questions(answer, ready=ready.set, closed=asker.closed.append)
        except cardea.CardeaError:
            ready.set()  # the block has come to its end, or the daemon has

    with client() as mine:
        thread = threading.Thread(target=serve)
        thread.start()
        assert ready.wait(LIMIT_S)
        try:
            yield asker
        finally:
            mine.close()
            thread.join(LIMIT_S)
            assert not thread.is_alive()
