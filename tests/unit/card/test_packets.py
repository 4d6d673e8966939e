"""Packets handed on to the card: what is sent, what counts as an answer, what ends it."""

from __future__ import annotations

import pytest
from cardd.card.errors import CardError, MalformedCardData, PacketsUnsupported, ToolkitBusy
from cardd.card.packets import deliver
from cardd.card.status import StatusError
from support.scripted import ScriptedCard

PROFILE = "80100000 01 13"
# SMS-PP downloads, and the ENVELOPEs that carry them
FIRST, LAST = b"\xd1\x02\x82\x00", b"\xd1\x02\x82\x01"
GIVE_FIRST, GIVE_LAST = "80C20000 04 D1028200 00", "80C20000 04 D1028201 00"
RECEIPT = b"\x02\x71\x00"


def test_each_download_is_an_envelope_and_the_answer_is_fetched() -> None:
    card = ScriptedCard(
        f"""
        {PROFILE} -> 9000
        {GIVE_FIRST} -> 9000
        {GIVE_LAST} -> 6103
        00C00000 03 -> 027100 9000
        """
    )
    assert list(deliver(card, [FIRST, LAST])) == [RECEIPT]
    assert card.finished


def taken(card: ScriptedCard, downloads: list[bytes]) -> tuple[list[bytes], Exception | None]:
    """What the card has answered until the end, and what that was."""
    answers: list[bytes] = []
    try:
        answers.extend(deliver(card, downloads))
    except CardError as error:
        return answers, error
    return answers, None


@pytest.mark.parametrize(
    "exchanges",
    [
        f"{GIVE_FIRST} -> 027100 6200",
        f"{GIVE_FIRST} -> 027100 6300",
        f"{GIVE_FIRST} -> 6200\n 00C00000 00 -> 027100 9000",
        f"{GIVE_FIRST} -> 6300\n 00C00000 00 -> 6C03\n 00C00000 03 -> 027100 9000",
        f"{GIVE_FIRST} -> 6103\n 00C00000 03 -> 027100 6200",
        f"{GIVE_FIRST} -> 9E03\n 00C00000 03 -> 027100 9000",
    ],
)
def test_an_answer_with_a_warning_is_a_refusal_and_nothing_follows_it(exchanges: str) -> None:
    """TS 31.111 §7.1.1.2: to the network an error, with the card's answer in it."""
    card = ScriptedCard(f"{PROFILE} -> 9000\n{exchanges}")
    answers, error = taken(card, [FIRST, LAST])
    assert answers == [RECEIPT]
    assert isinstance(error, StatusError)
    assert card.finished


def test_a_warning_may_have_nothing_behind_it() -> None:
    card = ScriptedCard(f"{PROFILE} -> 9000\n{GIVE_FIRST} -> 6200\n 00C00000 00 -> 6F00")
    answers, error = taken(card, [FIRST, LAST])
    assert answers == []
    assert isinstance(error, StatusError)
    assert error.sw == 0x6200
    assert card.finished


def test_an_answer_is_fetched_from_a_card_that_speaks_as_those_of_gsm() -> None:
    card = ScriptedCard(
        f"{PROFILE} -> 9000\n{GIVE_FIRST} -> 9F03\n 00C00000 03 -> 027100 9000\n{GIVE_LAST} -> 9000"
    )
    assert taken(card, [FIRST, LAST]) == ([RECEIPT], None)
    assert card.finished


FETCH = "80120000 0B"
# MORE TIME, POLLING OFF: command details, from the card to the terminal
MORE_TIME, POLLING_OFF = "D009 8103010200 82028182", "D009 0103020400 82028182"
DECLINE_MORE_TIME = "80140000 0C 8103010200 82028281 830130"
DECLINE_POLLING_OFF = "80140000 0C 0103020400 82028281 830130"


def test_what_the_card_wants_of_a_terminal_is_fetched_and_declined() -> None:
    """TS 102 221 §7.4.2: until then it would be busy with that; an answer goes before it."""
    card = ScriptedCard(
        f"""
        {PROFILE} -> 910B
        {FETCH} -> {MORE_TIME} 9000
        {DECLINE_MORE_TIME} -> 910B
        {FETCH} -> {POLLING_OFF} 9000
        {DECLINE_POLLING_OFF} -> 9000
        {GIVE_FIRST} -> 6103
        00C00000 03 -> 027100 910B
        {FETCH} -> {MORE_TIME} 9000
        {DECLINE_MORE_TIME} -> 9000
        {GIVE_LAST} -> 9000
        """
    )
    assert taken(card, [FIRST, LAST]) == ([RECEIPT], None)
    assert card.finished


def test_a_card_that_goes_on_asking_is_left_alone() -> None:
    asking = f"{FETCH} -> {MORE_TIME} 9000\n{DECLINE_MORE_TIME} -> 910B\n" * 8
    card = ScriptedCard(f"{PROFILE} -> 910B\n{asking}{GIVE_FIRST} -> 027100 9000")
    assert taken(card, [FIRST]) == ([RECEIPT], None)


@pytest.mark.parametrize("wanted", ["", "D000", "D003 810301", "D005 8203010200", "D1058103010200"])
def test_a_proactive_command_without_details_is_malformed(wanted: str) -> None:
    card = ScriptedCard(f"{PROFILE} -> 910B\n{FETCH} -> {wanted} 9000")
    assert isinstance(taken(card, [FIRST])[1], MalformedCardData)
    assert card.finished


@pytest.mark.parametrize(
    "before", ["", f"{PROFILE} -> 9000", f"{PROFILE} -> 9000\n{GIVE_FIRST} -> 9000"]
)
def test_a_toolkit_that_is_busy_may_be_asked_later(before: str) -> None:
    now = GIVE_LAST if GIVE_FIRST in before else GIVE_FIRST if before else PROFILE
    card = ScriptedCard(f"{before}\n{now} -> 9300")
    assert isinstance(taken(card, [FIRST, LAST])[1], ToolkitBusy)
    assert card.finished


@pytest.mark.parametrize("word", ["6D00", "6E00", "6A81", "6881"])
def test_a_card_that_has_taken_a_packet_knows_packets(word: str) -> None:
    card = ScriptedCard(f"{PROFILE} -> 9000\n{GIVE_FIRST} -> 027100 9000\n{GIVE_LAST} -> {word}")
    answers, error = taken(card, [FIRST, LAST])
    assert answers == [RECEIPT]
    assert isinstance(error, StatusError)


@pytest.mark.parametrize("word", ["6D00", "6E00", "6A81", "6881"])
@pytest.mark.parametrize("before", ["", f"{PROFILE} -> 9000"])
def test_a_card_without_a_toolkit_is_told_from_one_that_refuses(word: str, before: str) -> None:
    card = ScriptedCard(f"{before}\n{GIVE_FIRST if before else PROFILE} -> {word}")
    with pytest.raises(PacketsUnsupported) as refused:
        list(deliver(card, [FIRST]))
    assert refused.value.sw == int(word, 16)


@pytest.mark.parametrize("word", ["6F00", "6985"])
def test_a_refusal_ends_the_delivery_and_what_was_answered_is_kept(word: str) -> None:
    card = ScriptedCard(f"{PROFILE} -> 9000\n{GIVE_FIRST} -> 027100 9000\n{GIVE_LAST} -> {word}")
    answers: list[bytes] = []
    with pytest.raises(StatusError):
        answers.extend(deliver(card, [FIRST, LAST]))
    assert answers == [RECEIPT]
