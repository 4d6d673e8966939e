"""Whose turn it is: among those of one priority, and among priorities. Pure."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Collection, Iterable, Iterator
from copy import copy

from cardd.sharing.ticket import Priority, Ticket

__all__ = ["PATIENCE", "Precedence", "Turns"]

PATIENCE = 2
"""How often those of a priority who wait are passed over before it is their turn."""

_RANK = {priority: rank for rank, priority in enumerate(Priority)}


class Turns:
    """Users in turn, a user's callers in turn, each caller's tickets in their order.

    Between a request and its turn every other user has at most one turn for each request of the
    same user before it, however many programs that user starts. What a caller's name has before
    a comma is its user; a name without one is a user of its own.
    """

    def __init__(self) -> None:
        # Next user first; each user's callers, next one first, with their tickets.
        self._users: OrderedDict[str, OrderedDict[str, deque[Ticket]]] = OrderedDict()
        self._served = ""  # the user whose turn was the last

    def __bool__(self) -> bool:
        return bool(self._users)

    def __iter__(self) -> Iterator[Ticket]:
        """All tickets, in no order."""
        for callers in self._users.values():
            for queue in callers.values():
                yield from queue

    def add(self, ticket: Ticket) -> None:
        user = _user_of(ticket)
        if user not in self._users:
            self._users[user] = OrderedDict()
            # Who was served last has had a turn since this one's last: it comes after.
            if self._served in self._users:
                self._users.move_to_end(self._served)
        self._users[user].setdefault(ticket.caller, deque()).append(ticket)

    def take(self) -> Ticket:
        """The next ticket, which leaves; KeyError if there is none."""
        user, callers = self._users.popitem(last=False)
        caller, queue = callers.popitem(last=False)
        ticket = queue.popleft()
        self._served = user
        if queue:
            callers[caller] = queue
        if callers:
            self._users[user] = callers
        return ticket

    def remove(self, ticket: Ticket) -> bool:
        """Take a ticket out of turn; False if it does not wait here."""
        user = _user_of(ticket)
        callers = self._users.get(user, OrderedDict())
        queue = callers.get(ticket.caller)
        if queue is None or ticket not in queue:
            return False
        queue.remove(ticket)
        if not queue:
            del callers[ticket.caller]
        if not callers:
            del self._users[user]
        return True

    def clear(self) -> None:
        self._users.clear()

    def in_order(self) -> list[Ticket]:
        """All tickets in the order in which `take` would give them."""
        return _alternating(_alternating(callers.values()) for callers in self._users.values())


class Precedence:
    """Which priority is served next.

    The higher goes first, but never for ever: who has been passed over `PATIENCE` times is next,
    so that each priority with someone waiting has at least every (`PATIENCE` + 2)th turn.
    """

    def __init__(self) -> None:
        self._passed = dict.fromkeys(Priority, 0)

    def choose(self, waiting: Collection[Priority]) -> Priority:
        """One of those for which somebody waits, and take note of it."""
        due = [one for one in waiting if self._passed[one] >= PATIENCE]
        if due:
            chosen = max(due, key=lambda one: (self._passed[one], _RANK[one]))
        else:
            chosen = min(waiting, key=_RANK.__getitem__)
        for one in Priority:
            if one is chosen or one not in waiting:
                self._passed[one] = 0
            elif _RANK[one] > _RANK[chosen]:
                self._passed[one] += 1
        return chosen

    def copy(self) -> Precedence:
        """For asking what would come."""
        other = copy(self)
        other._passed = dict(self._passed)
        return other


def _user_of(ticket: Ticket) -> str:
    return ticket.caller.partition(",")[0]


def _alternating(queues: Iterable[Iterable[Ticket]]) -> list[Ticket]:
    """One of each, again and again, as long as there are any."""
    left = [deque(queue) for queue in queues]
    order: list[Ticket] = []
    while left := [queue for queue in left if queue]:
        order.extend(queue.popleft() for queue in left)
    return order
