"""A program is held to the rules that a card carries, whichever way it takes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from cardd.card.apdu import channel_of
from cardd.card.application_guard import ApplicationGuard
from cardd.card.application_rules import ApduFilter, ApplicationRules, Rule
from cardd.card.errors import CardRuleDenied
from cardd.card.selections import Selections
from hypothesis import example, given, settings
from hypothesis import strategies as st
from softcard import SoftCard

AID, OTHER = bytes.fromhex("A000000063504B43532D3135"), bytes.fromhex("A0000001510000")
USIM = bytes.fromhex("A0000000871002FF49FF0589")
ME, YOU = b"\xa1" * 20, b"\xa2" * 32
READ, SELECT, WRITE = (bytes.fromhex(x) for x in ("00B0000000", "00A40004022F00", "00D60000017F"))
READING = (ApduFilter(bytes.fromhex("00B00000"), bytes.fromhex("FFFF0000")),)
OK = b"\x90\x00"
OPEN = bytes.fromhex("0070000001")
FILTERED = ApplicationRules((Rule(AID, ME, READING), Rule(OTHER, YOU, ())))
BY_NAME = bytes.fromhex("00A404000C") + AID


class Program:
    """What a program's commands go through, after the card was reset."""

    def __init__(self, rules: ApplicationRules = FILTERED, apps: Sequence[bytes] = (ME,)) -> None:
        self.selections = Selections()
        self.selections.reset()
        folders = {0x7F50: frozenset({AID}), 0x5015: frozenset({OTHER})}
        self.guard = ApplicationGuard(
            rules, apps, lambda aid: not aid or aid[:7] == USIM[:7], folders, self.selections
        )

    def run(self, *commands: bytes | tuple[bytes, bytes]) -> None:
        for command in commands:
            sent, answer = command if isinstance(command, tuple) else (command, OK)
            self.guard.check(sent)
            self.selections.note(sent, answer)

    def refused(self, command: bytes) -> bool:
        try:
            self.guard.check(command)
        except CardRuleDenied:
            return True
        return False


def on_channel(number: int, command: bytes) -> bytes:
    return bytes([number]) + command[1:]


def test_what_is_selected_at_reset_is_exempt_until_an_application_is_selected() -> None:
    one = Program()
    one.run(READ, WRITE, SELECT)
    one.run(BY_NAME, READ)
    assert one.refused(WRITE)
    assert one.refused(SELECT)


def test_before_a_reset_nobody_knows_what_is_selected() -> None:
    one = Program()
    unknown = Selections()
    one.guard = ApplicationGuard(FILTERED, (ME,), lambda aid: not aid, {}, unknown)
    assert all(one.refused(each) for each in (READ, WRITE, SELECT))
    unknown.note(SELECT, OK)  # an application may take any identifier for a file of its own
    assert one.refused(READ)
    unknown.note(BY_NAME, OK)
    assert not one.refused(READ)


def test_an_application_of_others_cannot_be_selected_by_any_part_of_its_name() -> None:
    for length in range(1, len(OTHER) + 1):
        name = OTHER[:length]
        for p2 in (0x00, 0x02, 0x0C):
            assert Program().refused(bytes([0x00, 0xA4, 0x04, p2, len(name), *name]))
    extended = bytes([0x00, 0xA4, 0x04, 0x00, 0x00, 0x00, len(OTHER), *OTHER, 0x00, 0x00])
    assert Program().refused(extended)


def test_after_a_select_by_part_of_a_name_every_rule_of_what_it_may_be_holds() -> None:
    rules = ApplicationRules((Rule(AID, ME, READING), Rule(None, ME, ())))
    one = Program(rules)
    one.run(bytes.fromhex("00A4040005") + AID[:5], READ)
    assert one.refused(WRITE)


def test_the_next_of_a_name_may_be_an_application_that_no_rule_is_about() -> None:
    one = Program(ApplicationRules((Rule(AID, ME, ()),)))
    one.run(BY_NAME, WRITE)
    assert one.refused(b"\x00\xa4\x04\x02" + BY_NAME[4:])


