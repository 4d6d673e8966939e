"""What a run needs from outside: a card, a way to servers, a store, time and chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

from cardd.card.channel import Transmit
from cardd.card.identify import CardIdentity
from cardd.dm.events import Nonces

from .records import CardWrite, NewConfirmation, PendingConfirmation, SessionRecord

__all__ = [
    "Answer",
    "CardPort",
    "Environment",
    "JournalPort",
    "ServerPort",
    "StorePort",
    "TransportError",
]


class TransportError(Exception):
    """No usable answer from a server; the network layer's errors derive from it."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Time and chance as arguments: Unix milliseconds, monotonic seconds, random bytes."""

    now_ms: Callable[[], int]
    monotonic_s: Callable[[], float]
    random_bytes: Callable[[int], bytes]


class CardPort(Protocol):
    """The card of a run. Others use it between two leases: no state survives in between."""

    @property
    def identity(self) -> CardIdentity: ...

    @property
    def apdus(self) -> int:
        """Commands sent so far, GET RESPONSE and repeated ones included."""

    @property
    def seconds_spent(self) -> float:
        """Time spent waiting for the card's answers."""

    def lease(self, purpose: str) -> AbstractContextManager[Transmit]: ...


class Answer(Protocol):
    """An HTTP answer; headers by lower-case name."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def body(self) -> bytes: ...
    @property
    def content_type(self) -> str: ...
    @property
    def cipher_suite(self) -> int | None:
        """Code of the suite of the TLS connection; None without TLS."""


class ServerPort(Protocol):
    """HTTPS to any server, certificates checked; raises :class:`TransportError`."""

    @property
    def seconds_spent(self) -> float: ...

    def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Answer: ...


class JournalPort(Protocol):
    """What was about to be written to cards. Raises StoreError."""

    def begin_card_write(
        self, iccid: str, oid: str, path: str, old_sha256: bytes, new_data: bytes, now_ms: int
    ) -> int: ...
    def finish_card_write(self, id: int, now_ms: int) -> None: ...
    def abandon_card_write(self, id: int, now_ms: int) -> None: ...
    def open_card_writes(self, iccid: str) -> Sequence[CardWrite]:
        """Oldest first."""


class StorePort(JournalPort, Protocol):
    """What outlives a run whatever becomes of its tree. Every write is one transaction.

    Raises StoreError.
    """

    def agreed(self, card: str, digest: bytes) -> bool | None:
        """What somebody has answered last about this of a card; None: nothing."""

    def add_confirmation(self, confirmation: NewConfirmation, now_ms: int) -> int: ...
    def pending_confirmations(self, server_id: str | None) -> Sequence[PendingConfirmation]: ...
    def nonce(self, server_id: str, direction: Literal["client", "server"]) -> bytes | None: ...
    def server_host(self, server_id: str) -> str | None:
        """The host with which the last session of this server came to its end."""

    def end_session(self, session: SessionRecord, nonces: Nonces, confirmed: Sequence[int]) -> None:
        """Keep the session's record, the nonces for the next one, and which confirmations the
        server has acknowledged."""
