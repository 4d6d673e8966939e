"""What the arbiter hands out and what it says of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ["EndReason", "Ended", "Priority", "Ticket"]


class EndReason(Enum):
    """Why a lease, or the wait for one, is over."""

    RELEASED = "released"
    ABORTED = "aborted"
    IDLE = "idle limit"
    MAX_HOLD = "maximum hold"
    NOT_GRANTED = "not granted in time"
    CANCELLED = "cancelled"
    CARD_GONE = "card gone"
    READER_GONE = "reader gone"
    SHUTDOWN = "shutdown"


class Priority(Enum):
    """Who goes first, in this order. The daemon decides by what is done, never the caller."""

    INTERACTIVE = "interactive"
    """A person has entered a PIN and waits."""
    PROVISIONING = "provisioning"
    """The machine is being set up: programs wait for what comes of it."""
    NORMAL = "normal"


@dataclass(frozen=True, slots=True)
class Ticket:
    """A request for the card. Times are seconds on one monotonic clock."""

    number: int
    caller: str
    purpose: str
    requested_at: float
    deadline: float
    priority: Priority = Priority.NORMAL


@dataclass(frozen=True, slots=True)
class Ended:
    """A ticket that is over; `held` says whether it had been granted."""

    ticket: Ticket
    reason: EndReason
    held: bool
