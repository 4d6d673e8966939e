"""The server's commands, carried out on a tree (DM Representation 1.2 §4.1.6)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from omadm import tnds
from omadm.errors import FormatError
from omadm.interaction import (
    USER_ALERTS,
    Outcome,
    Question,
    QuestionError,
    Reply,
    read_question,
)
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
from omadm.nodes import INTERIOR, TreeNode
from omadm.reading import with_document
from omadm.status import AlertCode, StatusCode, is_success

from cardd.dm.chunks import Chunks
from cardd.dm.events import CommandDone
from cardd.dm.results import result_item, size_of
from cardd.tree import Authority, ExecOrder, ManagementTree, Reading, Refused, path_status

__all__ = ["Answer", "Asking", "Execution"]

T = TypeVar("T")

Answer = Alert | Results | Status
# What comes to a halt at every question, and goes on with its reply.
Asking = Generator[Question, Reply, T]

_OF_DOCUMENTS = {
    "duplicate_node": StatusCode.ALREADY_EXISTS,
    "too_many_nodes": StatusCode.DEVICE_FULL,
}
_WITH_OBJECTS = (Add, Exec, Replace)
_IN_ATOMIC = (Add, Alert, Copy, Delete, Replace)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of one item: its status, what a Get found, what a user has answered."""

    item: Item | None
    status: StatusCode
    readings: tuple[Reading, ...] = ()
    # Of the status: the parent that an Add could not create (§4.1.6.1); what a user has typed or
    # chosen, one each (DM Protocol §10.2.3, §10.2.4).
    items: tuple[Item, ...] = ()


