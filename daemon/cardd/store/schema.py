"""The tables, and how an older file becomes a newer one.

A migration is never edited once it was released: the next one is appended.
"""

from __future__ import annotations

__all__ = ["APPLICATION_ID", "MIGRATIONS"]

# "Card" in ASCII; PRAGMA application_id, byte 68 of the file.
APPLICATION_ID = 0x43617264

_FIRST = """
CREATE TABLE tree_state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    revision INTEGER NOT NULL
) STRICT;
INSERT INTO tree_state VALUES (1, 0);

CREATE TABLE layer (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('device', 'card', 'server')),
    source TEXT NOT NULL,
    UNIQUE (kind, source)
) STRICT;

-- One claim of one source. value NULL: interior, or (absent 1) a tombstone.
CREATE TABLE claim (
    layer INTEGER NOT NULL REFERENCES layer ON DELETE CASCADE,
    path TEXT NOT NULL,
    value BLOB,
    format TEXT NOT NULL,
    mime TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    absent INTEGER NOT NULL CHECK (absent IN (0, 1)),
    PRIMARY KEY (layer, path)
) STRICT, WITHOUT ROWID;

CREATE TABLE acl (
    path TEXT NOT NULL,
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    value TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (path, kind, source)
) STRICT, WITHOUT ROWID;

-- The intention is here before the first byte is written to the card.
CREATE TABLE card_write (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    iccid TEXT NOT NULL,
    oid TEXT NOT NULL,
    path TEXT NOT NULL,
    old_sha256 BLOB NOT NULL,
    new_data BLOB,
    new_sha256 BLOB NOT NULL,
    begun_ms INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'finished', 'abandoned')),
    ended_ms INTEGER
) STRICT;
CREATE INDEX card_write_open ON card_write (iccid) WHERE state = 'open';

CREATE TABLE confirmation (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    server_id TEXT NOT NULL,
    card TEXT NOT NULL,
    correlator TEXT,
    payload TEXT NOT NULL,
    made_ms INTEGER NOT NULL,
    done_ms INTEGER
) STRICT;
CREATE INDEX confirmation_pending ON confirmation (server_id) WHERE done_ms IS NULL;

CREATE TABLE nonce (
    server_id TEXT NOT NULL,
    direction TEXT NOT NULL CHECK (direction IN ('client', 'server')),
    value BLOB NOT NULL,
    PRIMARY KEY (server_id, direction)
) STRICT, WITHOUT ROWID;

CREATE TABLE session (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id TEXT NOT NULL,
    server_id TEXT NOT NULL,
    began_ms INTEGER NOT NULL,
    ended_ms INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    trust TEXT NOT NULL
) STRICT;
CREATE INDEX session_by_server ON session (server_id, id);

CREATE TABLE session_command (
    session INTEGER NOT NULL REFERENCES session ON DELETE CASCADE,
    number INTEGER NOT NULL,
    verb TEXT NOT NULL,
    path TEXT NOT NULL,
    status INTEGER NOT NULL,
    PRIMARY KEY (session, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE provisioning (
    name TEXT PRIMARY KEY,
    card TEXT NOT NULL,
    ended_ms INTEGER NOT NULL,
    result TEXT NOT NULL
) STRICT;
CREATE INDEX provisioning_by_card ON provisioning (card, ended_ms);
"""

_PROPERTIES = """
-- The title that one source gives a node.
CREATE TABLE title (
    path TEXT NOT NULL,
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    value TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (path, kind, source)
) STRICT, WITHOUT ROWID;

-- VerNo of nodes that have changed since they came into being.
CREATE TABLE node_version (
    path TEXT PRIMARY KEY,
    ver_no INTEGER NOT NULL CHECK (ver_no BETWEEN 0 AND 65535)
) STRICT, WITHOUT ROWID;
"""

_REJECTIONS = """
-- A value that was sent to a card and was not taken, or (in_doubt 1) nobody knows.
CREATE TABLE rejection (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    card TEXT NOT NULL,
    counter INTEGER NOT NULL,
    digest BLOB NOT NULL,
    tries INTEGER NOT NULL,
    in_doubt INTEGER NOT NULL CHECK (in_doubt IN (0, 1)),
    UNIQUE (card, counter, digest)
) STRICT;

CREATE TABLE digest_key (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    value BLOB NOT NULL
) STRICT;
"""

