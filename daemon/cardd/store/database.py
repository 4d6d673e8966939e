"""The SQLite file: opened with care, or not at all."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from cardea_core import CoreError

from cardd.store.errors import StoreError
from cardd.store.schema import APPLICATION_ID, MIGRATIONS
from cardd.tree import ManagementTreeError

__all__ = ["Database", "sync_folder"]

_MAGIC = b"SQLite format 3\x00"
_HEADER_BYTES = 100
# What Python makes of an SQLite error; UnicodeDecodeError where its words quote damaged bytes.
_FAILURES = (sqlite3.Error, UnicodeDecodeError)
# What reading a row raises that nobody has written.
_SENSELESS = (CoreError, ManagementTreeError, KeyError, TypeError, ValueError)
# By the beginning of an error's name; the rest of them keeps its name.
_IN_WORDS = {
    "SQLITE_FULL": "no space left on the disk",
    "SQLITE_IOERR_SHMSIZE": "no space left on the disk",
    "SQLITE_CANTOPEN": "it, or its log, cannot be opened; is the file system read-only?",
    "SQLITE_READONLY": "it cannot be written",
    "SQLITE_IOERR": "the disk fails",
}


class Database:
    """One connection behind one re-entrant lock.

    A file that is not ours, or damaged, is left untouched.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = threading.RLock()
        _make_private(path.parent, path)
        if path.exists():
            _check_header(path)
        else:
            _create(path)
        self._connection = self._opened()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; durable when the block has been left."""
        with self.lock, self._guarded():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                # A failed COMMIT may have ended the transaction already.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, for statements that only read, and for what is made of their rows."""
        with self.lock, self._guarded():
            try:
                yield self._connection
            except _SENSELESS as error:
                raise StoreError("corrupt", self.path, f"a row makes no sense: {error}") from None

    def close(self) -> None:
        with self.lock:
            self._connection.close()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except _FAILURES as error:
            reason = "corrupt" if _is_damage(error) else "failed"
            raise StoreError(reason, self.path, _words(error)) from None

    def _opened(self) -> sqlite3.Connection:
        _check(self.path)
        connection = _connect(self.path)
        try:
            # One daemon a store; the lock is the kernel's and goes with the process.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            # What is deleted may have been a secret.
            connection.execute("PRAGMA secure_delete = ON")
            _migrate(connection)
        except _FAILURES as error:
            connection.close()
            raise _opening_error(error, self.path) from None
        except StoreError:
            connection.close()
            raise
        return connection


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=2.0)


def _make_private(folder: Path, path: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for what, limit in ((folder, 0o077), (path, 0o077)):
            if what.exists() and stat.S_IMODE(what.stat().st_mode) & limit:
                raise StoreError("not_private", what, f"others may enter; chmod go-rwx {what}")
    except OSError as error:
        raise StoreError("unreadable", path, error.strerror or "cannot be reached") from None


def _check_header(path: Path) -> None:
    """Look at the bytes: a foreign file is not even opened as a database (SQLite §1.3)."""
    try:
        # Else a pipe would be waited for.
        if not stat.S_ISREG(path.stat().st_mode):
            raise StoreError("unreadable", path, "not a file")
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
    except OSError as error:
        raise StoreError("unreadable", path, error.strerror or "cannot be read") from None
    if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
        raise StoreError("foreign", path, "not an SQLite database")
    if int.from_bytes(header[68:72], "big") != APPLICATION_ID:
        raise StoreError("foreign", path, "a database of another program")


def _create(path: Path) -> None:
    """Make the file under another name: it appears complete or not at all."""
    log = Path(f"{path}-wal")
    if log.exists():
        # SQLite would play it into the new file.
        raise StoreError("corrupt", log, "a log without the database that it belongs to")
    building = path.with_name(f"{path.name}.new")
    try:
        for left_over in (building, Path(f"{building}-journal")):
            left_over.unlink(missing_ok=True)
        os.close(os.open(building, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise StoreError("unreadable", path, f"cannot be made: {error.strerror}") from None
    connection = _connect(building)
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        _migrate(connection)
    except sqlite3.Error as error:
        raise _opening_error(error, path) from None
    finally:
        connection.close()
    building.rename(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make what was made, renamed or removed in a folder outlast a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check(path: Path) -> None:
    """Look before writing is possible: even to close a damaged file would play its log into it."""
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None, timeout=2.0
    )
    try:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()
        version = connection.execute("PRAGMA user_version").fetchone()[0]
    except _FAILURES as error:
        if _name(error) == "SQLITE_READONLY_ROLLBACK":
            return  # Killed while it was made; the pages before that come back when it is opened.
        raise _opening_error(error, path) from None
    finally:
        connection.close()
    if found is None or found[0] != "ok":
        raise StoreError("corrupt", path, "the integrity check failed")
    if version > len(MIGRATIONS):
        raise StoreError("newer_schema", path, f"schema {version}, known are {len(MIGRATIONS)}")


def _migrate(connection: sqlite3.Connection) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    for number, script in enumerate(MIGRATIONS[version:], version + 1):
        connection.executescript(f"BEGIN;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")


def _opening_error(error: Exception, path: Path) -> StoreError:
    if _is_damage(error):
        return StoreError("corrupt", path, f"damaged: {_words(error)}")
    if _name(error).startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StoreError("in_use", path, "another process holds it")
    return StoreError("unreadable", path, _words(error))


def _is_damage(error: Exception) -> bool:
    """Whether it is the file, and not the disk, the rights or another process.

    SQLITE_ERROR is a statement that does not fit the tables. Text that is no UTF-8, for which
    SQLite does not look, is an error of Python's, without a name.
    """
    name: str | None = getattr(error, "sqlite_errorname", None)
    if name is None:
        return isinstance(error, UnicodeDecodeError | sqlite3.OperationalError)
    return name == "SQLITE_ERROR" or name.startswith(
        ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_IOERR_SHORT_READ")
    )


def _words(error: Exception) -> str:
    """The text of an SQLite error may quote values; its name never does."""
    name = _name(error)
    for beginning, words in _IN_WORDS.items():
        if name.startswith(beginning):
            return f"{words} ({name})"
    return f"database: {name}"


def _name(error: Exception) -> str:
    return getattr(error, "sqlite_errorname", None) or type(error).__name__
