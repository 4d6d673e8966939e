"""The tables, one text for both databases: what each version has made of the one before.

In braces stands what the databases call differently, see ``Dialect``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

__all__ = ["NEWEST", "Dialect", "statements"]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a database calls the kinds of columns. ``rowid`` is a column that counts the rows in the
    order of their coming, where a table does not have one by itself."""

    blob: str
    integer: str
    counted: str
    rowid: str
    strict: str


def statements(dialect: Dialect, version: int) -> Iterator[str]:
    """What makes a registry of ``version`` (0: an empty one) one of the newest."""
    for script in _VERSIONS[version:]:
        yield from filter(str.strip, script.format(**asdict(dialect)).split(";"))


_FIRST = """
CREATE TABLE subscribers (
    impi TEXT PRIMARY KEY, imsi TEXT NOT NULL UNIQUE,
    k {blob} NOT NULL, opc {blob} NOT NULL, amf {blob} NOT NULL, sqn {integer} NOT NULL
) {strict};
CREATE TABLE cards (
    iccid TEXT PRIMARY KEY, adm1 {blob} NOT NULL,
    impi TEXT REFERENCES subscribers (impi) ON DELETE SET NULL
) {strict};
CREATE TABLE devices (
    device TEXT PRIMARY KEY, added_ms {integer} NOT NULL, seen_ms {integer},
    info TEXT NOT NULL DEFAULT '{{}}'
) {strict};
CREATE TABLE accounts (
    id {counted},
    device TEXT REFERENCES devices (device) ON DELETE CASCADE,
    "user" TEXT, auth TEXT, client_secret {blob}, client_nonce {blob},
    server_auth TEXT, server_user TEXT, server_secret {blob}, server_nonce {blob},
    impi TEXT,
    CHECK (("user" IS NULL) <> (impi IS NULL))
) {strict};
CREATE UNIQUE INDEX account_user ON accounts ("user", coalesce(device, ''))
    WHERE "user" IS NOT NULL;
CREATE UNIQUE INDEX account_impi ON accounts (impi, coalesce(device, '')) WHERE impi IS NOT NULL;
CREATE TABLE desired (
    device TEXT PRIMARY KEY REFERENCES devices (device) ON DELETE CASCADE,
    document TEXT NOT NULL, revision {integer} NOT NULL, set_ms {integer} NOT NULL
) {strict};
CREATE TABLE sessions (
    {rowid}
    id TEXT PRIMARY KEY, device TEXT NOT NULL, dm_session TEXT NOT NULL, account TEXT NOT NULL,
    trust TEXT NOT NULL, node TEXT NOT NULL, started_ms {integer} NOT NULL, ended_ms {integer},
    outcome TEXT NOT NULL DEFAULT '', messages {integer} NOT NULL DEFAULT 0
) {strict};
CREATE INDEX session_device ON sessions (device, started_ms);
CREATE TABLE commands (
    id {counted}, session TEXT NOT NULL, device TEXT NOT NULL, server TEXT NOT NULL,
    msg_id {integer} NOT NULL, cmd_id {integer} NOT NULL, command TEXT NOT NULL,
    path TEXT NOT NULL, status {integer} NOT NULL, at_ms {integer} NOT NULL
) {strict};
CREATE INDEX command_session ON commands (session);
CREATE INDEX command_device ON commands (device, at_ms);
CREATE TABLE reports (
    id {counted}, session TEXT NOT NULL, device TEXT NOT NULL, at_ms {integer} NOT NULL,
    type TEXT NOT NULL, mark TEXT NOT NULL, source TEXT NOT NULL, correlator TEXT NOT NULL,
    format TEXT NOT NULL, data TEXT NOT NULL
) {strict};
CREATE INDEX report_device ON reports (device, at_ms);
CREATE TABLE card_orders (
    {rowid}
    correlator TEXT PRIMARY KEY, device TEXT NOT NULL, iccid TEXT NOT NULL, digest TEXT NOT NULL,
    state TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '', at_ms {integer} NOT NULL
) {strict};
CREATE INDEX card_order_target ON card_orders (iccid, digest, at_ms);
CREATE TABLE settled (
    device TEXT NOT NULL, path TEXT NOT NULL, digest TEXT NOT NULL, at_ms {integer} NOT NULL,
    PRIMARY KEY (device, path)
) {strict};
CREATE TABLE bootstraps (
    {rowid}
    btid TEXT PRIMARY KEY, impi TEXT NOT NULL, rand {blob} NOT NULL, ck {blob} NOT NULL,
    ik {blob} NOT NULL, created_ms {integer} NOT NULL, expires_ms {integer} NOT NULL
) {strict};
CREATE INDEX bootstrap_impi ON bootstraps (impi, created_ms);
"""
# Keys for secured packets, instead of ADM1 or beside it; the counters that an order has spent.
_PACKETS = """
CREATE TABLE cards_2 (
    iccid TEXT PRIMARY KEY, adm1 {blob},
    impi TEXT REFERENCES subscribers (impi) ON DELETE SET NULL
) {strict};
INSERT INTO cards_2 SELECT iccid, adm1, impi FROM cards;
DROP TABLE cards;
ALTER TABLE cards_2 RENAME TO cards;
CREATE TABLE ota_keys (
    iccid TEXT PRIMARY KEY REFERENCES cards (iccid) ON DELETE CASCADE,
    kic {integer} NOT NULL, cipher_key {blob} NOT NULL, kid {integer} NOT NULL,
    checksum_key {blob} NOT NULL, tar {blob} NOT NULL, counter {integer} NOT NULL
) {strict};
ALTER TABLE card_orders ADD COLUMN first_counter {integer} NOT NULL DEFAULT 0;
ALTER TABLE card_orders ADD COLUMN packets {integer} NOT NULL DEFAULT 0;
"""
# A card's counter outlives its row: what was spent on a card, also one that is removed, is spent.
_COUNTERS = """
CREATE TABLE packet_counters (iccid TEXT PRIMARY KEY, counter {integer} NOT NULL) {strict};
INSERT INTO packet_counters SELECT iccid, max(spent) FROM (
    SELECT iccid, counter AS spent FROM ota_keys
    UNION ALL SELECT iccid, first_counter + packets - 1 FROM card_orders WHERE packets > 0
) AS counted GROUP BY iccid;
ALTER TABLE ota_keys DROP COLUMN counter;
"""
# For several nodes: which sessions of a device are under way, and challenges that any of the nodes
# may find answered. Of those only what was chosen is kept; the keys make the rest anew.
_NODES = """
CREATE INDEX session_open ON sessions (device) WHERE ended_ms IS NULL;
CREATE TABLE challenges (
    {rowid}
    nonce TEXT PRIMARY KEY, impi TEXT NOT NULL, opaque TEXT NOT NULL,
    rand {blob} NOT NULL, sqn {integer} NOT NULL, expires_ms {integer} NOT NULL
) {strict};
CREATE INDEX challenge_impi ON challenges (impi);
"""
_VERSIONS = (_FIRST, _PACKETS, _COUNTERS, _NODES)

NEWEST = len(_VERSIONS)