_HISTORY = """
-- Every commit of the tree. History begins with revision 0, or with the tree of an older file.
CREATE TABLE revision (
    number INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    cause TEXT NOT NULL
        CHECK (cause IN ('start', 'provisioning', 'session', 'local', 'rollback')),
    actor TEXT NOT NULL,
    run TEXT NOT NULL,
    restored INTEGER,
    claims_changed INTEGER NOT NULL
) STRICT;
INSERT INTO revision SELECT revision, 0, 'start', '', '', NULL, 0 FROM tree_state;

-- What a commit found where it changed something: to be undone from the newest backwards.
-- format NULL: nothing was there.
CREATE TABLE claim_before (
    revision INTEGER NOT NULL REFERENCES revision ON DELETE CASCADE,
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    path TEXT NOT NULL,
    value BLOB,
    format TEXT,
    mime TEXT,
    at_ms INTEGER,
    absent INTEGER,
    PRIMARY KEY (revision, kind, source, path)
) STRICT, WITHOUT ROWID;

-- The same for what sources say of nodes beside their values; value NULL: there was none.
CREATE TABLE property_before (
    revision INTEGER NOT NULL REFERENCES revision ON DELETE CASCADE,
    property TEXT NOT NULL CHECK (property IN ('acl', 'title')),
    path TEXT NOT NULL,
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    value TEXT,
    at_ms INTEGER,
    PRIMARY KEY (revision, property, path, kind, source)
) STRICT, WITHOUT ROWID;
"""

_RENDERING = """
-- A confirmation of what is committed and has not been rendered yet is not to go out.
ALTER TABLE confirmation ADD COLUMN held INTEGER NOT NULL DEFAULT 0 CHECK (held IN (0, 1));

-- digest NULL: its files are being written, or its program has not been told of them.
CREATE TABLE renderer (
    name TEXT PRIMARY KEY,
    digest BLOB
) STRICT;

-- What it has written or is about to write, and hence may remove.
CREATE TABLE rendered_file (
    renderer TEXT NOT NULL REFERENCES renderer ON DELETE CASCADE,
    path TEXT NOT NULL,
    PRIMARY KEY (renderer, path)
) STRICT, WITHOUT ROWID;
"""

_HOSTS = """
-- The host with which the last session of a ServerID came to its end.
CREATE TABLE server_host (
    server_id TEXT PRIMARY KEY,
    host TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""

_DIGESTS = """
-- Of what a source's claims were made; NULL: nobody has said.
ALTER TABLE layer ADD COLUMN digest BLOB;

CREATE TABLE digest_before (
    revision INTEGER NOT NULL REFERENCES revision ON DELETE CASCADE,
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    digest BLOB,
    PRIMARY KEY (revision, kind, source)
) STRICT, WITHOUT ROWID;
"""

_CARD_PAYLOADS = """
-- What a server is told of the card, apart from the device; '': the same.
ALTER TABLE confirmation ADD COLUMN card_payload TEXT NOT NULL DEFAULT '';
"""

_EPOCH = """
-- The history that revisions count in: another file has another one.
ALTER TABLE tree_state ADD COLUMN epoch TEXT NOT NULL DEFAULT '';
UPDATE tree_state SET epoch = lower(hex(randomblob(8)));
"""

_QUESTIONS = """
-- What people were asked. outcome NULL: it is open. digest: what of a card they agreed to.
CREATE TABLE question (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    asker TEXT NOT NULL,
    run TEXT NOT NULL,
    session TEXT NOT NULL,
    kind INTEGER NOT NULL,
    text TEXT NOT NULL,
    choices TEXT NOT NULL,
    digest BLOB NOT NULL,
    asked_ms INTEGER NOT NULL,
    outcome TEXT,
    answer TEXT NOT NULL DEFAULT '[]',
    answered_by TEXT NOT NULL DEFAULT '',
    closed_ms INTEGER
) STRICT;
CREATE INDEX question_by_asker ON question (asker, number);
"""

MIGRATIONS: tuple[str, ...] = (
    _FIRST,
    _PROPERTIES,
    _REJECTIONS,
    _HISTORY,
    _RENDERING,
    _HOSTS,
    _DIGESTS,
    _CARD_PAYLOADS,
    _EPOCH,
    _QUESTIONS,
)
