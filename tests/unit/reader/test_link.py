"""What a link takes for the card it was asked for."""

from __future__ import annotations

import time

import pytest
from cardd.card.errors import CardLost
from cardd.reader.link import CallClock, CardLink
from cardd.reader.pcsc import Context, Handle, Observation, PcscError, Trouble
from cardd.reader.settings import ReaderSettings

(RESET,) = Trouble.RESET


class ResetHandle(Handle):
    """A handle whose card another program has reset since it was used last."""

    def __init__(self) -> None:
        self.reset_seen = False

    def begin(self) -> None:
        if not self.reset_seen:
            raise PcscError("SCardBeginTransaction", RESET)

    def accept_reset(self) -> None:
        self.reset_seen = True

    def disconnect(self) -> None:
        self.reset_seen = False


class CountingContext(Context):
    """A context that tells one number of insertions and removals."""

    def __init__(self, counter: int) -> None:
        self.counter = counter

    def observe(self, reader: str) -> Observation:
        return Observation(reader, self.counter << 16, b"")


def link_with(counter: int) -> CardLink:
    link = CardLink("R", ReaderSettings(), CallClock())
    link._handle, link._context = ResetHandle(), CountingContext(counter)
    return link


def test_a_reset_before_the_lease_costs_it_nothing() -> None:
    link_with(5).open(5, time.monotonic() + 1)


def test_a_card_swapped_behind_another_programs_reset_is_not_taken_for_the_first() -> None:
    with pytest.raises(CardLost, match="another card"):
        link_with(7).open(5, time.monotonic() + 1)
