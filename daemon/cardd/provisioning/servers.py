"""The servers of a run: which are wanted, how each is trusted, and what was said to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gba.client import Bootstrapped
from gba.errors import GbaError
from gba.naf import NafClient
from omadm.accounts import Account, accounts_in

from cardd.dm.errors import DmError
from cardd.tree import ManagementTree, purge_servers

from . import confirmation, trust
from .binding import check_host
from .card_content import CardContent
from .dialogue import Conversation, converse
from .errors import AccountNotFoundError, ProvisioningError
from .people import Interview, PeoplePort
from .ports import CardPort, Environment, ServerPort, StorePort, TransportError
from .records import NewConfirmation
from .task import Settings, Task

__all__ = ["Servers"]


class Servers:
    """``conversations`` are all that came to their end, ``unconfirmed`` those of them whose effects
    are not committed yet."""

    def __init__(
        self,
        task: Task,
        settings: Settings,
        *,
        server: ServerPort,
        store: StorePort,
        environment: Environment,
        people: PeoplePort,
        reason_of: Callable[[Exception], tuple[str, str]],
    ) -> None:
        self._task = task
        self._settings = settings
        self._server = server
        self._store = store
        self._environment = environment
        self._people = people
        self._reason_of = reason_of
        self._keys: Bootstrapped | None = None
        self._notified = task.session_id
        self.conversations: list[Conversation] = []
        self.unconfirmed: list[Conversation] = []

    def wanted(self, tree: ManagementTree, content: CardContent | None) -> list[Account]:
        """The accounts that the caller or the card's data asks for. Raises AccountNotFoundError."""
        every = accounts_in(tree.snapshot)
        if self._task.only_server is not None:
            chosen = [each for each in every if each.server_id == self._task.only_server]
            if not chosen:
                raise AccountNotFoundError(self._task.only_server)
            return chosen
        accounts = content.accounts if content is not None else ()
        wanted = {each.path for each in accounts if each.init or self._task.connect}
        return [each for each in every if each.path in wanted]

    def derive_key(self, card: CardPort, home: trust.Subscriber) -> None:
        """Bootstrap, for the accounts that need a key. Raises what card and network raise."""
        self._keys = trust.bootstrap(card, self._server, home, self._environment)

    def talk(self, account: Account, tree: ManagementTree) -> Conversation:
        """One session; its effects are in the tree only if it came to its end.

        Raises: TransportError, DmError, GbaError, ProvisioningError.
        """
        check_host(
            account,
            tree,
            remembered=self._store.server_host(account.server_id),
            configured=self._settings.server_hosts.get(account.server_id),
        )
        working = tree.fork()
        # What a notification has asked for is the first session, and no other.
        notified, self._notified = self._notified, ""
        talk = converse(
            account,
            working,
            self._settings.device,
            reports={
                each.id: confirmation.report_of(each)
                for each in self._store.pending_confirmations(account.server_id)
            },
            naf=self._naf(account),
            server=self._server,
            environment=self._environment,
            store=self._store,
            reason_of=self._reason_of,
            interview=lambda session: Interview(
                self._people,
                self._settings.question_limit_s,
                self._environment.monotonic_s,
                server_id=account.server_id,
                run=self._task.name,
                session=session,
            ),
            card=self._task.card.identity.name if self._task.card is not None else "",
            notified=notified,
        )
        purge_servers(working, tree)
        tree.become(working)
        self.conversations.append(talk)
        self.unconfirmed.append(talk)
        return talk

    def deliver(self, server_id: str, tree: ManagementTree, known: Iterable[Account]) -> bool:
        """Say what is still to be said to a server; whether it has acknowledged that."""
        # By its new address and credentials, if the server has just changed them.
        accounts = [*accounts_in(tree.snapshot), *known]
        account = next(each for each in accounts if each.server_id == server_id)
        try:
            return self.talk(account, tree).confirmed
        except (TransportError, DmError, GbaError, ProvisioningError):
            return False

    def keep(self, reports: Iterable[NewConfirmation]) -> None:
        """Let the next session with each server say this, also one of another day."""
        for each in reports:
            self._store.add_confirmation(each, self._environment.now_ms())

    def _naf(self, account: Account) -> NafClient | None:
        if self._keys is None or not trust.needs_key(account):
            return None
        return trust.naf_client(self._keys, account.address)
