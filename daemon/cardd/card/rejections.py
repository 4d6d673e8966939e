"""What a card has refused, remembered so that it is never presented again.

A value is kept as a keyed digest: whoever reads the memory learns no PIN, and without the key
cannot try PINs against it. It is there before the card gets the value. So a card that is pulled, an
answer that is lost, or a daemon that is killed in between leaves a value in doubt, and the
counter, read before the next attempt, says what had become of it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Protocol

from cardea_core import Secret

__all__ = ["Entry", "MemoryRejectionStore", "RejectionStore", "Rejections"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A value that was sent for one counter.

    Refused: `tries` were left afterwards. In doubt: `tries` were left before it was sent.
    """

    counter: int
    digest: bytes = field(repr=False)
    tries: int
    in_doubt: bool = False


class RejectionStore(Protocol):
    """The memory of one card. What a method has done is durable when it returns."""

    def entries(self, counter: int) -> Iterable[Entry]: ...

    def put(self, entry: Entry) -> None:
        """Keep, in place of an entry for the same value."""

    def remove(self, counter: int, digest: bytes | None = None) -> None:
        """Forget one value, or all of a counter."""


class MemoryRejectionStore:
    """A store that ends with its process: for a card that does not say who it is."""

    def __init__(self) -> None:
        self._entries: dict[tuple[int, bytes], Entry] = {}

    def entries(self, counter: int) -> Iterable[Entry]:
        return [entry for at, entry in self._entries.items() if at[0] == counter]

    def put(self, entry: Entry) -> None:
        self._entries[entry.counter, entry.digest] = entry

    def remove(self, counter: int, digest: bytes | None = None) -> None:
        for at in [at for at in self._entries if at[0] == counter and digest in (None, at[1])]:
            del self._entries[at]


class Rejections:
    """One card's memory, asked and told in terms of values. A counter is that of a reference."""

    def __init__(
        self, store: RejectionStore | None = None, *, key: bytes = b"", card: str = ""
    ) -> None:
        self._store = MemoryRejectionStore() if store is None else store
        self._key = key
        self._card = card.encode()

    def refused(self, counter: int, value: Secret) -> Entry | None:
        """The entry of a value that the card is known to have refused."""
        entry = self._find(counter, value)
        return None if entry is None or entry.in_doubt else entry

    def sending(self, counter: int, value: Secret, tries: int) -> None:
        """The value is about to be sent, with so many tries left.

        One that a person repeats although it was refused stays refused until the card has said yes:
        should the answer be lost, automation is not to repeat it.
        """
        if self.refused(counter, value) is not None:
            return
        self._store.put(Entry(counter, self._digest(counter, value), tries, in_doubt=True))

    def was_refused(self, counter: int, value: Secret, tries: int) -> None:
        """The card has said no."""
        self._store.put(Entry(counter, self._digest(counter, value), tries))

    def was_taken(self, counter: int, value: Secret) -> None:
        """The card has said yes."""
        self._store.remove(counter, self._digest(counter, value))

    def settle(self, counter: int, tries: int) -> None:
        """The counter was read: a value in doubt that has cost a try was refused."""
        for entry in list(self._store.entries(counter)):
            if entry.in_doubt and tries < entry.tries:
                self._store.put(replace(entry, tries=tries, in_doubt=False))

    def forget(self, counter: int) -> None:
        """The value behind the reference is another now: any may be the right one."""
        self._store.remove(counter)

    def _find(self, counter: int, value: Secret) -> Entry | None:
        wanted = self._digest(counter, value)
        found = None
        for entry in self._store.entries(counter):
            if hmac.compare_digest(entry.digest, wanted):
                found = entry
        return found

    def _digest(self, counter: int, value: Secret) -> bytes:
        salt = len(self._card).to_bytes(2, "big") + self._card + counter.to_bytes(2, "big")
        return hmac.digest(self._key, salt + value.expose(), hashlib.sha256)
