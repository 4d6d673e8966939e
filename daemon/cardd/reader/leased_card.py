"""A card that is leased piece by piece: for work with pauses in which others may use it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cardd.card.identify import CardIdentity
from cardd.reader.supervisor import ReaderSupervisor
from cardd.sharing.ticket import Priority

__all__ = ["LeasedCard"]


class LeasedCard:
    """One insertion of one card. A card that was swapped in between is not taken for it."""

    def __init__(
        self,
        supervisor: ReaderSupervisor,
        *,
        reader: str,
        insertion: int,
        identity: CardIdentity,
        caller: str,
        max_wait_s: float,
    ) -> None:
        self.reader = reader
        self.insertion = insertion
        self.identity = identity
        self.apdus = 0
        self.seconds_spent = 0.0
        self._supervisor = supervisor
        self._caller = caller
        self._max_wait_s = max_wait_s

    @contextmanager
    def lease(self, purpose: str) -> Iterator[Callable[[bytes], bytes]]:
        """The card's `transmit`, as long as the block lasts. CardLost if the card has changed."""
        lease = self._supervisor.lease(
            self.reader,
            self._caller,
            purpose,
            self._max_wait_s,
            self.insertion,
            Priority.PROVISIONING,
        )
        try:
            with lease:
                yield lease.transmit
        finally:
            self.apdus += lease.apdus
            self.seconds_spent += lease.card_time_s
