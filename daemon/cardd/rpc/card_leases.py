"""Which card is meant, and who gets it: the reader layer for event loops."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import Protocol, TypeVar
from urllib.parse import quote, unquote

from google.protobuf.duration_pb2 import Duration

from cardd.reader.errors import CardAbsent, CardNotFound, PcscUnavailable, ReaderNotFound
from cardd.reader.events import Queue, ReaderState, ReaderStatus
from cardd.reader.lease import Lease
from cardd.sharing.cache import Mark
from cardd.sharing.ticket import Priority

from .call import Call
from .refusals import ArgumentInvalidError, CardNotFoundError, LimitReachedError

__all__ = ["CARDS", "READERS", "CardLeases", "ReaderPort", "card_name", "reader_name"]

T = TypeVar("T")

READERS, CARDS = "readers/", "cards/"


class ReaderPort(Protocol):
    """The part of the supervisor that is needed here; thread-safe. All but `look_again` return at
    once."""

    @property
    def pcsc_available(self) -> bool: ...

    def readers(self) -> Sequence[ReaderStatus]: ...

    def reader(self, name: str) -> ReaderStatus:
        """Raises ReaderNotFound."""

    def find_card(self, card: str) -> ReaderStatus:
        """Raises CardNotFound, PcscUnavailable."""

    def submit_lease(
        self,
        reader: str,
        caller: str,
        purpose: str,
        max_wait_s: float,
        insertion: int | None = None,
        priority: Priority = Priority.NORMAL,
    ) -> Future[Lease]: ...

    def queue(self, reader: str) -> Queue:
        """Raises ReaderNotFound."""

    def mark(self, reader: str) -> Mark:
        """Raises ReaderNotFound."""

    def look_again(self) -> None: ...


class CardLeases:
    """Finds cards by name and leases them."""

    def __init__(
        self, readers: ReaderPort, *, max_wait_s: float, waiting_per_uid: int = 64
    ) -> None:
        self._readers = readers
        self._max_wait_s = max_wait_s
        self._waiting_per_uid = waiting_per_uid
        self._waiting: Counter[int] = Counter()
        self._look: asyncio.Task[None] | None = None
        self._next_look: asyncio.Task[None] | None = None
        # One lease a reader at a time, and work only under a lease: few threads ever run.
        self._threads = ThreadPoolExecutor(max_workers=32, thread_name_prefix="card-work")

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def visible(self, call: Call) -> list[ReaderStatus]:
        """The readers that the caller may know of.

        Raises:
            PcscUnavailable: there is no pcscd to tell.
        """
        if not self._readers.pcsc_available:
            raise PcscUnavailable("pcscd is not running or not reachable")
        return self.last_known(call)

    def last_known(self, call: Call) -> list[ReaderStatus]:
        """As :meth:`visible`, and while there is no pcscd the readers that there were."""
        return [s for s in self._readers.readers() if call.may(reader=s.name)]

    async def find(self, name: str, call: Call) -> ReaderStatus:
        """The reader that is meant by cards/…, readers/…, or nothing for the only card.

        That something is not there is said only of what pcscd does not know either: a card that
        was put in before the call is found.

        Raises:
            AccessDeniedError, ArgumentInvalidError, CardNotFound, CardNotFoundError,
            ReaderNotFound, PcscUnavailable.
        """
        try:
            status = self._find(name, call)
            if status.state is not ReaderState.EMPTY:
                return status
        except (CardNotFound, CardNotFoundError, ReaderNotFound):
            pass
        await self._look_again()
        return self._find(name, call)

    def _find(self, name: str, call: Call) -> ReaderStatus:
        if name.startswith(READERS):
            return self.find_reader(unquote(name.removeprefix(READERS)), call)
        if name.startswith(CARDS):
            found = self._readers.find_card(name.removeprefix(CARDS))
            call.require(reader=found.name)
            return found
        if name:
            raise ArgumentInvalidError("name", "is neither cards/{card} nor readers/{reader}")
        return self._only_card(call)

    async def _look_again(self) -> None:
        """Who asks while a look is under way needs the one after it, which is for all of them."""
        if self._next_look is None:
            self._next_look = asyncio.create_task(self._look_after(self._look))
        await asyncio.shield(self._next_look)

    async def _look_after(self, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        self._look, self._next_look = self._next_look, None
        await self.run(self._readers.look_again)

    def queue(self, reader: str) -> Queue:
        """Who has a reader's card and who waits. Raises ReaderNotFound."""
        return self._readers.queue(reader)

    def mark(self, reader: str) -> Mark:
        """The state of the content of a reader's card. Raises ReaderNotFound."""
        return self._readers.mark(reader)

    def find_reader(self, reader: str, call: Call) -> ReaderStatus:
        """A reader by its PC/SC name. AccessDeniedError, ReaderNotFound."""
        call.require(reader=reader)
        return self._readers.reader(reader)

    async def ready(self, status: ReaderStatus, call: Call) -> ReaderStatus:
        """The same reader once its card is identified, if one has only just been inserted.

        Raises:
            CardAbsent: no card. And what a lease raises.
        """
        if status.state is ReaderState.EMPTY:
            raise CardAbsent(status.name)
        if status.state is ReaderState.CARD_READY:
            return status
        async with self.lease(status, call, "identification", None):
            return self._readers.reader(status.name)

    @asynccontextmanager
    async def lease(
        self,
        status: ReaderStatus,
        call: Call,
        purpose: str,
        max_wait: Duration | None,
        priority: Priority = Priority.NORMAL,
    ) -> AsyncIterator[Lease]:
        """Hold the card: given back at a normal end, aborted by an exception or cancellation.

        A card that was identified is the one that was meant: no other in its place will do.
        LimitReachedError if too many calls of the same user wait for cards already.
        """
        wait_s = self.wait_s(max_wait)
        meant = status.insertion if status.state is ReaderState.CARD_READY else None
        with self._counted(call.caller.uid):
            coming = self._readers.submit_lease(
                status.name, str(call.caller), purpose, wait_s, meant, priority
            )
            try:
                lease = await asyncio.wrap_future(coming)
            except BaseException:
                # It may have been granted at the moment the caller left.
                coming.add_done_callback(_give_back)
                raise
        with lease:
            yield lease

    async def work(
        self,
        status: ReaderStatus,
        call: Call,
        purpose: str,
        max_wait: Duration | None,
        job: Callable[[Lease], T],
        priority: Priority = Priority.NORMAL,
    ) -> T:
        """Run ``job``, which may block, in a thread under a lease.

        If the caller leaves, the lease is aborted, and the job's next APDU fails.
        """
        async with self.lease(status, call, purpose, max_wait, priority) as lease:
            return await self.run(lambda: job(lease))

    async def run(self, job: Callable[[], T]) -> T:
        """Run ``job``, which may block, in a thread. The caller sees to the lease."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, job)

    def wait_s(self, max_wait: Duration | None) -> float:
        """How long a call waits for the card; ArgumentInvalidError."""
        if max_wait is None:
            return self._max_wait_s
        wait_s = max_wait.seconds + max_wait.nanos / 1e9
        if wait_s < 0:
            raise ArgumentInvalidError("max_wait", "is negative")
        return wait_s

    @contextmanager
    def _counted(self, uid: int) -> Iterator[None]:
        """One more call that waits."""
        if self._waiting[uid] >= self._waiting_per_uid:
            raise LimitReachedError("calls waiting for cards", self._waiting_per_uid)
        self._waiting[uid] += 1
        try:
            yield
        finally:
            self._waiting[uid] -= 1
            if not self._waiting[uid]:
                del self._waiting[uid]

    def _only_card(self, call: Call) -> ReaderStatus:
        present = [
            s
            for s in self.visible(call)
            if s.state not in (ReaderState.EMPTY, ReaderState.UNAVAILABLE)
        ]
        if not present:
            raise CardNotFoundError("no card is inserted")
        if len(present) > 1:
            found = ", ".join(f"{card_name(s.card) or 'a card'} in {s.name}" for s in present)
            raise CardNotFoundError(f"more than one card is inserted, name one of them: {found}")
        return present[0]


def reader_name(pcsc_name: str) -> str:
    """readers/{reader}: the PC/SC name, percent-encoded."""
    return READERS + quote(pcsc_name, safe="")


def card_name(name: str) -> str:
    """cards/{card}; empty for no card."""
    return CARDS + name if name else ""


def _give_back(granted: Future[Lease]) -> None:
    if not granted.cancelled() and granted.exception() is None:
        granted.result().abort()
