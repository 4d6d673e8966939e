"""Provisioning for an event loop: one run at a time, joined by whoever asks, repeated."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from omadm.accounts import accounts_in
from omadm.interaction import Outcome

from cardd.provisioning.errors import AccountNotFoundError, ConfirmationMissingError
from cardd.provisioning.people import PeoplePort
from cardd.provisioning.ports import Environment
from cardd.provisioning.progress import (
    CardStatus,
    Preview,
    Progress,
    ProvisioningResult,
    SessionOutcome,
    Stage,
)
from cardd.provisioning.task import Settings, Task
from cardd.reader.errors import CardAbsent
from cardd.reader.events import CardReady, ReaderState, ReaderStatus
from cardd.reader.leased_card import LeasedCard
from cardd.reader.rejections import RejectionsByCard
from cardd.reader.supervisor import ReaderSupervisor
from cardd.rpc.errors import failure_of, where_raised
from cardd.store import Origin, Store, StoreError

from .progress_log import ProgressLog
from .provisioning_report import AccountInfo, LastRuns, accounts_of
from .tree_committer import TreeCommitter

if TYPE_CHECKING:
    from cardd.network.https import HttpsClient
    from cardd.provisioning.run import Run

__all__ = ["ENVIRONMENT", "Provisioner"]

_log = structlog.get_logger("cardd.provisioning")

_CALLER = "cardd"
# What may be better in a while; a card that says nonsense will say it again.
_WORTH_REPEATING = frozenset(
    {
        *("SERVER_UNREACHABLE", "CARD_BUSY", "CARD_LOST", "STORE_UNAVAILABLE"),
        "RENDERING_FAILED",
    }
)
_FIRST_RETRY_S, _LAST_RETRY_S = 30.0, 3600.0
ENVIRONMENT = Environment(
    now_ms=lambda: time.time_ns() // 1_000_000,
    monotonic_s=time.monotonic,
    random_bytes=secrets.token_bytes,
)


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a run is to do; see `Task`. The tree it begins with is taken when its turn comes."""

    card: LeasedCard | None
    # provisionings/{id}
    run: str
    connect: bool = False
    only_server: str | None = None
    session_id: str = ""
    ask_again: bool = False


