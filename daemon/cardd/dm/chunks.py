"""Large objects coming in: chunks to whole items (DM Protocol 1.2 §7)."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, replace

from omadm.messages import Alert, Item
from omadm.status import AlertCode, StatusCode

__all__ = ["Chunks"]


@dataclass(slots=True)
class _Pending:
    verb: str
    item: Item
    size: int
    parts: list[str | bytes]
    received: int


class Chunks:
    """At most one object is under way, and no more of it is held than ``max_bytes``."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._pending: _Pending | None = None

    def interrupted(self) -> Alert | None:
        """Give up an object whose end has not come; the alert that says so (1225)."""
        if self._pending is None:
            return None
        item = self._pending.item
        self._pending = None
        about = Item(target=item.target, source=item.source)
        return Alert(0, AlertCode.NO_END_OF_DATA, (about,))

    def continues(self, verb: str, item: Item) -> bool:
        """Whether the item is the next chunk of the object under way."""
        pending = self._pending
        return pending is not None and pending.verb == verb and pending.item.target == item.target

    def take(self, verb: str, item: Item) -> Item | StatusCode:
        """The whole item with its last chunk; until then, and when it is refused, a status.

        213 for a chunk that is kept, 412 without a size, 413 too large, 424 size mismatch.
        """
        pending = self._pending
        if pending is None:
            size = item.meta.size if item.meta is not None else None
            if size is None:
                return StatusCode.INCOMPLETE
            if size > self._max_bytes:
                return StatusCode.TOO_LARGE
            pending = self._pending = _Pending(verb, item, size, [], 0)
        pending.parts.append(b"" if item.data is None else item.data)
        pending.received += _bytes_of(item)
        # More than was announced: base64 is at most what was announced too.
        if pending.received > pending.size:
            self._pending = None
            return StatusCode.SIZE_MISMATCH
        if item.more_data:
            return StatusCode.CHUNK_ACCEPTED
        self._pending = None
        return _whole(pending)


def _bytes_of(item: Item) -> int:
    """How much a chunk adds; of base64 that was cut inside a group of four, as much as is sure."""
    if isinstance(item.data, str) and item.meta is not None and item.meta.format == "b64":
        return len(item.data) * 3 // 4
    return len(item.payload)


def _whole(pending: _Pending) -> Item | StatusCode:
    meta = pending.item.meta
    is_binary = meta is not None and meta.format in ("b64", "bin")
    try:
        data = _binary(pending.parts) if is_binary else _text(pending.parts)
    except binascii.Error:
        return StatusCode.UNSUPPORTED_FORMAT
    raw = data.encode() if isinstance(data, str) else data
    sizes = [len(raw)]
    if is_binary:
        # §7: the size as it was carried, which for binary data in XML is that of its base64.
        sizes.append(4 * ((len(raw) + 2) // 3))
    if pending.size not in sizes:
        return StatusCode.SIZE_MISMATCH
    return replace(pending.item, data=data, more_data=False)


def _binary(parts: list[str | bytes]) -> bytes:
    if not any(isinstance(part, str) for part in parts):
        return b"".join(part for part in parts if isinstance(part, bytes))
    # Base64 that was cut between its groups of four: the codec decoded the whole groups only.
    text = "".join(base64.b64encode(p).decode() if isinstance(p, bytes) else p for p in parts)
    return base64.b64decode(text, validate=True)


def _text(parts: list[str | bytes]) -> str | bytes:
    """A chunk in WBXML may end within a character; octets that are no text stay octets."""
    raw = b"".join(part.encode() if isinstance(part, str) else part for part in parts)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw
