"""What the services need from the rooms behind them; bootstrap hands it in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from cardd.provisioning.progress import CardStatus, Preview, Progress, SessionOutcome

__all__ = ["AccountView", "ProvisionerPort"]


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
    """Runs the use case. ``name`` is cards/{card}, readers/{reader}, or empty for the only card."""

    def provision(self, name: str, request_id: str) -> AsyncIterator[Progress]:
        """Begin a run, or join the one under way; the last progress has a result.

        The run goes on if the iterator is closed. A run that fails yields a last progress of stage
        FAILED whose result names the reason. What keeps a run from beginning is raised, as an error
        that has a row in errors.py.
        """

    async def preview(self, name: str) -> Preview: ...

    def statuses(self) -> Sequence[CardStatus]: ...

    async def start_session(self, server_id: str, request_id: str) -> SessionOutcome: ...

    def accounts(self) -> Sequence[AccountView]: ...
