"""The queue for one card: one holder, turns between callers, and an end to everything."""

from collections import deque

import pytest
from cardd.sharing.arbiter import Arbiter
from cardd.sharing.ticket import EndReason, Priority, Ticket
from cardd.sharing.turns import PATIENCE
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

IDLE_S, HOLD_S = 5.0, 60.0


def arbiter() -> Arbiter:
    return Arbiter(idle_limit_s=IDLE_S, max_hold_s=HOLD_S)


def ask(
    queue: Arbiter,
    caller: str,
    now: float = 0.0,
    deadline: float = 1000.0,
    priority: Priority = Priority.NORMAL,
) -> Ticket:
    return queue.request(caller, "test", deadline, now, priority)


def finish(queue: Arbiter, ticket: Ticket) -> None:
    assert queue.release(ticket) is not None
    queue.cleaned()


def test_a_free_card_is_granted_at_once() -> None:
    queue = arbiter()
    ticket = ask(queue, "a")
    assert queue.grants(0) == [ticket]
    assert queue.holder == ticket


def test_a_held_card_is_not_granted() -> None:
    queue = arbiter()
    ask(queue, "a")
    ask(queue, "b")
    queue.grants(0)
    assert queue.grants(0) == []


def test_a_card_is_not_granted_before_it_is_clean() -> None:
    queue = arbiter()
    first, second = ask(queue, "a"), ask(queue, "b")
    queue.grants(0)
    queue.release(first)
    assert (queue.holder, queue.cleaning, queue.grants(0)) == (None, True, [])
    queue.cleaned()
    assert queue.grants(0) == [second]


def test_callers_take_turns_and_each_is_served_in_order() -> None:
    queue = arbiter()
    busy = [ask(queue, "busy") for _ in range(3)]
    calm = [ask(queue, "calm") for _ in range(2)]
    order = list(queue.waiting)
    assert order == [busy[0], calm[0], busy[1], calm[1], busy[2]]
    for expected in order:
        assert queue.grants(0) == [expected]
        finish(queue, expected)


def test_a_caller_who_comes_back_waits_for_the_others() -> None:
    queue = arbiter()
    first = ask(queue, "a")
    queue.grants(0)
    other = ask(queue, "b")
    again = ask(queue, "a")
    finish(queue, first)
    assert list(queue.waiting) == [other, again]


def test_an_idle_holder_loses_the_card() -> None:
    queue = arbiter()
    ticket = ask(queue, "a")
    queue.grants(0)
    queue.touch(ticket, 3)
    assert queue.expire(7.9) == []
    (ended,) = queue.expire(8.0)
    assert (ended.ticket, ended.reason, ended.held) == (ticket, EndReason.IDLE, True)
    assert queue.cleaning


def test_a_command_under_way_is_no_idleness_but_does_not_extend_the_maximum() -> None:
    queue = arbiter()
    ticket = ask(queue, "a")
    queue.grants(0)
    queue.working(ticket)
    assert queue.expire(HOLD_S - 1) == []
    (ended,) = queue.expire(HOLD_S)
    assert ended.reason is EndReason.MAX_HOLD


def test_a_wait_ends_at_its_deadline() -> None:
    queue = arbiter()
    ask(queue, "a")
    queue.grants(0)
    late = ask(queue, "b", deadline=2.0)
    assert queue.expire(1.9) == []
    (ended,) = queue.expire(2.0)
    assert (ended.ticket, ended.reason, ended.held) == (late, EndReason.NOT_GRANTED, False)
    assert queue.waiting == ()


def test_a_cancelled_wait_is_never_granted() -> None:
    queue = arbiter()
    first, second, third = ask(queue, "a"), ask(queue, "b"), ask(queue, "c")
    queue.grants(0)
    assert queue.cancel(second) is not None
    assert queue.cancel(second) is None
    finish(queue, first)
    assert queue.grants(0) == [third]


def test_what_is_over_stays_over() -> None:
    queue = arbiter()
    ticket = ask(queue, "a")
    queue.grants(0)
    finish(queue, ticket)
    assert queue.release(ticket) is None
    assert queue.abort(ticket) is None
    assert not queue.touch(ticket, 1)
    assert not queue.working(ticket)


