"""What a run asks the store to keep, beside the tree."""

from __future__ import annotations

from dataclasses import dataclass, field

from cardd.dm.events import CommandDone

__all__ = ["CardWrite", "NewConfirmation", "PendingConfirmation", "SessionRecord"]


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
class NewConfirmation:
    """Something that a server is to be told until it has answered.

    ``payload`` is what became of the device, "200" or "500 REASON". ``card`` names the card that
    was to be written, or is ""; ``card_payload`` is what became of that, and what it has answered
    to the server's packets.
    """

    server_id: str
    card: str
    payload: str
    correlator: str | None = None
    card_payload: str = ""


@dataclass(frozen=True, slots=True)
class PendingConfirmation:
    """A confirmation that the server has not acknowledged yet; its ``card_payload`` is "" where an
    earlier version has made it: then ``payload`` stands for both."""

    id: int
    server_id: str
    card: str
    payload: str
    correlator: str | None
    made_ms: int
    card_payload: str = ""


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """One DM session (S9). ``outcome`` is "ok" or the reason of its failure; ``host`` is whom it
    was held with, "" where that is not known any more."""

    session_id: str
    server_id: str
    began_ms: int
    ended_ms: int
    outcome: str
    trust: str
    commands: tuple[CommandDone, ...]
    host: str = ""
