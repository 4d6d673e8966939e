"""From what a device has to what is desired of it: a plan as a generator, without I/O.

It yields batches of orders and is sent their outcomes, until nothing differs or nothing more can
be done. Reading comes first, so that only differences travel.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from omadm.status import StatusCode

from dmsd.desired import DesiredNode, DesiredSettings, ancestors
from dmsd.errors import NotOrderedError
from dmsd.orders import Batch, Order, Outcome, Verb
from dmsd.ota import FileChange

__all__ = ["CardPort", "Failure", "Plan", "Settled", "converge", "document_digest", "value_digest"]


@dataclass(frozen=True, slots=True)
class Failure:
    """A wish that was not fulfilled: the status that said so, or 0 with a reason of our own."""

    path: str
    code: int
    reason: str = ""


class CardPort(Protocol):
    """What the plan asks about cards, and tells."""

    def candidates(self) -> Sequence[str]:
        """Cards that may be in the device, where it does not let us list them."""

    def refusal(self, iccid: str, digest: str, changes: Sequence[FileChange]) -> str | None:
        """Why this must not, or cannot, be ordered for the card (again); ``None`` if it may be."""

    def unproved(self, iccid: str, digest: str) -> bool:
        """Whether this was ordered, and the device cut off before the card's word on it came."""

    def order(self, iccid: str, digest: str, changes: Sequence[FileChange]) -> Order:
        """Note an order before it is sent; the Exec that gives it.

        NotOrderedError: by now it cannot be given.
        """

    def answered(self, correlator: str, outcome: Outcome) -> None:
        """The status of the Exec that carried the order."""


class Settled(Protocol):
    """Values the device accepted for nodes that it does not let us read."""

    def digest(self, path: str) -> str | None: ...

    def settle(self, path: str, digest: str) -> None: ...


Plan = Generator[Batch, Sequence[Outcome], tuple[Failure, ...]]


def converge(
    desired: DesiredSettings, *, cards: CardPort, settled: Settled, greet: bool = False
) -> Plan:
    """The whole plan; returns what could not be achieved.

    ``greet``: ask for something in any case, so that the device has a message to answer in which
    it can take or refuse our credentials, and give us its next nonce.
    """
    wants_card = bool(desired.documents)
    questions = [Order("Get", node.path) for node in desired.nodes]
    questions += [Order("Get", path) for path in desired.absent]
    if wants_card:
        questions.append(Order("Get", "./Card"))
    if not questions and greet:
        questions.append(Order("Get", "./DevInfo/DevId"))
    if not questions:
        return ()
    answers = yield Batch(tuple(questions))
    found = {order.path: outcome for order, outcome in zip(questions, answers, strict=True)}
    failures = yield from _settings(desired, found, settled)
    if wants_card:
        failures += yield from _cards(desired, found["./Card"], cards)
    return failures


def value_digest(value: bytes) -> str:
    """How a value is remembered that may be a secret."""
    return hashlib.sha256(value).hexdigest()


def document_digest(documents: Mapping[str, bytes]) -> str:
    """One digest for the documents ordered for a card."""
    total = hashlib.sha256()
    for oid, data in sorted(documents.items()):
        total.update(f"{oid}:{len(data)}:".encode() + data)
    return total.hexdigest()


def _settings(
    desired: DesiredSettings, found: Mapping[str, Outcome], settled: Settled
) -> Generator[Batch, Sequence[Outcome], tuple[Failure, ...]]:
    orders: list[Order] = []
    failures: list[Failure] = []
    for path in desired.absent:
        if found[path].code not in (StatusCode.NOT_FOUND, StatusCode.PERMISSION_DENIED):
            orders.append(Order("Delete", path))
        elif not found[path].missing:
            failures.append(Failure(path, found[path].code))
    for node in desired.nodes:
        needed = _difference(node, found[node.path], settled)
        if isinstance(needed, Failure):
            failures.append(needed)
        else:
            orders += needed
    if not orders:
        return tuple(failures)
    outcomes = yield from _with_parents(orders, (yield from _but_what_is_others(orders)))
    second, kept = _second_try(orders, outcomes)
    if second:
        repeated = yield Batch(tuple(second))
        kept += list(zip(second, repeated, strict=True))
    for order, outcome in kept:
        if outcome.ok and order.value is not None and not found[order.path].ok:
            settled.settle(order.path, value_digest(order.value))
        elif not outcome.ok and not (order.verb == "Delete" and outcome.missing):
            failures.append(Failure(order.path, outcome.code))
    return tuple(failures)