class Provisioner:
    """Runs the use case on a thread of its own; every method belongs to the event loop.

    Args:
        settings: what the configuration says about provisioning.
        on_insert: provision every card that is inserted.
        max_wait_s: longest wait for a card that others use.
        connect: makes the HTTPS client of one run.
        rejections: what cards have refused, shared with whoever else presents credentials.
        people: who answers what servers ask.
    """

    def __init__(
        self,
        supervisor: ReaderSupervisor,
        store: Store,
        committer: TreeCommitter,
        settings: Settings,
        *,
        on_insert: bool,
        max_wait_s: float,
        connect: Callable[[], HttpsClient],
        rejections: RejectionsByCard,
        people: PeoplePort,
    ) -> None:
        self._supervisor = supervisor
        self._store = store
        self._committer = committer
        self._settings = settings
        self._on_insert = on_insert
        self._max_wait_s = max_wait_s
        self._connect = connect
        self._rejections = rejections
        self._people = people
        self._thread = committer.executor
        # By card and by whether the run talks to servers that the card's data does not ask for.
        self._running: dict[tuple[str, bool], ProgressLog] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._retries: dict[str, asyncio.TimerHandle] = {}
        # How often somebody has come who can be asked.
        self._arrivals = 0
        self._closed = False

    def close(self) -> None:
        """Begin nothing more of its own."""
        self._closed = True
        for timer in self._retries.values():
            timer.cancel()

    # -- what rpc needs

    def provision(
        self, status: ReaderStatus, *, ask_again: bool = False
    ) -> AsyncIterator[Progress]:
        """Provision from the card in a reader, or join such a run under way.

        The run that a card's insertion begins is not joined: it may have read the card before the
        caller wrote on it, and connects only where the card's data says so.
        """
        return self._begin(status, connect=True, ask_again=ask_again).tell()

    async def preview(self, status: ReaderStatus) -> Preview:
        """Only look. Raises what a run raises."""
        wish = _Wish(self._card(status), _new_run(), connect=True)

        def look() -> Preview:
            with self._connect() as server:
                return self._run(wish, server, lambda _: None).preview()

        return await asyncio.get_running_loop().run_in_executor(self._thread, look)

    async def start_session(self, server_id: str, notified: str = "") -> SessionOutcome:
        """One session with a server, now; ``notified``: under the number that it has asked for.

        Raises what a run raises.
        """
        known = accounts_in(self._committer.tree.snapshot)
        if server_id not in {account.server_id for account in known}:
            raise AccountNotFoundError(server_id)
        card = self._card_of_account(server_id)
        wish = _Wish(card, _new_run(), only_server=server_id, session_id=notified)
        loop = asyncio.get_running_loop()
        run, result = await loop.run_in_executor(self._thread, self._execute, wish, lambda _: None)
        if run.failure is not None:
            raise run.failure
        return SessionOutcome(
            session_id=run.conversations[0].session_id,
            commands=result.nodes_ordered,
            nodes_changed=result.nodes_changed,
            card_files_updated=result.card_files_updated,
            confirmed=result.stage is Stage.CONFIRMED,
        )

    async def statuses(self) -> tuple[CardStatus, ...]:
        """Every card that was ever provisioned or is being so."""
        last = await asyncio.to_thread(LastRuns.in_store, self._store)
        running: dict[str, tuple[str, Stage | None]] = {}
        for (card, _), log in self._running.items():
            # Of two, only the one that has begun has something to tell.
            if card not in running or log.stage is not None:
                running[card] = log.run, log.stage
        return last.statuses(running)

    async def accounts(self) -> tuple[AccountInfo, ...]:
        """The DM accounts in the tree."""
        return await asyncio.to_thread(accounts_of, self._committer.tree, self._store)

    # -- by itself

    def on_card_ready(self, event: CardReady) -> None:
        """A card was inserted, or is there at start (M1)."""
        if self._on_insert:
            self._attempt(event.reader, event.insertion, _FIRST_RETRY_S)

    def on_asker(self) -> None:
        """Somebody can be asked now: go on with cards about which nobody could be."""
        self._arrivals += 1
        if self._on_insert and not self._closed:
            task = asyncio.ensure_future(self._ask_after_all())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _ask_after_all(self) -> None:
        results = await asyncio.to_thread(self._store.last_results)
        last = {result.card: result.reason for result in results}
        for status in self._supervisor.readers():
            if last.get(status.card) == "CONFIRMATION_MISSING":
                self._attempt(status.name, status.insertion, _FIRST_RETRY_S)

    def _attempt(self, reader: str, insertion: int, retry_s: float) -> None:
        present = (each for each in self._supervisor.readers() if each.name == reader)
        status = next(present, None)
        if self._closed or status is None or status.insertion != insertion:
            return
        if status.state is ReaderState.CARD_READY:
            log = self._begin(status, connect=False)
            task = asyncio.ensure_future(self._see_to_it(log, reader, insertion, retry_s))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _see_to_it(
        self, log: ProgressLog, reader: str, insertion: int, retry_s: float
    ) -> None:
        """Try again later what failed for want of a server, also a confirmation."""
        result = await log.result()
        undelivered = False
        if result.stage is Stage.INSTALLED:
            pending = await asyncio.to_thread(self._store.pending_confirmations)
            undelivered = any(each.server_id in result.servers for each in pending)
        reasons = {result.reason, *(reason for _, reason in result.left_out)}
        if not reasons.isdisjoint(_WORTH_REPEATING) or undelivered:
            following_s = min(2 * retry_s, _LAST_RETRY_S)
            self._retries[reader] = asyncio.get_running_loop().call_later(
                retry_s, self._attempt, reader, insertion, following_s
            )

    # -- runs

    def _begin(
        self, status: ReaderStatus, *, connect: bool, ask_again: bool = False
    ) -> ProgressLog:
        card = self._card(status)
        key = (card.identity.name, connect)
        if key in self._running:
            return self._running[key]
        wish = _Wish(card, _new_run(), connect, ask_again=ask_again)
        log = self._running[key] = ProgressLog(wish.run)
        loop, arrivals = asyncio.get_running_loop(), self._arrivals

        def told(progress: Progress) -> None:
            if progress.result is not None:
                self._running.pop(key, None)
            log.add(progress)

        def asked_nobody() -> None:
            # Who came after that, and before the result was kept, has found no card that waits.
            if self._on_insert and self._arrivals != arrivals:
                self._attempt(status.name, status.insertion, _FIRST_RETRY_S)

        def report(progress: Progress) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(told, progress)

        def run() -> None:
            if _asked_nobody(self._tell(wish, report)) and not loop.is_closed():
                loop.call_soon_threadsafe(asked_nobody)

        self._thread.submit(run)
        return log

    def _tell(self, wish: _Wish, report: Callable[[Progress], None]) -> Exception | None:
        """On the thread: a run whose log ends with a result, whatever happens. Why it failed."""
        try:
            return self._execute(wish, report)[0].failure
        except Exception as error:  # noqa: BLE001 - a defect: else who listens would wait for ever
            reason, message = _reason_of(error)
            _log.error("provisioning.defect", message=message, where=where_raised(error))
            card = wish.card.identity.name if wish.card is not None else ""
            result = _broken_off(wish.run, card, reason, message)
            report(Progress(Stage.FAILED, 1, 1, message, 0.0, result))
            return error

    def _execute(
        self, wish: _Wish, report: Callable[[Progress], None]
    ) -> tuple[Run, ProvisioningResult]:
        """On the thread: one run, its result kept before anybody hears of it."""

        def keep_and_report(progress: Progress) -> None:
            if progress.result is not None:
                self._keep(progress.result)
            report(progress)

        with self._connect() as server:
            run = self._run(wish, server, keep_and_report)
            result = run.execute()
        if result.stage is Stage.NOTHING_TO_PROVISION:
            _log.info(
                "provisioning.nothing", run=result.name, card=result.card, reason=result.reason
            )
        elif run.failure is not None:
            _log.warning(
                "provisioning.failed",
                run=result.name,
                card=result.card,
                reason=result.reason,
                message=result.message,  # a defect's has the id that the caller was given
                where=where_raised(run.failure),
            )
        else:
            _log.info(
                "provisioning.ended",
                run=result.name,
                card=result.card,
                stage=result.stage.name,
                nodes_changed=result.nodes_changed,
                card_files_updated=result.card_files_updated,
                apdus=result.apdus,
            )
        for server_id, reason in result.left_out:
            _log.warning("provisioning.left_out", run=result.name, server=server_id, reason=reason)
        return run, result

    def _run(self, wish: _Wish, server: HttpsClient, report: Callable[[Progress], None]) -> Run:
        # Not before the first run: the daemon is ready a tenth sooner.
        from cardd.provisioning.run import Run

        card = wish.card
        task = Task(
            name=wish.run,
            in_force=lambda: self._committer.tree,
            card=card,
            cards_present=self._cards_present,
            connect=wish.connect,
            only_server=wish.only_server,
            session_id=wish.session_id,
            ask_again=wish.ask_again,
        )
        origin = (
            Origin("session", f"servers/{wish.only_server}", task.name)
            if wish.only_server is not None
            else Origin("provisioning", f"cards/{card.identity.name}" if card else "", task.name)
        )
        return Run(
            task,
            self._settings,
            server=server,
            store=self._store,
            commit=lambda tree, confirmations: self._committer.commit(tree, origin, confirmations),
            render=self._committer.render,
            environment=ENVIRONMENT,
            rejections=(
                self._rejections.of(card.identity, card.reader, card.insertion) if card else None
            ),
            people=self._people,
            report=report,
            reason_of=_reason_of,
        )

    def _cards_present(self) -> frozenset[str]:
        return frozenset(each.card for each in self._supervisor.readers() if each.card)

    def _keep(self, result: ProvisioningResult) -> None:
        try:
            self._store.log_result(result)
        except StoreError as error:
            _log.error("provisioning.result_not_kept", run=result.name, reason=error.reason)

    def _card(self, status: ReaderStatus) -> LeasedCard:
        if status.identity is None:
            raise CardAbsent(status.name)
        return LeasedCard(
            self._supervisor,
            reader=status.name,
            insertion=status.insertion,
            identity=status.identity,
            caller=_CALLER,
            max_wait_s=self._max_wait_s,
        )

    def _card_of_account(self, server_id: str) -> LeasedCard | None:
        """The card that brought the account; else any, for the server may write to it."""
        snapshot = self._committer.tree.snapshot
        ready = [each for each in self._supervisor.readers() if each.identity is not None]
        for account in accounts_in(snapshot):
            node = snapshot.get(account.path + "/ServerID")
            if account.server_id == server_id and node is not None:
                owner = node.id
                ready.sort(key=lambda each: each.card != owner)
        return self._card(ready[0]) if ready else None


def _reason_of(error: Exception) -> tuple[str, str]:
    failure = failure_of(error)
    return failure.reason_name, failure.message


def _asked_nobody(failure: Exception | None) -> bool:
    nobody = Outcome.NOBODY.value
    return isinstance(failure, ConfirmationMissingError) and failure.outcome == nobody


def _new_run() -> str:
    return f"provisionings/{secrets.token_hex(8)}"


def _broken_off(run: str, card: str, reason: str, message: str) -> ProvisioningResult:
    return ProvisioningResult(
        name=run,
        card=card,
        stage=Stage.FAILED,
        servers=(),
        trust=(),
        nodes_changed=0,
        card_files_updated=0,
        apdus=0,
        card_time_s=0.0,
        network_time_s=0.0,
        total_time_s=0.0,
        ended_at_ms=ENVIRONMENT.now_ms(),
        reason=reason,
        message=message,
    )
