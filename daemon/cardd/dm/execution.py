"""The server's commands, carried out on a tree (DM Representation 1.2 §4.1.6)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from cardea_core import Element
from omadm import tnds
from omadm.elements import xml_text
from omadm.errors import FormatError
from omadm.messages import (
    Add,
    Alert,
    Atomic,
    Command,
    Copy,
    Delete,
    Exec,
    Get,
    Item,
    Meta,
    Replace,
    Results,
    Sequence,
    Status,
)
from omadm.names import TNDS_XML_TYPE
from omadm.nodes import INTERIOR, TreeNode
from omadm.reading import with_document
from omadm.status import AlertCode, StatusCode, is_success

from cardd.dm.chunks import Chunks
from cardd.dm.events import CommandDone
from cardd.tree import Authority, ExecOrder, ManagementTree, Reading, Refused, path_status

__all__ = ["Execution", "size_of"]

Answer = Alert | Results | Status

# DM Protocol §10: who was to confirm cannot be asked, so what depends on the answer is not done.
_QUESTIONS = frozenset(
    {
        AlertCode.CONFIRM,
        AlertCode.TEXT_INPUT,
        AlertCode.SINGLE_CHOICE,
        AlertCode.MULTIPLE_CHOICE,
    }
)
_OF_DOCUMENTS = {
    "duplicate_node": StatusCode.ALREADY_EXISTS,
    "too_many_nodes": StatusCode.DEVICE_FULL,
}
_WITH_OBJECTS = (Add, Exec, Replace)
_IN_ATOMIC = (Add, Alert, Copy, Delete, Replace)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of one item: its status, and what a Get found."""

    item: Item | None
    status: StatusCode
    readings: tuple[Reading, ...] = ()
    # Of an Add: the parent that could not be created (§4.1.6.1).
    parent: str = ""


# Bytes of results that may wait to be sent, of one session; and what an item counts for itself.
_MOST_WAITING = 4 << 20
_ITEM_BYTES = 64


