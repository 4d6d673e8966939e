"""What the registry needs of a database, whichever it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

__all__ = ["Database", "Row"]

Row = Mapping[str, Any]
"""One row, by the names of its columns."""


class Database(Protocol):
    """SQL that both databases know, with ``?`` for each value. May be used from any thread.

    What several processes do at once has to be exact by the statement itself (``RETURNING``,
    ``ON CONFLICT``): a value that was read may be old by the time it is written.

    Every method raises RegistryError.
    """

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """All rows of a query."""

    def row(self, sql: str, values: Sequence[Any] = ()) -> Row | None:
        """The first row of a query, if any."""

    def run(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Execute one statement; how many rows it touched."""

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing; nested use joins the outer one."""

    def close(self) -> None:
        """No further use."""
