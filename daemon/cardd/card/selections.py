"""Which application each logical channel of a card stands in, as far as commands and answers tell.

One for each lease, told of every exchange under it, whoever asked for it: a program's own APDUs and
what the daemon sends on the program's behalf. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from cardd.card import apdu

__all__ = ["AT_RESET", "Selected", "Selections"]

_SELECT, _MANAGE_CHANNEL, _GET_RESPONSE = 0xA4, 0x70, 0xC0
_BY_NAME, _FIRST = 0x04, 0x00
_OPEN = 0x00
# Answers that say that nothing was done: length, class, state, parameters, Le, instruction.
_REFUSALS = frozenset({0x67, 0x68, 0x69, 0x6A, 0x6B, 0x6C, 0x6D, 0x6E})
# Normal ends and warnings, with data to fetch or a proactive command waiting among them.
_DONE = frozenset({0x90, 0x91, 0x92, 0x9F, 0x61, 0x62, 0x63})
_MORE = frozenset({0x61, 0x9F})


@dataclass(frozen=True, slots=True)
class Selected:
    """An application, by the name that a SELECT gave for it, which may be a part of one; b"" for
    what is selected at reset. `first`: the first or only one of that name was asked for."""

    name: bytes
    first: bool = True


AT_RESET = Selected(b"")


class Selections:
    """Knows nothing until the card is reset, or an application is selected by its name.

    Only SELECT by name changes the application for sure. A file identifier, the MF's among them,
    may be taken by the application for one of its own.
    """

    def __init__(self) -> None:
        self._where: dict[int, frozenset[Selected]] = {}
        self.unfetched: int | None = None
        """The channel whose answer waits for GET RESPONSE."""

    def reset(self) -> None:
        """The card was reset."""
        self._where = {0: frozenset({AT_RESET})}
        self.unfetched = None

    def on(self, channel: int) -> frozenset[Selected] | None:
        """Where a channel stands, all that are possible; None if nobody knows."""
        return self._where.get(channel)

    def note(self, command: bytes, response: bytes) -> None:
        """One exchange; an empty response says that the card's answer is not known."""
        sw1 = response[-2] if len(response) >= 2 else None
        channel = apdu.channel_of(command[0])
        asks_again = command[1] == _GET_RESPONSE and sw1 == 0x6C
        if not asks_again:
            self.unfetched = channel if sw1 in _MORE else None
        if sw1 in _REFUSALS:
            return
        if command[1] == _SELECT and command[2] == _BY_NAME:
            self._selected(channel, command, certain=sw1 in _DONE)
        elif command[1] == _MANAGE_CHANNEL:
            self._managed(channel, command, response if sw1 in _DONE else b"")

    def _selected(self, channel: int, command: bytes, *, certain: bool) -> None:
        target = frozenset({Selected(apdu.data_of(command), command[3] & 0x03 == _FIRST)})
        before = self._where.get(channel)
        if certain:
            self._where[channel] = target
        elif before is not None:
            self._where[channel] = before | target

    def _managed(self, channel: int, command: bytes, response: bytes) -> None:
        action, number = command[2], command[3]
        if action != _OPEN:
            self._where.pop(number or channel, None)
            return
        if not number and len(response) == 3:
            number = response[0]
        # From the basic channel it begins as after a reset, from another where that one stands
        # (TS 102 221 §11.1.17).
        origin = self._where.get(channel) if channel else frozenset({AT_RESET})
        if number and response and origin is not None:
            self._where[number] = origin
        elif number:
            self._where.pop(number, None)