class Execution:
    """One server's commands on one tree. ``log`` and ``orders`` grow as they are carried out.

    ``fits`` says whether a Results can be sent at all; FormatError: not in that form. ``card``: see
    Authority.
    """

    def __init__(
        self,
        tree: ManagementTree,
        server_id: str,
        *,
        max_object_bytes: int,
        fits: Callable[[Results], bool],
        card: str | None = None,
    ) -> None:
        self.log: list[CommandDone] = []
        self.orders: list[ExecOrder] = []
        self._tree = tree
        self._authority = Authority.of_server(tree, server_id, card=card)
        self._chunks = Chunks(max_object_bytes)
        self._fits = fits
        self._room = _MOST_WAITING

    def carry_out(
        self, commands: tuple[Command, ...], msg_ref: int, at_ms: int, *, waiting: int = 0
    ) -> list[Answer]:
        """Statuses and results for the top-level commands of one message. ``waiting`` bytes of
        results have yet to be sent: a server that asks on and on does not fill the memory."""
        self._room = _MOST_WAITING - waiting
        answers: list[Answer] = []
        for command in commands:
            if not self._continues(command) and (alert := self._chunks.interrupted()):
                answers.append(alert)
            answers.extend(self._top_level(command, msg_ref, at_ms))
        return answers

    def package_ended(self) -> list[Answer]:
        """The server's package is over; an object whose end has not come is given up (1225)."""
        alert = self._chunks.interrupted()
        return [alert] if alert is not None else []

    def refuse(self, commands: tuple[Command, ...], msg_ref: int, code: StatusCode) -> list[Answer]:
        """One status for every command, inner ones too, and nothing is done."""
        answers: list[Answer] = []
        for command in commands:
            answers.append(_status(command, msg_ref, code))
            if isinstance(command, Atomic | Sequence):
                answers.extend(self.refuse(command.commands, msg_ref, code))
        return answers

    # -- one command

    def _top_level(self, command: Command, msg_ref: int, at_ms: int) -> Iterator[Answer]:
        match command:
            case Atomic():
                yield from self._atomic(command, msg_ref, at_ms)
            case Sequence():
                yield from self._sequence(command, msg_ref, at_ms)
            case _:
                outcomes = self._items(self._authority, command, at_ms, chunks=self._chunks)
                yield from self._answers(command, outcomes, msg_ref)

    def _atomic(self, atomic: Atomic, msg_ref: int, at_ms: int) -> Iterator[Answer]:
        """§4.1.6.3: on a fork, which takes effect only as a whole."""
        illegal = [c for c in atomic.commands if not isinstance(c, _IN_ATOMIC)]
        if illegal:
            yield self._said(_status(atomic, msg_ref, StatusCode.FAILED))
            for command in atomic.commands:
                code = StatusCode.FAILED if command in illegal else StatusCode.NOT_EXECUTED
                yield from map(self._said, self.refuse((command,), msg_ref, code))
            return
        fork = self._tree.fork()
        authority = self._authority.on(fork)
        done: list[tuple[Command, list[_Outcome]]] = []
        failed = False
        for command in atomic.commands:
            if failed:
                done.append((command, [_Outcome(None, StatusCode.NOT_EXECUTED)]))
                continue
            outcomes = self._items(authority, command, at_ms)
            failed = not all(is_success(outcome.status) for outcome in outcomes)
            done.append((command, outcomes))
        if not failed:
            self._tree.become(fork)
        whole = StatusCode.ATOMIC_FAILED if failed else StatusCode.OK
        yield self._said(_status(atomic, msg_ref, whole))
        for command, outcomes in done:
            if failed:
                outcomes = [_rolled_back(outcome) for outcome in outcomes]
            yield from self._answers(command, outcomes, msg_ref)

    def _sequence(self, sequence: Sequence, msg_ref: int, at_ms: int) -> Iterator[Answer]:
        """§4.1.6.14: in order; a question that nobody can answer keeps the rest undone."""
        yield self._said(_status(sequence, msg_ref, StatusCode.OK))
        stopped = False
        for command in sequence.commands:
            if stopped:
                refused = self.refuse((command,), msg_ref, StatusCode.NOT_EXECUTED)
                yield from map(self._said, refused)
                continue
            answers = list(self._top_level_in_sequence(command, msg_ref, at_ms))
            yield from answers
            stopped = isinstance(command, Alert) and command.code in _QUESTIONS
            if isinstance(command, Atomic):
                stopped = _code(answers) != StatusCode.OK and _asks(command)

    def _top_level_in_sequence(
        self, command: Command, msg_ref: int, at_ms: int
    ) -> Iterator[Answer]:
        if isinstance(command, Atomic | Sequence):
            yield from self._top_level(command, msg_ref, at_ms)
        else:
            yield from self._answers(command, self._items(self._authority, command, at_ms), msg_ref)

    def _items(
        self,
        authority: Authority,
        command: Command,
        at_ms: int,
        chunks: Chunks | None = None,
    ) -> list[_Outcome]:
        match command:
            case Alert():
                return [_Outcome(None, _alert_status(command))]
            case Add() | Copy() | Delete() | Exec() | Get() | Replace():
                if not command.items:
                    return [_Outcome(None, StatusCode.INCOMPLETE)]
                return [
                    self._chunk_or_item(authority, command, item, at_ms, chunks)
                    for item in command.items
                ]
        return [_Outcome(None, StatusCode.NOT_SUPPORTED)]

    def _chunk_or_item(
        self,
        authority: Authority,
        command: Add | Copy | Delete | Exec | Get | Replace,
        item: Item,
        at_ms: int,
        chunks: Chunks | None,
    ) -> _Outcome:
        if chunks is not None and (item.more_data or chunks.continues(command.name, item)):
            taken = chunks.take(command.name, item)
            if isinstance(taken, StatusCode):
                return _Outcome(item, taken)
            item = taken
        elif item.more_data:
            # §6: Atomic and Sequence fit one message, so their objects do.
            return _Outcome(item, StatusCode.FAILED)
        try:
            if isinstance(command, Add | Replace) and item.element is None:
                item = with_document(item)
            return self._item(authority, command, item, at_ms)
        except Refused as refusal:
            return _Outcome(item, refusal.status, parent=refusal.parent)
        except FormatError as error:
            return _Outcome(item, _as_added(error))

    def _item(
        self,
        authority: Authority,
        command: Add | Copy | Delete | Exec | Get | Replace,
        item: Item,
        at_ms: int,
    ) -> _Outcome:
        if not item.target or (isinstance(command, Copy) and not item.source):
            return _Outcome(item, StatusCode.INCOMPLETE)
        match command:
            case Get():
                return _Outcome(item, StatusCode.OK, authority.get(item.target))
            case Delete():
                authority.delete(item.target, at_ms)
            case Copy():
                authority.copy(item.source or "", item.target, at_ms)
            case Exec():
                data = None if item.data is None else item.payload
                order = authority.execute(item.target, data, command.correlator)
                self.orders.append(order)
                return _Outcome(item, StatusCode.ACCEPTED)
            case Add() | Replace() if item.element is not None:
                nodes = tnds.read(item.element, base=item.target)
                act = authority.add_tree if isinstance(command, Add) else authority.replace_tree
                act(item.target, nodes, at_ms)
            case Add():
                authority.add(item.target, _node(item, "chr", "text/plain"), at_ms)
            case Replace():
                authority.replace(item.target, _node(item, "", ""), at_ms)
        return _Outcome(item, StatusCode.OK)

    # -- answers

    def _answers(
        self, command: Command, outcomes: list[_Outcome], msg_ref: int
    ) -> Iterator[Answer]:
        several = len(outcomes) > 1
        for outcome in outcomes:
            code = outcome.status
            try:
                results = _results(command, outcome, msg_ref)
                if results is not None and not self._has_room(results):
                    code, results = StatusCode.TOO_LARGE, None
            except FormatError:
                # A value of a card that is not what its format says.
                code, results = StatusCode.UNSUPPORTED_FORMAT, None
            status = _status(command, msg_ref, code, outcome.item, several=several)
            if outcome.parent:
                status = replace(status, items=(Item(target=outcome.parent),))
            yield self._said(status)
            if results is not None:
                yield results

    def _has_room(self, results: Results) -> bool:
        size = size_of(results)
        if size > self._room or not self._fits(results):
            return False
        self._room -= size
        return True

    def _said(self, status: Answer) -> Answer:
        if isinstance(status, Status) and status.code != StatusCode.CHUNK_ACCEPTED:
            path = status.target_refs[0] if status.target_refs else ""
            self.log.append(CommandDone(status.cmd, path, status.code))
        return status

    def _continues(self, command: Command) -> bool:
        if not isinstance(command, _WITH_OBJECTS) or not command.items:
            return False
        return self._chunks.continues(command.name, command.items[0])


