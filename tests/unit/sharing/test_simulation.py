"""Two million steps of a card that many want, with nothing but the arbiter and a clock of its own.

Every program acts for itself, at random: it asks, waits, gives up, works, falls silent, ends or is
killed. What must hold is looked at after every step.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from cardd.sharing.arbiter import Arbiter
from cardd.sharing.ticket import Ended, EndReason, Priority, Ticket
from cardd.sharing.turns import PATIENCE

STEPS = 2_000_000
USERS, PROGRAMS = 3, 3
IDLE_S, HOLD_S, SLICE_S, CLEAN_S, WAIT_S = 0.5, 3.0, 1.0, 0.05, 40.0

# Each program has one request at a time. A ticket sees every user once before its own user's
# turn, and its user's other programs before it; and of any PATIENCE + 2 turns one is its
# priority's.
MOST_AHEAD = USERS * PROGRAMS * (PATIENCE + 2)

CALLERS = [f"uid {user}, pid {program}" for user in range(USERS) for program in range(PROGRAMS)]
GREEDY = CALLERS[0]  # never ends by itself
PRIORITIES = (*[Priority.NORMAL] * 6, *[Priority.PROVISIONING] * 2, Priority.INTERACTIVE)
ENDS = (
    EndReason.RELEASED,
    EndReason.IDLE,
    EndReason.MAX_HOLD,
    EndReason.NOT_GRANTED,
    EndReason.CANCELLED,
)


@dataclass
class World:
    """One card, its programs, and a plain record of what they were promised."""

    chance: random.Random
    now: float = 0.0
    held: Ticket | None = None
    granted_at: float = 0.0
    idle_since: float = 0.0
    cleaning_since: float | None = None
    grants: int = 0
    waits: dict[str, tuple[Ticket, int]] = field(default_factory=dict)
    served: dict[Priority, int] = field(default_factory=lambda: dict.fromkeys(Priority, 0))
    ended: dict[EndReason, int] = field(default_factory=dict)
    longest_ahead: int = 0
    asked: int = 0

    def __post_init__(self) -> None:
        self.queue = Arbiter(idle_limit_s=IDLE_S, max_hold_s=HOLD_S, slice_s=SLICE_S)

    def step(self) -> None:
        what = self.chance.randrange(16)
        if what < 6:
            self.request(self.chance.choice(CALLERS))
        elif what < 10:
            self.now += self.chance.random() * 0.02
        elif what == 10 and self.chance.random() < 0.1:
            # A holder that falls silent, a program that is stopped.
            self.now += self.chance.random() * IDLE_S * 1.5
        elif what == 11 and self.waits and self.chance.random() < 0.1:
            caller = self.chance.choice(list(self.waits))
            ended = self.queue.cancel(self.waits[caller][0])
            assert ended is not None
            self.over(ended)
        elif self.held is not None:
            self.use(what)
        self.serve()

    def request(self, caller: str) -> None:
        if caller in self.waits or (self.held is not None and self.held.caller == caller):
            return
        priority = self.chance.choice(PRIORITIES)
        deadline = self.now + (WAIT_S if self.chance.random() < 0.9 else self.chance.random())
        ticket = self.queue.request(caller, "work", deadline, self.now, priority)
        self.waits[caller] = ticket, self.grants

    def use(self, what: int) -> None:
        assert self.held is not None
        if what == 12 and self.held.caller != GREEDY:
            ended = self.queue.release(self.held)
            assert ended is not None
            self.over(ended)
        else:
            assert self.queue.working(self.held)
            self.now += 0.005
            assert self.queue.touch(self.held, self.now)
            self.idle_since = self.now

    def serve(self) -> None:
        for ended in self.queue.expire(self.now):
            if ended.reason is EndReason.NOT_GRANTED:
                assert self.now >= ended.ticket.deadline
            self.over(ended)
        if self.held is not None:
            # Deadlines are kept: whoever is still here has not reached his limit.
            assert self.now < self.granted_at + HOLD_S
            assert self.now < self.idle_since + IDLE_S
            asked = self.queue.ask(self.now)
            if asked is not None:
                assert asked is self.held
                assert self.waits
                self.asked += 1
        if self.cleaning_since is not None and self.now >= self.cleaning_since + CLEAN_S:
            self.queue.cleaned()
            self.cleaning_since = None
        for ticket in self.queue.grants(self.now):
            assert self.held is None, "two holders"
            assert self.cleaning_since is None, "a card that is not clean"
            assert self.now < ticket.deadline
            waiting, since = self.waits.pop(ticket.caller)
            assert waiting is ticket
            self.longest_ahead = max(self.longest_ahead, self.grants - since)
            self.grants += 1
            self.served[ticket.priority] += 1
            self.held, self.granted_at, self.idle_since = ticket, self.now, self.now

    def over(self, ended: Ended) -> None:
        self.ended[ended.reason] = self.ended.get(ended.reason, 0) + 1
        if ended.held:
            assert ended.ticket is self.held
            self.held, self.cleaning_since = None, self.now
        else:
            assert self.waits.pop(ended.ticket.caller)[0] is ended.ticket


def test_in_two_million_steps_nobody_shares_starves_or_outstays() -> None:
    world = World(random.Random(5))
    for _ in range(STEPS):
        world.step()
    assert world.longest_ahead <= MOST_AHEAD
    # Everything that can happen has happened, and often.
    assert min(world.served.values()) > 1000
    assert min(world.ended[reason] for reason in ENDS) > 100
    assert world.asked > 100


@pytest.mark.parametrize("hasty", [Priority.INTERACTIVE, Priority.PROVISIONING])
def test_a_priority_that_never_pauses_leaves_the_others_a_turn_in_three(hasty: Priority) -> None:
    queue = Arbiter(idle_limit_s=IDLE_S, max_hold_s=HOLD_S)
    served = dict.fromkeys(Priority, 0)
    for _ in range(3000):
        for priority in (hasty, Priority.NORMAL):
            if not any(ticket.priority is priority for ticket in queue.waiting):
                queue.request(priority.value, "", 1e9, 0, priority)
        (ticket,) = queue.grants(0)
        served[ticket.priority] += 1
        queue.release(ticket)
        queue.cleaned()
    assert served[Priority.NORMAL] == 1000
