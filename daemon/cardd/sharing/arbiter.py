"""The queue for one card: priorities, users in turn, leases that end, a polite word before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cardd.sharing.ticket import Ended, EndReason, Priority, Ticket
from cardd.sharing.turns import Precedence, Turns

__all__ = ["Arbiter", "Hold"]


@dataclass(slots=True)
class Hold:
    """The lease in force. `idle_since` is None while a command is on its way; `asked` says that
    its holder has been told of those who wait."""

    ticket: Ticket
    granted_at: float
    idle_since: float | None
    asked: bool = False


class Arbiter:
    """Grants the card to one ticket at a time.

    Between two leases lies a cleaning: the card is granted again only after `cleaned`. A lease
    ends by `release`, `abort`, `expire` or `end_all`; a wait by `cancel`, `expire` or `end_all`.
    Who is next is told by `Precedence` and `Turns`. A holder has its slice for itself; when that
    is over and others wait, or when somebody of a higher priority does, `ask` names it once, so
    that it may be told. Not thread-safe.
    """

    def __init__(self, *, idle_limit_s: float, max_hold_s: float, slice_s: float = 0.0) -> None:
        if idle_limit_s <= 0 or max_hold_s <= 0 or slice_s < 0:
            raise ValueError("limits are positive")
        self.idle_limit_s = idle_limit_s
        self.max_hold_s = max_hold_s
        self.slice_s = slice_s
        self._lanes = {priority: Turns() for priority in Priority}
        self._precedence = Precedence()
        self._hold: Hold | None = None
        self._cleaning = False
        self._numbers = 0

    @property
    def hold(self) -> Hold | None:
        """The lease in force, to be looked at only."""
        return self._hold

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
        if not any(self._lanes.values()):
            return ()
        left = {p: iter(lane.in_order()) for p, lane in self._lanes.items() if lane}
        following = {p: next(tickets) for p, tickets in left.items()}
        precedence = self._precedence.copy()
        order: list[Ticket] = []
        while following:
            chosen = precedence.choose(following)
            order.append(following.pop(chosen))
            ticket = next(left[chosen], None)
            if ticket is not None:
                following[chosen] = ticket
        return tuple(order)

    def request(
        self,
        caller: str,
        purpose: str,
        deadline: float,
        now: float,
        priority: Priority = Priority.NORMAL,
    ) -> Ticket:
        """Queue up. A deadline that has passed still has its one chance at the next `grants`."""
        self._numbers += 1
        ticket = Ticket(self._numbers, caller, purpose, now, deadline, priority)
        self._lanes[priority].add(ticket)
        return ticket

    def grants(self, now: float) -> list[Ticket]:
        """The ticket that has the card from now on; [] if the card is not free or nobody waits."""
        waiting = [priority for priority, lane in self._lanes.items() if lane]
        if self._hold is not None or self._cleaning or not waiting:
            return []
        ticket = self._lanes[self._precedence.choose(waiting)].take()
        self._hold = Hold(ticket, granted_at=now, idle_since=now)
        return [ticket]

    def ask(self, now: float) -> Ticket | None:
        """The holder, if it is time to tell it that others wait; each holder is told once."""
        due = self._ask_at()
        if self._hold is None or due is None or now < due:
            return None
        self._hold.asked = True
        return self._hold.ticket

    def working(self, ticket: Ticket) -> bool:
        """A command goes out: the idle limit stands still. False if the lease is over."""
        if self._hold is None or self._hold.ticket is not ticket:
            return False
        self._hold.idle_since = None
        return True

    def touch(self, ticket: Ticket, now: float) -> bool:
        """The command is answered: the idle limit starts anew. False if the lease is over."""
        if self._hold is None or self._hold.ticket is not ticket:
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
        if not self._lanes[ticket.priority].remove(ticket):
            return None
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
        late = [ticket for ticket in self._queued() if now >= ticket.deadline]
        for ticket in late:
            over = self.cancel(ticket, EndReason.NOT_GRANTED)
            ended += [over] if over is not None else []
        return ended

    def end_all(self, reason: EndReason) -> list[Ended]:
        """The card is gone: nobody holds it, nobody waits, and there is nothing to clean."""
        ended = [Ended(ticket, reason, held=False) for ticket in self.waiting]
        if self._hold is not None:
            ended.insert(0, Ended(self._hold.ticket, reason, held=True))
        for lane in self._lanes.values():
            lane.clear()
        self._hold = None
        self._cleaning = False
        return ended

    def next_limit(self) -> float | None:
        """When `expire` or `ask` will next have something to do; None if never."""
        limits = [ticket.deadline for ticket in self._queued()]
        if self._hold is not None:
            limits.append(self._hold.granted_at + self.max_hold_s)
            if self._hold.idle_since is not None:
                limits.append(self._hold.idle_since + self.idle_limit_s)
            ask_at = self._ask_at()
            limits += [ask_at] if ask_at is not None else []
        return min(limits, default=None)

    def _ask_at(self) -> float | None:
        """When the holder is to be told of those who wait; None if not as things are."""
        hold = self._hold
        if hold is None or hold.asked:
            return None
        for priority, lane in self._lanes.items():  # highest first
            if priority is hold.ticket.priority:
                break
            if lane:
                return hold.granted_at
        waits = any(lane for lane in self._lanes.values())
        return hold.granted_at + self.slice_s if waits else None

    def _queued(self) -> Iterator[Ticket]:
        """Those who wait, in no order."""
        for lane in self._lanes.values():
            yield from lane

    def _end_hold(self, ticket: Ticket, reason: EndReason) -> Ended | None:
        if self._hold is None or self._hold.ticket is not ticket:
            return None
        self._hold = None
        self._cleaning = True
        return Ended(ticket, reason, held=True)
