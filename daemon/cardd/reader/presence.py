"""What is in one reader, as a state machine: observations and outcomes in, events out.

Pure: no PC/SC call, no thread, time is an argument.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from cardd.card.errors import CardLost, CardMute
from cardd.card.identify import CardIdentity
from cardd.reader.errors import CardAbsent, CardBusy, PcscUnavailable, ReaderUnavailable
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
from cardd.reader.pcsc import same_card
from cardd.reader.settings import ReaderSettings

__all__ = ["Presence", "Seen"]

Events = list[ReaderEvent]


class Seen(Protocol):
    """A reader's state as pcscd tells it."""

    @property
    def counter(self) -> int: ...
    @property
    def present(self) -> bool: ...
    @property
    def mute(self) -> bool: ...
    @property
    def unavailable(self) -> bool: ...
    @property
    def atr(self) -> bytes: ...


class Presence:
    """One reader's card.

    `epoch` goes up whenever what is known of the card ceases to hold. `wants_identity` asks for
    an identification; it ends with `identified` or `not_identified`.

    A card that slips away in mid-command may be back before pcscd looks: then pcscd never
    reports anything. So such a loss ends the insertion at once and the reader is looked at
    again, quietly, until a card answers there (a new insertion) or pcscd says it is empty.
    """

    def __init__(
        self, reader: str, settings: ReaderSettings, next_insertion: Callable[[], int]
    ) -> None:
        self._reader = reader
        self._settings = settings
        self._next_insertion = next_insertion
        self._seen: Seen | None = None
        self._base: int | None = None
        self.stopped = False
        self.service_gone = False
        self._driver_gone = False
        self._give_up_at: float | None = None
        self.state = ReaderState.EMPTY
        self.cause = ""
        self.atr = b""
        self.insertion = 0
        self.identity: CardIdentity | None = None
        self.epoch = 0
        self.wants_identity = False
        self.recheck_at: float | None = None

    @property
    def counter(self) -> int | None:
        """pcscd's count when the card that is there was first seen; None if it has not said."""
        return self._base

    @property
    def seen_atr(self) -> bytes:
        return b"" if self._seen is None else self._seen.atr

    def refusal(self, insertion: int | None) -> Exception | None:
        """Why nobody can have the card, or not the card of that insertion; None if one can."""
        if self.service_gone:
            return PcscUnavailable(self.cause)
        if self.state is ReaderState.UNAVAILABLE:
            return ReaderUnavailable(self._reader, self.cause)
        if self.state is ReaderState.EMPTY:
            return CardAbsent(self._reader)
        if self.state is ReaderState.CARD_MUTE:
            return CardMute(self.cause)
        if insertion is not None and insertion != self.insertion:
            return CardLost("another card was put in")
        return None

    def observe(self, seen: Seen) -> Events:
        """pcscd's word. May repeat itself: changes of sharing are reported too."""
        before, self._seen = self._seen, seen
        self.service_gone = False
        return [] if self.stopped else self._take_in(before, seen)

    def service_lost(self, cause: str) -> Events:
        """pcscd is gone; its counters start anew when it is back."""
        events = self._gone()
        self._seen = self._base = None
        self._driver_gone = False
        self.service_gone = True
        self.state, self.cause = ReaderState.UNAVAILABLE, f"pcscd is gone: {cause}"
        return events

    def stop(self, cause: str) -> Events:
        """Set the reader aside until `back`."""
        events = self._gone()
        self.stopped = True
        self.state, self.cause = ReaderState.UNAVAILABLE, cause
        return [*events, ReaderStopped(self._reader, cause)]

    def back(self) -> Events:
        """The call that hung has returned: look at the reader afresh."""
        if not self.stopped:
            return []
        self.stopped = False
        if self._seen is None:  # pcscd went away meanwhile
            return []
        self.state, self.cause = ReaderState.EMPTY, ""
        return [ReaderBack(self._reader), *self._take_in(None, self._seen)]

    def lost(self, now: float) -> Events:
        """The card went away in mid-command, or its handle died, and pcscd has not said so."""
        events = self._gone()
        if self._seen is not None and self._seen.present and not self.stopped:
            self.recheck_at = now + self._settings.recheck_s
            self._give_up_at = now + self._settings.recheck_limit_s
        return events

    def muted(self, cause: str) -> Events:
        """The card does not answer."""
        events = self._announce()
        if self.state is not ReaderState.CARD_MUTE:
            self._forget()
            self.state, self.cause = ReaderState.CARD_MUTE, cause
            events.append(CardMuted(self._reader, self.insertion, cause))
        return events

    def identified(self, identity: CardIdentity) -> Events:
        events = self._announce()
        self.state, self.identity, self.cause = ReaderState.CARD_READY, identity, ""
        self._give_up_at = None
        return [*events, CardReady(self._reader, self.insertion, identity)]

    def not_identified(self, error: Exception, now: float) -> Events:
        """An identification failed; try again where that can help."""
        if isinstance(error, CardMute):
            return self.muted(error.cause)
        if isinstance(error, (CardBusy, ForeignReset)):  # another program's doing, not the card's
            self.recheck_at = now + self._settings.recheck_s
            return []
        if self._give_up_at is None:
            return self.lost(now)
        if now >= self._give_up_at:
            return self.muted(str(error))
        self.recheck_at = now + self._settings.recheck_s
        return []

    def recheck(self, now: float) -> None:
        """Ask for an identification if one is due."""
        if self.recheck_at is not None and now >= self.recheck_at:
            self.recheck_at = None
            self.wants_identity = True

    def _take_in(self, before: Seen | None, seen: Seen) -> Events:
        if seen.unavailable:
            events = self._gone()
            if not self._driver_gone:
                self._driver_gone = True
                self.state, self.cause = ReaderState.UNAVAILABLE, "the reader's driver is gone"
                events.append(ReaderStopped(self._reader, self.cause))
            return events
        events = []
        if self.state is ReaderState.UNAVAILABLE:
            self.state, self.cause = ReaderState.EMPTY, ""
            if self._driver_gone:
                events.append(ReaderBack(self._reader))
            self._driver_gone = False
            before = None
        if not seen.present:
            return events + self._gone()
        same = before is not None and before.present and same_card(self._base, seen.counter)
        # A card that is pulled while it is reset leaves pcscd 1.9 saying "there, but mute" until
        # the next card comes, which is then counted once: what speaks now is another card.
        spoke_up = before is not None and before.mute and not seen.mute
        if not same or spoke_up:
            events += self._gone()
            self._base = seen.counter
            self.state, self.cause = ReaderState.CARD_PRESENT, ""
            self.insertion = self._next_insertion()
            self.atr = seen.atr
            self.wants_identity = not seen.mute
            events.append(CardInserted(self._reader, seen.atr, self.insertion))
        if seen.mute:
            events += self.muted("no answer to reset")
        return events

    def _announce(self) -> Events:
        """A card that was found again without a word from pcscd is a new insertion."""
        if self.state is not ReaderState.EMPTY:
            return []
        self.insertion = self._next_insertion()
        self.atr = self.seen_atr
        self.state = ReaderState.CARD_PRESENT
        return [CardInserted(self._reader, self.atr, self.insertion)]

    def _gone(self) -> Events:
        had_card = self.state in (
            ReaderState.CARD_PRESENT,
            ReaderState.CARD_READY,
            ReaderState.CARD_MUTE,
        )
        self._forget()
        if not had_card:
            return []
        self.state, self.atr = ReaderState.EMPTY, b""
        return [CardRemoved(self._reader, self.insertion)]

    def _forget(self) -> None:
        self.epoch += 1
        self.identity = None
        self.wants_identity = False
        self.recheck_at = self._give_up_at = None
