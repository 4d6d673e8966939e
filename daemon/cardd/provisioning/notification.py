"""A notification that has arrived: which server made it, and whether its session may begin.

DM Notification 1.2 §5.3 and §6.2, DM Security 1.2 §5.5. What guards against a replay:

* The nonce, which the session changes: a notification that has been followed fits no more.
* Where no nonce has been agreed on yet, or the server uses the well-known one, the log of
  sessions: one with that server and that number has been held.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Protocol

from omadm.accounts import Account
from omadm.errors import NotificationError
from omadm.notification import Package0, verify, verify_resync

from .errors import (
    AccountNotFoundError,
    NotificationNotAuthenticError,
    NotificationReplayedError,
)

__all__ = ["HeldSessions", "admit"]


class HeldSessions(Protocol):
    """What is remembered of earlier sessions. Raises StoreError."""

    def nonce(self, server_id: str, direction: Literal["client", "server"]) -> bytes | None: ...
    def session_held(self, server_id: str, session_id: str) -> bool:
        """Whether such a session came to its end, as far back as the log goes."""


def admit(package: Package0, accounts: Iterable[Account], held: HeldSessions) -> None:
    """Return if the session that ``package`` asks for may begin.

    Raises:
        AccountNotFoundError: no account of that server.
        NotificationNotAuthenticError: not made with the account's secret and nonce.
        NotificationReplayedError: its session has been held.
        StoreError.
    """
    own = [each for each in accounts if each.server_id == package.server_id]
    if not own:
        raise AccountNotFoundError(package.server_id)
    guarded = _prove(package, own, held.nonce(package.server_id, "server"))
    if not guarded and held.session_held(package.server_id, package.session_id_text):
        raise NotificationReplayedError(package.server_id, package.session_id_text)


def _prove(package: Package0, accounts: list[Account], kept: bytes | None) -> bool:
    """Whether the proof is by a nonce that an earlier session has left."""
    provable = [(each, each.server_secret) for each in accounts if each.server_secret is not None]
    if not provable:
        raise NotificationNotAuthenticError(
            package.server_id, "the account has no secret by which the server could prove itself"
        )
    for account, secret in provable:
        try:
            nonce = account.server_nonce if kept is None else kept
            verify(package, password=secret, nonce=nonce)
            return kept is not None
        except NotificationError:
            pass
        try:
            verify_resync(package, password=secret)
            return False
        except NotificationError:
            pass
    raise NotificationNotAuthenticError(
        package.server_id, "made with another secret, or with a nonce that has been used"
    )
