"""Packets handed on to the card: what is sent, what counts as an answer, what ends it."""

from __future__ import annotations

import pytest
from cardd.card.errors import PacketsUnsupported
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


def test_an_answer_may_come_with_a_warning() -> None:
    card = ScriptedCard(f"{PROFILE} -> 9000\n{GIVE_FIRST} -> 027100 6200")
    assert list(deliver(card, [FIRST])) == [RECEIPT]


def test_a_proactive_command_that_waits_is_no_refusal() -> None:
    card = ScriptedCard(f"{PROFILE} -> 910B\n{GIVE_FIRST} -> 910B")
    assert list(deliver(card, [FIRST])) == []


@pytest.mark.parametrize("word", ["6D00", "6E00", "6A81", "6881"])
@pytest.mark.parametrize("before", ["", f"{PROFILE} -> 9000"])
def test_a_card_without_a_toolkit_is_told_from_one_that_refuses(word: str, before: str) -> None:
    card = ScriptedCard(f"{before}\n{GIVE_FIRST if before else PROFILE} -> {word}")
    with pytest.raises(PacketsUnsupported) as refused:
        list(deliver(card, [FIRST]))
    assert refused.value.sw == int(word, 16)


@pytest.mark.parametrize("word", ["6F00", "6985", "6300", "9300"])
def test_a_refusal_ends_the_delivery_and_what_was_answered_is_kept(word: str) -> None:
    card = ScriptedCard(f"{PROFILE} -> 9000\n{GIVE_FIRST} -> 027100 9000\n{GIVE_LAST} -> {word}")
    answers: list[bytes] = []
    with pytest.raises(StatusError):
        answers.extend(deliver(card, [FIRST, LAST]))
    assert answers == [RECEIPT]