def test_when_the_card_goes_everybody_is_told_and_nothing_is_left_to_clean() -> None:
    queue = arbiter()
    tickets = [ask(queue, caller) for caller in "abc"]
    queue.grants(0)
    ended = queue.end_all(EndReason.CARD_GONE)
    assert [(e.ticket, e.held) for e in ended] == [
        (tickets[0], True),
        (tickets[1], False),
        (tickets[2], False),
    ]
    assert not queue.cleaning
    assert queue.next_limit() is None


def test_limits_are_positive() -> None:
    with pytest.raises(ValueError, match="positive"):
        Arbiter(idle_limit_s=0, max_hold_s=1)


def test_who_has_entered_a_pin_goes_first_and_then_provisioning() -> None:
    queue = arbiter()
    normal = ask(queue, "a")
    provisioning = ask(queue, "cardd", priority=Priority.PROVISIONING)
    interactive = ask(queue, "b", priority=Priority.INTERACTIVE)
    assert list(queue.waiting) == [interactive, provisioning, normal]


def test_a_priority_passes_those_who_wait_twice_at_most() -> None:
    queue = arbiter()
    calm = ask(queue, "calm")
    hasty = [ask(queue, "hasty", priority=Priority.INTERACTIVE) for _ in range(5)]
    assert PATIENCE == 2
    assert list(queue.waiting) == [*hasty[:2], calm, *hasty[2:]]


def test_a_holder_is_told_once_when_its_slice_is_over_and_others_wait() -> None:
    queue = Arbiter(idle_limit_s=IDLE_S, max_hold_s=HOLD_S, slice_s=2.0)
    holder = ask(queue, "a")
    queue.grants(0)
    assert queue.ask(3) is None  # nobody waits
    ask(queue, "b", now=1)
    assert queue.next_limit() == 2.0
    assert queue.ask(1.9) is None
    assert queue.ask(2.0) == holder
    assert queue.ask(3.0) is None


def test_a_holder_is_told_at_once_of_who_goes_first_but_keeps_the_card() -> None:
    queue = Arbiter(idle_limit_s=IDLE_S, max_hold_s=HOLD_S, slice_s=2.0)
    holder = ask(queue, "a")
    queue.grants(0)
    ask(queue, "b", now=0.5, priority=Priority.INTERACTIVE)
    assert queue.ask(0.5) == holder
    assert queue.grants(0.5) == []
    assert queue.holder == holder


def test_a_holder_of_the_highest_priority_has_its_slice_like_any_other() -> None:
    queue = Arbiter(idle_limit_s=IDLE_S, max_hold_s=HOLD_S, slice_s=2.0)
    ask(queue, "a", priority=Priority.INTERACTIVE)
    queue.grants(0)
    ask(queue, "b", now=0.5)
    assert queue.ask(1.9) is None
    assert queue.ask(2.0) is not None


