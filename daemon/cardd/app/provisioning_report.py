"""What is known of provisioning: each card's present or last run, and the accounts in the tree.

All of it waits for the store, which a commit may hold: nothing for an event loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from omadm.accounts import accounts_in

from cardd.provisioning.progress import CardStatus, ProvisioningResult, Stage
from cardd.store import Store
from cardd.tree import ManagementTree

__all__ = ["AccountInfo", "LastRuns", "accounts_of"]


@dataclass(frozen=True, slots=True)
class AccountInfo:
    """A DM account in the tree, without its secrets; fields as in management.proto."""

    server_id: str
    path: str
    address: str
    display_name: str
    source: str
    auth_type: str
    last_session_at_ms: int
    last_session_outcome: str


@dataclass(frozen=True, slots=True)
class LastRuns:
    """The last result of each card, and the servers that are still to be told something."""

    results: Mapping[str, ProvisioningResult]
    pending: frozenset[str]

    @classmethod
    def in_store(cls, store: Store) -> LastRuns:
        """The results first: what a run has confirmed by its result is not pending any more."""
        results = {result.card: result for result in store.last_results()}
        return cls(results, frozenset(each.server_id for each in store.pending_confirmations()))

    def statuses(self, running: Mapping[str, tuple[str, Stage | None]]) -> tuple[CardStatus, ...]:
        """With the runs of cards that are under way, by name and stage. One whose result is there
        is over, though nobody has been told yet."""
        stages: dict[str, Stage | None] = {card: last.stage for card, last in self.results.items()}
        for card, (run, stage) in running.items():
            if card not in self.results or self.results[card].name != run:
                stages[card] = stage
        return tuple(
            CardStatus(card, stages[card], last, last is not None and self._is_pending(last))
            for card in sorted(stages)
            for last in (self.results.get(card),)
        )

    def _is_pending(self, last: ProvisioningResult) -> bool:
        return not self.pending.isdisjoint(last.servers)


def accounts_of(tree: ManagementTree, store: Store) -> tuple[AccountInfo, ...]:
    """The DM accounts in a tree, each with its last session."""
    infos = []
    for account in accounts_in(tree.snapshot):
        node = tree.snapshot.get(account.path + "/ServerID")
        session = next(iter(store.sessions(account.server_id, limit=1)), None)
        infos.append(
            AccountInfo(
                server_id=account.server_id,
                path=account.path,
                address=account.address,
                display_name=account.name,
                source=f"{node.kind} {node.id}" if node is not None else "",
                auth_type=account.auth_type,
                last_session_at_ms=session.ended_ms if session is not None else 0,
                last_session_outcome=session.outcome if session is not None else "",
            )
        )
    return tuple(infos)
