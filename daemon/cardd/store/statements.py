"""The statements of the store: one row, one record."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Literal

from cardea_core import Layer

from cardd.dm.events import CommandDone
from cardd.provisioning.progress import ProvisioningResult, Stage
from cardd.provisioning.records import NewConfirmation, SessionRecord
from cardd.tree import Source, SourceKind

from .history import ClaimChanges, DigestChange, PropertyChange, columns, layer_of
from .records import Operation

__all__ = [
    "Direction",
    "confirm",
    "end_write",
    "read_commands",
    "read_layer",
    "read_operations",
    "read_result",
    "read_versions",
    "row_id",
    "sha256",
    "write_claims",
    "write_confirmation",
    "write_digests",
    "write_nonce",
    "write_properties",
    "write_result",
    "write_session",
    "write_versions",
]

Direction = Literal["client", "server"]


def read_layer(db: sqlite3.Connection, number: int, kind: SourceKind, source: str) -> Layer:
    rows = db.execute(
        "SELECT path, value, format, mime, at_ms, absent FROM claim WHERE layer = ? ORDER BY path",
        (number,),
    )
    return layer_of(Source(kind, source), rows)


def write_claims(db: sqlite3.Connection, changes: Iterable[ClaimChanges]) -> None:
    for source, amendments in ((of_one.source, of_one.amendments) for of_one in changes):
        known = db.execute("SELECT id FROM layer WHERE kind = ? AND source = ?", source).fetchone()
        number = (
            row_id(db.execute("INSERT INTO layer (kind, source) VALUES (?, ?)", source))
            if known is None
            else known[0]
        )
        db.executemany(
            "DELETE FROM claim WHERE layer = ? AND path = ?",
            ((number, path) for path, _, after in amendments if after is None),
        )
        db.executemany(
            "INSERT OR REPLACE INTO claim VALUES (?, ?, ?, ?, ?, ?, ?)",
            ((number, path, *columns(after)) for path, _, after in amendments if after is not None),
        )
        db.execute(
            "DELETE FROM layer WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM claim WHERE layer = ?1)",
            (number,),
        )


def write_digests(db: sqlite3.Connection, changes: Iterable[DigestChange]) -> None:
    """After the claims: a source that claims nothing has no row."""
    db.executemany(
        "UPDATE layer SET digest = ? WHERE kind = ? AND source = ?",
        ((change.after, *change.source) for change in changes),
    )


def write_properties(db: sqlite3.Connection, changes: Iterable[PropertyChange]) -> None:
    for change in changes:
        place = (change.key.path, *change.key.source)
        # The table bears the property's name: one of two of our own.
        table = change.key.property
        if change.after is None:
            db.execute(f"DELETE FROM {table} WHERE (path, kind, source) = (?, ?, ?)", place)  # noqa: S608
        else:
            db.execute(
                f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?, ?, ?)",  # noqa: S608
                (*place, *change.after),
            )


def read_versions(db: sqlite3.Connection) -> Mapping[str, int]:
    return dict(db.execute("SELECT path, ver_no FROM node_version"))


def write_versions(
    db: sqlite3.Connection, before: Mapping[str, int], after: Mapping[str, int]
) -> None:
    gone = before.keys() - after.keys()
    db.executemany("DELETE FROM node_version WHERE path = ?", ((path,) for path in gone))
    db.executemany(
        "INSERT OR REPLACE INTO node_version VALUES (?, ?)", after.items() - before.items()
    )


def write_result(db: sqlite3.Connection, result: ProvisioningResult) -> None:
    db.execute(
        "INSERT OR REPLACE INTO provisioning VALUES (?, ?, ?, ?)",
        (result.name, result.card, result.ended_at_ms, json.dumps(asdict(result))),
    )


def read_result(text: str) -> ProvisioningResult:
    fields = json.loads(text)
    fields["stage"] = Stage(fields["stage"])
    fields["servers"] = tuple(fields["servers"])
    fields["trust"] = tuple(fields["trust"])
    fields["left_out"] = tuple((server, reason) for server, reason in fields["left_out"])
    return ProvisioningResult(**fields)


def write_confirmation(
    db: sqlite3.Connection, new: NewConfirmation, now_ms: int, *, held: bool = False
) -> int:
    return row_id(
        db.execute(
            "INSERT INTO confirmation"
            " (server_id, card, correlator, payload, card_payload, made_ms, held)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                new.server_id,
                new.card,
                new.correlator,
                new.payload,
                new.card_payload,
                now_ms,
                held,
            ),
        )
    )


def confirm(db: sqlite3.Connection, id: int, now_ms: int) -> None:
    db.execute("UPDATE confirmation SET done_ms = ? WHERE id = ? AND done_ms IS NULL", (now_ms, id))


def write_nonce(db: sqlite3.Connection, server_id: str, direction: Direction, value: bytes) -> None:
    db.execute("INSERT OR REPLACE INTO nonce VALUES (?, ?, ?)", (server_id, direction, value))


def end_write(
    db: sqlite3.Connection, id: int, state: Literal["finished", "abandoned"], now_ms: int
) -> None:
    # The digest stays for the record; the data may hold secrets and has done its duty.
    db.execute(
        "UPDATE card_write SET state = ?, ended_ms = ?, new_data = NULL"
        " WHERE id = ? AND state = 'open'",
        (state, now_ms, id),
    )


def write_session(db: sqlite3.Connection, session: SessionRecord) -> None:
    number = row_id(
        db.execute(
            "INSERT INTO session (session_id, server_id, began_ms, ended_ms, outcome, trust)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                session.session_id,
                session.server_id,
                session.began_ms,
                session.ended_ms,
                session.outcome,
                session.trust,
            ),
        )
    )
    db.executemany(
        "INSERT INTO session_command VALUES (?, ?, ?, ?, ?)",
        ((number, n, c.verb, c.path, c.status) for n, c in enumerate(session.commands)),
    )
    if session.outcome == "ok" and session.host:
        db.execute(
            "INSERT OR REPLACE INTO server_host VALUES (?, ?)", (session.server_id, session.host)
        )


def read_commands(db: sqlite3.Connection, session: int) -> tuple[CommandDone, ...]:
    rows = db.execute(
        "SELECT verb, path, status FROM session_command WHERE session = ? ORDER BY number",
        (session,),
    )
    return tuple(CommandDone(*row) for row in rows)


# A session has far fewer messages, and a message far fewer commands.
_COMMANDS_MAX = 1 << 24


def read_operations(
    db: sqlite3.Connection, authority: str, limit: int, before: int
) -> tuple[Operation, ...]:
    session, number = divmod(before or 1 << 62, _COMMANDS_MAX)
    rows = db.execute(
        "SELECT id * ?1 + number, server_id, session_id, ended_ms, verb, path, status, trust"
        " FROM session JOIN session_command ON session = id"
        " WHERE (?2 = '' OR server_id = ?2) AND (id, number) < (?3, ?4)"
        " ORDER BY id DESC, number DESC LIMIT ?5",
        (_COMMANDS_MAX, authority, session, number, limit),
    )
    return tuple(Operation(*row) for row in rows)


def row_id(cursor: sqlite3.Cursor) -> int:
    return int(cursor.lastrowid or 0)


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