class Queueing(RuleBasedStateMachine):
    """Any sequence of requests, grants, ends and time; beside it a plain record of it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.queue = arbiter()
        self.open: dict[int, Ticket] = {}
        self.held: Ticket | None = None
        self.ahead: dict[int, dict[str, int]] = {}  # ticket: how often each caller may go first

    @rule(caller=st.sampled_from("abcd"), wait=st.floats(0.1, 30))
    def request(self, caller: str, wait: float) -> None:
        mine = sum(t.caller == caller for t in self.queue.waiting)
        ticket = self.queue.request(caller, "any", self.now + wait, self.now)
        self.open[ticket.number] = ticket
        self.ahead[ticket.number] = dict.fromkeys("abcd", mine + 1)
        self.ahead[ticket.number][caller] = mine

    @rule()
    def grant(self) -> None:
        free = self.held is None and not self.queue.cleaning
        waiting = self.queue.waiting
        granted = self.queue.grants(self.now)
        assert granted == (list(waiting[:1]) if free else [])
        for ticket in granted:
            self.held = ticket
            for other in self.queue.waiting:
                self.ahead[other.number][ticket.caller] -= 1
                assert self.ahead[other.number][ticket.caller] >= 0, "overtaken too often"

    @precondition(lambda self: self.held is not None)
    @rule(abort=st.booleans())
    def end(self, abort: bool) -> None:
        assert self.held is not None
        ended = (self.queue.abort if abort else self.queue.release)(self.held)
        assert ended is not None
        self._over(ended.ticket)

    @precondition(lambda self: self.held is not None)
    @rule(done=st.booleans())
    def work(self, done: bool) -> None:
        assert self.held is not None
        if done:
            assert self.queue.touch(self.held, self.now)
        else:
            assert self.queue.working(self.held)

    @rule()
    def clean(self) -> None:
        self.queue.cleaned()

    @precondition(lambda self: bool(self.queue.waiting))
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        ticket = data.draw(st.sampled_from(self.queue.waiting))
        assert self.queue.cancel(ticket) is not None
        self._over(ticket)

    @rule(step=st.floats(0.01, 10))
    def pass_time(self, step: float) -> None:
        self.now += step
        for ended in self.queue.expire(self.now):
            self._over(ended.ticket)
        self.queue.ask(self.now)
        limit = self.queue.next_limit()
        assert limit is None or limit > self.now

    @invariant()
    def every_open_ticket_is_held_or_waits(self) -> None:
        assert self.queue.holder == self.held
        waiting = {ticket.number for ticket in self.queue.waiting}
        assert self.held is None or self.held.number not in waiting
        held = set() if self.held is None else {self.held.number}
        assert waiting | held == set(self.open)
        assert not (self.held and self.queue.cleaning)

    def teardown(self) -> None:
        """Left to itself, everything ends: waits at their deadline, leases at their maximum."""
        for _ in range(1000):
            if not self.open:
                break
            self.grant()
            self.pass_time(1.0)
            self.clean()
        assert not self.open

    def _over(self, ticket: Ticket) -> None:
        del self.open[ticket.number]
        if ticket == self.held:
            self.held = None


TestQueueing = Queueing.TestCase
TestQueueing.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)


def test_a_flood_from_one_caller_costs_another_one_turn() -> None:
    queue = arbiter()
    flood = deque(ask(queue, "flood") for _ in range(1000))
    calm = ask(queue, "calm")
    served = 0
    while queue.holder != calm:
        if queue.holder is not None:
            finish(queue, queue.holder)
            flood.append(ask(queue, "flood"))
        served += len(queue.grants(0))
    assert served == 2


def test_a_flood_from_many_programs_of_one_user_costs_another_user_one_turn() -> None:
    queue = arbiter()
    for number in range(200):
        ask(queue, f"uid 7, pid {number}")
    calm = ask(queue, "uid 8, pid 1")
    assert queue.waiting.index(calm) == 1


def test_who_asks_while_a_busy_user_holds_the_card_is_next() -> None:
    queue = arbiter()
    for _ in range(3):
        ask(queue, "busy")
    queue.grants(0)
    calm = ask(queue, "calm")
    assert queue.waiting[0] == calm


def test_the_programs_of_one_user_share_its_turns_evenly() -> None:
    queue = arbiter()
    for name in ("7, a", "7, a", "7, b", "8, c", "8, c", "8, c"):
        ask(queue, name)
    assert [t.caller for t in queue.waiting] == ["7, a", "8, c", "7, b", "8, c", "7, a", "8, c"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from("78"), st.sampled_from("abc"), st.booleans(), st.sampled_from(Priority)
        )
    )
)
def test_who_waits_is_served_in_the_order_that_is_told(
    requests: list[tuple[str, str, bool, Priority]],
) -> None:
    queue = arbiter()
    for user, program, stays, priority in requests:
        ticket = ask(queue, f"{user}, {program}", priority=priority)
        if not stays:
            assert queue.cancel(ticket) is not None
    told, served = list(queue.waiting), []
    while granted := queue.grants(0):
        served += granted
        finish(queue, granted[0])
    assert served == told
    assert queue.next_limit() is None