# Bytes of results that may wait to be sent, of one session.
_MOST_WAITING = 4 << 20


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
        # Of the Sequence under way: its question was not answered with yes, or with a value.
        self._stopped = False
        # Of the package under way: the user has cancelled it.
        self._cancelled = False

    def carry_out(
        self, commands: tuple[Command, ...], msg_ref: int, at_ms: int, *, waiting: int = 0
    ) -> Asking[list[Answer]]:
        """Statuses and results for the top-level commands of one message, and the questions that
        users have to answer on the way. ``waiting`` bytes of results have yet to be sent: a server
        that asks on and on does not fill the memory."""
        self._room = _MOST_WAITING - waiting
        answers: list[Answer] = []
        for command in commands:
            if not self._continues(command) and (alert := self._chunks.interrupted()):
                answers.append(alert)
            self._stopped = False
            if self._cancelled:
                answers.extend(self._passed_over(command, msg_ref))
            else:
                answers.extend((yield from self._top_level(command, msg_ref, at_ms)))
        return answers

    def package_ended(self) -> list[Answer]:
        """The server's package is over; an object whose end has not come is given up (1225)."""
        self._cancelled = False
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

    def _top_level(self, command: Command, msg_ref: int, at_ms: int) -> Asking[list[Answer]]:
        match command:
            case Atomic():
                return (yield from self._atomic(command, msg_ref, at_ms))
            case Sequence():
                return (yield from self._sequence(command, msg_ref, at_ms))
        outcomes = yield from self._items(self._authority, command, at_ms, chunks=self._chunks)
        return list(self._answers(command, outcomes, msg_ref))

    def _atomic(self, atomic: Atomic, msg_ref: int, at_ms: int) -> Asking[list[Answer]]:
        """§4.1.6.3: on a fork, which takes effect only as a whole."""
        illegal = [c for c in atomic.commands if not isinstance(c, _IN_ATOMIC)]
        if illegal:
            answers = [self._said(_status(atomic, msg_ref, StatusCode.FAILED))]
            for command in atomic.commands:
                code = StatusCode.FAILED if command in illegal else StatusCode.NOT_EXECUTED
                answers.extend(map(self._said, self.refuse((command,), msg_ref, code)))
            return answers
        fork = self._tree.fork()
        authority = self._authority.on(fork)
        done: list[tuple[Command, list[_Outcome]]] = []
        failed = False
        for command in atomic.commands:
            if failed:
                done.append((command, [_Outcome(None, StatusCode.NOT_EXECUTED)]))
                continue
            outcomes = yield from self._items(authority, command, at_ms)
            failed = not all(is_success(outcome.status) for outcome in outcomes)
            done.append((command, outcomes))
        if not failed:
            self._tree.become(fork)
        whole = StatusCode.ATOMIC_FAILED if failed else StatusCode.OK
        answers = [self._said(_status(atomic, msg_ref, whole))]
        for command, outcomes in done:
            if failed:
                outcomes = [_rolled_back(outcome) for outcome in outcomes]
            answers.extend(self._answers(command, outcomes, msg_ref))
        return answers

    def _sequence(self, sequence: Sequence, msg_ref: int, at_ms: int) -> Asking[list[Answer]]:
        """§4.1.6.14: in order. DM Protocol §10.2.2: what stands behind a question that was not
        answered with yes, or with a value, is not done."""
        answers = [self._said(_status(sequence, msg_ref, StatusCode.OK))]
        for command in sequence.commands:
            if self._stopped or self._cancelled:
                answers.extend(self._passed_over(command, msg_ref))
            elif isinstance(command, Atomic | Sequence):
                answers.extend((yield from self._top_level(command, msg_ref, at_ms)))
            else:
                outcomes = yield from self._items(self._authority, command, at_ms)
                answers.extend(self._answers(command, outcomes, msg_ref))
        return answers

    def _passed_over(self, command: Command, msg_ref: int) -> Iterator[Answer]:
        return map(self._said, self.refuse((command,), msg_ref, StatusCode.NOT_EXECUTED))

    def _items(
        self,
        authority: Authority,
        command: Command,
        at_ms: int,
        chunks: Chunks | None = None,
    ) -> Asking[list[_Outcome]]:
        match command:
            case Alert():
                return [(yield from self._alert(command))]
            case Add() | Copy() | Delete() | Exec() | Get() | Replace():
                if not command.items:
                    return [_Outcome(None, StatusCode.INCOMPLETE)]
                return [
                    self._chunk_or_item(authority, command, item, at_ms, chunks)
                    for item in command.items
                ]
        return [_Outcome(None, StatusCode.NOT_SUPPORTED)]

    def _alert(self, alert: Alert) -> Asking[_Outcome]:
        """DM Protocol §10: the user answers in the status."""
        if alert.code not in USER_ALERTS:
            return _Outcome(None, _alert_status(alert))
        try:
            reply = yield read_question(alert)
        except QuestionError as error:
            outcome = _Outcome(None, error.status)
        else:
            self._cancelled |= reply.outcome is Outcome.CANCELLED
            said = tuple(Item(data=value) for value in reply.values)
            outcome = _Outcome(None, reply.status, items=said)
        # A notice asks for nothing, so nothing depends on it.
        if alert.code != AlertCode.DISPLAY:
            self._stopped |= outcome.status != StatusCode.OK
        return outcome

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
            parent = (Item(target=refusal.parent),) if refusal.parent else ()
            return _Outcome(item, refusal.status, items=parent)
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
            yield self._said(replace(status, items=outcome.items) if outcome.items else status)
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


def _as_added(error: FormatError) -> StatusCode:
    """What the node of a document that is wrong would get if it were added alone (§4.1.6.1)."""
    cause = str(error.facts.get("cause"))
    if error.reason == "bad_path":
        return path_status(cause)
    if error.reason == "malformed_tnds" and cause == "too_deep":
        return StatusCode.URI_TOO_LONG
    return _OF_DOCUMENTS.get(error.reason, StatusCode.UNSUPPORTED_FORMAT)


def _node(item: Item, format: str, mime: str) -> TreeNode:
    meta = item.meta or Meta()
    format = meta.format or format
    if format == INTERIOR and "?" not in (item.target or ""):
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
    items = tuple(result_item(asked, reading) for reading in outcome.readings)
    return Results(0, msg_ref, command.cmd_id, items)


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
        return replace(outcome, status=StatusCode.ROLLED_BACK, readings=(), items=())
    return outcome


def _alert_status(alert: Alert) -> StatusCode:
    known = (AlertCode.NEXT_MESSAGE, AlertCode.NO_END_OF_DATA)
    return StatusCode.OK if alert.code in known else StatusCode.NOT_SUPPORTED
