"""What is in a reader: the story that watchers are told is consistent, whatever pcscd says."""

import itertools
from dataclasses import dataclass

from cardd.card.errors import CardLost, CardMute
from cardd.card.identify import CardIdentity
from cardd.reader.errors import CardBusy
from cardd.reader.events import (
    CardInserted,
    CardMuted,
    CardReady,
    CardRemoved,
    ReaderBack,
    ReaderEvent,
    ReaderState,
    ReaderStopped,
)
from cardd.reader.link import ForeignReset
from cardd.reader.presence import Presence
from cardd.reader.settings import ReaderSettings
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

CARD = CardIdentity("890", "890", "", b"\x3b\x00", ())
SETTINGS = ReaderSettings(recheck_s=0.1, recheck_limit_s=1.0)


@dataclass(frozen=True)
class Seen:
    counter: int = 0
    present: bool = False
    mute: bool = False
    unavailable: bool = False
    atr: bytes = b""


def present(counter: int, **more: bool) -> Seen:
    return Seen(counter, present=True, atr=b"\x3b\x00", **more)


def kinds(events: list[ReaderEvent]) -> list[type]:
    return [type(event) for event in events]


def fresh() -> Presence:
    return Presence("R", SETTINGS, itertools.count(1).__next__)


def ready() -> Presence:
    presence = fresh()
    presence.observe(present(1))
    presence.wants_identity = False
    presence.identified(CARD)
    return presence


def test_a_card_is_announced_identified_and_taken_leave_of() -> None:
    presence = fresh()
    assert kinds(presence.observe(present(1))) == [CardInserted]
    assert presence.wants_identity
    assert kinds(presence.identified(CARD)) == [CardReady]
    assert presence.identity == CARD
    assert kinds(presence.observe(Seen(2))) == [CardRemoved]
    assert presence.state is ReaderState.EMPTY


def test_changes_of_sharing_are_no_news() -> None:
    presence = ready()
    epoch = presence.epoch
    assert presence.observe(present(1)) == []
    assert presence.epoch == epoch


def test_a_quick_swap_shows_in_pcscds_count() -> None:
    presence = ready()
    events = presence.observe(present(3))
    assert kinds(events) == [CardRemoved, CardInserted]
    assert presence.insertion == 2
    assert presence.identity is None


def test_a_count_that_comes_late_is_no_swap_and_hides_none() -> None:
    presence = fresh()
    presence.observe(Seen(2))
    presence.observe(present(2))  # there, but not counted yet
    assert presence.observe(present(3)) == []
    assert kinds(presence.observe(present(4))) == [CardRemoved, CardInserted]  # not counted yet
    assert presence.observe(present(5)) == []
    assert kinds(presence.observe(present(7))) == [CardRemoved, CardInserted]


def test_the_count_may_wrap_around() -> None:
    presence = fresh()
    presence.observe(present(0xFFFF))
    assert presence.observe(present(0)) == []
    assert kinds(presence.observe(present(1))) == [CardRemoved, CardInserted]


def test_a_card_lost_without_a_word_is_looked_for_quietly() -> None:
    presence = ready()
    assert kinds(presence.lost(10.0)) == [CardRemoved]
    presence.recheck(10.05)
    assert not presence.wants_identity
    presence.recheck(10.1)
    assert presence.wants_identity
    assert kinds(presence.identified(CARD)) == [CardInserted, CardReady]
    assert presence.insertion == 2


def test_a_quiet_search_ends_when_pcscd_says_empty() -> None:
    presence = ready()
    presence.lost(10.0)
    assert presence.observe(Seen(2)) == []
    assert presence.recheck_at is None


def test_a_quiet_search_without_result_ends_in_mute() -> None:
    presence = ready()
    presence.lost(10.0)
    assert presence.not_identified(CardLost("removed"), 10.5) == []
    assert kinds(presence.not_identified(CardLost("removed"), 11.1)) == [CardInserted, CardMuted]
    assert presence.state is ReaderState.CARD_MUTE


def test_a_mute_card_is_told_once() -> None:
    presence = fresh()
    assert kinds(presence.observe(present(1, mute=True))) == [CardInserted, CardMuted]
    assert presence.observe(present(1, mute=True)) == []
    assert not presence.wants_identity


def test_what_speaks_where_a_mute_card_was_is_a_new_insertion() -> None:
    """pcscd keeps the ghost of a card that was pulled in mid-reset; it counts the next one once."""
    presence = fresh()
    presence.observe(present(4, mute=True))
    assert kinds(presence.observe(present(5))) == [CardRemoved, CardInserted]
    assert presence.wants_identity
    assert kinds(presence.identified(CARD)) == [CardReady]