def size_of(results: Results) -> int:
    """About how much memory it takes: data, names, and what each item has besides."""
    return sum(_item_size(item) for item in results.items)


def _item_size(item: Item) -> int:
    content = len(item.payload) if item.element is None else _element_size(item.element)
    return _ITEM_BYTES + len(item.source or "") + content


def _element_size(element: Element) -> int:
    below = (child for child in element.content if isinstance(child, Element))
    return _ITEM_BYTES + len(element.data) + sum(map(_element_size, below))


def _as_added(error: FormatError) -> StatusCode:
    """What the node of a document that is wrong would get if it were added alone (§4.1.6.1)."""
    if error.reason == "bad_path":
        return path_status(str(error.facts.get("cause")))
    return _OF_DOCUMENTS.get(error.reason, StatusCode.UNSUPPORTED_FORMAT)


def _node(item: Item, format: str, mime: str) -> TreeNode:
    meta = item.meta or Meta()
    format = meta.format or format
    if format == INTERIOR:
        return TreeNode("", None, INTERIOR, meta.type or "")
    if item.data is None and format != "null":
        raise Refused(StatusCode.INCOMPLETE, item.target or "", "no data")
    if format == "b64":
        # DM TND §7.7.2: base64 is for the way only, the node's format is bin.
        format = "bin"
    return TreeNode("", item.payload, format, meta.type or mime)


def _results(command: Command, outcome: _Outcome, msg_ref: int) -> Results | None:
    """DM TND 1.2 §8: a listing is one Results with an item for each node."""
    if not outcome.readings:
        return None
    asked = "" if outcome.item is None else outcome.item.target or ""
    items = tuple(_found(asked, reading) for reading in outcome.readings)
    return Results(0, msg_ref, command.cmd_id, items)


def _found(asked: str, reading: Reading) -> Item:
    meta = Meta(format=reading.format, type=reading.mime)
    data: str | bytes | None = None
    element = None
    if reading.nodes is not None:
        base = asked.partition("?")[0]
        element = tnds.write(reading.nodes, base=base, without=reading.without)
        meta = replace(meta, type=TNDS_XML_TYPE)
    elif reading.value is not None:
        text = None if reading.format == "bin" else xml_text(reading.value)
        data = reading.value if text is None else text
        if isinstance(data, bytes):
            meta = replace(meta, format="bin")
    return Item(source=reading.uri, meta=meta, data=data, element=element)


def _status(
    command: Command,
    msg_ref: int,
    code: StatusCode,
    item: Item | None = None,
    *,
    several: bool = False,
) -> Status:
    if item is None and not several:
        item = next(iter(getattr(command, "items", ())), None)
    targets = (item.target,) if item is not None and item.target else ()
    sources = (item.source,) if item is not None and item.source else ()
    return Status(0, msg_ref, command.cmd_id, command.name, code, targets, sources)


def _rolled_back(outcome: _Outcome) -> _Outcome:
    if is_success(outcome.status):
        return replace(outcome, status=StatusCode.ROLLED_BACK, readings=())
    return outcome


def _alert_status(alert: Alert) -> StatusCode:
    known = (AlertCode.NEXT_MESSAGE, AlertCode.NO_END_OF_DATA)
    return StatusCode.OK if alert.code in known else StatusCode.NOT_SUPPORTED


def _asks(atomic: Atomic) -> bool:
    return any(isinstance(c, Alert) and c.code in _QUESTIONS for c in atomic.commands)


def _code(answers: list[Answer]) -> int:
    return next((a.code for a in answers if isinstance(a, Status)), 0)
