"""What cards have refused, remembered as long as the daemon lives (P6)."""

from __future__ import annotations

import threading
from collections import OrderedDict

from cardd.card.credentials import Rejections
from cardd.card.identify import CardIdentity

__all__ = ["RejectionBook"]

_MAX_PAGES = 1024


class RejectionBook:
    """One page a card, wherever and however often it is inserted. Thread-safe.

    A card that does not say who it is has a page for each insertion.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pages: OrderedDict[tuple[str, ...], Rejections] = OrderedDict()

    def of(self, card: CardIdentity, reader: str, insertion: int) -> Rejections:
        """The rejections of a card that is in the reader since that insertion."""
        named = card.iccid or card.serial
        key = (card.name,) if named else (card.name, reader, str(insertion))
        with self._lock:
            page = self._pages.setdefault(key, Rejections())
            self._pages.move_to_end(key)
            if len(self._pages) > _MAX_PAGES:
                self._pages.popitem(last=False)
            return page
