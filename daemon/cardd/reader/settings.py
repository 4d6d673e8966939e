"""Limits of the reader layer, in seconds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from fnmatch import fnmatchcase

__all__ = ["Foreign", "ReaderSettings"]


class Foreign(Enum):
    """How a reader is shared with programs that use PC/SC beside the daemon."""

    SHARED = "shared"
    """The handle, and with it the card's power, is kept a while after each lease."""
    POLITE = "polite"
    """The handle is kept only while there is work."""
    EXCLUSIVE = "exclusive"
    """Nobody else gets in while the card is in the reader."""


@dataclass(frozen=True, slots=True)
class ReaderSettings:
    """`call_limit_s` is how long one PC/SC call may take before its reader is set aside.

    `let_go_s`: a lease without work gives up the PC/SC transaction after this, so that other
    programs get in; but not while they could use what it has been granted (a verified PIN).
    `park_s`: without a lease the card's handle is given up after this, under SHARED. `slice_s`:
    a holder that has had the card for so long is told when others wait. `foreign_by_reader` has
    pairs of a name, with wildcards, and what holds there instead of `foreign`; the first counts.
    """

    idle_limit_s: float = 5.0
    max_hold_s: float = 60.0
    slice_s: float = 2.0
    call_limit_s: float = 8.0
    let_go_s: float = 0.5
    park_s: float = 2.0
    identify_wait_s: float = 30.0
    recheck_s: float = 0.15
    recheck_limit_s: float = 3.0
    pcsc_retry_s: float = 0.1
    pcsc_retry_max_s: float = 1.0
    foreign: Foreign = Foreign.POLITE
    foreign_by_reader: tuple[tuple[str, Foreign], ...] = ()

    def of(self, reader: str) -> ReaderSettings:
        """The settings of one reader, by its PC/SC name."""
        for name, foreign in self.foreign_by_reader:
            if fnmatchcase(reader, name):
                return replace(self, foreign=foreign, foreign_by_reader=())
        return self
