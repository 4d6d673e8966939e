"""What the store keeps beside the tree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cardea_core import Layer

from cardd.tree import AclClaim, ManagementTree

__all__ = [
    "CardSeen",
    "CardWrite",
    "NewConfirmation",
    "PendingConfirmation",
    "SessionCommand",
    "SessionRecord",
    "StoredTree",
]


@dataclass(frozen=True, slots=True)
class StoredTree:
    """The tree as it was last committed; revision 0: never."""

    layers: tuple[Layer, ...]
    acls: tuple[AclClaim, ...]
    revision: int

    def tree(self) -> ManagementTree:
        return ManagementTree(self.layers, self.acls)


@dataclass(frozen=True, slots=True)
class CardWrite:
    """An intended write of a file on a card that is not known to be complete."""

    id: int
    iccid: str
    oid: str
    path: str
    old_sha256: bytes
    # A document holds secrets.
    new_data: bytes = field(repr=False)
    begun_ms: int


@dataclass(frozen=True, slots=True)
class CardSeen:
    """When a card was last read, where, and the SHA-256 of its files by OID."""

    iccid: str
    reader: str
    seen_ms: int
    digests: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class NewConfirmation:
    """Something that a server is to be told, "200" or "500 REASON", until it has answered."""

    server_id: str
    card: str
    payload: str
    correlator: str | None = None


@dataclass(frozen=True, slots=True)
class PendingConfirmation:
    """A confirmation that the server has not acknowledged yet."""

    id: int
    server_id: str
    card: str
    payload: str
    correlator: str | None
    made_ms: int


@dataclass(frozen=True, slots=True)
class SessionCommand:
    """One operation of a server, with the status it was answered with."""

    verb: str
    path: str
    status: int


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """One DM session (S9). ``outcome`` is "ok" or the reason of its failure."""

    session_id: str
    server_id: str
    began_ms: int
    ended_ms: int
    outcome: str
    trust: str
    commands: tuple[SessionCommand, ...]
