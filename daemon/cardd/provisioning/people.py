"""Who is asked what, and how much of a person's time one session gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from omadm.interaction import Outcome, Question, Reply

__all__ = ["Asked", "Interview", "PeoplePort"]

# A server that asks on and on is not listened to (DM Protocol 1.2 §10 sets no bound).
_MOST_QUESTIONS = 8


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and whose it is: ``servers/{server_id}`` with the name of its DM session, or
    ``cards/{card}`` with the digest of what is to be agreed to.

    ``max_wait_s`` None: as long as somebody is there who can be asked.
    """

    asker: str
    run: str
    question: Question
    session: str = ""
    digest: bytes = b""
    max_wait_s: float | None = None


class PeoplePort(Protocol):
    """The people in front of the machine, behind programs that can ask them."""

    def ask(self, asked: Asked) -> Reply:
        """Record the question, wait for the answer, record that. Nobody holds a card meanwhile.

        Other runs wait too. Raises StoreError.
        """

    def ask_aside(self, asked: Asked) -> Reply:
        """As `ask`, but others have their turn meanwhile: the tree in force may then be another."""


class Interview:
    """The questions of one session; its whole waiting is bounded, as its run keeps others waiting.

    ``limit_s``: seconds for all questions together; ``seconds_spent`` of them are gone.
    """

    def __init__(
        self,
        people: PeoplePort,
        limit_s: float,
        monotonic_s: Callable[[], float],
        *,
        server_id: str,
        run: str,
        session: str,
    ) -> None:
        self._people = people
        self._asker, self._run, self._session = f"servers/{server_id}", run, session
        self._limit_s = limit_s
        self._monotonic_s = monotonic_s
        self._count = 0
        self.seconds_spent = 0.0

    def reply(self, question: Question) -> Reply:
        """What somebody has answered, within the question's MAXDT and the session's bounds."""
        left_s = self._limit_s - self.seconds_spent
        self._count += 1
        if self._count > _MOST_QUESTIONS or left_s <= 0:
            return Reply(Outcome.REFUSED)
        wait_s = left_s if question.max_s is None else min(left_s, question.max_s)
        began_s = self._monotonic_s()
        reply = self._people.ask(
            Asked(self._asker, self._run, question, self._session, max_wait_s=wait_s)
        )
        self.seconds_spent += self._monotonic_s() - began_s
        return reply
