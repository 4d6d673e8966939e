"""Questions to people: which there are, answering them, and asking people for the daemon."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from cardea.v1 import provisioning_pb2, provisioning_pb2_grpc

from .errors import CardeaError, readable_errors
from .streams import Connection, Stream

__all__ = ["QuestionAnswer", "QuestionCalls"]

QuestionAnswer: TypeAlias = bool | str | Sequence[int] | None
"""Yes or no; a text; the numbers of choices; None cancels. To a notice: True, it was shown."""


class QuestionCalls:
    """The part of the client that is about questions."""

    _connection: Connection
    _provisioning: provisioning_pb2_grpc.ProvisioningServiceStub
    _timeout_s: float
    target: str

    def questions(self, limit: int = 0) -> Sequence[provisioning_pb2.Question]:
        """What people were asked, and what became of it, newest first."""
        with readable_errors(self.target):
            request = provisioning_pb2.ListQuestionsRequest(limit=limit)
            return self._provisioning.ListQuestions(request, timeout=self._timeout_s).questions

    def watch_questions(self) -> Stream[provisioning_pb2.WatchQuestionsResponse]:
        """What is open and what comes, for ever. Meanwhile the daemon takes it that this program
        can ask somebody."""
        request = provisioning_pb2.WatchQuestionsRequest()
        return self._connection.stream(self._provisioning.WatchQuestions(request))

    def answer_question(self, question: provisioning_pb2.Question, answer: QuestionAnswer) -> None:
        """Give a person's answer."""
        request = provisioning_pb2.AnswerQuestionRequest(name=question.name)
        if answer is None:
            request.cancelled.SetInParent()
        elif question.kind == provisioning_pb2.QUESTION_KIND_NOTICE:
            request.shown.SetInParent()
        elif isinstance(answer, bool):
            request.confirmed = answer
        elif isinstance(answer, str):
            request.text = answer
        else:
            request.chosen.SetInParent()
            request.chosen.numbers.extend(answer)
        with readable_errors(self.target):
            self._provisioning.AnswerQuestion(request, timeout=self._timeout_s)

    def serve_questions(
        self,
        answer: Callable[[provisioning_pb2.Question], QuestionAnswer],
        *,
        ready: Callable[[], None] = lambda: None,
        closed: Callable[[str], None] = lambda name: None,
    ) -> None:
        """Ask people: ``answer`` is called for each question, one at a time, for ever.

        ``closed`` gets the names of questions that wait for no answer any more.
        """
        for event in self.watch_questions():
            if event.HasField("begun"):
                ready()
            elif event.HasField("opened"):
                try:
                    self.answer_question(event.opened, answer(event.opened))
                except CardeaError as error:
                    if error.reason != "QUESTION_CLOSED":
                        raise
            else:
                closed(event.closed)
