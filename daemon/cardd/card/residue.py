"""What a stranger's APDUs leave behind on a card, and what takes it away.

Judged from the commands alone, so that a program which never says goodbye can be followed by
another. Pure: the caller feeds commands and answers in order.
"""

from __future__ import annotations

from enum import Enum

from cardd.card import apdu, status

__all__ = ["Cleaning", "Residue", "may_change_content"]

_SELECT, _MANAGE_CHANNEL, _VERIFY = 0xA4, 0x70, 0x20
# Reading, writing, asking: these leave at most a selection. AUTHENTICATE yields keys to its
# caller and grants nothing on the card (TS 31.102 §7.1).
_HARMLESS = frozenset(
    {0xB0, 0xB1, 0xB2, 0xB3, 0xC0, 0xCA, 0xCB, 0xD6, 0xD7, 0xDC, 0xDD, 0xA2, 0x84, 0x88, 0xF2}
)


# Selecting, reading, searching, asking, verifying; and opening a channel. Whatever is not here may
# change a file, AUTHENTICATE among it.
_READS_ONLY = frozenset(
    {_SELECT, _MANAGE_CHANNEL, _VERIFY, 0xB0, 0xB1, 0xB2, 0xB3, 0xC0, 0xCA, 0xCB, 0xA2, 0x84, 0xF2}
)


class Cleaning(Enum):
    """What the next program needs to find the card as if nobody had been there."""

    NOTHING = "nothing"
    RESELECT = "reselect"
    RESET = "reset"


class Residue:
    """Follows one program's commands.

    A verified PIN, a secured channel or any command not known to be harmless calls for a reset.
    A selection on the basic channel calls for SELECT MF: a SELECT needs no right, so what it
    leaves gives the next program nothing that it could not have for the asking. A forgotten
    logical channel is closed.
    """

    def __init__(self) -> None:
        self._open: set[int] = set()
        self._selected = False
        self._unknown = False

    def note(self, command: bytes, response: bytes) -> None:
        """One exchange; an empty response says that the card's answer is not known."""
        sw = int.from_bytes(response[-2:], "big") if len(response) >= 2 else None
        cla, ins = command[0], command[1]
        # Proprietary class, apart from STATUS (TS 102 221 §11.1.2) and GET DATA (GlobalPlatform
        # Card Specification §11.3).
        if cla & 0x80 and ins not in (0xF2, 0xCA):
            self._unknown = True
        elif ins == _SELECT:
            self._selected |= apdu.channel_of(cla) == 0
        elif ins == _MANAGE_CHANNEL:
            self._manage(command, response, sw)
        elif ins == _VERIFY:
            # Without data it asks for the counter; with data, success is what matters.
            self._unknown |= len(command) > 5 and (sw is None or status.succeeded(sw))
        elif ins not in _HARMLESS:
            self._unknown = True
        elif apdu.channel_of(cla) == 0:
            self._selected |= _by_short_id(command)

    def distrust(self) -> None:
        """The card has a state that is not this program's doing: it shall be reset."""
        self._unknown = True

    @property
    def cleaning(self) -> Cleaning:
        if self._unknown:
            return Cleaning.RESET
        if self._selected or self._open:
            return Cleaning.RESELECT
        return Cleaning.NOTHING

    def reselect_commands(self) -> tuple[bytes, ...]:
        """The APDUs of a RESELECT."""
        close = [apdu.close_channel(number).encode() for number in sorted(self._open)]
        select = [apdu.select_by_id(0x3F00, want_fcp=False).encode()] if self._selected else []
        return tuple(close + select)

    def _manage(self, command: bytes, response: bytes, sw: int | None) -> None:
        if sw is None:
            self._unknown = True
        elif status.succeeded(sw) and command[2] == 0x00:
            opened = response[0] if len(response) == 3 else command[3]
            self._open.add(opened)
        elif status.succeeded(sw) and command[2] == 0x80:
            # P2 = 0 closes the channel that carries the command (TS 102 221 §11.1.17).
            self._open.discard(command[3] or apdu.channel_of(command[0]))


def may_change_content(command: bytes) -> bool:
    """Whether files may read differently after this command."""
    cla, ins = command[0], command[1]
    return ins not in _READS_ONLY or bool(cla & 0x80 and ins != 0xF2)


def _by_short_id(command: bytes) -> bool:
    """A short file identifier selects on the way (TS 102 221 §11.1.3.2, §11.1.5.2)."""
    if command[1] in (0xB0, 0xD6):
        return bool(command[2] & 0x80)
    return command[1] in (0xB2, 0xDC, 0xA2) and bool(command[3] >> 3)
