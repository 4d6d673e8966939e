"""The commits of the tree: what each changed, how an earlier tree is had again, what is forgotten.

A commit keeps what it found where it changed something. The tree of an earlier revision is the
present one with that put back, from the newest commit to the oldest: the cost is that of the
changes, not of the tree.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal, NamedTuple

from cardea_core import Entry, Layer

from cardd.tree import Acl, AclClaim, Source, TitleClaim

from .records import Origin, Retention, Revision, StoredTree

__all__ = [
    "Changes",
    "ClaimChanges",
    "DigestChange",
    "PropertyChange",
    "changes_between",
    "columns",
    "layer_of",
    "prune",
    "read_revisions",
    "tree_at",
    "write_revision",
]

_COLUMNS = "number, at_ms, cause, actor, run, restored, claims_changed"


@dataclass(frozen=True, slots=True)
class ClaimChanges:
    """The claims of one source that a commit changed: path, and the claim before and after.

    There may be a million: what is made for each of them counts.
    """

    source: Source
    amendments: Sequence[tuple[str, Entry | None, Entry | None]]


class PropertyKey(NamedTuple):
    """What a source says of a node beside its value."""

    property: Literal["acl", "title"]
    path: str
    source: Source


@dataclass(frozen=True, slots=True)
class PropertyChange:
    """It before and after a commit, as value and time; None: nothing."""

    key: PropertyKey
    before: tuple[str, int] | None
    after: tuple[str, int] | None


@dataclass(frozen=True, slots=True)
class DigestChange:
    """Of what a source's claims were made before and after a commit; None: nobody has said."""

    source: Source
    before: bytes | None
    after: bytes | None


@dataclass(frozen=True, slots=True)
class Changes:
    """What a commit changed."""

    claims: tuple[ClaimChanges, ...]
    properties: tuple[PropertyChange, ...]
    digests: tuple[DigestChange, ...]

    def count(self) -> int:
        """How many claims, ACLs and titles."""
        return sum(len(of_one.amendments) for of_one in self.claims) + len(self.properties)


def changes_between(old: StoredTree, new: StoredTree) -> Changes:
    """What differs. Of layers, the same object means the same content."""
    digests = (
        DigestChange(source, old.digests.get(source), new.digests.get(source))
        for source in sorted(old.digests.keys() | new.digests.keys())
    )
    return Changes(
        tuple(_claim_changes(old, new)),
        tuple(_property_changes(old, new)),
        tuple(each for each in digests if each.before != each.after),
    )


def _claim_changes(old: StoredTree, new: StoredTree) -> Iterator[ClaimChanges]:
    before, after = old.by_source(), new.by_source()
    for source in sorted(before.keys() | after.keys()):
        if before.get(source) is not after.get(source):
            none = Layer(*source)
            amendments = before.get(source, none).diff(after.get(source, none))
            yield ClaimChanges(source, amendments)


def _property_changes(old: StoredTree, new: StoredTree) -> Iterator[PropertyChange]:
    if old.acls is new.acls and old.titles is new.titles:
        return
    was, now = _properties(old), _properties(new)
    for key in sorted(was.keys() | now.keys()):
        if was.get(key) != now.get(key):
            yield PropertyChange(key, was.get(key), now.get(key))


def _properties(tree: StoredTree) -> dict[PropertyKey, tuple[str, int]]:
    acls = {PropertyKey("acl", c.path, c.source): (str(c.acl), c.at_ms) for c in tree.acls}
    titles = {PropertyKey("title", c.path, c.source): (c.title, c.at_ms) for c in tree.titles}
    return acls | titles


def layer_of(source: Source, rows: Iterable[tuple[Any, ...]]) -> Layer:
    """A layer of rows (path, value, format, mime, at_ms, absent) in the order of their paths.

    A row without a format says that nothing is claimed there.
    """
    layer = Layer(*source)
    for path, value, format, mime, at_ms, absent in rows:
        if absent:
            layer.bury(path, at_ms=at_ms)
        elif format is not None:
            layer.put(path, value, format=format, mime=mime, at_ms=at_ms)
    return layer


def write_revision(db: sqlite3.Connection, revision: Revision, changes: Changes) -> None:
    origin = revision.origin
    db.execute(
        f"INSERT INTO revision ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - our own
        (
            revision.number,
            revision.at_ms,
            origin.cause,
            origin.actor,
            origin.run,
            origin.restored,
            revision.claims_changed,
        ),
    )
    for of_one in changes.claims:
        place = (revision.number, *of_one.source)
        db.executemany(
            "INSERT INTO claim_before VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            ((*place, path, *columns(before)) for path, before, _ in of_one.amendments),
        )
    db.executemany(
        "INSERT INTO property_before VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            (
                *(revision.number, each.key.property, each.key.path, *each.key.source),
                *(each.before or (None, None)),
            )
            for each in changes.properties
        ),
    )
    db.executemany(
        "INSERT INTO digest_before VALUES (?, ?, ?, ?)",
        ((revision.number, *each.source, each.before) for each in changes.digests),
    )


