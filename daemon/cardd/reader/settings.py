"""Limits of the reader layer, in seconds."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ReaderSettings"]


@dataclass(frozen=True, slots=True)
class ReaderSettings:
    """`call_limit_s` is how long one PC/SC call may take before its reader is set aside.

    `let_go_s`: a lease without work gives up the PC/SC transaction after this, so that other
    programs get in; but not while they could use what it has been granted (a verified PIN).
    `park_s`: without a lease the card's handle is given up after this.
    """

    idle_limit_s: float = 5.0
    max_hold_s: float = 60.0
    call_limit_s: float = 8.0
    let_go_s: float = 0.5
    park_s: float = 2.0
    identify_wait_s: float = 30.0
    recheck_s: float = 0.15
    recheck_limit_s: float = 3.0
    pcsc_retry_s: float = 0.1
    pcsc_retry_max_s: float = 1.0
