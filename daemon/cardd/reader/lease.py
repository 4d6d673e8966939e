"""A lease: the right to talk to one card, for threads and for event loops."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Protocol

from cardd.card.identify import CardIdentity
from cardd.card.residue import Cleaning, Residue, may_change_content
from cardd.card.selections import Selections
from cardd.reader.errors import InvalidApdu, ReaderUnavailable
from cardd.reader.link import CardLink
from cardd.reader.pcsc import MAX_APDU, MIN_APDU
from cardd.sharing.cache import Mark
from cardd.sharing.ticket import EndReason, Ticket

__all__ = ["Lease", "LeaseOwner"]

_GRACE_S = 2.0  # on top of the call limit, should even the watchdog be late


class LeaseOwner(Protocol):
    """The worker that granted it."""

    def work_for(
        self, lease: Lease, work: Callable[[CardLink], bytes], *, changes: bool
    ) -> Future[bytes]: ...
    def end_lease(self, lease: Lease, reason: EndReason) -> None: ...
    def mark(self) -> Mark: ...


class Lease:
    """Made by a worker when the card is granted. Every method may be called from any thread.

    As a context manager it is ended when the block ends well, and aborted when it does not.
    """

    def __init__(
        self,
        owner: LeaseOwner,
        ticket: Ticket,
        *,
        reader: str,
        insertion: int,
        identity: CardIdentity | None,
        idle_limit_s: float,
        max_hold_s: float,
        call_limit_s: float,
    ) -> None:
        self._owner = owner
        self._call_limit_s = call_limit_s
        self.ticket = ticket
        self.reader = reader
        self.insertion = insertion
        self.identity = identity
        self.idle_limit_s = idle_limit_s
        self.max_hold_s = max_hold_s
        self.residue = Residue()
        self.selections = Selections()
        self._followed = False
        self.pending: list[Future[bytes]] = []
        self.error: Exception | None = None
        self.apdus = 0
        """Commands that the card answered."""
        self.card_time_s = 0.0
        """Time that the card took for them."""
        self.over: Future[Exception] = Future()
        """Done when the lease has ended; the result is what a further command would raise."""
        self.over.set_running_or_notify_cancel()  # a waiter that gives up cannot cancel it
        self.wanted: Future[int] = Future()
        """Done when others wait and the holder is asked to make way; the result is how many."""
        self.wanted.set_running_or_notify_cancel()

    @property
    def caller(self) -> str:
        return self.ticket.caller

    @property
    def purpose(self) -> str:
        return self.ticket.purpose

    def transmit(self, command: bytes) -> bytes:
        """One APDU, blocking. CardLost, CardMute, LeaseEnded, ReaderUnavailable, InvalidApdu."""
        try:
            return self.submit(command).result(self._call_limit_s + _GRACE_S)
        except TimeoutError:
            raise ReaderUnavailable(self.reader, "a command was not answered") from None

    def submit(self, command: bytes) -> Future[bytes]:
        """One APDU; a future for `asyncio.wrap_future`. Cancelling it does not recall it."""
        command = bytes(command)
        if not MIN_APDU <= len(command) <= MAX_APDU:
            invalid: Future[bytes] = Future()
            invalid.set_exception(InvalidApdu(len(command)))
            return invalid

        def exchange(link: CardLink) -> bytes:
            response = b""
            try:
                response = link.transmit(command)
            finally:
                self.residue.note(command, response)
                self.selections.note(command, response)
            link.keeps_rights = self._followed or self.residue.cleaning is Cleaning.RESET
            return response

        return self._owner.work_for(self, exchange, changes=may_change_content(command))

    def reset(self) -> Future[bytes]:
        """Reset the card: what anybody has selected or verified is gone. As `submit`; b"".

        From then on what is selected is known, and no other program comes between to change it.
        """

        def reset(link: CardLink) -> bytes:
            link.reset()
            link.keeps_rights = self._followed = True
            self.residue = Residue()
            self.selections.reset()
            return b""

        return self._owner.work_for(self, reset, changes=True)

    def mark(self) -> Mark:
        """What is read from now on is of this state of the card's content."""
        return self._owner.mark()

    def end(self) -> None:
        """Give the card back. Does nothing if the lease is over."""
        self._owner.end_lease(self, EndReason.RELEASED)

    def abort(self) -> None:
        """Give the card back without a goodbye: the APDU in flight finishes, nothing follows."""
        self._owner.end_lease(self, EndReason.ABORTED)

    def __enter__(self) -> Lease:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.end()
        else:
            self.abort()

    def __repr__(self) -> str:
        state = "ended" if self.over.done() else "held"
        return f"<Lease {self.ticket.number} of {self.reader!r} by {self.caller}, {state}>"
