"""What is answered from memory is what the card would answer."""

from __future__ import annotations

from cardd.sharing.cache import Mark, ReadCache
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

BELIEVE_S = 5.0


def cache(max_bytes: int = 1000) -> ReadCache[str, bytes]:
    return ReadCache(believe_s=BELIEVE_S, max_bytes=max_bytes)


def test_what_was_read_is_answered_until_the_mark_moves() -> None:
    known = cache()
    known.put("a", b"1", 1, Mark(1), Mark(1), 0)
    assert known.get("a", Mark(1), 0) == b"1"
    assert known.get("a", Mark(2), 0) is None
    assert known.get("a", Mark(2), 0) is None


def test_what_was_read_while_the_content_changed_is_not_kept() -> None:
    known = cache()
    known.put("a", b"1", 1, Mark(1), Mark(2), 0)
    assert known.get("a", Mark(2), 0) is None


def test_a_reading_that_comes_late_does_not_bring_back_the_past() -> None:
    known = cache()
    assert known.get("a", Mark(2), 0) is None
    known.put("a", b"old", 3, Mark(1), Mark(1), 0)
    assert known.get("a", Mark(2), 0) is None


def test_belief_ends_where_others_may_write_unseen_and_only_there() -> None:
    known = cache()
    known.put("a", b"1", 1, Mark(1), Mark(1), 0)
    assert known.get("a", Mark(1), BELIEVE_S - 0.1) == b"1"
    assert known.get("a", Mark(1), BELIEVE_S) is None
    assert known.get("a", Mark(1, lasting=True), 1e6) == b"1"


def test_only_so_much_is_kept_and_what_was_not_asked_for_goes_first() -> None:
    known = cache(max_bytes=10)
    for key in "abc":
        known.put(key, key.encode(), 4, Mark(1), Mark(1), 0)
        known.get("a", Mark(1), 0)
    assert [known.get(key, Mark(1), 0) for key in "abc"] == [b"a", None, b"c"]
    known.put("huge", b"", 11, Mark(1), Mark(1), 0)
    assert known.get("huge", Mark(1), 0) is None


def test_a_file_that_is_read_again_counts_once() -> None:
    known = cache(max_bytes=10)
    for _ in range(5):
        known.put("a", b"1", 4, Mark(1), Mark(1), 0)
    known.put("b", b"2", 4, Mark(1), Mark(1), 0)
    assert known.get("a", Mark(1), 0) == b"1"


class Card(RuleBasedStateMachine):
    """A card that the daemon, its callers and strangers read, write and reset in any order.

    The daemon's mark moves as the reader layer moves it. Readings take time: a stranger may write
    between their beginning and their end, and their result may be kept late.
    """

    FILES = ("a", "b", "c")

    @initialize(lasting=st.booleans())
    def begin(self, lasting: bool) -> None:
        self.lasting = lasting
        self.now = 0.0
        self.number = 0
        self.content = dict.fromkeys(self.FILES, 0)
        self.unseen_at: dict[str, float] = {}  # the last write that left no sign
        self.known: ReadCache[str, int] = ReadCache(believe_s=BELIEVE_S, max_bytes=2)
        self.late: list[tuple[str, int, Mark, Mark, float]] = []

    @property
    def mark(self) -> Mark:
        return Mark(self.number, self.lasting)

    @rule(file=st.sampled_from(FILES), keep_now=st.booleans())
    def read(self, file: str, keep_now: bool) -> None:
        answer = self.known.get(file, self.mark, self.now)
        if answer is None:
            reading = (file, self.content[file], self.mark, self.mark, self.now)
            if keep_now:
                self.keep(reading)
            else:
                self.late.append(reading)
            return
        fresh = self.content[file]
        unseen_s = self.now - self.unseen_at.get(file, -1e9)
        assert answer == fresh or (not self.lasting and unseen_s < BELIEVE_S)

    @rule()
    def keep_late(self) -> None:
        if self.late:
            self.keep(self.late.pop(0))

    @rule(file=st.sampled_from(FILES))
    def write(self, file: str) -> None:
        self.number += 1  # before the command goes out
        self.content[file] += 1

    @rule(file=st.sampled_from(FILES))
    def stranger_writes_and_is_seen(self, file: str) -> None:
        if not self.lasting:
            self.content[file] += 1
            self.number += 1

    @rule(file=st.sampled_from(FILES))
    def stranger_writes_and_leaves_no_sign(self, file: str) -> None:
        if not self.lasting:
            self.content[file] += 1
            self.unseen_at[file] = self.now

    @rule()
    def reset(self) -> None:
        self.number += 1

    @rule()
    def another_card(self) -> None:
        self.number += 1
        self.content = {file: value + 100 for file, value in self.content.items()}

    @rule(seconds=st.floats(0.01, 3))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    def keep(self, reading: tuple[str, int, Mark, Mark, float]) -> None:
        file, value, before, after, began = reading
        self.known.put(file, value, 1, before, after, began)


TestCard = Card.TestCase
TestCard.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
