"""Everything that survives a restart, in one file.

Thread-safe. Methods raise StoreError; a method that writes is durable when it returns.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from cardd.dm.events import Nonces
from cardd.provisioning.progress import ProvisioningResult
from cardd.provisioning.records import (
    CardWrite,
    NewConfirmation,
    PendingConfirmation,
    SessionRecord,
)
from cardd.store.database import Database
from cardd.store.epoch_mark import EpochMark
from cardd.store.errors import RevisionNotFoundError
from cardd.store.history import (
    changes_between,
    prune,
    read_revisions,
    tree_at,
    write_revision,
)
from cardd.store.questions import QuestionTable
from cardd.store.records import Operation, Origin, Retention, Revision, StoredTree
from cardd.store.rejections import RejectionTable
from cardd.store.renderings import RenderingTable
from cardd.store.statements import (
    Direction,
    confirm,
    end_write,
    read_commands,
    read_layer,
    read_operations,
    read_result,
    read_versions,
    row_id,
    sha256,
    write_claims,
    write_confirmation,
    write_digests,
    write_nonce,
    write_properties,
    write_result,
    write_session,
    write_versions,
)
from cardd.tree import Acl, AclClaim, ManagementTree, Source, TitleClaim

__all__ = ["Direction", "Store"]

_RETENTION = Retention()
_START = Origin("start")


class Store:
    """The daemon's memory: the tree, the journal of card writes, what is still to be said."""

    def __init__(
        self,
        path: str | Path,
        retention: Retention = _RETENTION,
        mark: EpochMark | None = None,
    ) -> None:
        self._database = Database(Path(path))
        self._mark = mark
        self.rejections = RejectionTable(self._database)
        self.renderings = RenderingTable(self._database)
        self.questions = QuestionTable(self._database, retention)
        self._retention = retention
        # The tree as it is in the file. A tree never writes to a layer it has given out, so the
        # same object means the same content. None: not known, as nothing was loaded yet.
        self._written: StoredTree | None = None

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # -- the tree

    @property
    def epoch(self) -> str:
        """The history that its revisions count in, as no other store does."""
        with self._database.reading() as db:
            return str(db.execute("SELECT epoch FROM tree_state").fetchone()[0])

    def begin(self) -> StoredTree:
        """As `load`, for a daemon that starts. The epoch is a new one where the store may not have
        what was told of it: it was put back from a copy, or nobody knows."""
        stored = self.load()
        if self._mark is not None and not self._mark.is_kept_by(self.epoch, stored.revision):
            with self._database.transaction() as db:
                db.execute("UPDATE tree_state SET epoch = lower(hex(randomblob(8)))")
            self._mark.put(self.epoch, stored.revision)
        return stored

    def load(self) -> StoredTree:
        """The tree as it was last committed."""
        with self._database.reading() as db:
            revision = db.execute("SELECT revision FROM tree_state").fetchone()[0]
            rows = db.execute("SELECT id, kind, source, digest FROM layer").fetchall()
            layers = tuple(read_layer(db, number, kind, source) for number, kind, source, _ in rows)
            digests = {Source(kind, source): digest for _, kind, source, digest in rows if digest}
            acls = tuple(
                AclClaim(path, Source(kind, source), Acl.parse(value), at_ms)
                for path, kind, source, value, at_ms in db.execute(
                    "SELECT path, kind, source, value, at_ms FROM acl ORDER BY 1, 2, 3"
                )
            )
            titles = tuple(
                TitleClaim(path, Source(kind, source), value, at_ms)
                for path, kind, source, value, at_ms in db.execute(
                    "SELECT path, kind, source, value, at_ms FROM title ORDER BY 1, 2, 3"
                )
            )
            self._written = StoredTree(layers, acls, revision, titles, read_versions(db), digests)
        return self._written

    def commit(
        self,
        tree: ManagementTree,
        now_ms: int,
        *,
        origin: Origin = _START,
        confirmations: Iterable[NewConfirmation] = (),
        session: SessionRecord | None = None,
    ) -> int:
        """Put a tree in force, with what servers are to be told of it, in one transaction (P5).

        ``session``: who changed it, where no session of its own has been kept.

        Returns the new revision. Only what has changed is written, and what it was before is kept
        as history. The confirmations are held back until `release_confirmations`.
        """
        with self._database.lock:
            old = self._written or self.load()
            new = StoredTree.of(tree, old.revision + 1)
            changes = changes_between(old, new)
            with self._database.transaction() as db:
                db.execute("UPDATE tree_state SET revision = ?", (new.revision,))
                write_revision(db, Revision(new.revision, now_ms, origin, changes.count()), changes)
                write_claims(db, changes.claims)
                write_digests(db, changes.digests)
                write_properties(db, changes.properties)
                write_versions(db, old.versions, new.versions)
                for confirmation in confirmations:
                    write_confirmation(db, confirmation, now_ms, held=True)
                if session is not None:
                    write_session(db, session)
                prune(db, self._retention, now_ms, "revision", "session")
            self._written = new
            if self._mark is not None:
                # Before anybody is told.
                self._mark.put(self.epoch, new.revision)
        return new.revision

    def revisions(self, limit: int = 100) -> tuple[Revision, ...]:
        """The commits that are kept, newest first."""
        with self._database.reading() as db:
            return read_revisions(db, limit)

    def tree_at(self, revision: int) -> StoredTree:
        """The tree as it was committed with a revision, without the versions of its nodes.

        Raises:
            RevisionNotFoundError: the history does not have it, or no more.
        """
        with self._database.reading() as db:
            present, known = self._written or self.load(), "SELECT 1 FROM revision WHERE number = ?"
            # A number that was never given out may be greater than those SQLite has.
            if revision > present.revision or not db.execute(known, (revision,)).fetchone():
                raise RevisionNotFoundError(revision)
            return tree_at(db, revision, present)

    # -- journal of card writes (P5)

    def begin_card_write(
        self, iccid: str, oid: str, path: str, old_sha256: bytes, new_data: bytes, now_ms: int
    ) -> int:
        """Note what is about to be written; to be called before the first UPDATE."""
        with self._database.transaction() as db:
            cursor = db.execute(
                "INSERT INTO card_write"
                " (iccid, oid, path, old_sha256, new_data, new_sha256, begun_ms, state)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, 'open')",
                (iccid, oid, path, old_sha256, new_data, sha256(new_data), now_ms),
            )
            return row_id(cursor)

    def finish_card_write(self, id: int, now_ms: int) -> None:
        """The file was read back and found equal."""
        with self._database.transaction() as db:
            end_write(db, id, "finished", now_ms)
            prune(db, self._retention, now_ms, "card_write")

    def abandon_card_write(self, id: int, now_ms: int) -> None:
        """The card still has, or has again, what it had before; nothing is to be completed."""
        with self._database.transaction() as db:
            end_write(db, id, "abandoned", now_ms)

    def open_card_writes(self, iccid: str) -> tuple[CardWrite, ...]:
        """Writes that began and are not known to have ended, oldest first."""
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT id, iccid, oid, path, old_sha256, new_data, begun_ms FROM card_write"
                " WHERE iccid = ? AND state = 'open' ORDER BY id",
                (iccid,),
            )
            return tuple(CardWrite(*row) for row in rows)

    # -- what is still to be said to servers

    def agreed(self, card: str, digest: bytes) -> bool | None:
        """What somebody has answered last about this of a card; None: nothing."""
        return self.questions.agreed(f"cards/{card}", digest)

    def add_confirmation(self, confirmation: NewConfirmation, now_ms: int) -> int:
        with self._database.transaction() as db:
            return write_confirmation(db, confirmation, now_ms)

    def release_confirmations(self, payload: str | None = None) -> None:
        """What was committed is rendered too, or is not: then servers get this payload instead.

        What became of the card has nothing to do with that, and stays.
        """
        with self._database.transaction() as db:
            db.execute(
                "UPDATE confirmation SET held = 0, payload = coalesce(?, payload) WHERE held",
                (payload,),
            )

    def pending_confirmations(
        self, server_id: str | None = None
    ) -> tuple[PendingConfirmation, ...]:
        """Oldest first; of one server or of all."""
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT id, server_id, card, payload, correlator, made_ms, card_payload"
                " FROM confirmation"
                " WHERE done_ms IS NULL AND NOT held AND (?1 IS NULL OR server_id = ?1)"
                " ORDER BY id",
                (server_id,),
            )
            return tuple(PendingConfirmation(*row) for row in rows)

    def nonce(self, server_id: str, direction: Direction) -> bytes | None:
        """The nonce for the next session: "client": for our credentials, "server": for theirs."""
        with self._database.reading() as db:
            row = db.execute(
                "SELECT value FROM nonce WHERE server_id = ? AND direction = ?",
                (server_id, direction),
            ).fetchone()
            return None if row is None else bytes(row[0])

    # -- sessions and runs

    def end_session(
        self, session: SessionRecord, nonces: Nonces | None = None, confirmed: Iterable[int] = ()
    ) -> None:
        """Keep the record of a session, also of one that failed (S9), the nonces for the next one,
        and which confirmations the server has acknowledged."""
        with self._database.transaction() as db:
            write_session(db, session)
            if nonces is not None and nonces.client is not None:
                write_nonce(db, session.server_id, "client", nonces.client)
            if nonces is not None and nonces.server is not None:
                write_nonce(db, session.server_id, "server", nonces.server)
            for number in confirmed:
                confirm(db, number, session.ended_ms)
            prune(db, self._retention, session.ended_ms, "session", "confirmation")

    def server_host(self, server_id: str) -> str | None:
        """The host with which the last session of this server came to its end."""
        with self._database.reading() as db:
            row = db.execute(
                "SELECT host FROM server_host WHERE server_id = ?", (server_id,)
            ).fetchone()
            return None if row is None else str(row[0])

    def sessions(self, server_id: str | None = None, limit: int = 100) -> tuple[SessionRecord, ...]:
        """Newest first; of one server or of all (S2)."""
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT id, session_id, server_id, began_ms, ended_ms, outcome, trust FROM session"
                " WHERE ?1 IS NULL OR server_id = ?1 ORDER BY id DESC LIMIT ?2",
                (server_id, limit),
            ).fetchall()
            return tuple(
                SessionRecord(
                    session_id=session_id,
                    server_id=server,
                    began_ms=began_ms,
                    ended_ms=ended_ms,
                    outcome=outcome,
                    trust=trust,
                    commands=read_commands(db, number),
                )
                for number, session_id, server, began_ms, ended_ms, outcome, trust in rows
            )

    def session_held(self, server_id: str, session_id: str) -> bool:
        """Whether a session of that number came to its end, as far back as the log goes."""
        with self._database.reading() as db:
            found = db.execute(
                "SELECT 1 FROM session WHERE server_id = ? AND session_id = ? AND outcome = 'ok'",
                (server_id, session_id),
            )
            return found.fetchone() is not None

    def operations(
        self, authority: str = "", limit: int = 100, before: int = 0
    ) -> tuple[Operation, ...]:
        """What authorities did and were refused, newest first: of one, or of all (""). ``before``:
        only those with a lesser id; 0: from the newest on."""
        with self._database.reading() as db:
            return read_operations(db, authority, limit, before)

    def log_result(self, result: ProvisioningResult) -> None:
        """Keep the result of a run that commits nothing: one that failed."""
        with self._database.transaction() as db:
            write_result(db, result)
            prune(db, self._retention, result.ended_at_ms, "provisioning")

    def last_results(self) -> tuple[ProvisioningResult, ...]:
        """The last one of every card, whatever its clock said."""
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT result FROM provisioning WHERE rowid IN"
                " (SELECT max(rowid) FROM provisioning WHERE card <> '' GROUP BY card)"
            )
            return tuple(read_result(row[0]) for row in rows)

    def results(self, card: str | None = None, limit: int = 100) -> tuple[ProvisioningResult, ...]:
        """Newest first; of one card or of all."""
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT result FROM provisioning WHERE ?1 IS NULL OR card = ?1"
                " ORDER BY ended_ms DESC, name DESC LIMIT ?2",
                (card, limit),
            )
            return tuple(read_result(row[0]) for row in rows)
