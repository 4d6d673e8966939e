"""Everything that survives a restart, in one file.

Thread-safe. Methods raise StoreError; a method that writes is durable when it returns.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Literal

from cardea_core import Layer, TreeError

from cardd.provisioning.progress import ProvisioningResult, Stage
from cardd.store.database import Database
from cardd.store.errors import StoreError
from cardd.store.records import (
    CardSeen,
    CardWrite,
    NewConfirmation,
    PendingConfirmation,
    SessionCommand,
    SessionRecord,
    StoredTree,
)
from cardd.tree import Acl, AclClaim, AclError, ManagementTree, Source, SourceKind

__all__ = ["Direction", "Store"]

Direction = Literal["client", "server"]


class Store:
    """The daemon's memory: the tree, the journal of card writes, what is still to be said."""

    def __init__(self, path: str | Path) -> None:
        self._database = Database(Path(path))
        # The layers as they are in the file. A tree never writes to a layer it has given out,
        # so the same object means the same content.
        self._written: dict[Source, Layer] = {}
        self._written_acls: tuple[AclClaim, ...] | None = None

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # -- the tree

    def load(self) -> StoredTree:
        """The tree as it was last committed."""
        try:
            return self._load()
        except (AclError, TreeError) as error:
            raise StoreError("corrupt", self._database.path, f"its tree: {error}") from None

    def _load(self) -> StoredTree:
        with self._database.reading() as db:
            revision = db.execute("SELECT revision FROM tree_state").fetchone()[0]
            layers = [
                _read_layer(db, number, kind, source)
                for number, kind, source in db.execute("SELECT id, kind, source FROM layer")
            ]
            acls = tuple(
                AclClaim(path, Source(kind, source), Acl.parse(value), at_ms)
                for path, kind, source, value, at_ms in db.execute(
                    "SELECT path, kind, source, value, at_ms FROM acl ORDER BY 1, 2, 3"
                )
            )
            self._written = {Source(layer.kind, layer.id): layer for layer in layers}
            self._written_acls = acls
        return StoredTree(tuple(layers), acls, revision)

    def commit(
        self,
        tree: ManagementTree,
        now_ms: int,
        *,
        result: ProvisioningResult | None = None,
        confirmations: Iterable[NewConfirmation] = (),
        confirmed: Iterable[int] = (),
        nonces: Mapping[tuple[str, Direction], bytes] | None = None,
        finished_writes: Iterable[int] = (),
        cards: Iterable[CardSeen] = (),
        sessions: Iterable[SessionRecord] = (),
    ) -> int:
        """Put a tree in force, with all that belongs to it, in one transaction (P5).

        Returns the new revision. Only sources that have changed are rewritten.
        """
        layers = {Source(layer.kind, layer.id): layer for layer in tree.layers()}
        acls = tree.acls()
        with self._database.transaction() as db:
            for source in self._written.keys() | layers.keys():
                if self._written.get(source) is not layers.get(source):
                    _write_layer(db, source, layers.get(source))
            if acls != self._written_acls:
                _write_acls(db, acls)
            db.execute("UPDATE tree_state SET revision = revision + 1")
            revision: int = db.execute("SELECT revision FROM tree_state").fetchone()[0]
            if result is not None:
                _write_result(db, result)
            for confirmation in confirmations:
                _write_confirmation(db, confirmation, now_ms)
            for number in confirmed:
                _confirm(db, number, now_ms)
            for (server_id, direction), value in (nonces or {}).items():
                _write_nonce(db, server_id, direction, value)
            for number in finished_writes:
                _end_write(db, number, "finished", now_ms)
            for card in cards:
                _write_card(db, card)
            for session in sessions:
                _write_session(db, session)
        self._written, self._written_acls = layers, acls
        return revision

    # -- journal of card writes (P5)

    def begin_card_write(
        self, iccid: str, oid: str, path: str, old_sha256: bytes, new_data: bytes, now_ms: int
    ) -> int:
        """Note what is about to be written; to be called before the first UPDATE."""
        with self._database.transaction() as db:
            cursor = db.execute(
                "INSERT INTO card_write"
                " (iccid, oid, path, old_sha256, new_data, new_sha256, begun_ms, state)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, 'open')",
                (iccid, oid, path, old_sha256, new_data, _sha256(new_data), now_ms),
            )
            return _row_id(cursor)

    def finish_card_write(self, id: int, now_ms: int) -> None:
        """The file was read back and found equal."""
        with self._database.transaction() as db:
            _end_write(db, id, "finished", now_ms)

    def abandon_card_write(self, id: int, now_ms: int) -> None:
        """The card still has, or has again, what it had before; nothing is to be completed."""
        with self._database.transaction() as db:
            _end_write(db, id, "abandoned", now_ms)

    def open_card_writes(self, iccid: str) -> tuple[CardWrite, ...]:
        """Writes that began and are not known to have ended, oldest first."""
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT id, iccid, oid, path, old_sha256, new_data, begun_ms FROM card_write"
                " WHERE iccid = ? AND state = 'open' ORDER BY id",
                (iccid,),
            )
            return tuple(CardWrite(*row) for row in rows)

    # -- cards

    def card_seen(self, iccid: str, reader: str, digests: Mapping[str, bytes], now_ms: int) -> None:
        """Note that a card was read: SHA-256 of each provisioning file by its OID."""
        with self._database.transaction() as db:
            _write_card(db, CardSeen(iccid, reader, now_ms, digests))

    def card(self, iccid: str) -> CardSeen | None:
        """What is known of a card."""
        return self._card("iccid = ?", iccid)

    def last_card(self, reader: str) -> CardSeen | None:
        """The card that was last read in a reader."""
        return self._card("reader = ?", reader)

    # -- what is still to be said to servers

    def add_confirmation(self, confirmation: NewConfirmation, now_ms: int) -> int:
        with self._database.transaction() as db:
            return _write_confirmation(db, confirmation, now_ms)

    def pending_confirmations(
        self, server_id: str | None = None
    ) -> tuple[PendingConfirmation, ...]:
        """Oldest first; of one server or of all."""
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT id, server_id, card, payload, correlator, made_ms FROM confirmation"
                " WHERE done_ms IS NULL AND (?1 IS NULL OR server_id = ?1) ORDER BY id",
                (server_id,),
            )
            return tuple(PendingConfirmation(*row) for row in rows)

    def confirmation_done(self, id: int, now_ms: int) -> None:
        """The server has acknowledged it. Doing so twice changes nothing."""
        with self._database.transaction() as db:
            _confirm(db, id, now_ms)

    def nonce(self, server_id: str, direction: Direction) -> bytes | None:
        """The nonce for the next session: "client": for our credentials, "server": for theirs."""
        with self._database.reading() as db:
            row = db.execute(
                "SELECT value FROM nonce WHERE server_id = ? AND direction = ?",
                (server_id, direction),
            ).fetchone()
            return None if row is None else bytes(row[0])

    def set_nonce(self, server_id: str, direction: Direction, value: bytes) -> None:
        with self._database.transaction() as db:
            _write_nonce(db, server_id, direction, value)

    # -- history

    def log_session(self, session: SessionRecord) -> None:
        """Keep the record of a session, also of one that failed (S9)."""
        with self._database.transaction() as db:
            _write_session(db, session)

    def sessions(self, server_id: str | None = None, limit: int = 100) -> tuple[SessionRecord, ...]:
        """Newest first; of one server or of all (S2)."""
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT id, session_id, server_id, began_ms, ended_ms, outcome, trust FROM session"
                " WHERE ?1 IS NULL OR server_id = ?1 ORDER BY id DESC LIMIT ?2",
                (server_id, limit),
            ).fetchall()
            return tuple(
                SessionRecord(
                    session_id=session_id,
                    server_id=server,
                    began_ms=began_ms,
                    ended_ms=ended_ms,
                    outcome=outcome,
                    trust=trust,
                    commands=_read_commands(db, number),
                )
                for number, session_id, server, began_ms, ended_ms, outcome, trust in rows
            )

    def log_result(self, result: ProvisioningResult) -> None:
        """Keep the result of a run that commits nothing: one that failed."""
        with self._database.transaction() as db:
            _write_result(db, result)

    def results(self, card: str | None = None, limit: int = 100) -> tuple[ProvisioningResult, ...]:
        """Newest first; of one card or of all."""
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT result FROM provisioning WHERE ?1 IS NULL OR card = ?1"
                " ORDER BY ended_ms DESC, name DESC LIMIT ?2",
                (card, limit),
            )
            return tuple(_read_result(row[0]) for row in rows)

    def _card(self, condition: Literal["iccid = ?", "reader = ?"], value: str) -> CardSeen | None:
        with self._database.reading() as db:
            row = db.execute(
                f"SELECT iccid, reader, seen_ms FROM card WHERE {condition}"  # noqa: S608 - literal
                " ORDER BY seen_ms DESC LIMIT 1",
                (value,),
            ).fetchone()
            if row is None:
                return None
            files = db.execute("SELECT oid, sha256 FROM card_file WHERE iccid = ?", (row[0],))
            iccid, reader, seen_ms = row
            return CardSeen(iccid, reader, seen_ms, dict(files.fetchall()))


