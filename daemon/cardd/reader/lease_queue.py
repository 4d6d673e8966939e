"""Who holds one card and who waits for it, with the futures that tell them. Not thread-safe."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

from cardd.card.errors import CardLost
from cardd.card.identify import CardIdentity
from cardd.reader.errors import CardAbsent, CardBusy, LeaseEnded, PcscUnavailable
from cardd.reader.lease import Lease, LeaseOwner
from cardd.reader.link import FOREIGN
from cardd.reader.settings import ReaderSettings
from cardd.sharing.arbiter import Arbiter, Hold
from cardd.sharing.ticket import EndReason, Priority, Ticket

__all__ = ["DAEMON", "LeaseQueue", "as_loss"]

DAEMON = "cardd"
"""The caller's name under which the daemon itself takes the card."""

# Powering a card up takes its time: a caller that is not ready to wait in the queue still waits
# this long for a card that was free.
_OPEN_GRACE_S = 1.0


class LeaseQueue:
    """The arbiter of one reader, and what its tickets mean to callers.

    Futures are answered through `later`, after the worker's lock is free: their callbacks may
    come back to the worker.
    """

    def __init__(
        self,
        reader: str,
        settings: ReaderSettings,
        owner: LeaseOwner,
        later: Callable[[Callable[[], None]], None],
    ) -> None:
        self._reader = reader
        self._settings = settings
        self._owner = owner
        self._later = later
        self._arbiter = Arbiter(
            idle_limit_s=settings.idle_limit_s,
            max_hold_s=settings.max_hold_s,
            slice_s=settings.slice_s,
        )
        self._waits: dict[int, Future[Lease]] = {}
        self._opening: tuple[Future[Lease], float] | None = None
        self._identifying: Ticket | None = None
        # Commands under way, also of leases that have ended meanwhile.
        self._unanswered: dict[Future[bytes], Lease] = {}
        self.lease: Lease | None = None
        self.granted = 0
        """Leases that callers were given."""

    @property
    def hold(self) -> Hold | None:
        return self._arbiter.hold

    @property
    def holder(self) -> Ticket | None:
        return self._arbiter.holder

    @property
    def waiting(self) -> tuple[Ticket, ...]:
        return self._arbiter.waiting

    def request(
        self, caller: str, purpose: str, max_wait_s: float, now: float, priority: Priority
    ) -> tuple[Ticket, Future[Lease]]:
        """Queue up."""
        ticket = self._arbiter.request(caller, purpose, now + max_wait_s, now, priority)
        self._waits[ticket.number] = future = Future[Lease]()
        return ticket, future

    def request_identification(self, now: float) -> None:
        """Queue up for the daemon itself."""
        deadline = now + self._settings.identify_wait_s
        self._identifying = self._arbiter.request(
            DAEMON, "identify", deadline, now, Priority.PROVISIONING
        )

    def leave_queue(self, ticket: Ticket) -> None:
        """The caller has cancelled."""
        self._waits.pop(ticket.number, None)
        self._arbiter.cancel(ticket)

    def serve(
        self, now: float, insertion: int, identity: CardIdentity | None
    ) -> tuple[Lease, float] | Ticket | None:
        """Whose turn it is: a lease to open by a deadline, or the ticket of an identification."""
        while granted := self._arbiter.grants(now):
            ticket = granted[0]
            self._arbiter.working(ticket)  # opening and identifying are no idleness
            if ticket == self._identifying:
                return ticket
            future = self._waits.pop(ticket.number)
            if not future.cancelled():
                lease = self._new_lease(ticket, insertion, identity)
                deadline = max(ticket.deadline, now + _OPEN_GRACE_S)
                self.lease, self._opening = lease, (future, deadline)
                return lease, deadline
            self._arbiter.release(ticket)
            self._arbiter.cleaned()
        return None

    def opened(self, lease: Lease, now: float) -> bool:
        """The card is held: give the lease to its caller. False if nobody wants it any more."""
        if lease is not self.lease or self._opening is None:
            return True  # given up meanwhile, and its cleaning is under way
        future, self._opening = self._opening[0], None
        self._arbiter.touch(lease.ticket, now)
        if not future.set_running_or_notify_cancel():
            return False
        self.granted += 1
        self._later(lambda: future.set_result(lease))
        return True

    def ask_holder(self, now: float) -> None:
        """Tell the holder, once, that others wait, if it is time to."""
        ticket, lease = self._arbiter.ask(now), self.lease
        if lease is not None and lease.ticket == ticket:
            waiting = len(self._arbiter.waiting)
            self._later(lambda: lease.wanted.set_result(waiting))

    def working(self, lease: Lease) -> bool:
        """A command goes out. False if the lease is over."""
        return lease is self.lease and self._arbiter.working(lease.ticket)

    def touch(self, lease: Lease, now: float) -> None:
        """The last command under way is answered."""
        self._arbiter.touch(lease.ticket, now)

    def promise(self, lease: Lease, future: Future[bytes]) -> None:
        """A command is on its way: its caller will get an answer."""
        lease.pending.append(future)
        self._unanswered[future] = lease

    def break_promises(self, error: Exception) -> None:
        """No command under way will be answered any more."""
        for future, lease in list(self._unanswered.items()):
            self.answer(lease, future, error)

    def give_up(self, lease: Lease) -> None:
        """None of the commands of a lease that is over has gone out yet, and none will."""
        error = lease.error
        assert error is not None
        for future in list(lease.pending):
            self.answer(lease, future, error)

    def answer(self, lease: Lease, future: Future[bytes], answer: bytes | Exception) -> None:
        """Tell the caller; nothing if the command was given up before."""
        if self._unanswered.pop(future, None) is None:
            return
        lease.pending.remove(future)
        if isinstance(answer, bytes):
            self._later(lambda: future.set_result(answer))
        else:
            self._later(lambda: future.set_exception(answer))

    def end(self, lease: Lease, reason: EndReason, error: Exception) -> None:
        """The lease is over; the card is granted again after `cleaned`."""
        self._arbiter.abort(lease.ticket, reason)
        self._finish(lease, error)

    def cleaned(self) -> None:
        self._arbiter.cleaned()

    def identification_over(self, ticket: Ticket) -> None:
        self._identifying = None
        self._arbiter.release(ticket)
        self._arbiter.cleaned()

    def end_all(self, error: Exception) -> None:
        """The card is gone, and every lease and wait with it."""
        for ended in self._arbiter.end_all(EndReason.CARD_GONE):
            future = self._waits.pop(ended.ticket.number, None)
            if future is not None:
                gone = isinstance(error, CardLost)
                self._fail(future, CardAbsent(self._reader) if gone else error)
        if self.lease is not None:
            self._finish(self.lease, as_loss(error))
        self._identifying = None

    def expire(self, now: float) -> tuple[Lease | None, CardBusy | None]:
        """End what has reached its limit.

        Returns the lease that ended, for cleaning, and the failure of a daemon's own wait.
        """
        over: Lease | None = None
        own: CardBusy | None = None
        for ended in self._arbiter.expire(now):
            if ended.held:
                over = self.lease if self.lease and self.lease.ticket == ended.ticket else None
                if over is not None:
                    self._finish(over, LeaseEnded(self._reader, ended.reason))
                continue
            holder = self._arbiter.holder
            name = "the cleaning after its last holder" if holder is None else holder.caller
            busy = CardBusy(self._reader, name, now - ended.ticket.requested_at)
            future = self._waits.pop(ended.ticket.number, None)
            if future is not None:
                self._fail(future, busy)
            elif ended.ticket == self._identifying:
                self._identifying, own = None, busy
        if self._opening is not None and now >= self._opening[1] and self.lease is not None:
            over = self.lease
            waited_s = now - over.ticket.requested_at
            self.end(over, EndReason.NOT_GRANTED, CardBusy(self._reader, FOREIGN, waited_s))
        return over, own

    def next_limit(self) -> float | None:
        """When `expire` or `ask_holder` will have something to do."""
        limits = [self._arbiter.next_limit(), self._opening[1] if self._opening else None]
        return min((limit for limit in limits if limit is not None), default=None)

    def _new_lease(self, ticket: Ticket, insertion: int, identity: CardIdentity | None) -> Lease:
        return Lease(
            self._owner,
            ticket,
            reader=self._reader,
            insertion=insertion,
            identity=identity,
            idle_limit_s=self._settings.idle_limit_s,
            max_hold_s=self._settings.max_hold_s,
            call_limit_s=self._settings.call_limit_s,
        )

    def _finish(self, lease: Lease, error: Exception) -> None:
        lease.error = error
        self.lease = None
        opening, self._opening = self._opening, None
        if opening is not None:
            self._fail(opening[0], error)
        self._later(lambda: lease.over.set_result(error))

    def _fail(self, future: Future[Lease], error: Exception) -> None:
        if future.set_running_or_notify_cancel():
            self._later(lambda: future.set_exception(error))


def as_loss(error: Exception) -> Exception:
    """What a lease is told: to the layers above, a service that is gone is a card that is gone."""
    return CardLost("pcscd is gone") if isinstance(error, PcscUnavailable) else error