def _difference(node: DesiredNode, has: Outcome, settled: Settled) -> list[Order] | Failure:
    if has.missing:
        return [_write("Add", node)]
    if has.ok:
        if node.value is None:
            return [] if has.interior else [Order("Delete", node.path), _write("Add", node)]
        if has.interior:
            return [Order("Delete", node.path), _write("Add", node)]
        return [] if _same(node, has) else [_write("Replace", node)]
    if has.code == StatusCode.NOT_ALLOWED and node.value is not None:
        # Not to be read, such as a secret: what it took last is all that is known.
        if settled.digest(node.path) == value_digest(node.value):
            return []
        return [_write("Replace", node)]
    return Failure(node.path, has.code)


def _same(node: DesiredNode, has: Outcome) -> bool:
    value, wanted = has.value or b"", node.value or b""
    if value == wanted:
        return True
    if node.format == "bool":
        return value.strip().lower() == wanted
    if node.format == "int":
        try:
            return int(value) == int(wanted)
        except ValueError:
            return False
    return False


def _write(verb: Verb, node: DesiredNode) -> Order:
    return Order(verb, node.path, node.value, node.format, node.mime)


def _together(
    orders: Sequence[Order],
) -> Generator[Batch, Sequence[Outcome], Sequence[Outcome]]:
    """All or nothing where the device can do that, one by one where it cannot."""
    # DM Representation 1.2 §4.1.6.3: one failure undoes them all.
    outcomes = yield Batch(tuple(orders), atomic=len(orders) > 1)
    # It has no Atomic, or its answer would not have fitted: nothing was done.
    refusals = (StatusCode.NOT_SUPPORTED, StatusCode.ATOMIC_TOO_LARGE)
    if len(orders) > 1 and all(outcome.code in refusals for outcome in outcomes):
        outcomes = yield Batch(tuple(orders))
    return outcomes


def _but_what_is_others(
    orders: Sequence[Order],
) -> Generator[Batch, Sequence[Outcome], Sequence[Outcome]]:
    """All or nothing of what is ours to change.

    What the document itself has wrong holds all of it back. A node that another authority holds on
    the device (425) does not: what has become of that one is no fault of ours (S3).
    """
    outcomes: dict[int, Outcome] = {}
    left = list(enumerate(orders))
    while left:
        answers = yield from _together([order for _, order in left])
        settled = {at: answer for (at, _), answer in zip(left, answers, strict=True)}
        others = {at for at, each in settled.items() if each.code == StatusCode.PERMISSION_DENIED}
        if not others or any(each.ok for each in settled.values()):
            return [(outcomes | settled)[at] for at in range(len(orders))]
        outcomes |= {at: settled[at] for at in others}
        left = [(at, order) for at, order in left if at not in others]
    return [outcomes[at] for at in range(len(orders))]


def _with_parents(
    orders: Sequence[Order], outcomes: Sequence[Outcome]
) -> Generator[Batch, Sequence[Outcome], Sequence[Outcome]]:
    """Make parents by themselves for a device that does not with an Add (DM TND 1.2 §7.2)."""
    lost = [o for o, outcome in zip(orders, outcomes, strict=True) if not outcome.ok]
    if not any(o.verb == "Add" and r.missing for o, r in zip(orders, outcomes, strict=True)):
        return outcomes
    parents = sorted({above for o in lost if o.verb == "Add" for above in ancestors(o.path)})
    if not parents:
        return outcomes
    # Those that are there already answer 418.
    yield Batch(tuple(Order("Add", path, None, "node", "") for path in parents))
    again = iter((yield from _together(lost)))
    return [outcome if outcome.ok else next(again) for outcome in outcomes]


def _second_try(
    orders: Sequence[Order], outcomes: Sequence[Outcome]
) -> tuple[list[Order], list[tuple[Order, Outcome]]]:
    """A Replace of what is not there becomes an Add, and the reverse; the rest is kept."""
    again: list[Order] = []
    kept: list[tuple[Order, Outcome]] = []
    rolled_back = any(outcome.code == StatusCode.ROLLED_BACK for outcome in outcomes)
    for order, outcome in zip(orders, outcomes, strict=True):
        if order.verb == "Replace" and outcome.missing and not rolled_back:
            again.append(replace(order, verb="Add"))
        elif (
            order.verb == "Add"
            and outcome.code == StatusCode.ALREADY_EXISTS
            and order.value is not None
            and not rolled_back
        ):
            again.append(replace(order, verb="Replace"))
        else:
            kept.append((order, outcome))
    return again, kept