def read_revisions(db: sqlite3.Connection, limit: int) -> tuple[Revision, ...]:
    """Newest first."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM revision ORDER BY number DESC LIMIT ?",  # noqa: S608 - our own
        (limit,),
    )
    return tuple(
        Revision(number, at_ms, Origin(cause, actor, run, restored), changed)
        for number, at_ms, cause, actor, run, restored, changed in rows
    )


def tree_at(db: sqlite3.Connection, revision: int, present: StoredTree) -> StoredTree:
    """The tree of a revision that is in the history, without the versions of its nodes.

    Layers that have not changed since are the same objects.
    """
    acls, titles = [], []
    for (property, path, source), (value, at_ms) in sorted(
        _properties_at(db, revision, present).items()
    ):
        if property == "acl":
            acls.append(AclClaim(path, source, Acl.parse(value), at_ms))
        else:
            titles.append(TitleClaim(path, source, value, at_ms))
    return StoredTree(
        _layers_at(db, revision, present),
        tuple(acls),
        revision,
        tuple(titles),
        digests=_digests_at(db, revision, present),
    )


def _layers_at(db: sqlite3.Connection, revision: int, present: StoredTree) -> tuple[Layer, ...]:
    # Of a claim that changed several times, what the oldest change found. SQLite takes the other
    # columns from the row that min() comes from (lang_select §2.4).
    rows = db.execute(
        "SELECT kind, source, path, value, format, mime, at_ms, absent, min(revision)"
        " FROM claim_before WHERE revision > ? GROUP BY kind, source, path"
        " ORDER BY kind, source",
        (revision,),
    )
    layers = dict(present.by_source())
    for source, found in groupby(rows, key=lambda row: Source(row[0], row[1])):
        known = layers.get(source)
        claims = {each.path: columns(each) for each in (known.entries() if known else ())}
        claims |= {path: tuple(columns) for _, _, path, *columns, _ in found}
        layers[source] = layer_of(source, ((path, *claims[path]) for path in sorted(claims)))
    return tuple(layer for _, layer in sorted(layers.items()) if len(layer))


def _properties_at(
    db: sqlite3.Connection, revision: int, present: StoredTree
) -> dict[PropertyKey, tuple[str, int]]:
    rows = db.execute(
        "SELECT property, path, kind, source, value, at_ms, min(revision) FROM property_before"
        " WHERE revision > ? GROUP BY property, path, kind, source",
        (revision,),
    )
    found = _properties(present)
    for property, path, kind, source, value, at_ms, _ in rows:
        key = PropertyKey(property, path, Source(kind, source))
        found.pop(key, None)
        if value is not None:
            found[key] = (value, at_ms)
    return found


def _digests_at(db: sqlite3.Connection, revision: int, present: StoredTree) -> dict[Source, bytes]:
    rows = db.execute(
        "SELECT kind, source, digest, min(revision) FROM digest_before"
        " WHERE revision > ? GROUP BY kind, source",
        (revision,),
    )
    then = {Source(kind, source): digest for kind, source, digest, _ in rows}
    return {source: digest for source, digest in {**present.digests, **then}.items() if digest}


# What is over the count, and what is too old; the newest always stays. All rows up to one, never
# one in the middle: a clock that was wrong for a time must not tear a hole into the history. The
# age of its beginning (at_ms 0) is not known.
_PRUNING = {
    "revision": (
        "DELETE FROM revision WHERE number <= max("
        " coalesce((SELECT number FROM revision ORDER BY number DESC LIMIT 1 OFFSET :count), -1),"
        " coalesce((SELECT max(number) FROM revision WHERE at_ms > 0"
        "  AND at_ms < :oldest_ms AND number < (SELECT max(number) FROM revision)), -1))"
    ),
    # Of each authority: one that is busy does not push out what another has to answer for (S2).
    "session": (
        "DELETE FROM session WHERE id IN (SELECT id FROM ("
        " SELECT id, ended_ms, row_number() OVER (PARTITION BY server_id ORDER BY id DESC) AS nth"
        " FROM session) WHERE nth > :count OR (nth > 1 AND ended_ms < :oldest_ms))"
    ),
    "provisioning": (
        "DELETE FROM provisioning WHERE rowid <= max("
        " coalesce((SELECT rowid FROM provisioning ORDER BY rowid DESC LIMIT 1 OFFSET :count), -1),"
        " coalesce((SELECT max(rowid) FROM provisioning WHERE ended_ms < :oldest_ms"
        "  AND rowid < (SELECT max(rowid) FROM provisioning)), -1))"
    ),
    # Rows that are still open are no history.
    "card_write": (
        "DELETE FROM card_write WHERE state <> 'open' AND (ended_ms < :oldest_ms OR id <= coalesce("
        " (SELECT id FROM card_write WHERE state <> 'open' ORDER BY id DESC LIMIT 1 OFFSET :count),"
        " -1))"
    ),
    # Of each asker, as of each authority; the last yes or no to what a card brings always stays.
    "question": (
        "DELETE FROM question WHERE number IN (SELECT number FROM ("
        " SELECT number, closed_ms,"
        "  row_number() OVER (PARTITION BY asker ORDER BY number DESC) AS nth,"
        "  max(iif(digest <> x'' AND outcome IN ('answered', 'declined'), number, 0))"
        "   OVER (PARTITION BY asker, digest) AS last_said"
        " FROM question WHERE outcome IS NOT NULL)"
        " WHERE number <> last_said AND (nth > :count OR (nth > 1 AND closed_ms < :oldest_ms)))"
    ),
    "confirmation": (
        "DELETE FROM confirmation WHERE done_ms IS NOT NULL"
        " AND (done_ms < :oldest_ms OR id <= coalesce((SELECT id FROM confirmation"
        "  WHERE done_ms IS NOT NULL ORDER BY id DESC LIMIT 1 OFFSET :count), -1))"
    ),
}


def prune(db: sqlite3.Connection, retention: Retention, now_ms: int, *tables: str) -> None:
    """Forget what is over the count or too old in these tables."""
    bounds = {"count": retention.count, "oldest_ms": retention.oldest_ms(now_ms)}
    for table in tables:
        db.execute(_PRUNING[table], bounds)


def columns(entry: Entry | None) -> tuple[object, ...]:
    """Value, format, mime, at_ms, absent; nothing in any where nothing is claimed."""
    if entry is None:
        return (None, None, None, None, None)
    return (entry.value, entry.format, entry.mime, entry.at_ms, int(entry.absent))
