"""What cards have refused: one memory a card, wherever and however often it is inserted (P6)."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Protocol

from cardd.card.identify import CardIdentity
from cardd.card.rejections import MemoryRejectionStore, Rejections, RejectionStore

__all__ = ["RejectionStorePort", "RejectionsByCard"]

_MAX_NAMELESS = 1024


class RejectionStorePort(Protocol):
    """Memory that outlives the daemon."""

    def key(self) -> bytes: ...
    def of(self, card: str) -> RejectionStore: ...


class RejectionsByCard:
    """Thread-safe.

    A card that does not say who it is has a memory for each insertion, which ends with the daemon.
    """

    def __init__(self, kept: RejectionStorePort) -> None:
        self._kept = kept
        self._key = kept.key()
        self._lock = threading.Lock()
        self._nameless: OrderedDict[tuple[str, str, int], RejectionStore] = OrderedDict()

    def of(self, card: CardIdentity, reader: str, insertion: int) -> Rejections:
        """The rejections of a card that is in the reader since that insertion."""
        named = card.iccid or card.serial
        store = self._kept.of(card.name) if named else self._of(card.name, reader, insertion)
        return Rejections(store, key=self._key, card=card.name)

    def _of(self, name: str, reader: str, insertion: int) -> RejectionStore:
        which = (name, reader, insertion)
        with self._lock:
            store = self._nameless.setdefault(which, MemoryRejectionStore())
            self._nameless.move_to_end(which)
            if len(self._nameless) > _MAX_NAMELESS:
                self._nameless.popitem(last=False)
            return store
