"""One reader. Everything under one lock, and nothing under it blocks.

What blocks runs on the reader's executor; what must not be late (limits of leases and waits,
calls that do not return) is checked by the watchdog. Both come back here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Protocol

from cardd.card.errors import CardError, CardLost, CardMute
from cardd.card.identify import identify
from cardd.card.residue import Cleaning
from cardd.reader.errors import (
    CardBusy,
    LeaseEnded,
    PcscUnavailable,
    ReaderError,
    ReaderNotQuarantined,
    ReaderUnavailable,
)
from cardd.reader.events import Queue, ReaderEvent, ReaderStatus
from cardd.reader.executor import Executor, monotonic
from cardd.reader.lease import Lease
from cardd.reader.lease_queue import LeaseQueue, as_loss
from cardd.reader.link import CardLink, ForeignReset
from cardd.reader.pcsc import Observation
from cardd.reader.presence import Presence
from cardd.reader.settings import Foreign, ReaderSettings
from cardd.sharing.cache import Mark
from cardd.sharing.ticket import EndReason, Priority, Ticket

__all__ = ["SupervisorPort", "Worker"]


class SupervisorPort(Protocol):
    """What a worker needs of the supervisor. Every method returns at once."""

    def emit(self, event: ReaderEvent) -> None: ...
    def next_insertion(self) -> int: ...
    def wake_at(self, when: float) -> None: ...


class Worker:
    """The state of one reader; methods may be called from any thread."""

    def __init__(self, name: str, settings: ReaderSettings, supervisor: SupervisorPort) -> None:
        self.name = name
        self._settings = settings
        self._supervisor = supervisor
        self._lock = threading.Lock()
        self._after: list[Callable[[], None]] = []
        self._presence = Presence(name, settings, supervisor.next_insertion)
        self._queue = LeaseQueue(name, settings, self, self._after_unlock)
        self._epoch = self._presence.epoch
        self._closed = False
        self._stopped_by: Exception | None = None
        self._content = 0
        self._apdus = 0
        self._executor = self._new_executor()

    # From callers.

    def submit_lease(
        self,
        caller: str,
        purpose: str,
        max_wait_s: float,
        insertion: int | None = None,
        priority: Priority = Priority.NORMAL,
    ) -> Future[Lease]:
        """Queue up for the card; cancelling the future leaves the queue.

        The future fails with CardAbsent, CardMute, CardBusy, CardLost (the card is not that of
        `insertion`, or it left), ReaderUnavailable or PcscUnavailable.
        """
        with self._locked():
            refusal = self._refusal(insertion)
            if refusal is not None:
                refused: Future[Lease] = Future()
                refused.set_exception(refusal)
                return refused
            ticket, future = self._queue.request(caller, purpose, max_wait_s, monotonic(), priority)
            self._serve()
        future.add_done_callback(lambda done: self._given_up(ticket, done))
        return future

    def status(self) -> ReaderStatus:
        with self._locked():
            holder, waiting = self._queue.holder, self._queue.waiting
            here = self._presence
            return ReaderStatus(
                name=self.name,
                state=here.state,
                atr=here.atr,
                card="" if here.identity is None else here.identity.name,
                insertion=here.insertion,
                holder="" if holder is None else holder.caller,
                holder_purpose="" if holder is None else holder.purpose,
                waiting=len(waiting),
                waiters=tuple(ticket.caller for ticket in waiting),
                identity=here.identity,
                cause=here.cause,
                quarantined=here.stopped and not self._closed,
            )

    def queue(self) -> Queue:
        with self._locked():
            hold = self._queue.hold
            return Queue(
                reader=self.name,
                now=monotonic(),
                holder=None if hold is None else hold.ticket,
                granted_at=0.0 if hold is None else hold.granted_at,
                working=hold is not None and hold.idle_since is None,
                kept_out=self._executor.kept_out,
                waiting=self._queue.waiting,
                max_hold_s=self._settings.max_hold_s,
                leases=self._queue.granted,
                apdus=self._apdus,
            )

    def release(self) -> None:
        """Try the reader anew though the call that hangs has not returned: its thread is left
        behind, and whatever it brings back is not listened to. ReaderNotQuarantined."""
        with self._locked():
            if not self._presence.stopped or self._closed:
                raise ReaderNotQuarantined(self.name)
            self._executor = self._new_executor()
            self._apply(self._presence.back(), CardLost("the reader was released"))

    # From leases.

    def mark(self) -> Mark:
        with self._locked():
            return Mark(self._content, lasting=self._settings.foreign is Foreign.EXCLUSIVE)

    def work_for(
        self, lease: Lease, work: Callable[[CardLink], bytes], *, changes: bool
    ) -> Future[bytes]:
        """What a lease does on the card; ``changes``: files may read differently after it."""
        future: Future[bytes] = Future()
        future.set_running_or_notify_cancel()  # a command cannot be recalled
        with self._locked():
            if not self._queue.working(lease):
                future.set_exception(lease.error or LeaseEnded(self.name, EndReason.RELEASED))
            else:
                self._content += changes
                self._queue.promise(lease, future)
                self._submit(lambda link: self._work(link, lease, work, future))
        return future

    def end_lease(self, lease: Lease, reason: EndReason) -> None:
        with self._locked():
            if lease is self._queue.lease:
                self._end_lease(lease, reason, LeaseEnded(self.name, reason))

    # From the monitor.

    def observe(self, seen: Observation) -> None:
        """The reader's state as pcscd tells it. May repeat itself."""
        with self._locked():
            if not self._closed:
                self._apply(self._presence.observe(seen), CardLost("removed"))

    def service_lost(self, cause: str) -> None:
        with self._locked():
            self._apply(self._presence.service_lost(cause), PcscUnavailable(cause))
            self._submit(lambda link: link.close())

    def close(self) -> Executor:
        """The reader is gone or the daemon ends. Returns what is to be joined."""
        with self._locked():
            self._closed = True
            gone = ReaderUnavailable(self.name, "the reader is gone")
            self._apply(self._presence.stop("closed")[:-1], gone)
            self._queue.break_promises(gone)
            self._executor.stop()
            return self._executor

    # From the watchdog.

    def check(self, now: float) -> float | None:
        """End what has reached its limit. Returns when to look again, None for not at all."""
        with self._locked():
            over, busy = self._queue.expire(now)
            if over is not None:
                if self._executor.kept_out:
                    self._queue.give_up(over)
                self._clean_up(over)
            if busy is not None:
                self._apply(self._presence.not_identified(busy, now), busy)
            self._queue.ask_holder(now)
            self._presence.recheck(now)
            hangs_at = self._executor.hangs_at(now)
            if hangs_at is not None and now >= hangs_at and not self._presence.stopped:
                self._quarantine()
            self._apply([], CardLost("removed"))
            return self._next_check(now)

    # On the executor's thread.

    def _open(self, link: CardLink, lease: Lease, epoch: int, deadline: float) -> None:
        with self._locked():
            if lease is not self._queue.lease:
                return
            counter = self._presence.counter
        try:
            link.open(counter, deadline)
        except (CardError, ReaderError) as error:
            with self._locked():
                self._failed(lease, epoch, error)
            return
        with self._locked():
            now = monotonic()
            if self._queue.opened(lease, now):
                self._supervisor.wake_at(now + self._settings.idle_limit_s)
            else:
                cancelled = LeaseEnded(self.name, EndReason.CANCELLED)
                self._end_lease(lease, EndReason.CANCELLED, cancelled)

    def _work(
        self,
        link: CardLink,
        lease: Lease,
        work: Callable[[CardLink], bytes],
        future: Future[bytes],
    ) -> None:
        with self._locked():
            epoch = self._epoch
        before = link.card_time_s
        try:
            if lease.error is None:
                link.hold()
            with self._locked():
                if lease.error is not None:  # perhaps while another program kept us out
                    self._queue.answer(lease, future, lease.error)
                    return
            response = work(link)
        except (CardError, ReaderError) as error:
            with self._locked():
                self._queue.answer(lease, future, as_loss(error))
                self._failed(lease, epoch, error)
            return
        with self._locked():
            if response:
                self._apdus += 1
                lease.apdus += 1
                lease.card_time_s += link.card_time_s - before
            self._queue.answer(lease, future, response)
            if not lease.pending:
                now = monotonic()
                self._queue.touch(lease, now)
                self._supervisor.wake_at(now + self._settings.idle_limit_s)

    def _clean(self, link: CardLink, lease: Lease, epoch: int) -> None:
        error: Exception | None = None
        cleaning = lease.residue.cleaning
        if cleaning is Cleaning.RESET:
            self._content_may_have_changed()
        try:
            link.clean(cleaning, lease.residue.reselect_commands())
        except ForeignReset:
            pass  # whoever reset the card has cleaned it
        except (CardError, ReaderError) as failure:
            error = failure
        with self._locked():
            if epoch == self._epoch:
                self._queue.cleaned()
                if error is not None:
                    self._failed(None, epoch, error)
                self._serve()

    def _identify(self, link: CardLink, ticket: Ticket, epoch: int) -> None:
        with self._locked():
            if epoch != self._epoch:
                return
            counter, atr = self._presence.counter, self._presence.seen_atr
        failure: Exception | None = None
        try:
            link.open(counter, ticket.deadline)
            identity = identify(link.transmit, atr)
            link.let_go()
        except (CardError, ReaderError) as error:
            failure = error
        link.leave()
        with self._locked():
            if epoch != self._epoch:
                return
            self._queue.identification_over(ticket)
            if failure is None:
                self._apply(self._presence.identified(identity), CardLost("removed"))
            else:
                events = self._presence.not_identified(failure, monotonic())
                self._apply(events, failure)

    def _content_may_have_changed(self) -> None:
        """A reset, or another program: what was read before holds no more."""
        with self._locked():
            self._content += 1

    def _executor_ended(self, executor: Executor) -> None:
        """The thread is through: told to, or back from a call that hung, or by a defect.

        What it had still to do is forgotten with it.
        """
        with self._locked():
            if executor is not self._executor:
                return  # left behind by a release
            self._queue.break_promises(CardLost("the reader's thread ended"))
            if not self._closed:
                self._executor = self._new_executor()
                here = self._presence
                events = here.back() if here.stopped else here.lost(monotonic())
                self._apply(events, CardLost("the reader's thread ended"))

    # Below, the lock is held.

    def _apply(self, events: list[ReaderEvent], error: Exception) -> None:
        """Report events, and follow what the presence has come to."""
        for event in events:
            self._supervisor.emit(event)
        if self._epoch != self._presence.epoch:
            self._epoch = self._presence.epoch
            self._content += 1
            self._queue.end_all(error)
            self._submit(lambda link: link.drop())
        if self._presence.wants_identity and not self._closed:
            self._presence.wants_identity = False
            self._queue.request_identification(monotonic())
        self._serve()

    def _serve(self) -> None:
        """Hand the card to whoever is next."""
        now = monotonic()
        here = self._presence
        turn = self._queue.serve(now, here.insertion, here.identity)
        epoch = self._epoch
        if isinstance(turn, Ticket):
            ticket = turn
            self._submit(lambda link: self._identify(link, ticket, epoch))
        elif turn is not None:
            lease, deadline = turn
            self._submit(lambda link: self._open(link, lease, epoch, deadline))
        limit = self._next_check(now)
        if limit is not None:
            self._supervisor.wake_at(limit)

    def _end_lease(self, lease: Lease, reason: EndReason, error: Exception) -> None:
        self._queue.end(lease, reason, error)
        self._clean_up(lease)

    def _clean_up(self, lease: Lease) -> None:
        epoch = self._epoch
        self._submit(lambda link: self._clean(link, lease, epoch))

    def _failed(self, lease: Lease | None, epoch: int, error: Exception) -> None:
        """A call on the card failed: end the lease, and the insertion if the card is gone."""
        if lease is not None and lease is self._queue.lease:
            if isinstance(error, CardBusy):
                waited_s = monotonic() - lease.ticket.requested_at
                error = CardBusy(self.name, error.holder, waited_s)
            self._end_lease(lease, EndReason.CARD_GONE, as_loss(error))
        if epoch != self._epoch or isinstance(error, (ForeignReset, CardBusy)):
            return
        if isinstance(error, CardMute):
            self._apply(self._presence.muted(error.cause), error)
        else:
            self._apply(self._presence.lost(monotonic()), error)

    def _quarantine(self) -> None:
        """The driver hangs: nobody waits for it any longer. Its thread ends when it returns.

        In the middle of an APDU it is the card that is silent, as far as anybody can tell.
        """
        cause = f"a call has not returned for {self._settings.call_limit_s:g} s"
        mute = self._executor.transmitting
        error = CardMute(cause) if mute else ReaderUnavailable(self.name, cause)
        self._stopped_by = error
        self._executor.stop()
        self._apply(self._presence.stop(cause), error)
        self._queue.break_promises(error)

    def _refusal(self, insertion: int | None) -> Exception | None:
        here = self._presence
        if self._closed:
            return ReaderUnavailable(self.name, "the reader is gone")
        if here.stopped and not here.service_gone and self._stopped_by is not None:
            return self._stopped_by
        return here.refusal(insertion)

    def _given_up(self, ticket: Ticket, done: Future[Lease]) -> None:
        if done.cancelled():
            with self._locked():
                self._queue.leave_queue(ticket)

    def _new_executor(self) -> Executor:
        return Executor(
            self.name,
            self._settings,
            on_end=self._executor_ended,
            on_foreign=self._content_may_have_changed,
        )

    def _submit(self, job: Callable[[CardLink], None]) -> None:
        self._executor.submit(job)
        self._supervisor.wake_at(monotonic() + self._settings.call_limit_s)

    def _next_check(self, now: float) -> float | None:
        hangs_at = None if self._presence.stopped else self._executor.hangs_at(now)
        limits = (self._queue.next_limit(), self._presence.recheck_at, hangs_at)
        return min((limit for limit in limits if limit is not None), default=None)

    def _after_unlock(self, action: Callable[[], None]) -> None:
        self._after.append(action)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._lock:
            yield
            after, self._after = self._after, []
        for action in after:
            action()
