"""Holds a program's commands to the rules that a card carries about its applications.

Judged by what the commands before have selected (`selections.py`), beginning with a card that has
just been reset. What cannot be known is taken for the worst: after a SELECT by a part of a name, a
command has to be allowed for every application that it may have found; what could lead to another
application in a way that cannot be followed is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from cardd.card import apdu
from cardd.card.application_rules import ApplicationRules
from cardd.card.errors import CardRuleDenied
from cardd.card.selections import AT_RESET, Selected, Selections

__all__ = ["ApplicationGuard"]

_SELECT, _MANAGE_CHANNEL, _GET_RESPONSE = 0xA4, 0x70, 0xC0
# ENVELOPE of the interindustry class carries another command (ISO/IEC 7816-4); that of a card
# application toolkit (TS 102 221 §11.2.2) does not.
_ENVELOPES = frozenset({0xC2, 0xC3})

_BY_FID, _PARENT, _BY_NAME = frozenset({0x00, 0x01, 0x02}), 0x03, 0x04
_BY_PATH = frozenset({0x08, 0x09})
_CURRENT_APPLICATION = 0x7FFF  # TS 102 221 §8.3
# P2 of SELECT: which occurrence, and beginning or ending an application session (§11.1.1.2).
_OCCURRENCE, _APPLICATION_SESSION = 0x03, 0xF0

# What leaves the application, and the file that is reached, where they are: reading, writing and
# searching (TS 102 221 §11.1, ISO/IEC 7816-4), PINs, AUTHENTICATE, STATUS, and the commands of a
# toolkit (TS 102 221 §11.2). No INSTALL, no CREATE FILE; no MANAGE SECURITY
# ENVIRONMENT either, which may name a key's file by its path.
_STAYS = frozenset(
    {
        *(0x0E, 0x0F, 0x10, 0x12, 0x14, 0x20, 0x21, 0x24, 0x26, 0x28, 0x2C, 0x32),
        *(0x82, 0x84, 0x88, 0x89, 0xA0, 0xA1, 0xA2, 0xAA, 0xB0, 0xB1, 0xB2, 0xB3),
        *(0xC0, 0xC2, 0xCA, 0xCB, 0xD0, 0xD1, 0xD2, 0xD3, 0xD6, 0xD7, 0xDA, 0xDB),
        *(0xDC, 0xDD, 0xE2, 0xF2),
    }
)
# The same without data, which is where these name another file (TS 102 221 §11.1.14, §11.1.15).
_STAYS_WITHOUT_DATA = frozenset({0x04, 0x44})


class ApplicationGuard:
    """One program's use of one card.

    ``exempt`` says which applications the rules are not asked about; ``folders`` are the
    applications that can also be reached as files, by file identifier.
    """

    def __init__(
        self,
        rules: ApplicationRules,
        device_apps: Iterable[bytes],
        exempt: Callable[[bytes], bool],
        folders: Mapping[int, frozenset[bytes]],
        selections: Selections,
    ) -> None:
        self._rules = rules
        self._device_apps = frozenset(device_apps)
        self._exempt = exempt
        self._folders = folders
        self._selections = selections

    def check(self, command: bytes) -> None:
        """Raises CardRuleDenied for a command that may not go to the card."""
        cla, ins = command[0], command[1]
        if 0x20 <= cla < 0x40 or cla == 0xFF:  # what these mean, and for which channel, nobody says
            raise CardRuleDenied("")
        channel = apdu.channel_of(cla)
        if ins == _GET_RESPONSE:
            if self._selections.unfetched != channel:
                raise CardRuleDenied("")
        elif ins == _MANAGE_CHANNEL:
            if not _plain(cla) or command[2] not in (0x00, 0x80):
                raise CardRuleDenied("")
            return
        elif ins == _SELECT and command[2] == _BY_NAME:
            self._check_name(command)
            return
        here = self._selections.on(channel)
        if here is None:  # not opened by this program: what is selected there is not known
            raise CardRuleDenied("")
        if ins == _SELECT:
            self._check_files(command, here)
        elif (ins in _ENVELOPES and cla < 0x80) or _for_the_platform(cla, ins):
            raise CardRuleDenied("")
        if ins != _GET_RESPONSE:
            self._require(here, lambda aid: self._allows(aid, command), _stays(command))

    def _check_name(self, command: bytes) -> None:
        name = _short_data(command)
        # Without a name it is whatever the card takes for its first application.
        if not _plain(command[0]) or not name or command[3] & _APPLICATION_SESSION:
            raise CardRuleDenied("")
        target = Selected(name, not command[3] & _OCCURRENCE)
        self._require([target], self._reachable, exempt=True)

    def _check_files(self, command: bytes, here: Iterable[Selected]) -> None:
        """A SELECT by identifier or path may go anywhere but into an application that has rules
        about single commands: what is entered as a file cannot be followed."""
        data = _short_data(command)
        if not _plain(command[0]) or data is None or len(data) % 2:
            raise CardRuleDenied("")
        if command[3] & (_APPLICATION_SESSION | _OCCURRENCE):
            raise CardRuleDenied("")
        ids = {int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)}
        understood = {
            _PARENT: not ids,
            **dict.fromkeys(_BY_FID, len(data) <= 2),
            **dict.fromkeys(_BY_PATH, bool(ids)),
        }
        if not understood.get(command[2], False):
            raise CardRuleDenied("")
        # The application that was current before anybody was looking may still be.
        if _CURRENT_APPLICATION in ids and AT_RESET in here:
            raise CardRuleDenied("")
        for aid in sorted(frozenset[bytes]().union(*(self._folders.get(i, ()) for i in ids))):
            if not self._exempt(aid) and not self._unfiltered(aid):
                raise CardRuleDenied(aid.hex().upper())

    def _require(
        self,
        places: Iterable[Selected],
        holds: Callable[[bytes | None], bool],
        exempt: bool,
    ) -> None:
        """Insist that it holds for whatever may be meant; of what the rules are not asked about,
        ``exempt``."""
        for place in places:
            for aid in self._rules.named(place.name, first=place.first):
                name = place.name if aid is None else aid
                if not (exempt if self._exempt(name) else holds(aid)):
                    raise CardRuleDenied(name.hex().upper())

    def _allows(self, aid: bytes | None, command: bytes) -> bool:
        return self._rules.allows(aid, self._device_apps, command)

    def _reachable(self, aid: bytes | None) -> bool:
        return self._rules.reachable(aid, self._device_apps)

    def _unfiltered(self, aid: bytes) -> bool:
        rule = self._rules.rule_for(aid, self._device_apps)
        return rule is not None and rule.filters == ()


def _plain(cla: int) -> bool:
    """The interindustry class, without chaining and secure messaging: all of the command is to be
    seen (ISO/IEC 7816-4 §5.4.1)."""
    return cla <= 0x03 or 0x40 <= cla <= 0x4F


def _for_the_platform(cla: int, ins: int) -> bool:
    """Secure channels, logical secure elements, suspension: commands about the card as a whole
    (TS 102 221 §10.1.2), of which only MANAGE CHANNEL is followed."""
    return cla >= 0x80 and 0x70 <= ins <= 0x7F


def _stays(command: bytes) -> bool:
    """SELECT by identifier among them: what it enters has been looked at."""
    ins = command[1]
    return ins in _STAYS or ins == _SELECT or (ins in _STAYS_WITHOUT_DATA and len(command) <= 5)


def _short_data(command: bytes) -> bytes | None:
    """The data field; None if the lengths of a short command are not in order (§5.1)."""
    if len(command) <= 5:
        return b""
    if not command[4] or len(command) - 5 - command[4] not in (0, 1):
        return None
    return apdu.data_of(command)