def test_a_card_that_falls_mute_stays_the_same_card() -> None:
    presence = ready()
    assert kinds(presence.observe(present(1, mute=True))) == [CardMuted]
    assert presence.insertion == 1


def test_silence_during_identification_is_mute() -> None:
    presence = fresh()
    presence.observe(present(1))
    assert kinds(presence.not_identified(CardMute("UNRESPONSIVE"), 0)) == [CardMuted]


def test_what_another_program_does_only_delays_identification() -> None:
    for error in (ForeignReset(), CardBusy("R", "another", 1.0)):
        presence = fresh()
        presence.observe(present(1))
        presence.wants_identity = False
        assert presence.not_identified(error, 5.0) == []
        assert presence.state is ReaderState.CARD_PRESENT
        presence.recheck(5.1)
        assert presence.wants_identity


def test_pcscd_gone_and_back_is_a_removal_and_a_new_insertion() -> None:
    presence = ready()
    assert kinds(presence.service_lost("killed")) == [CardRemoved]
    assert presence.state is ReaderState.UNAVAILABLE
    assert kinds(presence.observe(present(1))) == [CardInserted]
    assert presence.insertion == 2


def test_a_driver_that_is_gone_stops_the_reader_until_it_is_back() -> None:
    presence = ready()
    gone = Seen(2, unavailable=True)
    assert kinds(presence.observe(gone)) == [CardRemoved, ReaderStopped]
    assert presence.observe(gone) == []
    assert kinds(presence.observe(present(3))) == [ReaderBack, CardInserted]


def test_a_stopped_reader_takes_nothing_in_until_it_is_back() -> None:
    presence = ready()
    assert kinds(presence.stop("hangs")) == [CardRemoved, ReaderStopped]
    assert presence.observe(Seen(2)) == []
    assert presence.observe(present(3)) == []
    assert presence.state is ReaderState.UNAVAILABLE
    assert kinds(presence.back()) == [ReaderBack, CardInserted]


class Story(RuleBasedStateMachine):
    """Any sequence of observations and outcomes tells a story that makes sense."""

    def __init__(self) -> None:
        super().__init__()
        self.presence = fresh()
        self.now = 0.0
        self.inserted: int | None = None
        self.stopped = False

    @rule(
        counter=st.integers(0, 3), kind=st.sampled_from(["empty", "present", "mute", "unavailable"])
    )
    def observe(self, counter: int, kind: str) -> None:
        self.take(
            self.presence.observe(
                Seen(counter, kind in ("present", "mute"), kind == "mute", kind == "unavailable")
            )
        )

    @rule(step=st.floats(0, 2))
    def pass_time(self, step: float) -> None:
        self.now += step
        self.presence.recheck(self.now)

    @precondition(lambda self: self.presence.wants_identity)
    @rule(outcome=st.sampled_from(["good", "mute", "lost", "reset", "busy"]))
    def identification(self, outcome: str) -> None:
        self.presence.wants_identity = False
        errors = {
            "mute": CardMute("x"),
            "lost": CardLost("x"),
            "reset": ForeignReset(),
            "busy": CardBusy("R", "x", 1),
        }
        if outcome == "good":
            self.take(self.presence.identified(CARD))
        else:
            self.take(self.presence.not_identified(errors[outcome], self.now))

    @precondition(lambda self: self.presence.state is ReaderState.CARD_READY)
    @rule(mute=st.booleans())
    def trouble(self, mute: bool) -> None:
        self.take(self.presence.muted("x") if mute else self.presence.lost(self.now))

    @rule()
    def service(self) -> None:
        self.take(self.presence.service_lost("x"))

    @rule()
    def stop_or_back(self) -> None:
        self.take(self.presence.back() if self.presence.stopped else self.presence.stop("x"))

    def take(self, events: list[ReaderEvent]) -> None:
        for event in events:
            match event:
                case CardInserted():
                    assert self.inserted is None
                    self.inserted = event.insertion
                case CardReady() | CardMuted():
                    assert self.inserted == event.insertion
                case CardRemoved():
                    assert self.inserted == event.insertion
                    self.inserted = None
                case ReaderStopped():
                    assert self.inserted is None
                case _:
                    pass

    @invariant()
    def state_agrees_with_the_story(self) -> None:
        here = self.presence.state
        empty = here in (ReaderState.EMPTY, ReaderState.UNAVAILABLE)
        assert empty == (self.inserted is None)
        assert (here is ReaderState.CARD_READY) == (self.presence.identity is not None)
        assert not (self.presence.stopped and self.presence.wants_identity)


TestStory = Story.TestCase
TestStory.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