def test_a_select_that_fails_changes_nothing() -> None:
    one = Program()
    one.run((BY_NAME, b"\x6a\x82"), WRITE)


@pytest.mark.parametrize("answer", ["9000", "611A", "6283", "6F00", "6400", ""])
def test_a_select_that_has_or_may_have_selected_is_followed(answer: str) -> None:
    """With data to fetch, a warning, an error that does not say that nothing was done."""
    one = Program()
    one.run((BY_NAME, bytes.fromhex(answer)))
    assert one.refused(WRITE)


def test_each_channel_has_its_application_and_a_new_one_takes_over_its_origins() -> None:
    one = Program()
    one.run((OPEN, b"\x01" + OK), on_channel(1, BY_NAME))
    assert one.refused(on_channel(1, WRITE))
    one.run(WRITE)  # the basic channel is where it was
    one.run(bytes.fromhex("01700002"))  # from channel 1
    assert one.refused(on_channel(2, WRITE))
    one.run(bytes.fromhex("00700003"))
    one.run(on_channel(3, WRITE))
    one.run(bytes.fromhex("00708001"))
    assert one.refused(on_channel(1, READ))
    one.run((OPEN, b"\x01" + OK), on_channel(1, WRITE))


def test_an_application_with_a_filter_cannot_be_entered_as_a_file() -> None:
    for select in ("00A40004027F50", "00A40804047F506430", "00A40904027F50", "00A4000C025015"):
        assert Program().refused(bytes.fromhex(select))
    always = Program(ApplicationRules((Rule(AID, ME, ()),)))
    always.run(bytes.fromhex("00A40004027F50"), WRITE)


def test_nothing_goes_to_a_channel_that_nobody_has_opened() -> None:
    assert Program().refused(on_channel(1, WRITE))


def test_a_channel_whose_number_is_not_told_changes_nothing_of_the_basic_one() -> None:
    one = Program()
    one.run(BY_NAME, (bytes.fromhex("00700000"), bytes.fromhex("6101")))
    assert one.refused(WRITE)


@pytest.mark.parametrize(
    "command",
    [
        "10A4040005A000000063",  # the first part of a chain
        "04A404000CA000000063504B43532D3135",  # secure messaging: the data may be anything
        "0CA404000CA000000063504B43532D3135",
        "60A404000CA000000063504B43532D3135",
        "80A404000CA000000063504B43532D3135",  # classes of which nobody says what SELECT means
        "A0A40000027F20",
        "20A404000CA000000063504B43532D3135",
        "00A40400",  # whatever the card takes for its first application
        "00A4040000",
        "00A404400CA000000063504B43532D3135",  # ends an application session
        "00A404000DA000000063504B43532D3135",  # lengths that are not in order
        "00A404000BA000000063504B43532D31350000",
        "00A40000047F506430",  # a path that is no identifier
        "00A40003022F00",  # another occurrence of an identifier
        "00A40C00027F20",  # P1 that is not known
        "00A40800037F2000",
        "00A40004027FFF",  # the application that was current before anybody was looking
        "00A40804047FFF6F07",
        "00C200000700A40004027F50",  # a command within a command
        "00704001",  # channels: what is neither opening nor closing
        "1070000001",
        "0470000001",
        "807A000000",  # the card as a whole
        "8076000000",
        "80E60C0000",  # INSTALL
        "002241B609810450150001840101",  # a key's file by its path
        "002A9E9A0400000000",
        "0044000002503100",  # ACTIVATE FILE by identifier selects it
        "00C0000000",  # nothing is waiting
    ],
)
def test_what_could_lead_elsewhere_unseen_is_refused(command: str) -> None:
    assert Program().refused(bytes.fromhex(command))


def test_get_response_is_for_the_channel_whose_answer_waits_and_only_then() -> None:
    fetch = bytes.fromhex("00C0000010")
    one = Program()
    one.run((OPEN, b"\x01" + OK))
    one.run((SELECT, b"\x61\x10"))
    assert one.refused(on_channel(1, fetch))
    one.run((fetch, b"\x6c\x08"), (fetch, bytes(8) + OK))
    assert one.refused(fetch)
    one.run((SELECT, b"\x61\x10"), READ)
    assert one.refused(fetch)


