"""The registry in PostgreSQL, which several nodes share."""

from __future__ import annotations

import select
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row

from dmsd.errors import RegistryError
from dmsd.registry.database import Row
from dmsd.registry.schema import NEWEST, Dialect, statements

__all__ = ["PostgresDatabase"]

_Connection = psycopg.Connection[dict[str, Any]]

_DIALECT = Dialect(
    blob="BYTEA",
    integer="BIGINT",
    counted="BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    rowid="rowid BIGINT GENERATED ALWAYS AS IDENTITY,",
    strict="",
)
# What the URL does not say. A link that is dead without a word is given up after about 11 s of
# silence, or 10 s (in milliseconds) after the last bytes sent that nobody acknowledges.
_DEFAULTS: Mapping[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
# A node that hangs in the middle of a transaction, or is stopped there, must not hold others up.
_LOCK_TIMEOUT = "SET lock_timeout = '5s'"
_SETTINGS = (
    _LOCK_TIMEOUT,
    "SET idle_in_transaction_session_timeout = '10s'",
    # Statements are exact because each sees what was committed before it.
    "SET default_transaction_isolation = 'read committed'",
    # A sequence number that was used must never come back after a power cut (TS 33.102 §6.3.2), nor
    # a nonce; nor after a standby has taken over, where there is a synchronous one.
    "SELECT set_config('synchronous_commit', 'on', false)"
    " WHERE current_setting('synchronous_commit') IN ('off', 'local')",
)
# Any number that nobody else takes: of two nodes that start at once, one makes the tables.
_PREPARING = 0x646D7364


class _Mine(threading.local):
    """What a thread has."""

    connection: _Connection | None = None
    in_transaction = False


class PostgresDatabase:
    """A connection for each thread, opened when it is needed and anew when it was lost.

    What fails because the connection breaks is not repeated, for nobody knows whether it was done;
    the next call, or the next transaction, has a new one. ``url`` is a libpq connection URI;
    ``node`` is how PostgreSQL names the connections in its own views.
    """

    def __init__(self, url: str, *, node: str) -> None:
        self._url = url
        self._name = f"dmsd {node}"
        self._mine = _Mine()
        self._lock = threading.Lock()
        self._open: set[_Connection] = set()
        with self.transaction():
            self._prepare()

    def close(self) -> None:
        with self._lock:
            while self._open:
                self._open.pop().close()

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        with self._connected() as connection:
            return list(connection.execute(_translated(sql), _storable(values)).fetchall())

    def row(self, sql: str, values: Sequence[Any] = ()) -> Row | None:
        found = self.rows(sql, values)
        return found[0] if found else None

    def run(self, sql: str, values: Sequence[Any] = ()) -> int:
        with self._connected() as connection:
            return connection.execute(_translated(sql), _storable(values)).rowcount

    @contextmanager
    def transaction(self) -> Iterator[None]:
        if self._mine.in_transaction:
            yield
            return
        self.run("BEGIN")
        self._mine.in_transaction = True
        try:
            yield
            self._commit()
        except BaseException:
            self._undo()
            raise
        finally:
            self._mine.in_transaction = False

    def _commit(self) -> None:
        with self._connected() as connection:
            # A transaction in which something has failed ends as if nothing were wrong, undone.
            if connection.execute("COMMIT").statusmessage != "COMMIT":
                raise RegistryError("the transaction was undone: something in it had failed")

    def _undo(self) -> None:
        try:
            self.run("ROLLBACK")
        except RegistryError:
            # Without its connection nothing is left of it.
            self._drop()

    @contextmanager
    def _connected(self) -> Iterator[_Connection]:
        try:
            yield self._connection()
        except psycopg.Error as error:
            raise RegistryError(f"{type(error).__name__}: {error}") from error

    def _connection(self) -> _Connection:
        connection = self._mine.connection
        if self._mine.in_transaction:
            if connection is None or connection.closed:
                raise RegistryError("the connection was lost in the middle of a transaction")
            return connection
        if connection is not None and not _is_lost(connection):
            return connection
        self._drop()
        told = {**_DEFAULTS, **conninfo_to_dict(self._url), "application_name": self._name}
        url = make_conninfo(**told)
        made = psycopg.connect(url, autocommit=True, row_factory=dict_row)
        with self._lock:
            self._open.add(made)
        self._mine.connection = made
        try:
            for setting in _SETTINGS:
                made.execute(setting)
        except psycopg.Error:
            self._drop()
            raise
        return made

    def _drop(self) -> None:
        connection, self._mine.connection = self._mine.connection, None
        if connection is not None:
            with self._lock:
                self._open.discard(connection)
            connection.close()

    def _prepare(self) -> None:
        if self._version() == NEWEST:
            return
        # However long the node takes that is there already.
        self.run("SET LOCAL lock_timeout = 0")
        self.rows("SELECT pg_advisory_xact_lock(?)", (_PREPARING,))
        self.run(_LOCK_TIMEOUT)
        version = self._version()
        if version == NEWEST:
            return
        self.run("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)")
        for statement in statements(_DIALECT, version):
            self.run(statement)
        self.run("DELETE FROM schema_version")
        self.run("INSERT INTO schema_version VALUES (?)", (NEWEST,))

    def _version(self) -> int:
        """That of the tables that are there; 0: none."""
        there = self.row("SELECT to_regclass('schema_version') IS NOT NULL AS there")
        row = self.row("SELECT version FROM schema_version") if there and there["there"] else None
        version = 0 if row is None else int(row["version"])
        if not 0 <= version <= NEWEST:
            raise RegistryError(f"schema version {version}, this program knows {NEWEST}")
        return version


@cache
def _translated(sql: str) -> bytes:
    """Our placeholders as psycopg's. All texts are our own, and none has a ``?`` in quotes."""
    return sql.replace("%", "%%").replace("?", "%s").encode()


def _storable(values: Sequence[Any]) -> Sequence[Any]:
    """A device may send the one character that PostgreSQL takes in no text."""
    return [
        v.replace("\0", "\N{REPLACEMENT CHARACTER}") if isinstance(v, str) else v for v in values
    ]


def _is_lost(connection: _Connection) -> bool:
    """Whether the server has ended an idle connection: nothing else makes it readable."""
    if connection.closed:
        return True
    # Not select, which takes no numbers above 1023: a node has as many devices.
    poll = select.poll()
    poll.register(connection.pgconn.socket, select.POLLIN)
    return bool(poll.poll(0))
