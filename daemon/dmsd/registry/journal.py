"""What happened: sessions, the status of each command, reports, orders to cards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
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
        """A device has one session with an account: an older one, on whichever node, is over."""
        self._database.run(
            "UPDATE sessions SET ended_ms = ?, outcome = 'superseded'"
            " WHERE device = ? AND account = ? AND ended_ms IS NULL",
            (row.started_ms, row.device, row.account),
        )
        self._insert("sessions", row)

    def goes_on(self, session: str, messages: int) -> bool:
        """Count a message of a session; False: it is over, for a newer one has begun."""
        return bool(
            self._database.run(
                "UPDATE sessions SET messages = ? WHERE id = ? AND ended_ms IS NULL",
                (messages, session),
            )
        )

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
            f"{_SESSIONS} WHERE CAST(? AS TEXT) IS NULL OR device = ?"
            " ORDER BY started_ms DESC, rowid DESC LIMIT ?",
            (device, device, limit),
        )
        return tuple(SessionRow(**row) for row in rows)

    def add_commands(self, rows: Iterable[CommandRow]) -> None:
        with self._database.transaction():
            for row in rows:
                self._insert("commands", row)

    def commands(
        self, *, session: str | None = None, device: str | None = None, limit: int = 1000
    ) -> tuple[CommandRow, ...]:
        """The newest ``limit``, oldest of them first."""
        rows = self._database.rows(
            f"{_COMMANDS} WHERE (CAST(? AS TEXT) IS NULL OR session = ?)"
            " AND (CAST(? AS TEXT) IS NULL OR device = ?) ORDER BY id DESC LIMIT ?",
            (session, session, device, device, limit),
        )
        return tuple(CommandRow(**row) for row in reversed(rows))

    def add_report(self, row: ReportRow) -> None:
        self._insert("reports", row)

    def reports(self, device: str | None = None, *, limit: int = 100) -> tuple[ReportRow, ...]:
        """Newest first."""
        rows = self._database.rows(
            f"{_REPORTS} WHERE CAST(? AS TEXT) IS NULL OR device = ? ORDER BY id DESC LIMIT ?",
            (device, device, limit),
        )
        return tuple(ReportRow(**row) for row in rows)

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
            f"{_ORDERS} WHERE iccid = ? AND digest = ? ORDER BY at_ms DESC, rowid DESC",
            (iccid, digest),
        )
        return tuple(CardOrder(**row) for row in rows)

    def order(self, correlator: str, device: str) -> CardOrder | None:
        """The device's own order of that correlator."""
        row = self._database.row(
            f"{_ORDERS} WHERE correlator = ? AND device = ?", (correlator, device)
        )
        return None if row is None else CardOrder(**row)

    def orders(self, device: str) -> tuple[CardOrder, ...]:
        """Newest first."""
        rows = self._database.rows(
            f"{_ORDERS} WHERE device = ? ORDER BY at_ms DESC, rowid DESC", (device,)
        )
        return tuple(CardOrder(**row) for row in rows)

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
        names = _names(type(row))
        marks = ", ".join("?" * len(names))
        self._database.run(
            f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})",  # noqa: S608
            [getattr(row, name) for name in names],
        )


def _names(record: type) -> list[str]:
    return [field.name for field in fields(record)]


# Table and column names are those of our own dataclasses; a table may have a column to order by.
_SESSIONS = f"SELECT {', '.join(_names(SessionRow))} FROM sessions"  # noqa: S608
_COMMANDS = f"SELECT {', '.join(_names(CommandRow))} FROM commands"  # noqa: S608
_REPORTS = f"SELECT {', '.join(_names(ReportRow))} FROM reports"  # noqa: S608
_ORDERS = f"SELECT {', '.join(_names(CardOrder))} FROM card_orders"  # noqa: S608
