"""What an operator may do, as plain calls on JSON-like values; no secret ever comes back.

``dispatch`` gives them their addresses: the API on the Unix socket and the command line, when no
server runs, both go through it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from dmsd.desired import parse_desired
from dmsd.errors import ConflictError, DmsdError, InputError, NotFoundError
from dmsd.inputs import parse_account, parse_card, parse_raise, parse_subscriber
from dmsd.notifier import notification_for
from dmsd.registry import CredentialAccount, NetworkAccount, Registry

__all__ = ["Operator", "dispatch", "error_body"]

_MAX_ROWS = 1000


class Operator:
    """Reads and changes the registry. ``now_ms`` is asked for at each change."""

    def __init__(
        self,
        registry: Registry,
        *,
        server_id: str,
        now_ms: Callable[[], int],
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._registry = registry
        self._entropy = entropy
        self._server_id = server_id
        self._now_ms = now_ms
        # What only a running server can tell.
        self.live: Callable[[], Mapping[str, Any]] = dict

    def status(self) -> dict[str, Any]:
        """Counts, and what the running server adds."""
        registry = self._registry
        return {
            "server_id": self._server_id,
            "subscribers": len(registry.subscribers.list()),
            "cards": len(registry.subscribers.cards()),
            "devices": len(registry.devices.list()),
            "running": False,
            **self.live(),
        }

    def add_subscriber(self, raw: Any) -> dict[str, Any]:
        subscriber, card = parse_subscriber(raw)
        with self._registry.database.transaction():
            self._registry.subscribers.put(subscriber)
            if card is not None:
                self._registry.subscribers.put_card(card)
        return {"impi": subscriber.impi, "iccid": None if card is None else card.iccid}

    def subscribers(self) -> list[dict[str, Any]]:
        return [
            {"impi": s.impi, "imsi": s.imsi, "sqn": f"{s.sqn:012x}"}
            for s in self._registry.subscribers.list()
        ]

    def add_card(self, raw: Any) -> dict[str, Any]:
        card = parse_card(raw)
        self._registry.subscribers.put_card(card)
        return {"iccid": card.iccid}

    def remove_subscriber(self, impi: str) -> dict[str, Any]:
        """With its keys and its bootstrapped security; its cards and accounts stay."""
        self._registry.subscribers.remove(impi)
        return {"removed": impi}

    def remove_card(self, iccid: str) -> dict[str, Any]:
        """With its keys; its subscription stays, and the counter of its packets."""
        self._registry.subscribers.remove_card(iccid)
        return {"removed": iccid}

    def raise_counters(self, raw: Any) -> dict[str, Any]:
        """``{"by", "iccid"?}``: skip counters of a card's packets, or of every card's."""
        by, iccid = parse_raise(raw)
        return {"raised": self._registry.subscribers.raise_counters(by, iccid)}

    def remove_device(self, device: str) -> dict[str, Any]:
        """With its accounts and what is desired of it. What it reported stays in the log; one that
        comes again is a new device."""
        self._registry.devices.remove(device)
        return {"removed": device}

    def cards(self) -> list[dict[str, Any]]:
        return [
            {
                "iccid": card.iccid,
                "impi": card.impi,
                "way": "packets" if card.ota is not None else "adm1",
                "counter": None if card.ota is None else card.ota.counter,
            }
            for card in self._registry.subscribers.cards()
        ]

    def add_device(self, raw: Any) -> dict[str, Any]:
        """``{"device": DevId, "accounts": […]}``; without ``device`` the accounts are those that
        cards carry from device to device."""
        if not isinstance(raw, Mapping) or set(raw) - {"device", "accounts"}:
            raise InputError("document", "must be an object with device and accounts")
        device = raw.get("device")
        if device is not None and not (isinstance(device, str) and 0 < len(device) <= 256):
            raise InputError("device", "must be a DevId of 1 to 256 characters")
        accounts = raw.get("accounts", [])
        if not isinstance(accounts, list) or (device is None and not accounts):
            raise InputError("accounts", "must be a list; without device it must not be empty")
        parsed = [
            parse_account(account, device=device, server_id=self._server_id) for account in accounts
        ]
        now_ms = self._now_ms()
        with self._registry.database.transaction():
            if device is not None:
                self._registry.devices.ensure(device, now_ms)
            for account in parsed:
                self._registry.devices.put_account(account, now_ms)
        return {"device": device, "accounts": [_shown(account) for account in parsed]}

    def devices(self) -> list[dict[str, Any]]:
        return [
            {"device": d.device, "seen_ms": d.seen_ms, "accounts": len(d.accounts)}
            for d in self._registry.devices.list()
        ]

    def device(self, device: str) -> dict[str, Any]:
        found = self._registry.devices.get(device)
        desired = self._registry.devices.desired(device)
        sessions = self._registry.journal.sessions(device, limit=1)
        return {
            "device": found.device,
            "added_ms": found.added_ms,
            "seen_ms": found.seen_ms,
            "info": found.info,
            "accounts": [_shown(account) for account in found.accounts],
            "desired_revision": None if desired is None else desired[1],
            "last_session": asdict(sessions[0]) if sessions else None,
            "card_orders": [asdict(order) for order in self._registry.journal.orders(device)],
        }

    def shared_accounts(self) -> list[dict[str, Any]]:
        return [_shown(account) for account in self._registry.devices.shared_accounts()]

    def set_desired(self, device: str, raw: Any) -> dict[str, Any]:
        """Replace the document of a known device; orders to cards that had failed may be given
        again."""
        parse_desired(raw)
        self._registry.devices.get(device)
        with self._registry.database.transaction():
            revision = self._registry.devices.set_desired(
                device, json.dumps(raw, sort_keys=True), self._now_ms()
            )
            self._registry.journal.forgive_orders(device)
        return {"device": device, "revision": revision}

    def desired(self, device: str) -> dict[str, Any]:
        found = self._registry.devices.desired(device)
        if found is None:
            self._registry.devices.get(device)
            return {"device": device, "revision": None, "desired": {}}
        return {"device": device, "revision": found[1], "desired": json.loads(found[0])}

    def notification(self, device: str, raw: Any) -> dict[str, Any]:
        """The message that makes the device open a session. How it gets there is the caller's."""
        return notification_for(
            self._registry,
            self._registry.devices.get(device),
            raw,
            server_id=self._server_id,
            entropy=self._entropy,
        )

    def reports(self, device: str) -> list[dict[str, Any]]:
        self._registry.devices.get(device)
        return [asdict(row) for row in self._registry.journal.reports(device, limit=_MAX_ROWS)]

    def sessions(self, device: str) -> list[dict[str, Any]]:
        self._registry.devices.get(device)
        return [asdict(row) for row in self._registry.journal.sessions(device, limit=_MAX_ROWS)]

    def commands(self, device: str) -> list[dict[str, Any]]:
        self._registry.devices.get(device)
        rows = self._registry.journal.commands(device=device, limit=_MAX_ROWS)
        return [asdict(row) for row in rows]


