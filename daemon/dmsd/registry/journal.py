"""What happened: sessions, the status of each command, reports, orders to cards."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dmsd.registry.database import Database
from dmsd.registry.records import (
    OPEN_STATES,
    CardOrder,
    CommandRow,
    ReportRow,
    SessionRow,
)

__all__ = ["Journal"]

_DAY_MS = 86_400_000


class Journal:
    """Append, and read back. Sessions are identified for ever; rows leave by age only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin_session(self, row: SessionRow) -> None:
        self._insert("sessions", row)

    def end_session(self, session: str, outcome: str, messages: int, now_ms: int) -> None:
        self._database.run(
            "UPDATE sessions SET ended_ms = ?, outcome = ?, messages = ?"
            " WHERE id = ? AND ended_ms IS NULL",
            (now_ms, outcome, messages, session),
        )

    def interrupt_all(self, node: str, now_ms: int) -> int:
        """Close the sessions that a former run of this node left open."""
        return self._database.run(
            "UPDATE sessions SET ended_ms = ?, outcome = 'interrupted'"
            " WHERE ended_ms IS NULL AND node = ?",
            (now_ms, node),
        )

    def sessions(self, device: str | None = None, *, limit: int = 100) -> tuple[SessionRow, ...]:
        """Newest first."""
        rows = self._database.rows(
            "SELECT * FROM sessions WHERE ? IS NULL OR device = ?"
            " ORDER BY started_ms DESC, rowid DESC LIMIT ?",
            (device, device, limit),
        )
        return tuple(SessionRow(**dict(row)) for row in rows)

    def add_commands(self, rows: Iterable[CommandRow]) -> None:
        with self._database.transaction():
            for row in rows:
                self._insert("commands", row)

    def commands(
        self, *, session: str | None = None, device: str | None = None, limit: int = 1000
    ) -> tuple[CommandRow, ...]:
        """The newest ``limit``, oldest of them first."""
        rows = self._database.rows(
            "SELECT * FROM commands WHERE (? IS NULL OR session = ?) AND (? IS NULL OR device = ?)"
            " ORDER BY id DESC LIMIT ?",
            (session, session, device, device, limit),
        )
        return tuple(CommandRow(**_without_id(dict(row))) for row in reversed(rows))

    def add_report(self, row: ReportRow) -> None:
        self._insert("reports", row)

    def reports(self, device: str | None = None, *, limit: int = 100) -> tuple[ReportRow, ...]:
        """Newest first."""
        rows = self._database.rows(
            "SELECT * FROM reports WHERE ? IS NULL OR device = ? ORDER BY id DESC LIMIT ?",
            (device, device, limit),
        )
        return tuple(ReportRow(**_without_id(dict(row))) for row in rows)

    def add_order(self, order: CardOrder) -> None:
        self._insert("card_orders", order)

    def order_state(
        self, correlator: str, device: str, state: str, reason: str, now_ms: int
    ) -> bool:
        """Move the device's own order on; whether it has an open one of that correlator."""
        return bool(
            self._database.run(
                "UPDATE card_orders SET state = ?, reason = ?, at_ms = ?"
                " WHERE correlator = ? AND device = ? AND state IN (?, ?)",
                (state, reason, now_ms, correlator, device, *OPEN_STATES),
            )
        )

    def orders_of(self, iccid: str, digest: str) -> tuple[CardOrder, ...]:
        """The orders of this very content for this card, the latest first."""
        rows = self._database.rows(
            "SELECT * FROM card_orders WHERE iccid = ? AND digest = ?"
            " ORDER BY at_ms DESC, rowid DESC",
            (iccid, digest),
        )
        return tuple(CardOrder(**dict(row)) for row in rows)

    def order(self, correlator: str, device: str) -> CardOrder | None:
        """The device's own order of that correlator."""
        row = self._database.row(
            "SELECT * FROM card_orders WHERE correlator = ? AND device = ?", (correlator, device)
        )
        return None if row is None else CardOrder(**dict(row))

    def orders(self, device: str) -> tuple[CardOrder, ...]:
        """Newest first."""
        rows = self._database.rows(
            "SELECT * FROM card_orders WHERE device = ? ORDER BY at_ms DESC, rowid DESC", (device,)
        )
        return tuple(CardOrder(**dict(row)) for row in rows)

    def forgive_orders(self, device: str) -> int:
        """Let failed orders of a device be tried again: the operator has changed something."""
        return self._database.run(
            "DELETE FROM card_orders WHERE device = ? AND state = 'failed'", (device,)
        )

    def prune(self, keep_days: int, now_ms: int) -> None:
        """Drop what is older than ``keep_days``."""
        before = now_ms - keep_days * _DAY_MS
        with self._database.transaction():
            self._database.run("DELETE FROM commands WHERE at_ms < ?", (before,))
            self._database.run("DELETE FROM reports WHERE at_ms < ?", (before,))
            self._database.run("DELETE FROM sessions WHERE started_ms < ?", (before,))

    def _insert(self, table: str, row: Any) -> None:
        names = list(row.__slots__)
        marks = ", ".join("?" * len(names))
        self._database.run(
            # Table and column names are those of our own dataclasses.
            f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})",  # noqa: S608
            [getattr(row, name) for name in names],
        )


def _without_id(row: dict[str, Any]) -> dict[str, Any]:
    del row["id"]
    return row