def test_the_applications_of_the_device_are_used_as_ever() -> None:
    one = Program()
    one.run(bytes.fromhex("00A404040C") + USIM, bytes.fromhex("00A40004026F07"), READ, WRITE)
    one.run(bytes.fromhex("00A40804047FFF6F07"), bytes.fromhex("80F2000000"))
    one.run(bytes.fromhex("0088008101") + b"\x00", bytes.fromhex("0020000100"), SELECT)


# -- all of it against a card

_NAMES = [AID, AID[:5], AID[:1], USIM[:7], bytes.fromhex("A00000015141434C00")]
_FILES = ["3F00", "7F50", "7FFF", "5031", "6430", "6F07", "2F00", "7F505031", "7FFF5031", ""]
_CLASSES = [0x00, 0x01, 0x02, 0x10, 0x11, 0x04, 0x0C, 0x80, 0x84, 0xA0, 0x40, 0x20]


def _with(data: bytes) -> bytes:
    return bytes([len(data)]) + data if data else b""


# Ways that lead somewhere on a card, on channels that may be open, and what could be done there.
_WAYS = st.one_of(
    st.builds(
        lambda p2, name: bytes([0xA4, 0x04, p2]) + _with(name),
        st.sampled_from([0x00, 0x0C, 0x02, 0x03]),
        st.sampled_from(_NAMES),
    ),
    st.builds(
        lambda p1, file: bytes([0xA4, p1, 0x0C]) + _with(bytes.fromhex(file)),
        st.sampled_from([0x00, 0x01, 0x03, 0x08, 0x09]),
        st.sampled_from(_FILES),
    ),
    st.sampled_from(
        [bytes.fromhex(x) for x in ("7000000001", "70000002", "70008001", "70008002")]
        + [bytes.fromhex(x) for x in ("B0000001", "B0910001", "D6000001FF", "C0000010")]
        + [
            bytes.fromhex(x)
            for x in ("2241B603840101", "2A9E9A0400000000", "C200000700A40004027F50")
        ]
    ),
    st.binary(min_size=3, max_size=8),
)
_COMMANDS = st.builds(
    lambda cla, rest: bytes([cla]) + rest, st.sampled_from([*_CLASSES[:3] * 4, *_CLASSES]), _WAYS
)


@pytest.mark.parametrize("apps", [(), (ME,)], ids=["nobody", "for reading"])
@settings(max_examples=200, deadline=None)
@given(commands=st.lists(_COMMANDS, min_size=1, max_size=12))
@example(commands=[bytes.fromhex("00A40004027FFF"), WRITE])
@example(commands=[bytes.fromhex("10A4040005") + AID[:5], bytes.fromhex("00A4040007") + AID[5:]])
@example(commands=[OPEN, on_channel(1, BY_NAME), b"\x01\x70\x00\x02", WRITE])
def test_no_command_reaches_an_application_that_its_rules_keep_from_the_program(
    apps: tuple[bytes, ...], commands: list[bytes]
) -> None:
    card = SoftCard.from_profile("ruled")
    rules = ApplicationRules((Rule(AID, ME, READING),))
    one = Program(rules, apps)
    session = card._uicc.session
    for command in commands:
        if one.refused(command):
            continue
        here = session.channels.get(channel_of(command[0]))
        inside = None if here is None else session.filesystem.application_of(here.df)
        by_name = command[1] == 0xA4 and command[2] == 0x04
        if inside is not None and inside.aid[:7] != USIM[:7] and not by_name:
            free = command[1] in (0x70, 0xC0)
            assert free or rules.allows(inside.aid, apps, command), command.hex()
        one.selections.note(command, card.transmit(command))
        reached = (session.filesystem.application_of(each.df) for each in session.channels.values())
        for application in reached:
            if application is not None and application.aid[:7] != USIM[:7]:
                assert rules.reachable(application.aid, apps), command.hex()
