"""Challenges of the bootstrapping server, and bootstrapped keys under their B-TIDs."""

from __future__ import annotations

from cardea_core import Secret

from dmsd.registry.database import Database
from dmsd.registry.records import AkaChallenge, BootstrappedKey

__all__ = ["Bootstraps"]

# A USIM keeps one Ks; a few live ones per subscription leave room for a reply that got lost.
_KEPT_PER_SUBSCRIBER = 4
# A subscription under attack by requests in its name keeps room for its own card.
_CHALLENGES_PER_SUBSCRIBER = 16


class Bootstraps:
    """What the bootstrapping server (BSF) keeps between Ub and Zn."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put_challenge(self, challenge: AkaChallenge, now_ms: int) -> None:
        """Keep a challenge for its answer; the oldest ones of the same subscription, and expired
        ones, go."""
        with self._database.transaction():
            self._database.run("DELETE FROM challenges WHERE expires_ms <= ?", (now_ms,))
            self._database.run(
                "INSERT INTO challenges (nonce, impi, opaque, rand, sqn, expires_ms)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (
                    challenge.nonce,
                    challenge.impi,
                    challenge.opaque,
                    challenge.rand,
                    challenge.sqn,
                    challenge.expires_ms,
                ),
            )
            self._database.run(
                "DELETE FROM challenges WHERE impi = ? AND nonce NOT IN (SELECT nonce FROM"
                " challenges WHERE impi = ? ORDER BY rowid DESC LIMIT ?)",
                (challenge.impi, challenge.impi, _CHALLENGES_PER_SUBSCRIBER),
            )

    def take_challenge(
        self, nonce: str, *, impi: str, opaque: str, now_ms: int
    ) -> AkaChallenge | None:
        """The challenge that is answered; it is gone then, for each is answered once."""
        row = self._database.row(
            "DELETE FROM challenges WHERE nonce = ? AND impi = ? AND opaque = ?"
            " AND expires_ms > ? RETURNING rand, sqn, expires_ms",
            (nonce, impi, opaque, now_ms),
        )
        if row is None:
            return None
        return AkaChallenge(nonce, impi, opaque, row["rand"], row["sqn"], row["expires_ms"])

    def put(self, key: BootstrappedKey) -> None:
        """Keep a new key; the oldest ones of the same subscription, and expired ones, go."""
        with self._database.transaction():
            self._database.run("DELETE FROM bootstraps WHERE expires_ms <= ?", (key.created_ms,))
            self._database.run(
                "INSERT INTO bootstraps (btid, impi, rand, ck, ik, created_ms, expires_ms)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    key.btid,
                    key.impi,
                    key.rand,
                    key.ck.expose(),
                    key.ik.expose(),
                    key.created_ms,
                    key.expires_ms,
                ),
            )
            self._database.run(
                "DELETE FROM bootstraps WHERE impi = ? AND btid NOT IN (SELECT btid FROM bootstraps"
                " WHERE impi = ? ORDER BY created_ms DESC, rowid DESC LIMIT ?)",
                (key.impi, key.impi, _KEPT_PER_SUBSCRIBER),
            )

    def get(self, btid: str, now_ms: int) -> BootstrappedKey | None:
        """The key under a B-TID, unless it has expired."""
        row = self._database.row(
            "SELECT * FROM bootstraps WHERE btid = ? AND expires_ms > ?", (btid, now_ms)
        )
        if row is None:
            return None
        return BootstrappedKey(
            btid=row["btid"],
            impi=row["impi"],
            rand=row["rand"],
            ck=Secret(row["ck"]),
            ik=Secret(row["ik"]),
            created_ms=row["created_ms"],
            expires_ms=row["expires_ms"],
        )

    def forget(self, impi: str) -> int:
        """Drop all keys of a subscription, as when its card was stolen."""
        return self._database.run("DELETE FROM bootstraps WHERE impi = ?", (impi,))
