"""What the server wants a device to do, and what came of it, apart from messages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from omadm.status import StatusCode, is_success

__all__ = ["UNANSWERED", "Batch", "Order", "Outcome", "Verb"]

Verb = Literal["Get", "Add", "Replace", "Delete", "Exec"]


@dataclass(frozen=True, slots=True)
class Order:
    """One command on one node."""

    verb: Verb
    path: str
    # May be a secret (AAuthSecret, ADM1): not in repr.
    value: bytes | None = field(default=None, repr=False)
    format: str = "chr"
    mime: str = "text/plain"
    correlator: str | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Orders that do not depend on each other's outcome; ``atomic`` asks for all or nothing."""

    orders: tuple[Order, ...]
    atomic: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """The status of an order, and the value that a Get brought."""

    code: int
    value: bytes | None = field(default=None, repr=False)
    format: str | None = None

    @property
    def ok(self) -> bool:
        return is_success(self.code)

    @property
    def missing(self) -> bool:
        return self.code == StatusCode.NOT_FOUND

    @property
    def interior(self) -> bool:
        return self.format == "node"

    @property
    def names(self) -> tuple[str, ...]:
        """Children of an interior node (DM Tree and Description 1.2 §7.5: joined by ``/``)."""
        text = (self.value or b"").decode("utf-8", "replace")
        return tuple(name for name in text.split("/") if name)


# The device closed its package without a status for the order.
UNANSWERED = Outcome(0)
