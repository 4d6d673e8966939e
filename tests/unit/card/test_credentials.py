"""PIN and key attempts: counter first, a floor, never the same wrong value twice."""

import pytest
from cardd.card.channel import Channel
from cardd.card.credentials import ADM1, Credential, Presenter, Rejections
from cardd.card.errors import CredentialRejected, RetryFloor
from cardd.card.status import NotFoundOnCard, StatusError
from cardea_core import Secret
from hypothesis import given
from hypothesis import strategies as st
from support.scripted import ScriptedCard

KEY = Credential(ADM1, Secret(b"12345678"))


def test_counter_is_read_before_the_attempt() -> None:
    card = ScriptedCard("0020000a -> 63c3\n0020000a08 3132333435363738 -> 9000")
    Presenter(Channel(card)).present(KEY)
    assert card.finished


def test_short_values_are_padded() -> None:
    card = ScriptedCard("00200001 -> 63c3\n0020000108 31323334ffffffff -> 9000")
    Presenter(Channel(card)).present(Credential(0x01, Secret(b"1234")))
    assert card.finished


def test_what_is_verified_already_is_not_sent() -> None:
    card = ScriptedCard("0020000a -> 9000")
    Presenter(Channel(card)).present(KEY)
    assert card.finished


@pytest.mark.parametrize("sw", ["63c2", "63c1", "63c0", "6983"])
def test_nothing_is_sent_at_or_below_the_floor(sw: str) -> None:
    card = ScriptedCard(f"0020000a -> {sw}")
    with pytest.raises(RetryFloor):
        Presenter(Channel(card)).present(KEY)


def test_no_such_reference_is_told_as_such() -> None:
    with pytest.raises(NotFoundOnCard):
        Presenter(Channel(ScriptedCard("0020000a -> 6a88"))).present(KEY)


def test_a_rejected_value_is_not_sent_again_though_tries_are_left() -> None:
    script = "0020000a -> 63c9\n0020000a08 3132333435363738 -> 63c8"
    card, known = ScriptedCard(script), Rejections()
    with pytest.raises(CredentialRejected):
        Presenter(Channel(card), known).present(KEY)
    with pytest.raises(CredentialRejected) as caught:
        Presenter(Channel(card), known).present(Credential(ADM1, Secret(b"12345678")))
    assert caught.value.tries_left == 8
    assert card.finished


def test_a_rejected_value_is_known_again_with_its_padding() -> None:
    """On the card the two are one."""
    known = Rejections()
    known.was_refused(0x01, Credential(0x01, Secret(b"1234")).presented, 2)
    padded = Credential(0x01, Secret(b"1234\xff\xff\xff\xff"))
    assert known.refused(0x01, padded.presented) is not None


def test_a_value_that_the_card_refuses_without_a_counter_is_not_sent_again() -> None:
    card = ScriptedCard("0020000a -> 63c5\n0020000a08 3132333435363738 -> 6982")
    known = Rejections()
    with pytest.raises(StatusError):
        Presenter(Channel(card), known).present(KEY)
    with pytest.raises(CredentialRejected):
        Presenter(Channel(card), known).present(KEY)
    assert card.finished


def test_another_value_or_reference_may_still_be_tried() -> None:
    known = Rejections()
    known.was_refused(ADM1, KEY.presented, 8)
    assert known.refused(ADM1, Secret(b"87654321")) is None
    assert known.refused(0x0B, Secret(b"12345678")) is None


@given(values=st.lists(st.binary(min_size=4, max_size=8), max_size=40), tries=st.integers(0, 15))
def test_no_sequence_of_values_takes_the_counter_below_the_floor(
    values: list[bytes], tries: int
) -> None:
    start, left, sent = tries, tries, set()

    def transmit(command: bytes) -> bytes:
        nonlocal left
        if len(command) > 5:
            assert command not in sent
            assert left > 2
            sent.add(command)
            left -= 1
        return b"\x69\x83" if left == 0 else bytes((0x63, 0xC0 | left))

    known = Rejections()
    for value in values:
        with pytest.raises((CredentialRejected, RetryFloor)):
            Presenter(Channel(transmit), known).present(Credential(ADM1, Secret(value)))
    assert left >= min(start, 2)
