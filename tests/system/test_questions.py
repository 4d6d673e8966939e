"""A card whose data says that people are asked first, with real parts (M10)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cardea
import pytest
from cardea.v1 import provisioning_pb2 as pb
from softcard import SoftCard
from support.asker import Asker, asking
from support.client import eventually
from support.documents import account, network
from support.system import CARDS, CONFIRMED, FAILED, Site

OPERATOR = CARDS["operator"]["iccid"]
ADDRESS = "./NAP/1/Addr"
FACTORY, CARD = ("factory.example", "device"), ("internet.example", f"card {OPERATOR}")


def card(site: Site) -> SoftCard:
    made = site.card()
    made.write_file("Bootstrap", account(confirm="Use the operator's settings?"))
    return made


def client(site: Site) -> cardea.Client:
    return cardea.Client(str(site.system.socket))


@contextmanager
def somebody(site: Site, answer: bool) -> Iterator[Asker]:
    with asking(lambda: client(site), lambda _: answer) as asker:
        yield asker


def opened(events: Iterator[pb.WatchQuestionsResponse]) -> pb.Question:
    return next(event.opened for event in events if event.HasField("opened"))


def stages(site: Site) -> list[int]:
    """The stage of each run that the daemon knows of; none right after its start."""
    return [status.stage for status in site.client.provisioning_status()]


def test_a_card_is_adopted_after_a_yes_and_the_answer_is_kept(site: Site) -> None:
    with somebody(site, answer=True) as asker:
        result = site.inserted(card(site))
    assert result.stage == CONFIRMED
    assert site.value(ADDRESS) == CARD
    (question,) = asker.asked
    assert (question.asker, question.text) == (f"cards/{OPERATOR}", "Use the operator's settings?")
    (kept,) = site.client.questions()
    assert (kept.name, kept.run, kept.outcome) == (
        *(question.name, result.name),
        pb.QUESTION_OUTCOME_ANSWERED,
    )
    assert kept.answered_by.startswith("users/")


def test_after_a_no_the_machine_is_as_it_was_and_nobody_is_asked_again(site: Site) -> None:
    with somebody(site, answer=False) as asker:
        result = site.inserted(card(site))
        assert (result.stage, result.reason) == (FAILED, "CONFIRMATION_REFUSED")
        with pytest.raises(cardea.CardeaError) as caught:
            site.provision()
        assert caught.value.reason == "CONFIRMATION_REFUSED"
    assert site.value(ADDRESS) == FACTORY
    assert len(asker.asked) == 1
    with somebody(site, answer=True):
        *_, last = site.client.provision(ask_again=True)
    assert last.result.stage == CONFIRMED
    assert site.value(ADDRESS) == CARD


def test_a_card_that_nobody_could_be_asked_about_waits_for_somebody(site: Site) -> None:
    first = site.inserted(card(site))
    assert (first.stage, first.reason) == (FAILED, "CONFIRMATION_MISSING")
    assert site.value(ADDRESS) == FACTORY
    with somebody(site, answer=True):
        assert site.ended(OPERATOR, first).stage == CONFIRMED
    assert site.value(ADDRESS) == CARD


def test_while_somebody_thinks_the_card_is_free_and_other_cards_are_provisioned(
    site: Site,
) -> None:
    with client(site) as mine:
        events = mine.watch_questions()
        assert next(events).HasField("begun")
        site.insert(card(site))
        question = opened(events)
        assert stages(site) == [pb.STAGE_ASKING]
        name = f"readers/{site.system.readers.reader_names[0]}".replace(" ", "%20")
        assert site.client.read(name, "EF.ICCID", max_wait_s=30).decoded == {"iccid": OPERATOR}
        other = site.card("bare")
        other.write_file("Bootstrap", network("second.example"))
        assert site.inserted(other, 1).stage != FAILED
        assert not site.last(OPERATOR)
        mine.answer_question(question, True)
        assert site.ended(OPERATOR).stage == CONFIRMED
        addresses = {site.value(f"./NAP/{number}/Addr")[0] for number in (1, 2)}
    # The run that had waited has not undone what the other has committed.
    assert addresses == {"internet.example", "second.example"}


def test_a_card_that_is_pulled_takes_its_question_along(site: Site) -> None:
    with client(site) as mine:
        events = mine.watch_questions()
        assert next(events).HasField("begun")
        site.insert(card(site))
        question = opened(events)
        site.remove()
        assert next(events).closed == question.name
        with pytest.raises(cardea.CardeaError) as caught:
            mine.answer_question(question, True)
        assert caught.value.facts["outcome"] == "withdrawn"
    assert site.ended(OPERATOR).reason == "CONFIRMATION_MISSING"
    assert site.value(ADDRESS) == FACTORY


def test_a_program_that_dies_while_it_asks_leaves_the_question_to_the_next(site: Site) -> None:
    dying = client(site)
    events = dying.watch_questions()
    assert next(events).HasField("begun")
    site.insert(card(site))
    opened(events)
    dying.close()
    first = site.ended(OPERATOR)
    assert first.reason == "CONFIRMATION_MISSING"
    with somebody(site, answer=True):
        assert site.ended(OPERATOR, first).stage == CONFIRMED


def test_a_daemon_that_is_killed_while_it_asks_asks_again(site: Site) -> None:
    with client(site) as mine:
        events = mine.watch_questions()
        assert next(events).HasField("begun")
        site.insert(card(site))
        lost = opened(events)
        site.restart_cardd(kill=True)
    assert site.value(ADDRESS) == FACTORY
    with somebody(site, answer=True):
        eventually(lambda: stages(site) == [CONFIRMED])
    outcomes = {q.name: q.outcome for q in site.client.questions()}
    assert outcomes[lost.name] == pb.QUESTION_OUTCOME_WITHDRAWN
    assert pb.QUESTION_OUTCOME_ANSWERED in outcomes.values()


def test_cardctl_answers_what_another_program_has_on_its_screen(site: Site) -> None:
    with client(site) as mine:
        events = mine.watch_questions()
        assert next(events).HasField("begun")
        site.insert(card(site))
        name = opened(events).name.removeprefix("questions/")
        site.system.cardctl("question", "answer", name, "yes")
        assert site.ended(OPERATOR).stage == CONFIRMED
    (listed,) = site.system.cardctl_json("question", "list")["questions"]
    assert (listed["outcome"], listed["text"]) == ("answered", "Use the operator's settings?")
