"""What nodes have beside their values, in the file: Title and VerNo."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

from cardd.tree import Source, TitleClaim

__all__ = ["read_titles", "read_versions", "write_titles", "write_versions"]


def read_titles(db: sqlite3.Connection) -> tuple[TitleClaim, ...]:
    rows = db.execute("SELECT path, kind, source, value, at_ms FROM title ORDER BY 1, 2, 3")
    return tuple(
        TitleClaim(path, Source(kind, source), value, at_ms)
        for path, kind, source, value, at_ms in rows
    )


def read_versions(db: sqlite3.Connection) -> Mapping[str, int]:
    return dict(db.execute("SELECT path, ver_no FROM node_version"))


def write_titles(
    db: sqlite3.Connection, before: Iterable[TitleClaim], after: Iterable[TitleClaim]
) -> None:
    old, new = set(before), set(after)
    db.executemany(
        "DELETE FROM title WHERE path = ? AND kind = ? AND source = ?",
        ((claim.path, *claim.source) for claim in old - new),
    )
    db.executemany(
        "INSERT INTO title VALUES (?, ?, ?, ?, ?)",
        ((c.path, *c.source, c.title, c.at_ms) for c in new - old),
    )


def write_versions(
    db: sqlite3.Connection, before: Mapping[str, int], after: Mapping[str, int]
) -> None:
    gone = before.keys() - after.keys()
    db.executemany("DELETE FROM node_version WHERE path = ?", ((path,) for path in gone))
    db.executemany(
        "INSERT OR REPLACE INTO node_version VALUES (?, ?)", after.items() - before.items()
    )
