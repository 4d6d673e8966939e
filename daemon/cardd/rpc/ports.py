"""What the services need from the rooms behind them; bootstrap hands it in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from omadm.notification import UiMode

from cardd.provisioning.progress import CardStatus, Preview, Progress, SessionOutcome
from cardd.reader.events import ReaderStatus
from cardd.store import Operation, Revision
from cardd.tree import Delta, ManagementTree

__all__ = [
    "AccountView",
    "HistoryPort",
    "LocalOperation",
    "NotificationsPort",
    "NotifiedSession",
    "ProvisionerPort",
    "TreeChanges",
]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LocalOperation:
    """What a local caller asks to be done to the tree, as it is reported (S2, S9)."""

    uid: int
    authority: str
    call: str
    verb: str
    path: str


class TreeChanges(Protocol):
    """The way in which local callers change the tree, and what is known of all who did."""

    async def change(
        self, operation: LocalOperation, act: Callable[[ManagementTree, int], T]
    ) -> tuple[T, ManagementTree, int]:
        """Act on a fork at a time, Unix milliseconds; commit it, if it claims something new.

        The result, the tree in force then and its revision. Raises Refused, which is reported too,
        and StoreError; then nothing has changed.
        """

    def operations(self, authority: str, limit: int, before: int) -> Sequence[Operation]:
        """Newest first; of one authority or of all (""). ``before`` 0: from the newest on."""


class AccountView(Protocol):
    """A DM account in the tree, without its secrets; fields as in management.proto."""

    @property
    def server_id(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def display_name(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def auth_type(self) -> str: ...
    @property
    def last_session_at_ms(self) -> int: ...
    @property
    def last_session_outcome(self) -> str: ...


class ProvisionerPort(Protocol):
    """Runs the use case; raises what card, servers and store raise."""

    def provision(
        self, status: ReaderStatus, *, ask_again: bool = False
    ) -> AsyncIterator[Progress]:
        """Begin a run for the card in a reader, or join the one under way.

        The last progress has a result. The run goes on if the iterator is closed. A run that fails
        is not raised: its last progress has stage FAILED, and the result names the reason.
        """

    async def preview(self, status: ReaderStatus) -> Preview: ...

    async def statuses(self) -> Sequence[CardStatus]: ...

    async def start_session(self, server_id: str) -> SessionOutcome: ...

    async def accounts(self) -> Sequence[AccountView]: ...


@dataclass(frozen=True, slots=True)
class NotifiedSession:
    """A session that a notification asked for, and has got."""

    server_id: str
    ui_mode: UiMode
    outcome: SessionOutcome


class NotificationsPort(Protocol):
    """Follows notifications of servers; raises what is wrong with one, and what a run raises."""

    async def deliver(self, message: bytes, *, user_agreed: bool) -> NotifiedSession:
        """Hold the session that the message asks for, or join it where it is under way."""


class HistoryPort(Protocol):
    """The commits of the tree; raises RevisionNotFoundError and StoreError."""

    async def revisions(self, limit: int) -> Sequence[Revision]: ...

    async def compare(self, before: int, after: int | None) -> Delta:
        """What differs; ``after`` None: from ``before`` to the present one."""

    async def roll_back(self, revision: int, actor: str) -> Delta: ...
