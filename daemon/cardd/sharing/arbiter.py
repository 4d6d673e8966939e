"""The queue for one card: users in turn, a user's callers in turn, each in its order."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from cardd.sharing.ticket import Ended, EndReason, Ticket

__all__ = ["Arbiter"]


_Queues: TypeAlias = OrderedDict[str, deque[Ticket]]
"""A user's callers, next one first, each with its tickets in order."""


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
    Users take turns, and within a user's turns its callers do: between a request and its grant
    every other user is served at most once for each request of the same user before it, however
    many programs that user starts. What a caller's name has before a comma is its user; a name
    without one is a user of its own. Not thread-safe.
    """

    def __init__(self, *, idle_limit_s: float, max_hold_s: float) -> None:
        if idle_limit_s <= 0 or max_hold_s <= 0:
            raise ValueError("limits are positive")
        self.idle_limit_s = idle_limit_s
        self.max_hold_s = max_hold_s
        self._turns: OrderedDict[str, _Queues] = OrderedDict()  # next user first
        self._served = ""  # the user whose turn was the last
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
        users = (_in_turn(callers.values()) for callers in self._turns.values())
        return tuple(_in_turn(users))

    def request(self, caller: str, purpose: str, deadline: float, now: float) -> Ticket:
        """Queue up. A deadline that has passed still has its one chance at the next `grants`."""
        self._numbers += 1
        ticket = Ticket(self._numbers, caller, purpose, now, deadline)
        user = _user_of(caller)
        if user not in self._turns:
            self._turns[user] = OrderedDict()
            # Who was served last has had a turn since this one's last: it comes after.
            if self._served in self._turns:
                self._turns.move_to_end(self._served)
        self._turns[user].setdefault(caller, deque()).append(ticket)
        return ticket

    def grants(self, now: float) -> list[Ticket]:
        """The ticket that has the card from now on; [] if the card is not free or nobody waits."""
        if self._hold is not None or self._cleaning or not self._turns:
            return []
        user, callers = next(iter(self._turns.items()))
        caller, queue = next(iter(callers.items()))
        ticket = queue.popleft()
        self._served = user
        if queue:
            callers.move_to_end(caller)
        else:
            del callers[caller]
        if callers:
            self._turns.move_to_end(user)
        else:
            del self._turns[user]
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
        user = _user_of(ticket.caller)
        callers = self._turns.get(user, OrderedDict())
        queue = callers.get(ticket.caller)
        if queue is None or ticket not in queue:
            return None
        queue.remove(ticket)
        if not queue:
            del callers[ticket.caller]
        if not callers:
            del self._turns[user]
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
        self._turns.clear()
        self._hold = None
        self._cleaning = False
        return ended

    def next_limit(self) -> float | None:
        """When `expire` will next have something to do; None if never."""
        limits = [ticket.deadline for ticket in self._queued()]
        if self._hold is not None:
            limits.append(self._hold.granted_at + self.max_hold_s)
            if self._hold.idle_since is not None:
                limits.append(self._hold.idle_since + self.idle_limit_s)
        return min(limits, default=None)

    def _queued(self) -> Iterator[Ticket]:
        """Those who wait, in no order."""
        for callers in self._turns.values():
            for queue in callers.values():
                yield from queue

    def _end_hold(self, ticket: Ticket, reason: EndReason) -> Ended | None:
        if self._hold is None or self._hold.ticket != ticket:
            return None
        self._hold = None
        self._cleaning = True
        return Ended(ticket, reason, held=True)


def _user_of(caller: str) -> str:
    return caller.partition(",")[0]


def _in_turn(queues: Iterable[Iterable[Ticket]]) -> list[Ticket]:
    """One of each, again and again, as long as there are any."""
    left = [deque(queue) for queue in queues]
    order: list[Ticket] = []
    while left := [queue for queue in left if queue]:
        order.extend(queue.popleft() for queue in left)
    return order