def _cards(
    desired: DesiredSettings, listing: Outcome, cards: CardPort
) -> Generator[Batch, Sequence[Outcome], tuple[Failure, ...]]:
    if listing.missing:
        return ()  # no card in the device: nothing to do now
    names: Sequence[str] = listing.names
    if not listing.ok:
        # Only what lies under a card's own node is open to us.
        own = {document.iccid for document in desired.documents if document.iccid}
        names = sorted(own.union(cards.candidates()))
    concerned = [iccid for iccid in names if desired.documents_for(iccid)]
    if not concerned:
        return () if listing.ok else (Failure("./Card", listing.code, "no card is known"),)
    contents = yield Batch(tuple(Order("Get", f"./Card/{iccid}/Files") for iccid in concerned))
    failures: tuple[Failure, ...] = ()
    for iccid, files in zip(concerned, contents, strict=True):
        if files.ok:
            failures += yield from _card(iccid, files, desired.documents_for(iccid), cards)
        elif listing.ok:
            failures += (Failure(f"./Card/{iccid}/Files", files.code, "no provisioning files"),)
    return failures


def _card(
    iccid: str, files: Outcome, documents: Mapping[str, bytes], cards: CardPort
) -> Generator[Batch, Sequence[Outcome], tuple[Failure, ...]]:
    base = f"./Card/{iccid}"
    names = files.names
    # Files are small: one round trip more would cost more than reading those not concerned.
    facts = yield Batch(
        tuple(Order("Get", f"{base}/Files/{name}/{leaf}") for name in names for leaf in _LEAVES)
    )
    each = (facts[at : at + len(_LEAVES)] for at in range(0, len(facts), len(_LEAVES)))
    by_oid = {
        _text(oid): _CardFile(f"{base}/Files/{name}/Data", size, path, data)
        for name, (oid, size, path, data) in zip(names, each, strict=True)
    }
    failures = [
        Failure(f"{base}/Files", StatusCode.NOT_FOUND, f"no file for {oid}")
        for oid in documents
        if oid not in by_oid
    ]
    stale: dict[str, _CardFile] = {}
    for oid, wanted in documents.items():
        file = by_oid.get(oid)
        if file is None or file.content == wanted:
            continue
        room = file.room
        if room is not None and room < len(wanted):
            failures.append(Failure(file.node, StatusCode.TOO_LARGE, f"file has {room} bytes"))
        else:
            stale[oid] = file
    if not (stale or failures) and cards.unproved(iccid, document_digest(documents)):
        # That the card has it is the device's word.
        stale = {oid: by_oid[oid] for oid in documents}
    if stale:
        failures += yield from _rewrite(iccid, stale, documents, cards)
    return tuple(failures)


def _rewrite(
    iccid: str, stale: Mapping[str, _CardFile], documents: Mapping[str, bytes], cards: CardPort
) -> Generator[Batch, Sequence[Outcome], list[Failure]]:
    base = f"./Card/{iccid}"
    digest = document_digest({oid: documents[oid] for oid in stale})
    changes = [file.change(documents[oid]) for oid, file in stale.items()]
    refusal = cards.refusal(iccid, digest, changes)
    if refusal is not None:
        return [Failure(base, 0, refusal)]
    orders = [
        Order("Replace", file.node, documents[oid], "bin", "application/octet-stream")
        for oid, file in stale.items()
    ]
    outcomes = yield from _together(orders)
    failed = [
        Failure(order.path, outcome.code)
        for order, outcome in zip(orders, outcomes, strict=True)
        if not outcome.ok
    ]
    if failed:
        return failed
    # Only now: an order to write must not go out for content that was not taken.
    try:
        update = cards.order(iccid, digest, changes)
    except NotOrderedError as error:
        return [Failure(base, 0, str(error))]
    outcome = (yield Batch((update,)))[0]
    cards.answered(update.correlator or "", outcome)
    return [] if outcome.ok else [Failure(update.path, outcome.code)]


_LEAVES = ("OID", "Size", "Path", "Data")


@dataclass(frozen=True, slots=True)
class _CardFile:
    """The node of a file's content, and what the device said of the file."""

    node: str
    size: Outcome
    path: Outcome
    data: Outcome

    @property
    def content(self) -> bytes:
        """Without the FF that fill the file up."""
        return (self.data.value or b"").rstrip(b"\xff")

    @property
    def room(self) -> int | None:
        """How many bytes the file has, as far as the device says so."""
        return _number(self.size)

    def change(self, new: bytes) -> FileChange:
        return FileChange(_text(self.path), self.room, new)


def _text(outcome: Outcome) -> str:
    return (outcome.value or b"").decode("ascii", "replace")


def _number(outcome: Outcome) -> int | None:
    try:
        return int(outcome.value or b"") if outcome.ok else None
    except ValueError:
        return None
