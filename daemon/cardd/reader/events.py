"""What the supervisor reports, and the state it answers with."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from cardd.card.identify import CardIdentity
from cardd.sharing.ticket import Ticket

__all__ = [
    "CardInserted",
    "CardMuted",
    "CardReady",
    "CardRemoved",
    "PcscBack",
    "PcscLost",
    "Queue",
    "ReaderAdded",
    "ReaderBack",
    "ReaderEvent",
    "ReaderRemoved",
    "ReaderState",
    "ReaderStatus",
    "ReaderStopped",
]


class ReaderState(Enum):
    """What a reader is good for now."""

    EMPTY = "empty"
    CARD_PRESENT = "card present"
    CARD_READY = "card ready"
    CARD_MUTE = "card mute"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class ReaderStatus:
    """One reader now. `card` is the card's name, "" unless the state is CARD_READY.

    `insertion` numbers the insertion of the card that is there, or of the last one; 0 is none.
    `cause` says why a reader is UNAVAILABLE, `quarantined` that its driver hangs.
    """

    name: str
    state: ReaderState
    atr: bytes
    card: str
    insertion: int
    holder: str
    holder_purpose: str
    waiting: int
    waiters: tuple[str, ...]
    identity: CardIdentity | None
    cause: str = ""
    quarantined: bool = False


@dataclass(frozen=True, slots=True)
class Queue:
    """Who has a reader's card and who waits, next one first. Times are as the tickets have them.

    `kept_out`: the holder itself waits for another PC/SC program's transaction. `leases` and
    `apdus` count since the reader was found.
    """

    reader: str
    now: float
    holder: Ticket | None
    granted_at: float
    working: bool
    kept_out: bool
    waiting: tuple[Ticket, ...]
    max_hold_s: float
    leases: int
    apdus: int


@dataclass(frozen=True, slots=True)
class ReaderAdded:
    reader: str


@dataclass(frozen=True, slots=True)
class ReaderRemoved:
    reader: str


@dataclass(frozen=True, slots=True)
class ReaderStopped:
    """The reader is set aside: its driver is gone, or a call does not return."""

    reader: str
    cause: str


@dataclass(frozen=True, slots=True)
class ReaderBack:
    """The reader answers again."""

    reader: str


@dataclass(frozen=True, slots=True)
class CardInserted:
    reader: str
    atr: bytes
    insertion: int


@dataclass(frozen=True, slots=True)
class CardReady:
    """The card is identified and can be leased."""

    reader: str
    insertion: int
    identity: CardIdentity


@dataclass(frozen=True, slots=True)
class CardMuted:
    reader: str
    insertion: int
    cause: str


@dataclass(frozen=True, slots=True)
class CardRemoved:
    reader: str
    insertion: int


@dataclass(frozen=True, slots=True)
class PcscLost:
    """pcscd is gone. Every reader is UNAVAILABLE, every card counts as removed."""

    cause: str


@dataclass(frozen=True, slots=True)
class PcscBack:
    """pcscd answers again; insertions are reported anew."""


ReaderEvent = (
    ReaderAdded
    | ReaderRemoved
    | ReaderStopped
    | ReaderBack
    | CardInserted
    | CardReady
    | CardMuted
    | CardRemoved
    | PcscLost
    | PcscBack
)
