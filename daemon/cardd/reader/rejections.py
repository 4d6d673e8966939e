"""What cards have refused, remembered as long as each stays inserted (P6)."""

from __future__ import annotations

import threading

from cardd.card.credentials import Rejections

__all__ = ["RejectionBook"]


class RejectionBook:
    """One page a reader; a new insertion begins a new page. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pages: dict[str, tuple[int, Rejections]] = {}

    def of(self, reader: str, insertion: int) -> Rejections:
        """The rejections of the card that is in the reader since that insertion."""
        with self._lock:
            known, rejections = self._pages.get(reader, (0, Rejections()))
            if known != insertion:
                rejections = Rejections()
            self._pages[reader] = (insertion, rejections)
            return rejections
