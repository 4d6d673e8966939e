"""P6 in short: automation spends no last try and repeats no refused value, whatever happens.

`make chaos ONLY=P6` does the same over 10^5 lives of a card.
"""

import pytest
from cardd.card.channel import Channel
from cardd.card.credentials import PIN1, Credential, Presenter
from cardd.card.errors import (
    CardLost,
    CredentialRejected,
    PinBlocked,
    RetryFloor,
    VerifiedElsewhere,
)
from cardd.card.rejections import Rejections
from cardd.card.status import StatusError
from cardea_core import Secret
from support.attempts import Tally, naive, run
from support.scripted import ScriptedCard

WRONG = Credential(PIN1, Secret(b"1111"))
RIGHT = Credential(PIN1, Secret(b"1234"))
SEND_WRONG, SEND_RIGHT = "0020000108 31313131ffffffff", "0020000108 31323334ffffffff"


def test_no_fault_makes_automation_spend_a_last_try_or_repeat_a_refused_value() -> None:
    tally = Tally()
    # The last two are lives in which a person repeats a refused value and its answer is lost.
    for seed in (*range(2000), 7711, 22063):
        run(seed, tally)
    assert tally.below_floor == tally.repeated == 0
    assert tally.faulted_runs > 1000
    assert tally.attempts > 3000
    assert tally.succeeded > 0.85 * tally.could_succeed


def test_the_same_lives_are_lost_on_a_program_that_just_presents() -> None:
    """So that the count above means something."""
    tally = Tally()
    for seed in range(200):
        run(seed, tally, naive)
    assert tally.below_floor > 100
    assert tally.repeated > 100


def present(
    script: str,
    memory: Rejections,
    credential: Credential = WRONG,
    confirmed_tries: int | None = None,
) -> None:
    """One attempt on a card that is pulled where it would answer ffff."""
    card = ScriptedCard(script)

    def transmit(command: bytes) -> bytes:
        answer = card(command)
        if answer == b"\xff\xff":
            raise CardLost("pulled")
        return answer

    Presenter(Channel(transmit), memory, confirmed_tries=confirmed_tries).present(credential)
    assert card.finished


def test_a_lost_answer_is_settled_by_the_counter() -> None:
    memory = Rejections()
    with pytest.raises(CardLost):
        present(f"00200001 -> 63c5\n{SEND_WRONG} -> ffff", memory)
    with pytest.raises(CredentialRejected):
        present("00200001 -> 63c4", memory)


def test_a_value_that_never_reached_the_card_may_be_sent_again() -> None:
    memory = Rejections()
    with pytest.raises(CardLost):
        present(f"00200001 -> 63c5\n{SEND_RIGHT} -> ffff", memory, RIGHT)
    present(f"00200001 -> 63c5\n{SEND_RIGHT} -> 9000", memory, RIGHT)


def test_the_right_value_does_not_hide_what_a_lost_answer_was() -> None:
    """It sets the counter back: so the counter is taken down before."""
    memory = Rejections()
    with pytest.raises(CardLost):
        present(f"00200001 -> 63c5\n{SEND_WRONG} -> ffff", memory)
    present(f"00200001 -> 63c4\n{SEND_RIGHT} -> 9000", memory, RIGHT)
    with pytest.raises(CredentialRejected):
        present("", memory)


def test_a_switched_off_pin_refuses_nothing() -> None:
    memory = Rejections()
    with pytest.raises(StatusError):
        present(f"00200001 -> 63c3\n{SEND_RIGHT} -> 6984", memory, RIGHT)
    present(f"00200001 -> 63c3\n{SEND_RIGHT} -> 9000", memory, RIGHT)


def test_refusal_without_a_counter_is_a_refusal() -> None:
    memory = Rejections()
    with pytest.raises(CredentialRejected) as caught:
        present(f"00200001 -> 63c5\n{SEND_WRONG} -> 6300", memory)
    assert caught.value.tries_left == 4
    with pytest.raises(CredentialRejected):
        present("", memory)


def person(script: str, confirmed: int, memory: Rejections | None = None) -> None:
    card = ScriptedCard(script)
    Presenter(Channel(card), memory, confirmed_tries=confirmed).prove(WRONG)
    assert card.finished


def test_a_person_who_knows_the_counter_may_spend_a_last_try() -> None:
    person(f"00200001 -> 63c1\n{SEND_WRONG} -> 9000", confirmed=1)


def test_a_person_who_saw_another_counter_may_not() -> None:
    with pytest.raises(RetryFloor):
        person("00200001 -> 63c1", confirmed=2)


def test_nobody_presents_a_value_to_a_blocked_reference() -> None:
    with pytest.raises(PinBlocked):
        person("00200001 -> 6983", confirmed=0)


def test_a_person_repeats_a_refused_value_only_after_the_right_one_was_given() -> None:
    memory = Rejections()
    memory.was_refused(PIN1, WRONG.presented, 2)
    with pytest.raises(CredentialRejected):
        person("00200001 -> 63c2", confirmed=2, memory=memory)
    person(f"00200001 -> 63c3\n{SEND_WRONG} -> 9000", confirmed=3, memory=memory)


def test_a_lost_answer_to_a_repeated_value_leaves_it_refused() -> None:
    memory = Rejections()
    memory.was_refused(PIN1, WRONG.presented, 2)
    with pytest.raises(CardLost):
        present(f"00200001 -> 63c3\n{SEND_WRONG} -> ffff", memory, confirmed_tries=3)
    with pytest.raises(CredentialRejected):
        present("", memory)


def test_a_pin_that_another_program_has_verified_proves_nothing() -> None:
    with pytest.raises(VerifiedElsewhere):
        Presenter(Channel(ScriptedCard("00200001 -> 9000"))).prove(WRONG)


def test_ones_own_verification_is_no_obstacle_to_proving_again() -> None:
    script = f"00200001 -> 63c3\n{SEND_RIGHT} -> 9000\n00200001 -> 9000\n{SEND_WRONG} -> 63c2"
    presenter = Presenter(Channel(ScriptedCard(script)))
    presenter.prove(RIGHT)
    with pytest.raises(CredentialRejected):
        presenter.prove(WRONG)


def test_a_changed_value_frees_what_was_refused_before() -> None:
    memory = Rejections()
    memory.was_refused(PIN1, WRONG.presented, 2)
    card = ScriptedCard("00200001 -> 63c3\n0024000110 31323334ffffffff31313131ffffffff -> 9000")
    Presenter(Channel(card), memory).change(RIGHT, WRONG)
    assert memory.refused(PIN1, WRONG.presented) is None


def test_the_unblocking_code_has_a_counter_and_a_memory_of_its_own() -> None:
    memory, code = Rejections(), Credential(PIN1, Secret(b"87654321"))
    script = "002c0001 -> 63c5\n002c000110 383736353433323131323334ffffffff -> 63c4"
    with pytest.raises(CredentialRejected):
        Presenter(Channel(ScriptedCard(script)), memory).unblock(code, RIGHT)
    with pytest.raises(CredentialRejected):
        Presenter(Channel(ScriptedCard("")), memory).unblock(code, RIGHT)
    assert memory.refused(PIN1, code.presented) is None
