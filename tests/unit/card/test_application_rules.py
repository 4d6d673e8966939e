"""What a card's own access rules mean (GlobalPlatform SEAC), and that a program is held to them."""

from __future__ import annotations

import pytest
from cardd.card.application_guard import ApplicationGuard
from cardd.card.application_rules import (
    ApduFilter,
    ApplicationRules,
    Rule,
    parse_rules,
    read_refresh_tag,
    read_rules,
)
from cardd.card.channel import Channel
from cardd.card.errors import CardRuleDenied, MalformedCardData
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


# -- a program and its commands

FILTERED = ApplicationRules((rule(AID, ME, READING), rule(OTHER, YOU, ALWAYS)))
BY_NAME = bytes.fromhex("00A404000C") + AID


def guard(rules: ApplicationRules = FILTERED, *apps: bytes) -> ApplicationGuard:
    return ApplicationGuard(
        rules, apps or (ME,), exempt=lambda aid: not aid, folders={0x7F50: AID, 0x5015: OTHER}
    )


def run(holds: ApplicationGuard, *commands: bytes | tuple[bytes, bytes]) -> None:
    for command in commands:
        sent, answer = command if isinstance(command, tuple) else (command, OK)
        holds.check(sent)
        holds.note(sent, answer)


def refused(holds: ApplicationGuard, command: bytes) -> bool:
    try:
        holds.check(command)
    except CardRuleDenied:
        return True
    return False


def test_what_is_selected_at_reset_is_exempt_until_an_application_is_selected() -> None:
    one = guard()
    run(one, READ, WRITE, SELECT)
    run(one, BY_NAME, READ)
    assert refused(one, WRITE)
    assert refused(one, SELECT)


def test_an_application_of_others_cannot_be_selected_by_any_part_of_its_name() -> None:
    for length in range(1, len(OTHER) + 1):
        name = OTHER[:length]
        for p2 in (0x00, 0x02, 0x0C):
            assert refused(guard(), bytes([0x00, 0xA4, 0x04, p2, len(name), *name]))
    extended = bytes([0x00, 0xA4, 0x04, 0x00, 0x00, 0x00, len(OTHER), *OTHER, 0x00, 0x00])
    assert refused(guard(), extended)


def test_after_a_select_by_part_of_a_name_every_rule_of_what_it_may_be_holds() -> None:
    rules = ApplicationRules((rule(AID, ME, READING), rule(None, ME, ALWAYS)))
    one = guard(rules)
    run(one, bytes.fromhex("00A4040005") + AID[:5], READ)
    assert refused(one, WRITE)


def test_a_select_that_fails_changes_nothing() -> None:
    one = guard()
    run(one, (BY_NAME, b"\x6a\x82"), WRITE)


@pytest.mark.parametrize("answer", ["9000", "611A", "6283"])
def test_a_select_with_data_to_fetch_or_a_warning_has_selected(answer: str) -> None:
    one = guard()
    run(one, (BY_NAME, bytes.fromhex(answer)))
    assert refused(one, WRITE)


def test_each_channel_has_its_application_and_a_new_one_takes_over_its_origins() -> None:
    one = guard()
    run(one, (bytes.fromhex("0070000001"), b"\x01" + OK), b"\x01" + BY_NAME[1:])
    assert refused(one, b"\x01" + WRITE[1:])
    run(one, WRITE)  # the basic channel is where it was
    run(one, bytes.fromhex("01700002"))  # from channel 1
    assert refused(one, b"\x02" + WRITE[1:])
    run(one, bytes.fromhex("00700003"))
    run(one, b"\x03" + WRITE[1:])
    run(one, bytes.fromhex("00708001"))
    run(one, (bytes.fromhex("0070000001"), b"\x01" + OK), b"\x01" + WRITE[1:])


def test_an_application_with_a_filter_cannot_be_entered_as_a_file() -> None:
    for select in ("00A40004027F50", "00A40804047F506430", "00A40904027F50", "00A4000C025015"):
        assert refused(guard(), bytes.fromhex(select))
    always = ApplicationRules((rule(AID, ME, ALWAYS),))
    run(guard(always), bytes.fromhex("00A40004027F50"), WRITE)


def test_nothing_goes_to_a_channel_that_the_program_has_not_opened() -> None:
    """The daemon's own, within a session: what is selected there is not the program's doing."""
    assert refused(guard(), b"\x01" + WRITE[1:])


def test_a_channel_whose_number_is_not_told_changes_nothing_of_the_basic_one() -> None:
    one = guard()
    run(one, BY_NAME, (bytes.fromhex("00700000"), bytes.fromhex("6101")))
    assert refused(one, WRITE)
