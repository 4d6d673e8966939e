"""Commands waiting to be sent, cut into messages that the server can take (§6, §7)."""

from __future__ import annotations

import base64
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from omadm.codec import Encoding, encode
from omadm.messages import Alert, Header, Item, Message, Meta, Replace, Results, Status

from cardd.dm.errors import DmProtocolError

__all__ = ["Outbox", "Packed", "Sendable"]

Sendable = Alert | Replace | Results | Status


@dataclass(frozen=True, slots=True)
class Packed:
    """One message and its bytes."""

    message: Message
    body: bytes = field(repr=False)


class Outbox:
    """The client's package in the making. CmdIDs are given when a message is packed."""

    def __init__(self) -> None:
        self._waiting: deque[Sendable] = deque()
        self._chunk_sent = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def results(self) -> Iterator[Results]:
        """Those that wait."""
        return (each for each in self._waiting if isinstance(each, Results))

    def extend(self, commands: Iterable[Sendable]) -> None:
        """Append commands to the package."""
        self._waiting.extend(commands)

    def clear(self) -> None:
        """Forget what has not been sent."""
        self._waiting.clear()
        self._chunk_sent = 0

    def pack(
        self,
        header: Header,
        first: tuple[Sendable, ...],
        encoding: Encoding,
        *,
        limit: int | None,
        may_end: bool,
    ) -> Packed:
        """The next message: ``first``, then as much of what waits as fits into ``limit`` bytes.

        ``may_end``: the message is the last of the package when everything fits.
        """

        def build(commands: Iterable[Sendable], *, final: bool) -> Packed:
            numbered = tuple(
                replace(command, cmd_id=number) for number, command in enumerate(commands, 1)
            )
            message = Message(header, numbered, final=final)
            return Packed(message, encode(message, encoding=encoding))

        everything = [*first, *self._waiting]
        if not self._chunk_sent:
            whole = build(everything, final=may_end)
            if limit is None or len(whole.body) <= limit:
                self._waiting.clear()
                return whole
        if limit is None:
            limit = 1 << 30

        def fits(commands: Iterable[Sendable]) -> bool:
            return len(build(commands, final=False).body) <= limit

        taken = list(first)
        while self._waiting and not self._chunk_sent:
            if not fits([*taken, self._waiting[0]]) and not self._split(
                lambda part: fits([*taken, part])
            ):
                break
            taken.append(self._waiting.popleft())
        if self._waiting and (len(taken) == len(first) or self._chunk_sent):
            taken.append(self._chunk(lambda piece: fits([*taken, piece]), encoding, limit))
        return build(taken, final=may_end and not self._waiting)

    def _split(self, fits: Callable[[Sendable], bool]) -> bool:
        """Divide a Results of several items so that its first part fits, if any part does.

        Where not even one item fits it is put in front by itself, to be cut.
        """
        whole = self._waiting[0]
        if not isinstance(whole, Results) or len(whole.items) < 2:
            return False
        low, high = 0, len(whole.items) - 1
        while low < high:
            middle = (low + high + 1) // 2
            if fits(replace(whole, items=whole.items[:middle])):
                low = middle
            else:
                high = middle - 1
        self._waiting[0] = replace(whole, items=whole.items[max(low, 1) :])
        self._waiting.appendleft(replace(whole, items=whole.items[: max(low, 1)]))
        return low > 0

    def _chunk(self, fits: Callable[[Sendable], bool], encoding: Encoding, limit: int) -> Results:
        """The next piece of a Results that fits no message (§7, large objects)."""
        whole = self._waiting[0]
        item = whole.items[0] if isinstance(whole, Results) and whole.items else None
        if not isinstance(whole, Results) or item is None or item.data is None:
            raise DmProtocolError("max_msg_size_too_small", limit=limit, command=whole.name)
        data = item.data
        left = len(data) - self._chunk_sent
        size = min(left, limit)
        while size > 0:
            # Whole groups of three bytes, so that the base64 texts of the pieces join (XML).
            step = size if size == left else size - size % 3
            start, end = self._chunk_sent, self._chunk_sent + step
            piece = self._piece(whole, item, data[start:end], encoding, more=end < len(data))
            if step and fits(piece):
                self._chunk_sent = end
                if end == len(data):
                    self._waiting.popleft()
                    self._chunk_sent = 0
                return piece
            size = size * 7 // 8
        raise DmProtocolError("max_msg_size_too_small", limit=limit, command=whole.name)

    def _piece(
        self, whole: Results, item: Item, data: str | bytes, encoding: Encoding, *, more: bool
    ) -> Results:
        meta = item.meta or Meta()
        if not self._chunk_sent:
            meta = replace(meta, size=_size_on_the_wire(item, encoding))
        return replace(whole, items=(replace(item, data=data, meta=meta, more_data=more),))


def _size_on_the_wire(item: Item, encoding: Encoding) -> int:
    # §7: the size of the data as it is carried, which for binary data in XML is base64.
    data = item.payload
    if encoding == "xml" and isinstance(item.data, bytes):
        return len(base64.b64encode(data))
    return len(data)
