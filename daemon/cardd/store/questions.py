"""What people were asked, and what became of it. One row a question, closed once."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from omadm.interaction import Outcome, Question, Reply
from omadm.status import AlertCode

from cardd.provisioning.people import Asked
from cardd.store.database import Database
from cardd.store.history import prune
from cardd.store.records import Retention

__all__ = ["QuestionRecord", "QuestionTable"]


@dataclass(frozen=True, slots=True)
class QuestionRecord:
    """A question as it is kept. ``outcome`` None: it is open; ``answered_by`` is "users/{uid}"."""

    id: str
    asker: str
    run: str
    session: str
    kind: AlertCode
    text: str
    choices: tuple[str, ...]
    digest: bytes
    asked_ms: int
    outcome: Outcome | None = None
    answer: tuple[str, ...] = field(default=(), repr=False)
    answered_by: str = ""
    closed_ms: int = 0

    @property
    def about(self) -> tuple[str, bytes]:
        """Who is to be agreed with, and on what."""
        return self.asker, self.digest

    @classmethod
    def of(cls, id: str, asked: Asked, question: Question, at_ms: int) -> QuestionRecord:
        """An open one; ``question`` is how people see what is asked."""
        return cls(
            id=id,
            asker=asked.asker,
            run=asked.run,
            session=asked.session,
            kind=question.kind,
            text=question.text,
            choices=question.choices,
            digest=asked.digest,
            asked_ms=at_ms,
        )


class QuestionTable:
    """The record. Raises StoreError."""

    def __init__(self, database: Database, retention: Retention) -> None:
        self._database = database
        self._retention = retention

    def open(self, new: QuestionRecord) -> None:
        """A question that is about to be put."""
        with self._database.transaction() as db:
            db.execute(
                "INSERT INTO question (id, asker, run, session, kind, text, choices, digest,"
                " asked_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(new.id, new.asker, new.run, new.session, int(new.kind), new.text),
                    *(json.dumps(new.choices), new.digest, new.asked_ms),
                ),
            )

    def close(self, id: str, reply: Reply, answered_by: str, now_ms: int) -> bool:
        """End an open question; False: it had come to its end before, and nothing changes."""
        with self._database.transaction() as db:
            ended = db.execute(
                "UPDATE question SET outcome = ?, answer = ?, answered_by = ?, closed_ms = ?"
                " WHERE id = ? AND outcome IS NULL",
                (reply.outcome.value, json.dumps(reply.values), answered_by, now_ms, id),
            )
            prune(db, self._retention, now_ms, "question")
            return ended.rowcount == 1

    def close_all(self, now_ms: int) -> None:
        """What the last process left open: nobody waits for an answer any more."""
        with self._database.transaction() as db:
            db.execute(
                "UPDATE question SET outcome = ?, closed_ms = ? WHERE outcome IS NULL",
                (Outcome.WITHDRAWN.value, now_ms),
            )

    def get(self, id: str) -> QuestionRecord | None:
        found = self._read(id, 1)
        return found[0] if found else None

    def list(self, limit: int) -> tuple[QuestionRecord, ...]:
        """Newest first."""
        return self._read(None, limit)

    def agreed(self, asker: str, digest: bytes) -> bool | None:
        """The last yes or no to what had this digest; None: there was none."""
        with self._database.reading() as db:
            row = db.execute(
                "SELECT outcome FROM question WHERE asker = ? AND digest = ? AND outcome IN (?, ?)"
                " ORDER BY number DESC LIMIT 1",
                (asker, digest, Outcome.ANSWERED.value, Outcome.DECLINED.value),
            ).fetchone()
        return None if row is None else row[0] == Outcome.ANSWERED.value

    def _read(self, id: str | None, limit: int) -> tuple[QuestionRecord, ...]:
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT id, asker, run, session, kind, text, choices, digest, asked_ms, outcome,"
                " answer, answered_by, closed_ms FROM question WHERE ?1 IS NULL OR id = ?1"
                " ORDER BY number DESC LIMIT ?2",
                (id, limit),
            )
            return tuple(map(_record, rows))


def _record(row: tuple[Any, ...]) -> QuestionRecord:
    id, asker, run, session, kind, text, choices, digest, asked_ms, *end = row
    outcome, answer, answered_by, closed_ms = end
    return QuestionRecord(
        id=id,
        asker=asker,
        run=run,
        session=session,
        kind=AlertCode(kind),
        text=text,
        choices=tuple(json.loads(choices)),
        digest=digest,
        asked_ms=asked_ms,
        outcome=Outcome(outcome) if outcome else None,
        answer=tuple(json.loads(answer)),
        answered_by=answered_by,
        closed_ms=closed_ms or 0,
    )
