"""The statements of the store: one row, one record."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from dataclasses import asdict
from typing import Literal

from cardea_core import Layer

from cardd.dm.events import CommandDone
from cardd.provisioning.progress import ProvisioningResult, Stage
from cardd.provisioning.records import NewConfirmation, SessionRecord
from cardd.tree import AclClaim, Source, SourceKind

__all__ = [
    "Direction",
    "confirm",
    "end_write",
    "read_commands",
    "read_layer",
    "read_result",
    "row_id",
    "sha256",
    "write_acls",
    "write_confirmation",
    "write_layer",
    "write_nonce",
    "write_result",
    "write_session",
]

Direction = Literal["client", "server"]


def read_layer(db: sqlite3.Connection, number: int, kind: SourceKind, source: str) -> Layer:
    layer = Layer(kind, source)
    rows = db.execute(
        "SELECT path, value, format, mime, at_ms, absent FROM claim WHERE layer = ? ORDER BY path",
        (number,),
    )
    for path, value, format, mime, at_ms, absent in rows:
        if absent:
            layer.bury(path, at_ms=at_ms)
        else:
            layer.put(path, value, format=format, mime=mime, at_ms=at_ms)
    return layer


def write_layer(db: sqlite3.Connection, source: Source, layer: Layer | None) -> None:
    db.execute("DELETE FROM layer WHERE kind = ? AND source = ?", source)
    if layer is None:
        return
    number = row_id(db.execute("INSERT INTO layer (kind, source) VALUES (?, ?)", source))
    db.executemany(
        "INSERT INTO claim VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            (number, e.path, e.value, e.format, e.mime, e.at_ms, int(e.absent))
            for e in layer.entries()
        ),
    )


def write_acls(db: sqlite3.Connection, acls: tuple[AclClaim, ...]) -> None:
    db.execute("DELETE FROM acl")
    db.executemany(
        "INSERT INTO acl VALUES (?, ?, ?, ?, ?)",
        ((c.path, c.source.kind, c.source.id, str(c.acl), c.at_ms) for c in acls),
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


def write_confirmation(db: sqlite3.Connection, new: NewConfirmation, now_ms: int) -> int:
    return row_id(
        db.execute(
            "INSERT INTO confirmation (server_id, card, correlator, payload, made_ms)"
            " VALUES (?, ?, ?, ?, ?)",
            (new.server_id, new.card, new.correlator, new.payload, now_ms),
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


def read_commands(db: sqlite3.Connection, session: int) -> tuple[CommandDone, ...]:
    rows = db.execute(
        "SELECT verb, path, status FROM session_command WHERE session = ? ORDER BY number",
        (session,),
    )
    return tuple(CommandDone(*row) for row in rows)


def row_id(cursor: sqlite3.Cursor) -> int:
    return int(cursor.lastrowid or 0)


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
