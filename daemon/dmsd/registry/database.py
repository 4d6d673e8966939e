"""The SQLite file: mode, journal, schema, and one lock for all who use it."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dmsd.errors import RegistryError

__all__ = ["Database"]

# What each version of the schema has made of the one before.
_FIRST = """
CREATE TABLE subscribers (
    impi TEXT PRIMARY KEY, imsi TEXT NOT NULL UNIQUE,
    k BLOB NOT NULL, opc BLOB NOT NULL, amf BLOB NOT NULL, sqn INTEGER NOT NULL
) STRICT;
CREATE TABLE cards (
    iccid TEXT PRIMARY KEY, adm1 BLOB NOT NULL,
    impi TEXT REFERENCES subscribers (impi) ON DELETE SET NULL
) STRICT;
CREATE TABLE devices (
    device TEXT PRIMARY KEY, added_ms INTEGER NOT NULL, seen_ms INTEGER,
    info TEXT NOT NULL DEFAULT '{}'
) STRICT;
CREATE TABLE accounts (
    id INTEGER PRIMARY KEY,
    device TEXT REFERENCES devices (device) ON DELETE CASCADE,
    user TEXT, auth TEXT, client_secret BLOB, client_nonce BLOB,
    server_auth TEXT, server_user TEXT, server_secret BLOB, server_nonce BLOB,
    impi TEXT,
    CHECK ((user IS NULL) <> (impi IS NULL))
) STRICT;
CREATE UNIQUE INDEX account_user ON accounts (user, ifnull(device, '')) WHERE user IS NOT NULL;
CREATE UNIQUE INDEX account_impi ON accounts (impi, ifnull(device, '')) WHERE impi IS NOT NULL;
CREATE TABLE desired (
    device TEXT PRIMARY KEY REFERENCES devices (device) ON DELETE CASCADE,
    document TEXT NOT NULL, revision INTEGER NOT NULL, set_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE sessions (
    id TEXT PRIMARY KEY, device TEXT NOT NULL, dm_session TEXT NOT NULL, account TEXT NOT NULL,
    trust TEXT NOT NULL, node TEXT NOT NULL, started_ms INTEGER NOT NULL, ended_ms INTEGER,
    outcome TEXT NOT NULL DEFAULT '', messages INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX session_device ON sessions (device, started_ms);
CREATE TABLE commands (
    id INTEGER PRIMARY KEY, session TEXT NOT NULL, device TEXT NOT NULL, server TEXT NOT NULL,
    msg_id INTEGER NOT NULL, cmd_id INTEGER NOT NULL, command TEXT NOT NULL, path TEXT NOT NULL,
    status INTEGER NOT NULL, at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX command_session ON commands (session);
CREATE INDEX command_device ON commands (device, at_ms);
CREATE TABLE reports (
    id INTEGER PRIMARY KEY, session TEXT NOT NULL, device TEXT NOT NULL, at_ms INTEGER NOT NULL,
    type TEXT NOT NULL, mark TEXT NOT NULL, source TEXT NOT NULL, correlator TEXT NOT NULL,
    format TEXT NOT NULL, data TEXT NOT NULL
) STRICT;
CREATE INDEX report_device ON reports (device, at_ms);
CREATE TABLE card_orders (
    correlator TEXT PRIMARY KEY, device TEXT NOT NULL, iccid TEXT NOT NULL, digest TEXT NOT NULL,
    state TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '', at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX card_order_target ON card_orders (iccid, digest, at_ms);
CREATE TABLE settled (
    device TEXT NOT NULL, path TEXT NOT NULL, digest TEXT NOT NULL, at_ms INTEGER NOT NULL,
    PRIMARY KEY (device, path)
) STRICT;
CREATE TABLE bootstraps (
    btid TEXT PRIMARY KEY, impi TEXT NOT NULL, rand BLOB NOT NULL, ck BLOB NOT NULL,
    ik BLOB NOT NULL, created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX bootstrap_impi ON bootstraps (impi, created_ms);
"""
# Keys for secured packets, instead of ADM1 or beside it; the counters that an order has spent.
_PACKETS = """
CREATE TABLE cards_2 (
    iccid TEXT PRIMARY KEY, adm1 BLOB,
    impi TEXT REFERENCES subscribers (impi) ON DELETE SET NULL
) STRICT;
INSERT INTO cards_2 SELECT iccid, adm1, impi FROM cards;
DROP TABLE cards;
ALTER TABLE cards_2 RENAME TO cards;
CREATE TABLE ota_keys (
    iccid TEXT PRIMARY KEY REFERENCES cards (iccid) ON DELETE CASCADE,
    kic INTEGER NOT NULL, cipher_key BLOB NOT NULL, kid INTEGER NOT NULL,
    checksum_key BLOB NOT NULL, tar BLOB NOT NULL, counter INTEGER NOT NULL
) STRICT;
ALTER TABLE card_orders ADD COLUMN first_counter INTEGER NOT NULL DEFAULT 0;
ALTER TABLE card_orders ADD COLUMN packets INTEGER NOT NULL DEFAULT 0;
"""
# A card's counter outlives its row: what was spent on a card, also one that is removed, is spent.
_COUNTERS = """
CREATE TABLE packet_counters (iccid TEXT PRIMARY KEY, counter INTEGER NOT NULL) STRICT;
INSERT INTO packet_counters SELECT iccid, max(spent) FROM (
    SELECT iccid, counter AS spent FROM ota_keys
    UNION ALL SELECT iccid, first_counter + packets - 1 FROM card_orders WHERE packets > 0
) GROUP BY iccid;
ALTER TABLE ota_keys DROP COLUMN counter;
"""
_VERSIONS = (_FIRST, _PACKETS, _COUNTERS)


class Database:
    """One connection, used by one thread at a time. ``path`` may be ``:memory:``."""

    def __init__(self, path: Path | str) -> None:
        self._lock = threading.RLock()
        if str(path) != ":memory:":
            _create_private(Path(path))
        try:
            self._connection = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, timeout=5.0
            )
            self._prepare()
        except sqlite3.Error as error:
            raise RegistryError(f"{path}: {error}") from error

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """All rows of a query."""
        with self._lock, _as_registry_error():
            return self._connection.execute(sql, values).fetchall()

    def row(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Row | None:
        """The first row of a query, if any."""
        with self._lock, _as_registry_error():
            found: sqlite3.Row | None = self._connection.execute(sql, values).fetchone()
            return found

    def run(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Execute one statement; how many rows it touched."""
        with self._lock, _as_registry_error():
            return self._connection.execute(sql, values).rowcount

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; nested use joins the outer one."""
        with self._lock:
            if self._connection.in_transaction:
                yield
                return
            with _as_registry_error():
                self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            with _as_registry_error():
                self._connection.execute("COMMIT")

    def _prepare(self) -> None:
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        # FULL: a sequence number that was used must never come back after a power cut
        # (TS 33.102 §6.3.2), nor a nonce.
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA foreign_keys = ON")
        with self.transaction():
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
            if not 0 <= version <= len(_VERSIONS):
                raise RegistryError(
                    f"schema version {version}, this program knows {len(_VERSIONS)}"
                )
            for script in _VERSIONS[version:]:
                for statement in script.split(";"):
                    self._connection.execute(statement)
            self._connection.execute(f"PRAGMA user_version = {len(_VERSIONS)}")


@contextmanager
def _as_registry_error() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise RegistryError(str(error)) from error


def _create_private(path: Path) -> None:
    """Create the file with mode 0600 before SQLite can do so with a wider one."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        mode = path.stat().st_mode & 0o777
    except OSError as error:
        raise RegistryError(f"{path}: {error.strerror}") from error
    if mode & 0o077:
        raise RegistryError(f"{path} holds keys but has mode {mode:04o}; make it 0600")
