"""Devices, their accounts, and what is desired of them."""

from __future__ import annotations

import json
from collections.abc import Mapping

from cardea_core import Secret

from dmsd.errors import NotFoundError
from dmsd.registry.database import Database, Row
from dmsd.registry.records import CredentialAccount, Device, NetworkAccount

__all__ = ["Devices"]


class Devices:
    """Devices by DevId. Accounts without a device belong to whichever device presents them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ensure(self, device: str, now_ms: int) -> None:
        """Have the device in the registry."""
        self._database.run(
            "INSERT INTO devices (device, added_ms) VALUES (?, ?) ON CONFLICT DO NOTHING",
            (device, now_ms),
        )

    def get(self, device: str) -> Device:
        row = self._database.row("SELECT * FROM devices WHERE device = ?", (device,))
        if row is None:
            raise NotFoundError("device", device)
        return self._device(row)

    def remove(self, device: str) -> None:
        """Take the device out, with its accounts and what is desired of it. NotFoundError.

        Orders to cards stay: they keep a key that a card has rejected from being tried again.
        """
        with self._database.transaction():
            self.get(device)
            self._database.run("DELETE FROM settled WHERE device = ?", (device,))
            self._database.run("DELETE FROM devices WHERE device = ?", (device,))

    def list(self) -> tuple[Device, ...]:
        rows = self._database.rows("SELECT * FROM devices ORDER BY device")
        return tuple(self._device(row) for row in rows)

    def seen(self, device: str, now_ms: int, info: Mapping[str, str]) -> None:
        """Note a session of the device, and what it told of itself if it did."""
        self._database.run(
            "INSERT INTO devices (device, added_ms, seen_ms, info) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (device) DO UPDATE SET seen_ms = excluded.seen_ms,"
            " info = CASE excluded.info WHEN '{}' THEN devices.info ELSE excluded.info END",
            (device, now_ms, now_ms, json.dumps(dict(info), sort_keys=True)),
        )

    def put_account(self, account: CredentialAccount | NetworkAccount, now_ms: int) -> None:
        """Add an account or replace the one of the same user or IMPI; ``id`` does not matter."""
        with self._database.transaction():
            if account.device is not None:
                self.ensure(account.device, now_ms)
            if isinstance(account, NetworkAccount):
                self._database.run(
                    "INSERT INTO accounts (device, impi) VALUES (?, ?) ON CONFLICT DO NOTHING",
                    (account.device, account.impi),
                )
                return
            self._database.run(
                'DELETE FROM accounts WHERE "user" = ? AND device IS NOT DISTINCT FROM ?',
                (account.user, account.device),
            )
            secret = account.server_secret
            self._database.run(
                'INSERT INTO accounts (device, auth, "user", client_secret, client_nonce,'
                " server_auth, server_user, server_secret, server_nonce)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    account.device,
                    account.auth,
                    account.user,
                    account.client_secret.expose(),
                    account.client_nonce,
                    account.server_auth,
                    account.server_user,
                    None if secret is None else secret.expose(),
                    account.server_nonce,
                ),
            )

    def shared_accounts(self) -> tuple[CredentialAccount | NetworkAccount, ...]:
        """The accounts that cards carry: any device may present them."""
        rows = self._database.rows("SELECT * FROM accounts WHERE device IS NULL ORDER BY id")
        return tuple(_account(row) for row in rows)

    def account_of_user(self, user: str, device: str) -> CredentialAccount | None:
        """The account for this user on this device; its own one before a shared one."""
        row = self._database.row(
            'SELECT * FROM accounts WHERE "user" = ? AND (device = ? OR device IS NULL)'
            " ORDER BY device IS NULL LIMIT 1",
            (user, device),
        )
        return None if row is None else _credentials(row)

    def account_of_impi(self, impi: str, device: str) -> NetworkAccount | None:
        """The account for this subscription on this device; its own one before a shared one."""
        row = self._database.row(
            "SELECT * FROM accounts WHERE impi = ? AND (device = ? OR device IS NULL)"
            " ORDER BY device IS NULL LIMIT 1",
            (impi, device),
        )
        return None if row is None else NetworkAccount(row["id"], row["device"], row["impi"])

    def only_network_accounts(self, device: str) -> bool:
        """Whether the device has accounts of its own and all of them are bootstrapped."""
        row = self._database.row(
            'SELECT count(*) AS n, count("user") AS users FROM accounts WHERE device = ?', (device,)
        )
        return row is not None and row["n"] > 0 and row["users"] == 0

    def replace_client_nonce(self, account: int, used: bytes, nonce: bytes) -> bool:
        """As below, in place of the one that was just used; False: it was used elsewhere before."""
        return bool(
            self._database.run(
                "UPDATE accounts SET client_nonce = ? WHERE id = ? AND client_nonce = ?",
                (nonce, account, used),
            )
        )

    def hold_account(self, account: int) -> None:
        """Let no other transaction change the account before this one has ended."""
        self._database.run(
            "UPDATE accounts SET server_nonce = server_nonce WHERE id = ?", (account,)
        )

    def store_client_nonce(self, account: int, nonce: bytes) -> None:
        """What the client is to use next; written before it is told."""
        self._database.run("UPDATE accounts SET client_nonce = ? WHERE id = ?", (nonce, account))

    def store_server_nonce(self, account: int, nonce: bytes) -> None:
        """What we are to use next; only ever from a client that has authenticated itself."""
        self._database.run("UPDATE accounts SET server_nonce = ? WHERE id = ?", (nonce, account))

    def set_desired(self, device: str, document: str, now_ms: int) -> int:
        """Store a checked document; its revision, counted from 1."""
        with self._database.transaction():
            self.ensure(device, now_ms)
            (row,) = self._database.rows(
                "INSERT INTO desired (device, document, revision, set_ms) VALUES (?, ?, 1, ?)"
                " ON CONFLICT (device) DO UPDATE SET document = excluded.document,"
                " revision = desired.revision + 1, set_ms = excluded.set_ms RETURNING revision",
                (device, document, now_ms),
            )
        return int(row["revision"])

    def desired(self, device: str) -> tuple[str, int] | None:
        """The document and its revision."""
        row = self._database.row(
            "SELECT document, revision FROM desired WHERE device = ?", (device,)
        )
        return None if row is None else (row["document"], row["revision"])

    def settled(self, device: str) -> dict[str, str]:
        """Digests of the values a device took for nodes it does not let us read."""
        rows = self._database.rows("SELECT path, digest FROM settled WHERE device = ?", (device,))
        return {row["path"]: row["digest"] for row in rows}

    def settle(self, device: str, path: str, digest: str, now_ms: int) -> None:
        """Note that the device has accepted a value for a node that cannot be read."""
        self._database.run(
            "INSERT INTO settled (device, path, digest, at_ms) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (device, path) DO UPDATE SET digest = excluded.digest,"
            " at_ms = excluded.at_ms",
            (device, path, digest, now_ms),
        )

    def _device(self, row: Row) -> Device:
        accounts = self._database.rows(
            "SELECT * FROM accounts WHERE device = ? ORDER BY id", (row["device"],)
        )
        return Device(
            device=row["device"],
            added_ms=row["added_ms"],
            seen_ms=row["seen_ms"],
            info=json.loads(row["info"]),
            accounts=tuple(_account(account) for account in accounts),
        )


def _account(row: Row) -> CredentialAccount | NetworkAccount:
    if row["impi"] is not None:
        return NetworkAccount(row["id"], row["device"], row["impi"])
    return _credentials(row)


def _credentials(row: Row) -> CredentialAccount:
    secret = row["server_secret"]
    return CredentialAccount(
        id=row["id"],
        device=row["device"],
        auth=row["auth"],
        user=row["user"],
        client_secret=Secret(row["client_secret"]),
        client_nonce=row["client_nonce"],
        server_auth=row["server_auth"],
        server_user=row["server_user"],
        server_secret=None if secret is None else Secret(secret),
        server_nonce=row["server_nonce"],
    )