def dispatch(
    operator: Operator, method: str, segments: tuple[str, ...], body: Any = None
) -> tuple[int, Any]:
    """One call by its address, such as ``PUT ("devices", id, "desired")``; HTTP status and JSON."""
    try:
        match (method, *segments):
            case ("GET", "status"):
                return 200, operator.status()
            case ("GET", "subscribers"):
                return 200, operator.subscribers()
            case ("POST", "subscribers"):
                return 201, operator.add_subscriber(body)
            case ("DELETE", "subscribers", impi):
                return 200, operator.remove_subscriber(impi)
            case ("GET", "cards"):
                return 200, operator.cards()
            case ("POST", "cards"):
                return 201, operator.add_card(body)
            case ("POST", "counters"):
                return 200, operator.raise_counters(body)
            case ("DELETE", "cards", iccid):
                return 200, operator.remove_card(iccid)
            case ("GET", "accounts"):
                return 200, operator.shared_accounts()
            case ("GET", "devices"):
                return 200, operator.devices()
            case ("POST", "devices"):
                return 201, operator.add_device(body)
            case ("DELETE", "devices", device):
                return 200, operator.remove_device(device)
            case ("GET", "devices", device):
                return 200, operator.device(device)
            case ("GET", "devices", device, "desired"):
                return 200, operator.desired(device)
            case ("PUT", "devices", device, "desired"):
                return 200, operator.set_desired(device, body)
            case ("POST", "devices", device, "notification"):
                return 200, operator.notification(device, body)
            case ("GET", "devices", device, "reports"):
                return 200, operator.reports(device)
            case ("GET", "devices", device, "sessions"):
                return 200, operator.sessions(device)
            case ("GET", "devices", device, "commands"):
                return 200, operator.commands(device)
            case _:
                raise NotFoundError("operation", f"{method} /v1/{'/'.join(segments)}")
    except DmsdError as error:
        return _http_status(error), error_body(error)


def error_body(error: DmsdError) -> dict[str, Any]:
    """An error as the API shows it."""
    body = {"error": error.code, "message": str(error)}
    if isinstance(error, InputError):
        body["field"] = error.field
    return body


def _http_status(error: DmsdError) -> int:
    if isinstance(error, InputError):
        return 422
    if isinstance(error, NotFoundError):
        return 404
    return 409 if isinstance(error, ConflictError) else 500


def _shown(account: CredentialAccount | NetworkAccount) -> dict[str, Any]:
    if isinstance(account, NetworkAccount):
        return {"kind": "bootstrapped", "impi": account.impi}
    return {
        "kind": "credentials",
        "user": account.user,
        "auth": account.auth,
        "server_user": account.server_user,
        "server_auth": None if account.server_secret is None else account.server_auth,
    }
