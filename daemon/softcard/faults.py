"""Faults on demand: slow, mute, pulled, babbling."""

import threading
from dataclasses import dataclass
from enum import Enum, auto

__all__ = ["FaultKind", "Faults"]


class FaultKind(Enum):
    """What goes wrong."""

    PULL_BEFORE = auto()  # the card leaves without having seen the command
    PULL_AFTER = auto()  # the card has done it, the answer is lost
    MUTE = auto()  # no answer, now and later
    ANSWER = auto()  # not executed; these bytes instead
    DISTORT = auto()  # executed; these bytes instead


@dataclass(slots=True)
class _Armed:
    kind: FaultKind
    countdown: int
    ins: int | None
    answer: bytes = b""
    times: int = 1


class Faults:
    """Armed faults of one card. `nth` counts matching APDUs from the moment of arming, from 1.

    `ins` restricts a fault to commands with that instruction byte. Each strikes once, or
    `times` matching commands in a row; a card that went mute stays so until `clear` or the
    next insertion. `delay_ms` slows every answer;
    `mute_at_reset` makes a card that is there but gives no ATR (in `VirtualReaders` only).
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._armed: list[_Armed] = []
        self._muted = False
        self.delay_ms: float = 0
        self.mute_at_reset = False

    def pull_before(self, nth: int = 1, *, ins: int | None = None) -> None:
        """Leave the reader instead of executing the command."""
        self._arm(FaultKind.PULL_BEFORE, nth, ins)

    def pull_after(self, nth: int = 1, *, ins: int | None = None) -> None:
        """Execute the command, then leave the reader without an answer."""
        self._arm(FaultKind.PULL_AFTER, nth, ins)

    def mute(self, nth: int = 1, *, ins: int | None = None) -> None:
        """Stop answering, without executing."""
        self._arm(FaultKind.MUTE, nth, ins)

    def answer(
        self, response: bytes, nth: int = 1, *, ins: int | None = None, times: int = 1
    ) -> None:
        """Answer with `response` (a status word, garbage) without executing."""
        self._arm(FaultKind.ANSWER, nth, ins, response, times)

    def distort(
        self, response: bytes, nth: int = 1, *, ins: int | None = None, times: int = 1
    ) -> None:
        """Execute the command, but answer with `response`."""
        self._arm(FaultKind.DISTORT, nth, ins, response, times)

    def clear(self) -> None:
        """Disarm everything; speak again; no delay."""
        with self._lock:
            self._armed.clear()
            self._muted = False
            self.mute_at_reset = False
            self.delay_ms = 0

    def inserted(self) -> None:
        """A fresh insertion cures muteness."""
        with self._lock:
            self._muted = False

    def next(self, apdu: bytes) -> tuple[FaultKind, bytes] | None:
        """The fault that this command meets, if any."""
        with self._lock:
            if self._muted:
                return FaultKind.MUTE, b""
            matching = [one for one in self._armed if one.ins in (None, *apdu[1:2])]
            for fault in matching:
                fault.countdown -= 1
            due = next((fault for fault in matching if fault.countdown <= 0), None)
            if due is None:
                return None
            due.times -= 1
            if due.times <= 0:
                self._armed.remove(due)
            self._muted = due.kind is FaultKind.MUTE
            return due.kind, due.answer

    def _arm(
        self, kind: FaultKind, nth: int, ins: int | None, answer: bytes = b"", times: int = 1
    ) -> None:
        if nth < 1 or times < 1:
            raise ValueError(f"faults count from 1: nth={nth}, times={times}")
        with self._lock:
            self._armed.append(_Armed(kind, nth, ins, answer, times))