def _read_layer(db: sqlite3.Connection, number: int, kind: SourceKind, source: str) -> Layer:
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


def _write_layer(db: sqlite3.Connection, source: Source, layer: Layer | None) -> None:
    db.execute("DELETE FROM layer WHERE kind = ? AND source = ?", source)
    if layer is None:
        return
    number = _row_id(db.execute("INSERT INTO layer (kind, source) VALUES (?, ?)", source))
    db.executemany(
        "INSERT INTO claim VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            (number, e.path, e.value, e.format, e.mime, e.at_ms, int(e.absent))
            for e in layer.entries()
        ),
    )


def _write_acls(db: sqlite3.Connection, acls: tuple[AclClaim, ...]) -> None:
    db.execute("DELETE FROM acl")
    db.executemany(
        "INSERT INTO acl VALUES (?, ?, ?, ?, ?)",
        ((c.path, c.source.kind, c.source.id, str(c.acl), c.at_ms) for c in acls),
    )


def _write_result(db: sqlite3.Connection, result: ProvisioningResult) -> None:
    db.execute(
        "INSERT OR REPLACE INTO provisioning VALUES (?, ?, ?, ?)",
        (result.name, result.card, result.ended_at_ms, json.dumps(asdict(result))),
    )


def _read_result(text: str) -> ProvisioningResult:
    fields = json.loads(text)
    fields["stage"] = Stage(fields["stage"])
    fields["servers"] = tuple(fields["servers"])
    fields["trust"] = tuple(fields["trust"])
    return ProvisioningResult(**fields)


