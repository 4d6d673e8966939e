"""What renderers have written, and how far they came: a `RenderRecord` in the store."""

from __future__ import annotations

from collections.abc import Iterable

from cardd.store.database import Database

__all__ = ["RenderingTable"]


class RenderingTable:
    """By the renderers' names. A renderer without a digest has not come to its end."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def renderers(self) -> frozenset[str]:
        with self._database.reading() as db:
            return frozenset(name for (name,) in db.execute("SELECT name FROM renderer"))

    def files(self, renderer: str) -> frozenset[str]:
        with self._database.reading() as db:
            rows = db.execute("SELECT path FROM rendered_file WHERE renderer = ?", (renderer,))
            return frozenset(path for (path,) in rows)

    def digest(self, renderer: str) -> bytes | None:
        with self._database.reading() as db:
            row = db.execute("SELECT digest FROM renderer WHERE name = ?", (renderer,)).fetchone()
            return None if row is None or row[0] is None else bytes(row[0])

    def begin(self, renderer: str, files: Iterable[str]) -> None:
        self._put(renderer, files, None)

    def finish(self, renderer: str, files: Iterable[str], digest: bytes) -> None:
        self._put(renderer, files, digest)

    def forget(self, renderer: str) -> None:
        with self._database.transaction() as db:
            db.execute("DELETE FROM renderer WHERE name = ?", (renderer,))

    def _put(self, renderer: str, files: Iterable[str], digest: bytes | None) -> None:
        with self._database.transaction() as db:
            db.execute("DELETE FROM renderer WHERE name = ?", (renderer,))
            db.execute("INSERT INTO renderer VALUES (?, ?)", (renderer, digest))
            db.executemany(
                "INSERT INTO rendered_file VALUES (?, ?)", ((renderer, path) for path in files)
            )
