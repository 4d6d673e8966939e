"""One thread's connection to the card in one reader: when it is held, and what its loss means."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from cardd.card.errors import CardLost, CardMute
from cardd.card.residue import Cleaning
from cardd.reader.errors import CardBusy, PcscUnavailable
from cardd.reader.pcsc import Context, Handle, Observation, PcscError, Trouble, same_card
from cardd.reader.settings import Foreign, ReaderSettings

__all__ = ["FOREIGN", "CallClock", "CardLink", "ForeignReset"]

FOREIGN = "another PC/SC program"

_RETRY_S = 0.02  # for a card that another program holds exclusively; pcscd has no queue for that


_T = TypeVar("_T")


class ForeignReset(CardLost):
    """The card is there but another program reset it: selection and PIN state are gone."""

    def __init__(self) -> None:
        super().__init__("reset by another program")


@dataclass(slots=True)
class CallClock:
    """When the PC/SC call under way began; read by the watchdog, written by the link's thread.

    `waiting` marks a call that pcscd holds back on behalf of another program's transaction:
    however long that takes, it is no sign of a driver that hangs. `transmitting` marks an APDU
    that the card has yet to answer.
    """

    started_at: float | None = None
    waiting: bool = False
    transmitting: bool = False


class CardLink:
    """Belongs to one executor thread. Connects late, lets go early, never hides a lost state."""

    def __init__(
        self,
        reader: str,
        settings: ReaderSettings,
        clock: CallClock,
        on_foreign: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_foreign` is called whenever it shows that another program has, or had, the card."""
        self._reader = reader
        self._settings = settings
        self._clock = clock
        self._on_foreign = on_foreign
        self._context: Context | None = None
        self._handle: Handle | None = None
        self._in_transaction = False
        self._leased = False
        self.keeps_rights = False
        """The lease has verified a PIN, done what nobody can judge, or goes by what is selected:
        another program must not use the card, so the transaction is not let go when idle."""
        self._used_at = 0.0
        self.card_time_s = 0.0
        """Time spent in SCardTransmit since the link was made."""

    def open(self, counter: int | None, deadline: float) -> None:
        """Hold the card for a lease.

        `counter` is the insertion that the lease is for: a card put in since is not it. A reset
        by another program before the lease began has cost it nothing and is accepted.
        CardLost, CardMute, CardBusy at the deadline, PcscUnavailable.
        """
        if self._handle is None:
            self._connect(counter, deadline)
        try:
            self._begin()
        except ForeignReset:
            self._call(self._connected().accept_reset)
            # pcscd says "reset" also where a swap came before it: the last event counts there.
            self._insist_on(counter)
            self._begin()
        self._leased = True

    def hold(self) -> None:
        """Keep other programs out, within a lease, once the one that is in is through: which may
        take as long as it likes. CardLost if the card's state is not what it was."""
        if not self._in_transaction:
            self._begin()

    def transmit(self, command: bytes) -> bytes:
        """One APDU within a lease. CardLost if the card's state is not what it was."""
        self.hold()
        started = time.monotonic()
        self._clock.transmitting = True
        try:
            response = self._call(lambda: self._connected().transmit(command))
        finally:
            self._clock.transmitting = False
            self._used_at = time.monotonic()
            self.card_time_s += self._used_at - started
        if len(response) < 2:  # how pcscd reports a card pulled in mid-command
            self.drop()
            raise CardLost("removed in mid-command")
        return response

    def reset(self) -> None:
        """Reset the card within a lease, which keeps it. CardLost if somebody else just did."""
        self.hold()
        self._call(self._connected().reset)
        self.keeps_rights = False
        self._used_at = time.monotonic()

    def clean(self, cleaning: Cleaning, commands: tuple[bytes, ...]) -> None:
        """Take away what a lease left behind, then let others in."""
        self.leave()
        if self._handle is None:
            return
        if cleaning is not Cleaning.NOTHING and not self._in_transaction:
            try:
                self._begin()
            except ForeignReset:
                self._call(self._connected().accept_reset)
                return  # somebody else's reset has cleaned it
        if cleaning is Cleaning.RESET:
            self._call(self._connected().reset)
        elif cleaning is Cleaning.RESELECT:
            for command in commands:
                self.transmit(command)
        self.let_go()

    def leave(self) -> None:
        """The lease is over and there is nothing to clean."""
        self._leased = self.keeps_rights = False

    def let_go(self) -> None:
        """End the PC/SC transaction; the handle stays, and with it the card's power."""
        self._used_at = time.monotonic()
        if self._in_transaction:
            self._in_transaction = False
            self._call(self._connected().end)

    def drop(self) -> None:
        """Forget the card: it is gone."""
        handle, self._handle = self._handle, None
        self._in_transaction = False
        if handle is not None:
            with self._timed():
                handle.disconnect()

    def close(self) -> None:
        """Forget everything, also the context: after this the link starts from nothing."""
        self.drop()
        context, self._context = self._context, None
        if context is not None:
            with self._timed():
                context.release()

    def next_rest_s(self) -> float | None:
        """Seconds of idleness after which `rest` has something to do; None for nothing."""
        if self._in_transaction and self.keeps_rights:
            return None  # until the lease is over
        if self._in_transaction:
            limit = self._settings.let_go_s
        elif self._handle is None or self._leased or self._exclusive:
            return None
        else:
            shared = self._settings.foreign is Foreign.SHARED
            limit = self._settings.park_s if shared else 0.0
        return max(0.0, self._used_at + limit - time.monotonic())

    def rest(self) -> None:
        """Idle: first end the transaction, later give up the handle (never within a lease)."""
        try:
            if self._in_transaction:
                self.let_go()
            elif not self._leased:
                self.drop()
                self._look_for_others()
        except (CardLost, CardMute, PcscUnavailable):
            return  # whoever uses the card next is told

    @property
    def _exclusive(self) -> bool:
        return self._settings.foreign is Foreign.EXCLUSIVE

    def _connect(self, counter: int | None, deadline: float) -> None:
        stale = self._context is not None  # perhaps from before a restart of pcscd
        while True:
            try:
                if self._context is None:
                    self._context = self._call(Context)
                # Another program's transaction holds up even the connecting.
                with self._waiting(others=self._look_for_others()):
                    self._handle = self._call(self._context_connect)
                break
            except PcscUnavailable:
                if not stale:
                    raise
                stale = False
            except _Shared:
                if time.monotonic() >= deadline:
                    raise CardBusy(self._reader, FOREIGN, 0.0) from None
                time.sleep(_RETRY_S)
        self._insist_on(counter)

    def _insist_on(self, counter: int | None) -> None:
        if counter is not None and not same_card(counter, self._observe().counter):
            self.drop()
            raise CardLost("another card was put in")

    def _context_connect(self) -> Handle:
        assert self._context is not None
        return self._context.connect(self._reader, exclusive=self._exclusive)

    def _look_for_others(self) -> bool:
        """Without a handle of ours: whoever uses the card is another program."""
        in_use = self._observe().in_use
        if in_use:
            self._on_foreign()
        return in_use

    def _observe(self) -> Observation:
        context = self._context
        assert context is not None
        return self._call(lambda: context.observe(self._reader))

    def _begin(self) -> None:
        with self._waiting(others=True):
            self._call(self._connected().begin)
        self._in_transaction = True
        self._used_at = time.monotonic()

    def _connected(self) -> Handle:
        if self._handle is None:
            raise CardLost("no connection to the card")
        return self._handle

    def _call(self, call: Callable[[], _T]) -> _T:
        """Run one PC/SC call; what its failure means decides what is left of the link."""
        try:
            with self._timed():
                return call()
        except PcscError as error:
            raise self._meaning(error) from error

    @contextmanager
    def _timed(self) -> Iterator[None]:
        self._clock.started_at = time.monotonic()
        try:
            yield
        finally:
            self._clock.started_at = None

    @contextmanager
    def _waiting(self, *, others: bool) -> Iterator[None]:
        self._clock.waiting = others
        try:
            yield
        finally:
            self._clock.waiting = False

    def _meaning(self, error: PcscError) -> Exception:
        if error.code in Trouble.SHARED:
            return _Shared()
        if error.code in Trouble.RESET:
            self._in_transaction = False
            self._on_foreign()
            return ForeignReset()
        if error.code in Trouble.SERVICE:
            self._handle = None
            self._in_transaction = False
            self.close()
            return PcscUnavailable(error.name)
        self.drop()
        if error.code in Trouble.MUTE:
            return CardMute(error.name)
        return CardLost("removed" if error.code in Trouble.REMOVED else str(error))


class _Shared(Exception):
    """Another program has the card exclusively."""
