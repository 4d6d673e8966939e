"""The registry in one SQLite file, for one node."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dmsd.errors import RegistryError
from dmsd.registry.database import Row
from dmsd.registry.schema import NEWEST, Dialect, statements

__all__ = ["SqliteDatabase"]

_DIALECT = Dialect(
    blob="BLOB", integer="INTEGER", counted="INTEGER PRIMARY KEY", rowid="", strict="STRICT"
)


class SqliteDatabase:
    """One connection and one lock: SQLite has one writer at a time anyway. ``path`` may be
    ``:memory:``."""

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

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        with self._lock, _as_registry_error():
            return self._connection.execute(sql, values).fetchall()

    def row(self, sql: str, values: Sequence[Any] = ()) -> Row | None:
        found = self.rows(sql, values)
        return found[0] if found else None

    def run(self, sql: str, values: Sequence[Any] = ()) -> int:
        with self._lock, _as_registry_error():
            return self._connection.execute(sql, values).rowcount

    @contextmanager
    def transaction(self) -> Iterator[None]:
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
        self._connection.row_factory = _by_name
        self._connection.execute("PRAGMA journal_mode = WAL")
        # FULL: a sequence number that was used must never come back after a power cut
        # (TS 33.102 §6.3.2), nor a nonce.
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA foreign_keys = ON")
        with self.transaction():
            version = self._connection.execute("PRAGMA user_version").fetchone()["user_version"]
            if not 0 <= version <= NEWEST:
                raise RegistryError(f"schema version {version}, this program knows {NEWEST}")
            for statement in statements(_DIALECT, version):
                self._connection.execute(statement)
            self._connection.execute(f"PRAGMA user_version = {NEWEST}")


def _by_name(cursor: sqlite3.Cursor, row: tuple[Any, ...]) -> Row:
    return {column[0]: value for column, value in zip(cursor.description, row, strict=True)}


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
