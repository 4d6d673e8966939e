"""Large objects: values cut into messages, and put together again (DM Protocol 1.2 §7)."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, replace

from omadm.elements import from_base64
from omadm.errors import FormatError
from omadm.messages import Item
from omadm.status import StatusCode

__all__ = ["ChunkError", "Reassembly", "base64_size", "cut"]


class ChunkError(Exception):
    """A chunk that does not fit the object; ``code`` is the status that says so."""

    def __init__(self, code: StatusCode) -> None:
        super().__init__(code.name)
        self.code = code


@dataclass(slots=True)
class _Unfinished:
    key: tuple[object, ...]
    item: Item
    size: int | None
    data: bytearray
    # Base64 that did not end on a group of four: it goes on in the next piece.
    rest: str = ""

    @property
    def sizes(self) -> tuple[int, ...]:
        """What Size may say: the object's own size, or that of its base64 (see Exchange)."""
        form = None if self.item.meta is None else self.item.meta.format
        own = len(self.data)
        return (own, base64_size(own)) if form in ("b64", "bin") else (own,)

    def add(self, item: Item) -> None:
        if not self.rest and isinstance(item.data, bytes):
            self.data += item.data
        elif item.meta is not None and item.meta.format in ("b64", "bin"):
            text = self.rest + _base64_text(item)
            whole = len(text) // 4 * 4 if item.more_data else len(text)
            self.data += from_base64(text[:whole])
            self.rest = text[whole:]
        else:
            self.data += item.payload


class Reassembly:
    """The one object that is coming in pieces, if any. Memory is bounded by ``limit_bytes``."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._unfinished: _Unfinished | None = None

    @property
    def busy(self) -> bool:
        return self._unfinished is not None

    def interrupts(self, key: tuple[object, ...]) -> bool:
        """Whether an item of that key comes before the present object is complete.

        The object is dropped then; its sender is to be told by Alert 1225.
        """
        if self._unfinished is None or self._unfinished.key == key:
            return False
        self._unfinished = None
        return True

    def take(self, key: tuple[object, ...], item: Item) -> Item | None:
        """The whole item once it is complete, ``None`` after a piece.

        Raises ChunkError, and FormatError for what is no base64.
        """
        if self._unfinished is None:
            if not item.more_data:
                return item
            size = None if item.meta is None else item.meta.size
            if size is not None and size > self._limit_bytes:
                raise ChunkError(StatusCode.TOO_LARGE)
            self._unfinished = _Unfinished(key, item, size, bytearray())
        current = self._unfinished
        try:
            current.add(item)
        except FormatError:
            self._unfinished = None
            raise
        if len(current.data) > self._limit_bytes:
            self._unfinished = None
            raise ChunkError(StatusCode.TOO_LARGE)
        if item.more_data:
            return None
        self._unfinished = None
        if current.size is not None and current.size not in current.sizes:
            raise ChunkError(StatusCode.SIZE_MISMATCH)
        return replace(current.item, data=bytes(current.data), more_data=False)


def base64_size(size: int) -> int:
    """How many characters so many bytes take in base64."""
    return 4 * ((size + 2) // 3)


def _base64_text(item: Item) -> str:
    if isinstance(item.data, bytes):
        return base64.b64encode(item.data).decode()
    return "".join((item.data or "").split())


def cut(value: bytes, start: int, room: int, fits: Callable[[bytes], bool], *, text: bool) -> bytes:
    """The longest piece from ``start`` that fits, found by shrinking; ``b""`` if none does.

    Text is cut between characters only. Bytes are cut in threes, so that the base64 of the pieces
    joins to the base64 of the whole: some clients decode each piece, others the joined text.
    """
    length = min(room, len(value) - start)
    while length > 0:
        end = start + length
        if text:
            while end > start and end < len(value) and value[end] & 0xC0 == 0x80:
                end -= 1
        elif end < len(value):
            end -= (end - start) % 3
        piece = value[start:end]
        if piece and fits(piece):
            return piece
        length = length * 3 // 4
    return b""
