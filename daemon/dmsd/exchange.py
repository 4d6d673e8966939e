"""One batch of orders on its way: cut into messages, and joined with statuses and results.

A package is one message where possible (DM Protocol 1.2 §6.1); what does not fit waits for the
statuses of what was sent. Only a large object spans messages.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from omadm.messages import (
    Add,
    Atomic,
    Command,
    Delete,
    Exec,
    Get,
    Item,
    Meta,
    Replace,
    Status,
)
from omadm.status import StatusCode, is_success

from dmsd.chunks import base64_size, cut
from dmsd.orders import UNANSWERED, Batch, Order, Outcome

__all__ = ["Answered", "Exchange"]

_BINARY = frozenset({"bin", "b64"})
# Smaller pieces would not be worth a message.
_LEAST_PIECE = 64


@dataclass(frozen=True, slots=True)
class Answered:
    """An order, where it stood, and its outcome."""

    order: Order
    msg_id: int
    cmd_id: int
    outcome: Outcome


@dataclass(slots=True)
class _Sent:
    msg_id: int
    cmd_id: int
    # The Atomic around it, if any.
    container: int | None = None
    code: int | None = None
    # Value and format that a Results brought.
    result: tuple[bytes, str | None] | None = None


class Exchange:
    """Takes one batch after the other. ``cost`` says how many bytes a command adds to a message,
    ``in_base64`` whether bytes travel so: Size is that of the data as carried (DM TND 1.2 §7.7.4).
    """

    def __init__(
        self, cost: Callable[[Command], int], in_base64: Callable[[], bool] = lambda: False
    ) -> None:
        self._cost = cost
        self._in_base64 = in_base64
        self._orders: tuple[Order, ...] = ()
        self._outcomes: list[Outcome | None] = []
        self._atomic = False
        self._next = 0
        self._sent: dict[int, _Sent] = {}
        self._containers: dict[tuple[int, int], int] = {}
        self._offset: int | None = None
        self._answered: list[Answered] = []

    def start(self, batch: Batch) -> None:
        """Begin with a batch; the former one must be done."""
        self._orders = batch.orders
        self._outcomes = [None] * len(batch.orders)
        self._atomic = batch.atomic
        self._next = 0
        self._sent = {}
        self._containers = {}
        self._offset = None

    @property
    def done(self) -> bool:
        """Whether every order has its outcome."""
        return self._next == len(self._orders) and not self._sent

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        return tuple(outcome or UNANSWERED for outcome in self._outcomes)

    @property
    def in_chunks(self) -> bool:
        """Whether a large object is under way, so that our package is open."""
        return self._offset is not None

    def drain(self) -> list[Answered]:
        """What was answered since the last call."""
        answered, self._answered = self._answered, []
        return answered

    def write(
        self, msg_id: int, cmd_id: int, room: int, max_object: int | None
    ) -> tuple[tuple[Command, ...], bool]:
        """The commands of the next message, from ``cmd_id`` on, and whether it ends the package."""
        if self._offset is not None:
            return self._piece(msg_id, cmd_id, room)
        if self._atomic and self._next == 0:
            atomic = self._whole_atomic(msg_id, cmd_id, room)
            if atomic is not None:
                return (atomic,), True
            self._atomic = False
        commands: list[Command] = []
        while self._next < len(self._orders):
            command = _command(self._orders[self._next], cmd_id + len(commands))
            cost = self._cost(command)
            if cost > room:
                if commands:
                    break
                if self._may_be_cut(max_object):
                    self._offset = 0
                    return self._piece(msg_id, cmd_id, room)
                self._settle(self._next, 0, 0, Outcome(StatusCode.TOO_LARGE))
                self._next += 1
                continue
            room -= cost
            self._sent[self._next] = _Sent(msg_id, command.cmd_id)
            commands.append(command)
            self._next += 1
        return tuple(commands), True

    def status(self, status: Status) -> None:
        """Take a status; one that refers to nothing of ours is ignored."""
        index = self._find(status.msg_ref, status.cmd_ref)
        if index is None:
            container = (status.msg_ref, status.cmd_ref)
            if container in self._containers:
                self._containers[container] = status.code
            return
        if self._offset is not None and index == self._next:
            self._piece_status(index, status.code)
            return
        sent = self._sent[index]
        sent.code = status.code
        self._finish_if_complete(index, sent)

    def results(self, msg_ref: int, cmd_ref: int, item: Item) -> None:
        """Take the (reassembled) first item of a Results; raises FormatError."""
        index = self._find(msg_ref, cmd_ref)
        if index is None or self._sent[index].result is not None:
            return
        sent = self._sent[index]
        sent.result = (item.payload, None if item.meta is None else item.meta.format)
        self._finish_if_complete(index, sent)

    def close(self) -> None:
        """The client's package is complete: what has no status will not get one."""
        if self._offset is not None and self._next in self._sent:
            self._offset = None
            self._next += 1
        for index, sent in sorted(self._sent.items()):
            code = sent.code
            if code is None and sent.container is not None:
                code = self._containers[(sent.msg_id, sent.container)]
            self._settle(index, sent.msg_id, sent.cmd_id, _outcome(code or 0, sent.result))
        self._sent = {}
        self._containers = {}

    def rewind(self) -> None:
        """Send again what was sent and has no outcome: the client did not know us."""
        if self._sent:
            self._next = min(self._sent)
        elif self._offset is None:
            return
        self._atomic = self._atomic or bool(self._containers)
        self._offset = None
        self._sent = {}
        self._containers = {}

    def _whole_atomic(self, msg_id: int, cmd_id: int, room: int) -> Atomic | None:
        inner = tuple(
            _command(order, cmd_id + 1 + index) for index, order in enumerate(self._orders)
        )
        atomic = Atomic(cmd_id, inner)
        if self._cost(atomic) > room:
            return None
        for index, command in enumerate(inner):
            self._sent[index] = _Sent(msg_id, command.cmd_id, container=cmd_id)
        self._containers[(msg_id, cmd_id)] = 0
        self._next = len(self._orders)
        return atomic

    def _may_be_cut(self, max_object: int | None) -> bool:
        order = self._orders[self._next]
        size = len(order.value or b"")
        return size > _LEAST_PIECE and (max_object is None or size <= max_object)

    def _piece(self, msg_id: int, cmd_id: int, room: int) -> tuple[tuple[Command, ...], bool]:
        order = self._orders[self._next]
        value, offset = order.value or b"", self._offset or 0

        def build(piece: bytes) -> Command:
            more = offset + len(piece) < len(value)
            size = self._carried_size(order) if offset == 0 else None
            return _command(order, cmd_id, piece=piece, more=more, size=size)

        piece = cut(
            value,
            offset,
            room,
            lambda candidate: self._cost(build(candidate)) <= room,
            text=order.format not in _BINARY,
        )
        if not piece:
            self._offset = None
            self._settle(self._next, msg_id, 0, Outcome(StatusCode.TOO_LARGE))
            self._next += 1
            return (), True
        command = build(piece)
        self._sent[self._next] = _Sent(msg_id, cmd_id)
        self._offset = offset + len(piece)
        last = self._offset == len(value)
        if last:
            self._offset = None
            self._next += 1
        return (command,), last

    def _carried_size(self, order: Order) -> int:
        size = len(order.value or b"")
        return base64_size(size) if order.format in _BINARY and self._in_base64() else size

    def _piece_status(self, index: int, code: int) -> None:
        sent = self._sent.pop(index)
        # 213; a client that says 200 has not got the whole either.
        if is_success(code):
            return
        self._offset = None
        self._next += 1
        self._settle(index, sent.msg_id, sent.cmd_id, Outcome(code))

    def _find(self, msg_ref: int, cmd_ref: int) -> int | None:
        for index, sent in self._sent.items():
            if sent.msg_id == msg_ref and sent.cmd_id == cmd_ref:
                return index
        return None

    def _finish_if_complete(self, index: int, sent: _Sent) -> None:
        if sent.code is None:
            return
        outcome = _outcome(sent.code, sent.result)
        if self._orders[index].verb == "Get" and outcome.ok and sent.result is None:
            return
        del self._sent[index]
        self._settle(index, sent.msg_id, sent.cmd_id, outcome)

    def _settle(self, index: int, msg_id: int, cmd_id: int, outcome: Outcome) -> None:
        self._outcomes[index] = outcome
        self._answered.append(Answered(self._orders[index], msg_id, cmd_id, outcome))


def _outcome(code: int, result: tuple[bytes, str | None] | None) -> Outcome:
    return Outcome(code) if result is None else Outcome(code, *result)


def _command(
    order: Order,
    cmd_id: int,
    *,
    piece: bytes | None = None,
    more: bool = False,
    size: int | None = None,
) -> Add | Replace | Delete | Get | Exec:
    if order.verb in ("Get", "Delete"):
        kind = Get if order.verb == "Get" else Delete
        return kind(cmd_id, (Item(target=order.path),))
    item = Item(
        target=order.path,
        meta=Meta(format=order.format, type=order.mime or None, size=size),
        data=_data(order.format, order.value if piece is None else piece),
        more_data=more,
    )
    if order.verb == "Exec":
        return Exec(cmd_id, (item,), correlator=order.correlator)
    return Add(cmd_id, (item,)) if order.verb == "Add" else Replace(cmd_id, (item,))


def _data(form: str, value: bytes | None) -> str | bytes | None:
    if value is None:
        return None
    return value if form in _BINARY else value.decode("utf-8", "surrogateescape")
