"""The queue for one card: first come first served for each caller, callers in turn."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass

from cardd.sharing.ticket import Ended, EndReason, Ticket

__all__ = ["Arbiter"]


@dataclass(slots=True)
class _Hold:
    """The lease in force. `idle_since` is None while a command is on its way."""

    ticket: Ticket
    granted_at: float
    idle_since: float | None


class Arbiter:
    """Grants the card to one ticket at a time.

    Between two leases lies a cleaning: the card is granted again only after `cleaned`. A lease
    ends by `release`, `abort`, `expire` or `end_all`; a wait by `cancel`, `expire` or `end_all`.
    Callers take turns: between a caller's request and its grant every other caller is served at
    most once for each of the caller's own requests before it. Not thread-safe.
    """

    def __init__(self, *, idle_limit_s: float, max_hold_s: float) -> None:
        if idle_limit_s <= 0 or max_hold_s <= 0:
            raise ValueError("limits are positive")
        self.idle_limit_s = idle_limit_s
        self.max_hold_s = max_hold_s
        self._turns: OrderedDict[str, deque[Ticket]] = OrderedDict()  # next caller first
        self._hold: _Hold | None = None
        self._cleaning = False
        self._numbers = 0

    @property
    def holder(self) -> Ticket | None:
        return None if self._hold is None else self._hold.ticket

    @property
    def cleaning(self) -> bool:
        """A lease has ended and the card is not yet as it was before it."""
        return self._cleaning

    @property
    def waiting(self) -> tuple[Ticket, ...]:
        """Those who wait, in the order in which they would be served."""
        queues = [deque(queue) for queue in self._turns.values()]
        order: list[Ticket] = []
        while queues:
            order.extend(queue.popleft() for queue in queues)
            queues = [queue for queue in queues if queue]
        return tuple(order)

    def request(self, caller: str, purpose: str, deadline: float, now: float) -> Ticket:
        """Queue up. A deadline that has passed still has its one chance at the next `grants`."""
        self._numbers += 1
        ticket = Ticket(self._numbers, caller, purpose, now, deadline)
        self._turns.setdefault(caller, deque()).append(ticket)
        return ticket

    def grants(self, now: float) -> list[Ticket]:
        """The ticket that has the card from now on; [] if the card is not free or nobody waits."""
        if self._hold is not None or self._cleaning or not self._turns:
            return []
        caller, queue = next(iter(self._turns.items()))
        ticket = queue.popleft()
        if queue:
            self._turns.move_to_end(caller)
        else:
            del self._turns[caller]
        self._hold = _Hold(ticket, granted_at=now, idle_since=now)
        return [ticket]

    def working(self, ticket: Ticket) -> bool:
        """A command goes out: the idle limit stands still. False if the lease is over."""
        if self._hold is None or self._hold.ticket != ticket:
            return False
        self._hold.idle_since = None
        return True

    def touch(self, ticket: Ticket, now: float) -> bool:
        """The command is answered: the idle limit starts anew. False if the lease is over."""
        if self._hold is None or self._hold.ticket != ticket:
            return False
        self._hold.idle_since = now
        return True

    def release(self, ticket: Ticket) -> Ended | None:
        """The holder gives the card back; None if it no longer had it."""
        return self._end_hold(ticket, EndReason.RELEASED)

    def abort(self, ticket: Ticket, reason: EndReason = EndReason.ABORTED) -> Ended | None:
        """Take the card from the holder; None if it no longer had it."""
        return self._end_hold(ticket, reason)

    def cancel(self, ticket: Ticket, reason: EndReason = EndReason.CANCELLED) -> Ended | None:
        """Leave the queue; None if the ticket did not wait any more."""
        queue = self._turns.get(ticket.caller)
        if queue is None or ticket not in queue:
            return None
        queue.remove(ticket)
        if not queue:
            del self._turns[ticket.caller]
        return Ended(ticket, reason, held=False)

    def cleaned(self) -> None:
        """The card is as it was before the last lease; the next may have it."""
        self._cleaning = False

    def expire(self, now: float) -> list[Ended]:
        """End what has reached its limit: the lease, and waits whose deadline has passed."""
        ended = []
        hold = self._hold
        if hold is not None:
            reason = None
            if now >= hold.granted_at + self.max_hold_s:
                reason = EndReason.MAX_HOLD
            elif hold.idle_since is not None and now >= hold.idle_since + self.idle_limit_s:
                reason = EndReason.IDLE
            over = None if reason is None else self._end_hold(hold.ticket, reason)
            ended += [over] if over is not None else []
        late = [t for queue in self._turns.values() for t in queue if now >= t.deadline]
        for ticket in late:
            over = self.cancel(ticket, EndReason.NOT_GRANTED)
            ended += [over] if over is not None else []
        return ended

    def end_all(self, reason: EndReason) -> list[Ended]:
        """The card is gone: nobody holds it, nobody waits, and there is nothing to clean."""
        ended = [Ended(ticket, reason, held=False) for ticket in self.waiting]
        if self._hold is not None:
            ended.insert(0, Ended(self._hold.ticket, reason, held=True))
        self._turns.clear()
        self._hold = None
        self._cleaning = False
        return ended

    def next_limit(self) -> float | None:
        """When `expire` will next have something to do; None if never."""
        limits = [t.deadline for queue in self._turns.values() for t in queue]
        if self._hold is not None:
            limits.append(self._hold.granted_at + self.max_hold_s)
            if self._hold.idle_since is not None:
                limits.append(self._hold.idle_since + self.idle_limit_s)
        return min(limits, default=None)

    def _end_hold(self, ticket: Ticket, reason: EndReason) -> Ended | None:
        if self._hold is None or self._hold.ticket != ticket:
            return None
        self._hold = None
        self._cleaning = True
        return Ended(ticket, reason, held=True)
