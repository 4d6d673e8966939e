"""One run through the use case: the actions behind the stages of ``machine``.

A run works on a fork of the tree; the fork replaces the tree in one commit, or is dropped. What is
to be confirmed is committed with it, so that a confirmation outlives a crash.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from omadm.accounts import Account
from omadm.interaction import Outcome

from cardd.card import provisioning_files
from cardd.card.channel import working_channel
from cardd.card.credentials import Rejections
from cardd.card.directory import ApplicationKind
from cardd.card.errors import CardError
from cardd.card.provisioning_files import ProvisioningFile
from cardd.card.uicc import FileSystem
from cardd.dm.errors import DmError
from cardd.tree import ManagementTree, Source

from . import card_update, confirmation, consent, trust
from .card_content import CardContent, interpret, is_document
from .dialogue import Conversation
from .errors import (
    CardNeededError,
    ConfirmationRefusedError,
    NoProvisioningDataError,
    ProvisioningError,
)
from .machine import FIRST, Found, follow
from .outcome import LAST_WORDS, result_of
from .people import PeoplePort
from .ports import CardPort, Environment, ServerPort, StorePort, TransportError
from .progress import Preview, Progress, ProvisioningResult, Stage
from .records import NewConfirmation
from .servers import Servers
from .task import Settings, Task

__all__ = ["Run"]

# A server that orders something new after every confirmation is not followed for ever.
_MAX_ROUNDS = 4


class Run:
    """Drives the table; ``execute`` is called once, on a thread that may wait.

    ``commit`` stores tree and confirmations in one transaction and publishes the tree. ``render``
    gives local programs what the tree now says, lets the confirmations go out, and returns what was
    to be done; where it raises RenderingFailedError they say so.
    ``reason_of`` names an error as the API does: reason and message.
    """

    def __init__(
        self,
        task: Task,
        settings: Settings,
        *,
        server: ServerPort,
        store: StorePort,
        commit: Callable[[ManagementTree, tuple[NewConfirmation, ...]], object],
        render: Callable[[], Sequence[str]],
        environment: Environment,
        rejections: Rejections | None,
        people: PeoplePort,
        report: Callable[[Progress], None],
        reason_of: Callable[[Exception], tuple[str, str]],
    ) -> None:
        self._task = task
        self._settings = settings
        self._servers = Servers(
            task,
            settings,
            server=server,
            store=store,
            environment=environment,
            people=people,
            reason_of=reason_of,
        )
        self._network = server
        self._people = people
        self._store = store
        self._commit_tree = commit
        self._render_tree = render
        self._environment = environment
        self._rejections = rejections
        self._report = report
        self._reason_of = reason_of
        self._started_s = environment.monotonic_s()
        self._stage = FIRST if task.card is not None else Stage.ADOPTING
        self._agreed = b""
        self._to_be_told: tuple[str, ...] = ()
        self._begin()
        self._content: CardContent | None = None
        self._subscriber: trust.Subscriber | None = None
        self._accounts: list[Account] = []
        self._orders: tuple[card_update.FileOrder, ...] = ()
        self._receipts: dict[str, list[bytes]] = {}
        self._files_updated = 0
        self._nodes_changed = 0
        self._rounds = 0
        self._news = False
        self._left_out: list[tuple[Account, Exception]] = []
        self.failure: Exception | None = None

    @property
    def conversations(self) -> Sequence[Conversation]:
        """The sessions that came to their end."""
        return self._servers.conversations

    def execute(self) -> ProvisioningResult:
        """Run to the end. What fails is in the result and in ``failure``; nothing is raised."""
        actions = {
            Stage.READING_CARD: self._read_and_decide,
            Stage.ASKING: self._ask,
            Stage.ADOPTING: self._adopt,
            Stage.BOOTSTRAPPING: self._bootstrap,
            Stage.MANAGING: self._manage,
            Stage.UPDATING_CARD: self._update_card,
            Stage.COMMITTING: self._commit,
            Stage.RENDERING: self._render,
            Stage.CONFIRMING: self._confirm,
        }
        while not self._stage.final:
            try:
                found = actions[self._stage]()
            except Exception as error:  # noqa: BLE001 - what a failure leads to is in the table
                found = self._failed(error)
            self._stage = follow(self._stage, found)
        result = self._result()
        self._say(1, 1, result.message or LAST_WORDS[self._stage], result)
        return result

    def preview(self) -> Preview:
        """Only look: what the card would change. No server is asked, nothing is committed.

        Raises: CardError, ProvisioningError, StoreError.
        """
        self._read_card()
        self._adopt()
        documents = self._content.documents if self._content is not None else ()
        return Preview(documents, tuple(self._base.content_diff(self._tree)))

    def _begin(self) -> None:
        self._base = self._committed = self._task.in_force()
        self._tree = self._base.fork()

    # -- the card

    def _read_card(self) -> Found:
        card = self._card
        self._say(0, 1, "looking for provisioning data")
        # After a write that was cut short every byte counts, also behind a whole document.
        cut_short = self._store.open_card_writes(card.identity.name)
        with (
            card.lease("read provisioning data") as transmit,
            working_channel(transmit) as channel,
        ):
            on_card = FileSystem(channel)
            files = provisioning_files.find_in(
                on_card,
                card.identity.applications,
                is_whole=(lambda _: False) if cut_short else is_document,
            )
            if not files and self._has_usim():
                # The next that is wanted of a card with only a key, while its channel is open.
                self._subscriber = trust.subscriber_in(
                    on_card,
                    card.identity.applications,
                    bsf_url=self._settings.bsf_url,
                    dm_url=self._settings.dm_url,
                )
        torn = card_update.settle_journal(
            self._store, card.identity.name, files, self._environment.now_ms()
        )
        self._content = interpret(card.identity.name, files, torn)
        documents = len(self._content.documents)
        # What it brought once and carries no more has to go (M12).
        known = self._tree.layer("card", card.identity.name) is not None
        if not (documents or self._has_usim() or self._task.only_server or known):
            raise NoProvisioningDataError(card.identity.name)
        self._say(1, 1, f"documents: {documents}" if documents else "no documents")
        return Found.CARD_READ

    def _read_and_decide(self) -> Found:
        found, content = self._read_card(), self._content
        assert content is not None, "it was just read"
        agreed = content.agreement == self._agreed or consent.given(content, self._store)
        if agreed:
            return found
        if self._task.only_server is not None:
            # A session is not about what the card brings.
            self._content = None
            return found
        if agreed is False and not self._task.ask_again:
            raise ConfirmationRefusedError(content.card_id)
        return Found.TO_ASK

    def _ask(self) -> Found:
        content = self._content
        assert content is not None, "what is asked about was read"
        self._say(0, 1, "waiting for somebody's answer")
        reply = self._people.ask_aside(consent.question_of(content, self._task.name, None))
        self._begin()
        if reply.outcome is Outcome.DECLINED:
            self._to_be_told = consent.trusted_servers(content, self._tree)
        consent.check(reply, content.card_id)
        self._agreed = content.agreement
        self._say(1, 1, "confirmed")
        return Found.AGREED

    def _adopt(self) -> Found:
        if self._task.only_server is None:
            # Another card has taken the place; a session alone says nothing about cards (M12).
            present = self._task.cards_present()
            for layer in self._tree.layers():
                if layer.kind == "card" and layer.id not in present:
                    self._tree.drop("card", layer.id)
        if self._content is not None:
            self._adopt_card(self._content)
        self._accounts = self._servers.wanted(self._tree, self._content)
        changes = len(self._base.content_diff(self._tree))
        self._say(1, 1, f"{changes} nodes differ from what was in force")
        if not self._accounts:
            return Found.NO_SERVER_WANTED
        needs_key = any(trust.needs_key(account) for account in self._accounts)
        return Found.TRUST_FROM_KEY if needs_key else Found.TRUST_IN_DOCUMENT

    def _adopt_card(self, content: CardContent) -> None:
        if not content.documents and self._has_usim():
            # Variation a: a key and nothing else. The home network's server is the account.
            content = content.with_account(*trust.home_account(self._home()))
        placed = self._content = content.placed_in(self._tree)
        digest = placed.digest(self._settings.version)
        if self._tree.digests().get(Source("card", placed.card_id)) == digest:
            # The card says what it has said before: what has been settled since stays settled.
            return
        now_ms = self._environment.now_ms()
        self._tree.adopt("card", placed.card_id, placed.claims(), now_ms, digest=digest)

    # -- the server

    def _bootstrap(self) -> Found:
        home = self._home()
        self._say(0, 1, f"bootstrapping with {home.bsf}")
        try:
            self._servers.derive_key(self._card, home)
        except (CardError, TransportError, DmError, ProvisioningError) as error:
            # One authority's trouble does not keep another's data out (S3).
            keyless = [each for each in self._accounts if not trust.needs_key(each)]
            if not keyless:
                raise
            self._left_out += [(each, error) for each in self._accounts if each not in keyless]
            self._accounts = keyless
            self._say(0, 1, "no key; going on with the accounts that need none")
            return Found.TRUST_IN_DOCUMENT
        self._say(1, 1, "card and network have authenticated each other")
        return Found.KEY_DERIVED

    def _manage(self) -> Found:
        failed: list[tuple[Account, Exception]] = []
        for index, account in enumerate(self._accounts):
            self._say(index, len(self._accounts), f"talking to {account.server_id}")
            try:
                self._servers.talk(account, self._tree)
            except (TransportError, DmError, ProvisioningError) as error:
                failed.append((account, error))
        if len(failed) == len(self._accounts):
            raise failed[0][1]
        self._left_out += failed
        ordered = sum(len(each.ordered) for each in self.conversations)
        self._say(len(self._accounts), len(self._accounts), f"nodes ordered: {ordered}")
        return self._what_is_ordered()

    def _what_is_ordered(self) -> Found:
        if self._content is not None:
            execs = [order for talk in self._servers.unconfirmed for order in talk.execs]
            self._orders = card_update.orders_in(self._tree, self._content, execs)
            card_update.withdraw_claims(self._tree, self._content, but=self._orders)
        return Found.CARD_OBSOLETE if self._orders else Found.CARD_CURRENT

    def _home(self) -> trust.Subscriber:
        if self._subscriber is None:
            self._subscriber = trust.read_subscriber(
                self._card, bsf_url=self._settings.bsf_url, dm_url=self._settings.dm_url
            )
        return self._subscriber

    def _has_usim(self) -> bool:
        return self._card.identity.application(ApplicationKind.USIM) is not None

    @property
    def _card(self) -> CardPort:
        if self._task.card is None:
            raise CardNeededError(self._task.only_server or "")
        return self._task.card

    # -- installing

    def _update_card(self) -> Found:
        content = self._content
        assert content is not None, "orders are found in a card's content only"
        # A card that carries what nobody can read would never be provisioned from again.
        wanted = card_update.with_orders(content, self._orders)
        agreed = consent.given(wanted, self._store)
        if agreed is None:
            limit_s = self._settings.question_limit_s
            asked = consent.question_of(wanted, self._task.name, limit_s)
            consent.check(self._people.ask(asked), content.card_id)
        elif not agreed:
            raise ConfirmationRefusedError(content.card_id)
        files, done = list(content.files), 0
        for orders in card_update.by_delivery(self._orders):
            names = ", ".join(str(order.file.path) for order in orders)
            self._say(done, len(self._orders), f"writing file {names}")
            for order, file in zip(orders, self._write(orders), strict=True):
                files[content.files.index(order.file)] = file
            done += len(orders)
            self._files_updated += len(orders)
        card_update.withdraw_claims(self._tree, content)
        # What the card says now is adopted as at an insertion: from what was read back.
        self._content = interpret(content.card_id, files, wanted.unfinished)
        self._adopt_card(self._content)
        self._say(len(self._orders), len(self._orders), "read back, equal")
        return Found.CARD_UPDATED

    def _write(self, orders: Sequence[card_update.FileOrder]) -> Sequence[ProvisioningFile]:
        with self._card.lease("update the card") as transmit:
            return card_update.carry_out(
                transmit,
                self._card.identity.name,
                self._store,
                orders,
                self._receipts.setdefault(orders[0].server_id, []),
                rejections=self._rejections,
                floor=self._settings.retry_floor,
                now_ms=self._environment.now_ms(),
            )

    def _commit(self) -> Found:
        changed = len(self._committed.content_diff(self._tree))
        self._nodes_changed += changed
        updated = self._content.card_id if self._orders and self._content else ""
        # A session that changed nothing and ordered nothing has nothing to confirm.
        worth_telling = [
            each for each in self._servers.unconfirmed if changed or updated or each.execs
        ]
        orders = [each.order for each in self._orders]
        reports = confirmation.installed(worth_telling, updated, orders, self._receipts)
        if reports or not self._committed.claims_the_same(self._tree):
            self._commit_tree(self._tree, reports)
        self._committed, self._tree = self._tree, self._tree.fork()
        self._orders, self._servers.unconfirmed, self._receipts = (), [], {}
        self._news = bool(reports)
        self._say(1, 1, f"nodes changed: {changed}")
        return Found.COMMITTED

    def _render(self) -> Found:
        rendered = self._render_tree()
        if rendered:
            self._say(len(rendered), len(rendered), f"rendered: {', '.join(rendered)}")
        if self._news:
            return Found.TO_CONFIRM
        talked_to = {talk.server_id for talk in self.conversations}
        pending = any(self._store.pending_confirmations(each) for each in talked_to)
        return Found.CONFIRMED_BEFORE if talked_to and not pending else Found.NOTHING_TO_CONFIRM

    def _confirm(self) -> Found:
        """Deliver what is pending. The server may use the session to order more."""
        self._rounds += 1
        due = list(dict.fromkeys(talk.server_id for talk in self.conversations))
        delivered = 0
        for index, server_id in enumerate(due):
            self._say(index, len(due), f"confirming to {server_id}")
            delivered += self._servers.deliver(server_id, self._tree, self._accounts)
        if delivered < len(due):
            return Found.SERVER_SILENT
        if not self._committed.content_diff(self._tree):
            return Found.ACKNOWLEDGED
        if self._rounds < _MAX_ROUNDS:
            return self._what_is_ordered()
        self._servers.keep(confirmation.failed(self._servers.unconfirmed, "TOO_MANY_ROUNDS"))
        return Found.SERVER_SILENT

    # -- the end

    def _failed(self, error: Exception) -> Found:
        if self._stage is Stage.CONFIRMING:
            # It is installed, and the store still has what the server is to be told.
            return Found.SERVER_SILENT
        self.failure = error
        if isinstance(error, NoProvisioningDataError):
            # A card that is there for other things: nothing has failed.
            return Found.NOTHING
        self._tell_of_failure(error)
        return Found.FAILURE

    def _tell_of_failure(self, error: Exception) -> None:
        """The server has been told "received"; now it is told "not installed" (M5)."""
        reason = self._reason_of(error)[0]
        orders = [each.order for each in self._orders]
        reports = confirmation.failed(self._servers.unconfirmed, reason, orders, self._receipts)
        reports += confirmation.declined(self._to_be_told, reason)
        due = [each.server_id for each in reports]
        if self._stage is Stage.RENDERING and self._news:
            # What was committed for them says so already.
            due = [talk.server_id for talk in self.conversations]
        if not due:
            return
        self._tree = self._committed.fork()
        try:
            self._servers.keep(reports)
            already = len(self._servers.unconfirmed)
            for server_id in dict.fromkeys(due):
                self._servers.deliver(server_id, self._tree, self._accounts)
            # What was ordered in these sessions is not installed either.
            self._servers.keep(confirmation.failed(self._servers.unconfirmed[already:], reason))
        except Exception as second:  # noqa: BLE001 - the first error is the one to be told
            error.add_note(f"and telling the server failed: {type(second).__name__}")

    def _say(
        self, done: int, total: int, detail: str, result: ProvisioningResult | None = None
    ) -> None:
        elapsed_s = self._environment.monotonic_s() - self._started_s
        self._report(Progress(self._stage, done, total, detail, elapsed_s, result))

    def _result(self) -> ProvisioningResult:
        failure = self.failure
        return result_of(
            self._task,
            self._stage,
            self.conversations,
            failure=self._reason_of(failure) if failure is not None else ("", ""),
            left_out=[(each.server_id, self._reason_of(why)[0]) for each, why in self._left_out],
            nodes_changed=self._nodes_changed,
            card_files_updated=self._files_updated,
            network_time_s=self._network.seconds_spent,
            total_time_s=self._environment.monotonic_s() - self._started_s,
            ended_at_ms=self._environment.now_ms(),
        )