def _write_confirmation(db: sqlite3.Connection, new: NewConfirmation, now_ms: int) -> int:
    return _row_id(
        db.execute(
            "INSERT INTO confirmation (server_id, card, correlator, payload, made_ms)"
            " VALUES (?, ?, ?, ?, ?)",
            (new.server_id, new.card, new.correlator, new.payload, now_ms),
        )
    )


def _confirm(db: sqlite3.Connection, id: int, now_ms: int) -> None:
    db.execute("UPDATE confirmation SET done_ms = ? WHERE id = ? AND done_ms IS NULL", (now_ms, id))


def _write_nonce(
    db: sqlite3.Connection, server_id: str, direction: Direction, value: bytes
) -> None:
    db.execute("INSERT OR REPLACE INTO nonce VALUES (?, ?, ?)", (server_id, direction, value))


def _end_write(
    db: sqlite3.Connection, id: int, state: Literal["finished", "abandoned"], now_ms: int
) -> None:
    # The digest stays for the record; the data may hold secrets and has done its duty.
    db.execute(
        "UPDATE card_write SET state = ?, ended_ms = ?, new_data = NULL"
        " WHERE id = ? AND state = 'open'",
        (state, now_ms, id),
    )


def _write_card(db: sqlite3.Connection, card: CardSeen) -> None:
    db.execute("DELETE FROM card WHERE iccid = ?", (card.iccid,))
    db.execute("INSERT INTO card VALUES (?, ?, ?)", (card.iccid, card.reader, card.seen_ms))
    db.executemany(
        "INSERT INTO card_file VALUES (?, ?, ?)",
        ((card.iccid, oid, digest) for oid, digest in card.digests.items()),
    )


def _write_session(db: sqlite3.Connection, session: SessionRecord) -> None:
    number = _row_id(
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


def _read_commands(db: sqlite3.Connection, session: int) -> tuple[SessionCommand, ...]:
    rows = db.execute(
        "SELECT verb, path, status FROM session_command WHERE session = ? ORDER BY number",
        (session,),
    )
    return tuple(SessionCommand(*row) for row in rows)


def _row_id(cursor: sqlite3.Cursor) -> int:
    return int(cursor.lastrowid or 0)


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
