"""What cards have refused, kept over restarts (P6). Digests only, and the key that they need."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from cardd.card.rejections import Entry
from cardd.store.database import Database

__all__ = ["CardRejectionStore", "RejectionTable"]

_KEY_BYTES = 32
# Each of them has cost a card a try: there are never many, and the oldest are of cards long gone.
_MAX_ROWS = 10_000


class RejectionTable:
    """The memory of all cards."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def key(self) -> bytes:
        """This store's key for digests, made at its first use."""
        with self._database.transaction() as db:
            found = db.execute("SELECT value FROM digest_key").fetchone()
            if found is None:
                found = (secrets.token_bytes(_KEY_BYTES),)
                db.execute("INSERT INTO digest_key VALUES (1, ?)", found)
            return bytes(found[0])

    def of(self, card: str) -> CardRejectionStore:
        """The memory of one card."""
        return CardRejectionStore(self._database, card)


class CardRejectionStore:
    """A `RejectionStore` in the store."""

    def __init__(self, database: Database, card: str) -> None:
        self._database = database
        self._card = card

    def entries(self, counter: int) -> Iterable[Entry]:
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT digest, tries, in_doubt FROM rejection WHERE card = ? AND counter = ?",
                (self._card, counter),
            ).fetchall()
        return [Entry(counter, digest, tries, bool(doubt)) for digest, tries, doubt in rows]

    def put(self, entry: Entry) -> None:
        with self._database.transaction() as db:
            db.execute(
                "INSERT INTO rejection (card, counter, digest, tries, in_doubt)"
                " VALUES (?, ?, ?, ?, ?) ON CONFLICT (card, counter, digest)"
                " DO UPDATE SET tries = excluded.tries, in_doubt = excluded.in_doubt",
                (self._card, entry.counter, entry.digest, entry.tries, entry.in_doubt),
            )
            db.execute(
                "DELETE FROM rejection WHERE id <= (SELECT max(id) FROM rejection) - ?",
                (_MAX_ROWS,),
            )

    def remove(self, counter: int, digest: bytes | None = None) -> None:
        with self._database.transaction() as db:
            db.execute(
                "DELETE FROM rejection WHERE card = ?1 AND counter = ?2"
                " AND (?3 IS NULL OR digest = ?3)",
                (self._card, counter, digest),
            )
