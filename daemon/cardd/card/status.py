"""Status words (TS 102 221 §10.2, ISO/IEC 7816-4 §5.6)."""

from __future__ import annotations

from cardd.card.errors import CardError

__all__ = [
    "OK",
    "PROACTIVE",
    "UPDATED_AFTER_RETRIES",
    "AccessDenied",
    "NotFoundOnCard",
    "StatusError",
    "meaning",
    "status_error",
    "succeeded",
    "tries_left",
]

OK = 0x9000
# SW1: normal ending, and a proactive command is there to be fetched (TS 102 221 §7.4.2).
PROACTIVE = 0x91
# 63Cx of an UPDATE: done, after x tries of the card's own (TS 102 221 §10.2.1). Of a command that
# verifies it is a refusal with x tries left, so no success in general.
UPDATED_AFTER_RETRIES = frozenset(range(0x63C0, 0x63D0))

_MEANINGS = {
    0x6200: "warning, memory unchanged",
    0x6281: "part of the data may be corrupted",
    0x6282: "end of file reached",
    0x6283: "selected file is deactivated",
    0x6300: "verification failed",
    0x6581: "memory problem",
    0x6700: "wrong length",
    0x6881: "logical channel not supported",
    0x6882: "secure messaging not supported",
    0x6981: "command does not suit the file structure",
    0x6982: "security status not satisfied",
    0x6983: "authentication method blocked",
    0x6984: "referenced data invalidated",
    0x6985: "conditions of use not satisfied",
    0x6986: "no file selected",
    0x6A80: "wrong data",
    0x6A81: "function not supported",
    0x6A82: "file not found",
    0x6A83: "record not found",
    0x6A84: "not enough memory space",
    0x6A86: "wrong P1-P2",
    0x6A87: "Lc does not suit P1-P2",
    0x6A88: "referenced data not found",
    0x6B00: "offset outside the file",
    0x6D00: "instruction not supported",
    0x6E00: "class not supported",
    0x6F00: "no precise diagnosis",
    0x9862: "authentication error, wrong MAC",
    0x9864: "authentication error, security context not supported",
    0x9865: "key freshness failure",
}

_NOT_FOUND = frozenset({0x6A82, 0x6A83, 0x6A88})
_DENIED = frozenset({0x6982, 0x6985})


class StatusError(CardError):
    """The card refused a command; `command` names it without its secret data."""

    def __init__(self, command: str, sw: int) -> None:
        super().__init__(f"{command}: {sw:04X} {meaning(sw)}")
        self.command = command
        self.sw = sw


class NotFoundOnCard(StatusError):
    """No such file, record, application or key reference on the card."""


class AccessDenied(StatusError):
    """The card's access condition is not met."""


def status_error(command: str, sw: int) -> StatusError:
    """The error class that fits a status word."""
    if sw in _NOT_FOUND:
        return NotFoundOnCard(command, sw)
    if sw in _DENIED:
        return AccessDenied(command, sw)
    return StatusError(command, sw)


def succeeded(sw: int) -> bool:
    """Normal ending, whether or not the card has a proactive command."""
    return sw == OK or sw >> 8 == PROACTIVE


def tries_left(sw: int) -> int | None:
    """The counter in 63Cx, 0 for a blocked reference, None for any other status word."""
    if sw & 0xFFF0 == 0x63C0:
        return sw & 0x0F
    return 0 if sw == 0x6983 else None


def meaning(sw: int) -> str:
    """What a status word says, for people."""
    if sw == OK:
        return "normal ending"
    known = _MEANINGS.get(sw)
    if known is not None:
        return known
    if sw & 0xFFF0 == 0x63C0:
        return f"verification failed, {sw & 0x0F} tries left"
    return "unnamed status"
