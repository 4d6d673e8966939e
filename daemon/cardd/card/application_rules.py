"""Rules that a card carries about who may use its applications: the access rule application master
(GlobalPlatform Secure Element Access Control v1.1).

A rule is about an application, or all of them, and a device application, or all of those; it says
never, always, or by which APDUs. On Android a device application is the hash of a certificate; here
it is what the daemon's configuration says of a caller. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cardea_core import Tlv

from cardd.card import apdu, status, tlv
from cardd.card.channel import Channel
from cardd.card.errors import MalformedCardData

__all__ = [
    "ARA_M_AID",
    "ApduFilter",
    "ApplicationRules",
    "Rule",
    "parse_rules",
    "read_refresh_tag",
    "read_rules",
]

ARA_M_AID = bytes.fromhex("A00000015141434C00")

_ALL, _NEXT, _REFRESH_TAG = 0xFF40, 0xFF60, 0xDF20
_REF_AR, _REF, _AR = 0xE2, 0xE1, 0xE3
_AID_REF, _DEFAULT_REF, _DEVICE_APP_REF, _APDU_AR = 0x4F, 0xC0, 0xC1, 0xD0
_NO_DATA = frozenset({0x6A88})
# What cards say to a name that they do not know, and those that know no names at all.
_NO_SUCH_APPLICATION = frozenset({0x6A, 0x6D, 0x6E})
_MAX_BYTES = 32768
_MAX_RULES = 1024
_WHERE = "ARA-M"


@dataclass(frozen=True, slots=True)
class ApduFilter:
    """Commands whose header, under the mask, is this (§6.1.1)."""

    header: bytes
    mask: bytes

    def passes(self, command: bytes) -> bool:
        """Whatever channel the command is for: that is not what the rule is about."""
        header = bytes((_without_channel(command[0]), *command[1:4]))
        return all(h & m == f for h, m, f in zip(header, self.mask, self.header, strict=True))


@dataclass(frozen=True, slots=True)
class Rule:
    """``aid`` None: every application; b"": the one selected at reset. ``device_app`` None:
    everybody. ``filters`` None: no APDU at all; (): every one."""

    aid: bytes | None
    device_app: bytes | None
    filters: tuple[ApduFilter, ...] | None


@dataclass(frozen=True, slots=True)
class ApplicationRules:
    """All rules of a card, by whom and what they are about, each pair once."""

    rules: tuple[Rule, ...] = ()

    def named(self, name: bytes, *, first: bool = True) -> frozenset[bytes | None]:
        """The applications that a SELECT by this name, which may be a part of one, may find; None
        for one that no rule is about. ``first``: the first of that name is asked for."""
        if not name:
            return frozenset({name})
        found: set[bytes | None] = {name}
        found.update(rule.aid for rule in self.rules if rule.aid and rule.aid.startswith(name))
        return frozenset(found if first else {*found, None})

    def rule_for(self, aid: bytes | None, device_apps: Iterable[bytes]) -> Rule | None:
        """The rule that decides (§4.2.3), None if there is none, which means never. ``aid`` None:
        of an application that no rule is about.

        The more specific goes first; and where an application has a rule for one device
        application, those for all of them do not count for others.
        """
        own = frozenset(device_apps)
        for about in (aid, None):
            ours = [r for r in self.rules if r.aid == about and r.device_app in own]
            if ours:
                return _joined(ours)
            if any(r.aid == about and r.device_app is not None for r in self.rules):
                return None
            for_all = [r for r in self.rules if r.aid == about]
            if for_all:
                return _joined(for_all)
        return None

    def allows(self, aid: bytes | None, device_apps: Iterable[bytes], command: bytes) -> bool:
        """Whether the command may go to the application."""
        rule = self.rule_for(aid, device_apps)
        if rule is None or rule.filters is None:
            return False
        return not rule.filters or any(each.passes(command) for each in rule.filters)

    def reachable(self, aid: bytes | None, device_apps: Iterable[bytes]) -> bool:
        """Whether the application may be selected at all."""
        rule = self.rule_for(aid, device_apps)
        return rule is not None and rule.filters is not None


def read_rules(channel: Channel) -> ApplicationRules | None:
    """Every rule; None if the card has no rules application. Selects it on the channel.

    Raises:
        MalformedCardData, StatusError: it has one that is not understood: then nobody knows what
            is allowed.
    """
    try:
        channel.send(apdu.select_application(ARA_M_AID))
    except status.StatusError as error:
        if error.sw >> 8 in _NO_SUCH_APPLICATION or error.sw == 0x6999:
            return None
        raise
    response = channel.send(_get_data(_ALL), accept=_NO_DATA)
    if not status.succeeded(response.sw):
        return ApplicationRules()
    data = response.data
    start, end = _extent(data)
    while len(data) < end:
        more = channel.send(_get_data(_NEXT)).data
        if not more:
            raise MalformedCardData("rules end early", _WHERE, len(data))
        data += more
    return parse_rules(data[start:end])


def read_refresh_tag(channel: Channel) -> bytes:
    """The tag that changes with every change of the rules (§4.1.3). Selects ARA-M.

    Raises:
        MalformedCardData, StatusError.
    """
    channel.send(apdu.select_application(ARA_M_AID))
    found = tlv.first(channel.send(_get_data(_REFRESH_TAG)).data, _REFRESH_TAG, _WHERE)
    if found is None or len(found.value) != 8:
        raise MalformedCardData("no refresh tag", _WHERE)
    return found.value


def parse_rules(data: bytes) -> ApplicationRules:
    """The content of Response-ALL-REF-AR-DO (§6.3), REF-AR-DO after REF-AR-DO.

    Raises:
        MalformedCardData: it is anything else.
    """
    found = [_rule(each) for each in tlv.parse(data, _WHERE) if each.tag == _REF_AR]
    if len(found) > _MAX_RULES:
        raise MalformedCardData(f"{len(found)} rules", _WHERE)
    return ApplicationRules(tuple(rule for rule in found if rule is not None))


def _rule(entry: Tlv) -> Rule | None:
    reference, condition = entry.find(_REF), entry.find(_AR)
    if reference is None or condition is None:
        raise MalformedCardData("rule without reference or condition", _WHERE)
    aid, default = reference.find(_AID_REF), reference.find(_DEFAULT_REF)
    device = reference.find(_DEVICE_APP_REF)
    if aid is None and default is None:
        # About no application: carrier privileges and the like, which are not for us.
        return None
    if aid is not None and len(aid.value) not in (0, *range(5, 17)):
        raise MalformedCardData(f"AID of {len(aid.value)} bytes", _WHERE)
    if device is not None and len(device.value) not in (0, 20, 32):
        raise MalformedCardData(f"device application of {len(device.value)} bytes", _WHERE)
    return Rule(
        aid=(aid.value or None) if aid is not None else b"",
        device_app=(device.value or None) if device is not None else None,
        filters=_filters(condition.find(_APDU_AR)),
    )


def _filters(condition: Tlv | None) -> tuple[ApduFilter, ...] | None:
    """§6.4.1: one byte, never or always, or filters of eight. A rule without APDU-AR-DO allows no
    APDU."""
    value = b"\x00" if condition is None else condition.value
    if value in (b"\x00", b"\x01"):
        return () if value == b"\x01" else None
    if not value or len(value) % 8:
        raise MalformedCardData(f"APDU-AR-DO of {len(value)} bytes", _WHERE)
    return tuple(
        ApduFilter(value[at : at + 4], value[at + 4 : at + 8]) for at in range(0, len(value), 8)
    )


def _joined(rules: list[Rule]) -> Rule:
    """Several rules about the same: never wins, filters add up and win over always (§4.2.3)."""
    first = rules[0]
    filters: tuple[ApduFilter, ...] = ()
    for rule in rules:
        if rule.filters is None:
            return rule
        filters += rule.filters
    return Rule(first.aid, first.device_app, filters)


def _extent(data: bytes) -> tuple[int, int]:
    """Where the content of the whole object begins and ends, by tag FF40 and its length.

    By hand: it comes in parts, and a parser of files takes a leading FF for unused space.
    """
    if len(data) < 3 or data[:2] != b"\xff\x40":
        raise MalformedCardData("no Response-ALL-REF-AR-DO", _WHERE)
    start, size = 3, data[2]
    if size & 0x80:
        start += size & 0x7F
        size = int.from_bytes(data[3:start], "big")
    if start > 6 or len(data) < start or size > _MAX_BYTES:
        raise MalformedCardData(f"rules of {size} bytes", _WHERE)
    return start, start + size


def _get_data(tag: int) -> apdu.Command:
    """§4.1: class 80, and a response of any length."""
    return apdu.Command(
        f"GET DATA {tag:04X}", ins=0xCA, p1=tag >> 8, p2=tag & 0xFF, le=256, cla=0x80
    )


def _without_channel(cla: int) -> int:
    """The class for the basic channel (ISO/IEC 7816-4 §5.4.1)."""
    return cla & ~0x0F & ~0x40 if cla & 0x40 else cla & ~0x03
