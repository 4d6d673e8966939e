"""Follows which application a program's commands go to, and holds them to the card's rules.

Judged from commands and answers alone, beginning with a card that has just been scrubbed. What
cannot be known is taken for the worst: after a SELECT by a part of a name, a command has to be
allowed for every application that it may have found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from cardd.card import status
from cardd.card.application_rules import ApplicationRules
from cardd.card.errors import CardRuleDenied

__all__ = ["ApplicationGuard"]

_SELECT, _MANAGE_CHANNEL, _GET_RESPONSE = 0xA4, 0x70, 0xC0
_BY_NAME = 0x04


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
        folders: Mapping[int, bytes],
    ) -> None:
        self._rules = rules
        self._device_apps = frozenset(device_apps)
        self._exempt = exempt
        self._folders = folders
        self._current: dict[int, frozenset[bytes]] = {0: frozenset({b""})}

    def check(self, command: bytes) -> None:
        """Raises CardRuleDenied for a command that may not go to the card."""
        ins, p1 = command[1], command[2]
        if ins in (_MANAGE_CHANNEL, _GET_RESPONSE):
            return
        if ins == _SELECT and p1 == _BY_NAME:
            self._require_all(self._rules.named(_data(command)), self._reachable)
            return
        if ins == _SELECT:
            entered = {self._folders[fid] for fid in _ids(command) if fid in self._folders}
            # What is entered as a file is no application that could be followed.
            self._require_all(entered, self._unfiltered)
        here = self._current.get(_channel_of(command[0]))
        if here is None:  # not opened by this program: what is selected there is not known
            raise CardRuleDenied("")
        self._require_all(here, lambda aid: self._rules.allows(aid, self._device_apps, command))

    def note(self, command: bytes, response: bytes) -> None:
        """What the card answered."""
        if len(response) < 2 or not _selected(int.from_bytes(response[-2:], "big")):
            return
        ins, p1, p2 = command[1], command[2], command[3]
        channel = _channel_of(command[0])
        if ins == _SELECT and p1 == _BY_NAME:
            self._current[channel] = self._rules.named(_data(command))
        elif ins == _MANAGE_CHANNEL and p1 == 0x00:
            opened = response[0] if len(response) == 3 else p2
            # A channel opened from another begins where that one stands (TS 102 221 §11.1.17).
            here = self._current.get(channel) if channel else frozenset({b""})
            if opened and here is not None:
                self._current[opened] = here
        elif ins == _MANAGE_CHANNEL and p1 == 0x80:
            self._current.pop(p2 or channel, None)

    def _reachable(self, aid: bytes) -> bool:
        return self._rules.reachable(aid, self._device_apps)

    def _unfiltered(self, aid: bytes) -> bool:
        rule = self._rules.rule_for(aid, self._device_apps)
        return rule is not None and rule.filters == ()

    def _require_all(self, aids: Iterable[bytes], holds: Callable[[bytes], bool]) -> None:
        for aid in sorted(aids):
            if not self._exempt(aid) and not holds(aid):
                raise CardRuleDenied(aid.hex().upper())


def _selected(sw: int) -> bool:
    """Warnings select too."""
    return status.succeeded(sw) or sw >> 8 in (0x61, 0x62, 0x63)


def _data(command: bytes) -> bytes:
    """The data field of a short or extended command (ISO/IEC 7816-4 §5.1); b"" for none."""
    if len(command) > 7 and command[4] == 0:
        length = int.from_bytes(command[5:7], "big")
        return command[7 : 7 + length]
    return command[5 : 5 + command[4]] if len(command) > 5 else b""


def _ids(command: bytes) -> Iterable[int]:
    data = _data(command)
    return (int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))


def _channel_of(cla: int) -> int:
    """ISO/IEC 7816-4 §5.4.1."""
    return cla & 0x03 if not cla & 0x40 else 4 + (cla & 0x0F)
