"""What a card's own access rules mean (GlobalPlatform SEAC)."""

from __future__ import annotations

import pytest
from cardd.card.application_rules import (
    ApduFilter,
    ApplicationRules,
    Rule,
    parse_rules,
    read_refresh_tag,
    read_rules,
)
from cardd.card.channel import Channel
from cardd.card.errors import MalformedCardData
from cardd.card.status import StatusError
from hypothesis import given
from hypothesis import strategies as st
from softcard import SoftCard

AID, OTHER = bytes.fromhex("A000000063504B43532D3135"), bytes.fromhex("A0000001510000")
ME, YOU = b"\xa1" * 20, b"\xa2" * 32
READ, SELECT, WRITE = (bytes.fromhex(x) for x in ("00B0000000", "00A40004022F00", "00D60000017F"))
ALWAYS: tuple[ApduFilter, ...] = ()
NEVER = None
READING = (ApduFilter(bytes.fromhex("00B00000"), bytes.fromhex("FFFF0000")),)
OK = b"\x90\x00"


def rule(aid: bytes | None, app: bytes | None, filters: tuple[ApduFilter, ...] | None) -> Rule:
    return Rule(aid, app, filters)


@pytest.mark.parametrize(
    ("rules", "may"),
    [
        # No rule at all: never.
        ([], False),
        ([rule(OTHER, ME, ALWAYS)], False),
        # The most specific goes first, whichever way it decides.
        ([rule(AID, ME, ALWAYS), rule(AID, None, NEVER)], True),
        ([rule(AID, ME, NEVER), rule(None, None, ALWAYS)], False),
        ([rule(AID, None, ALWAYS), rule(None, ME, NEVER)], True),
        ([rule(None, ME, ALWAYS), rule(None, None, NEVER)], True),
        ([rule(None, None, ALWAYS)], True),
        # A rule for another device application shuts out those who have none.
        ([rule(AID, YOU, ALWAYS), rule(AID, None, ALWAYS)], False),
        ([rule(AID, YOU, NEVER), rule(None, ME, ALWAYS)], False),
        ([rule(None, YOU, ALWAYS), rule(None, None, ALWAYS)], False),
        ([rule(AID, None, ALWAYS), rule(None, YOU, ALWAYS)], True),
        # Several about the same: never wins, filters win over always.
        ([rule(AID, ME, ALWAYS), rule(AID, ME, NEVER)], False),
        ([rule(AID, ME, ALWAYS), rule(AID, ME, READING)], True),
        ([rule(AID, ME, READING)], True),
    ],
)
def test_which_rule_decides(rules: list[Rule], may: bool) -> None:
    assert ApplicationRules(tuple(rules)).allows(AID, {ME}, READ) is may


def test_filters_of_several_rules_add_up_and_narrow_always() -> None:
    selecting = (ApduFilter(bytes.fromhex("00A40000"), bytes.fromhex("FFFF0000")),)
    rules = ApplicationRules(
        (rule(AID, ME, ALWAYS), rule(AID, ME, READING), rule(AID, ME, selecting))
    )
    assert rules.allows(AID, {ME}, READ)
    assert rules.allows(AID, {ME}, SELECT)
    assert not rules.allows(AID, {ME}, WRITE)


def test_a_filter_looks_past_the_channel_and_at_nothing_outside_its_mask() -> None:
    (read,) = READING
    assert all(read.passes(bytes.fromhex(x)) for x in ("00B08A0500", "02B00000", "4FB00000"))
    assert not any(read.passes(bytes.fromhex(x)) for x in ("80B00000", "00B10000", "00D60000"))


def test_rules_are_read_whole_from_a_card_that_gives_them_in_parts() -> None:
    many = [
        {"aid": AID.hex(), "device_application": bytes([n]).hex() * 20, "allowed": n % 2 == 0}
        for n in range(40)
    ]
    card = SoftCard.from_profile("ruled", None, {"access_rules": {"rule": many}})
    rules = read_rules(Channel(card.transmit))
    assert rules is not None
    assert len(rules.rules) == 40
    assert rules.allows(AID, {b"\x02" * 20}, READ)
    assert not rules.allows(AID, {b"\x03" * 20}, READ)
    assert read_refresh_tag(Channel(card.transmit)) == bytes.fromhex("0000000000000001")


def test_the_rules_of_the_profile_are_what_its_file_says() -> None:
    rules = read_rules(Channel(SoftCard.from_profile("ruled").transmit))
    assert rules is not None
    assert rules.named(AID[:5]) == {AID[:5], AID}
    assert rules.allows(AID, {b"\xa1" * 20}, READ)
    assert not rules.allows(AID, {b"\xa1" * 20}, WRITE)
    assert not rules.reachable(AID, {b"\xa2" * 20})
    assert not rules.reachable(AID, ())


def test_a_card_without_rules_application_has_none_and_one_without_rules_allows_nothing() -> None:
    assert read_rules(Channel(SoftCard.from_profile("operator").transmit)) is None
    empty = SoftCard.from_profile("ruled", None, {"access_rules": {"response": "FF4000"}})
    assert read_rules(Channel(empty.transmit)) == ApplicationRules()


def answering(*answers: str) -> Channel:
    left = [bytes.fromhex(answer) for answer in answers]
    return Channel(lambda _: left.pop(0) if left else b"\x6f\x00")


@pytest.mark.parametrize("sw", ["6A82", "6A86", "6D00", "6E00", "6999"])
def test_a_card_that_does_not_know_the_name_has_no_rules(sw: str) -> None:
    assert read_rules(answering(sw)) is None


@pytest.mark.parametrize(
    "answers",
    [
        ["6283"],  # the application is blocked: not the same as absent
        ["9000", "6985"],
        ["9000", "9000"],
        ["9000", "E2009000"],
        ["9000", "FF40059000"],  # announces more than comes
        ["9000", "FF40840FFFFFFF9000"],
        ["9000", "FF408F019000"],
        ["9000", "FF4003E201FF9000"],
        ["9000", "FF4002E2009000"],
        ["9000", "FF4009E207E1054F03A000019000"],
        ["9000", "FF4010E20EE1044F00C100E306D00400000000" + "9000"],
    ],
)
def test_nonsense_is_an_error_and_not_the_absence_of_rules(answers: list[str]) -> None:
    with pytest.raises((MalformedCardData, StatusError)):
        read_rules(answering(*answers))


@given(st.binary(max_size=200))
def test_any_bytes_are_rules_or_malformed(data: bytes) -> None:
    try:
        rules = parse_rules(data)
    except MalformedCardData:
        return
    assert rules.rule_for(AID, {ME}) is None or rules.rules


def test_a_rule_about_no_application_is_not_for_us() -> None:
    """Carrier privileges are rules about a device application alone."""
    assert parse_rules(bytes.fromhex("E208E102C100E302D000")) == ApplicationRules()
