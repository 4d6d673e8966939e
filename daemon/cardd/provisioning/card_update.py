"""Replacing obsolete files on the card: the order read off the tree, the work journalled.

A server claims other content for ``./Card/<card>/Files/<n>/Data`` and orders the update by Exec:
on ``./Card/<card>/Packets`` with packets that it has secured for the card and that do the writing,
or on ``./Card/<card>/Update`` with the card's administrative key, if the file needs one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

from cardd.card import packets, provisioning_files
from cardd.card.channel import Transmit
from cardd.card.credentials import ADM1, Credential, Rejections
from cardd.card.errors import ContentTooLong
from cardd.card.provisioning_files import ProvisioningFile, Update
from cardd.tree.authority import ExecOrder
from cardd.tree.management_tree import ManagementTree

from .card_content import CardContent, card_path, data_path, interpret
from .ports import JournalPort

__all__ = [
    "FileOrder",
    "by_delivery",
    "carry_out",
    "orders_in",
    "settle_journal",
    "with_orders",
    "withdraw_claims",
    "write",
]


@dataclass(frozen=True, slots=True)
class FileOrder:
    """One file of the card that is to get other content, by whose claim and which order."""

    file: ProvisioningFile
    path: str
    # A document holds secrets.
    content: bytes = field(repr=False)
    order: ExecOrder

    @property
    def server_id(self) -> str:
        return self.order.server_id


def orders_in(
    tree: ManagementTree, content: CardContent, execs: Sequence[ExecOrder]
) -> tuple[FileOrder, ...]:
    """The files that a server claims other content for, and has ordered to be rewritten.

    A claim without an order for this very card is none: its key would be another card's. Packets
    write all that their server claims: where another has overtaken a part of it, none are given to
    the card.
    """
    base = f"{card_path(content.card_id)}/"
    ordered = {each.server_id: each for each in execs if each.path.startswith(base)}
    paths = [data_path(content.card_id, index) for index in range(len(content.files))]
    found = []
    overtaken: set[str] = set()
    for file, path in zip(content.files, paths, strict=True):
        node = tree.snapshot.get(path)
        if node is None or node.kind != "server" or node.value is None:
            continue
        overtaken |= {
            layer.id
            for layer in tree.layers()
            if layer.kind == "server" and layer.id != node.id and layer.get(path) is not None
        }
        order = ordered.get(node.id)
        if order is not None:
            found.append(FileOrder(file, path, node.value, order))
    return tuple(o for o in found if not (o.order.packets and o.server_id in overtaken))


def by_delivery(orders: Sequence[FileOrder]) -> Iterator[tuple[FileOrder, ...]]:
    """What is written at one go: all files of a server's packets, else each file by itself."""
    for order in (each for each in orders if not each.order.packets):
        yield (order,)
    for server in dict.fromkeys(each.server_id for each in orders if each.order.packets):
        yield tuple(each for each in orders if each.server_id == server)


def with_orders(content: CardContent, orders: Sequence[FileOrder]) -> CardContent:
    """What the card is to carry: checked as a whole before the first byte is written.

    Raises: ContentTooLong, DocumentMalformedError.
    """
    wanted, unfinished = list(content.files), dict(content.unfinished)
    for order in orders:
        if len(order.content) > order.file.size:
            raise ContentTooLong(str(order.file.path), order.file.size, len(order.content))
        wanted[content.files.index(order.file)] = replace(order.file, data=order.content)
        unfinished.pop(order.file.oid, None)
    return interpret(content.card_id, wanted, unfinished)


def write(
    transmit: Transmit,
    card_id: str,
    store: JournalPort,
    file: ProvisioningFile,
    content: bytes,
    credential: Credential | None,
    *,
    rejections: Rejections | None,
    floor: int,
    now_ms: int,
) -> Update:
    """Write one file and read it back; the journal outlives a crash or a pulled card.

    The journal's row is closed once the card has been read and carries the new content. Until then
    it stays open, and the next reading of the card settles it.

    Raises: CardError, StoreError.
    """
    with _journalled(store, card_id, file, content, now_ms) as wanted:
        return provisioning_files.update(
            transmit, file, wanted, credential, rejections=rejections, floor=floor
        )


def carry_out(
    transmit: Transmit,
    card_id: str,
    store: JournalPort,
    orders: Sequence[FileOrder],
    receipts: list[bytes],
    *,
    rejections: Rejections | None,
    floor: int,
    now_ms: int,
) -> Sequence[ProvisioningFile]:
    """Write what `by_delivery` puts together; the files as they are read back.

    What the card answers to packets is added to ``receipts``. It is for the server, who alone can
    read it: here only what is read back counts.

    Raises: CardError, StoreError.
    """
    first = orders[0]
    if first.order.packets:
        return _deliver(transmit, card_id, store, orders, receipts, now_ms)
    key = first.order.key
    done = write(
        transmit,
        card_id,
        store,
        first.file,
        first.content,
        Credential(ADM1, key) if key is not None else None,
        rejections=rejections,
        floor=floor,
        now_ms=now_ms,
    )
    return (done.file,)


def _deliver(
    transmit: Transmit,
    card_id: str,
    store: JournalPort,
    orders: Sequence[FileOrder],
    receipts: list[bytes],
    now_ms: int,
) -> list[ProvisioningFile]:
    with ExitStack() as journal:
        wanted = [
            journal.enter_context(_journalled(store, card_id, each.file, each.content, now_ms))
            for each in orders
        ]
        for answer in packets.deliver(transmit, orders[0].order.packets):
            receipts.append(answer)
        return [
            provisioning_files.read_back(transmit, each.file, content)
            for each, content in zip(orders, wanted, strict=True)
        ]


@contextmanager
def _journalled(
    store: JournalPort, card_id: str, file: ProvisioningFile, content: bytes, now_ms: int
) -> Iterator[bytes]:
    """A row that is open while the file is written, and stays so if that fails; the content."""
    # What is read back has no FF at its end, whether padding or not: nor has what is wanted.
    content = content.rstrip(b"\xff")
    earlier = [row for row in store.open_card_writes(card_id) if row.oid == file.oid]
    row = store.begin_card_write(
        card_id, file.oid, str(file.path), _digest(file.content), content, now_ms
    )
    yield content
    store.finish_card_write(row, now_ms)
    for superseded in earlier:
        store.abandon_card_write(superseded.id, now_ms)


def settle_journal(
    store: JournalPort, card_id: str, files: Sequence[ProvisioningFile], now_ms: int
) -> dict[str, bytes]:
    """Compare open journal rows with what the card now carries.

    Old or new content closes the row. Anything else is a file torn in the middle: its row stays,
    and the content that it was to become is returned by OID.
    """
    present = {file.oid: file.content for file in files}
    torn: dict[str, bytes] = {}
    settled: set[str] = set()
    # The newest row of a file first: what it says makes the older ones obsolete.
    for row in reversed(store.open_card_writes(card_id)):
        now = present.get(row.oid)
        if row.oid in settled or now is None:
            store.abandon_card_write(row.id, now_ms)
        elif now == row.new_data:
            store.finish_card_write(row.id, now_ms)
            settled.add(row.oid)
        elif _digest(now) == row.old_sha256:
            # Nothing of it was written. An older row may still say what the file was to become.
            store.abandon_card_write(row.id, now_ms)
        else:
            torn[row.oid] = row.new_data
            settled.add(row.oid)
    return torn


def withdraw_claims(
    tree: ManagementTree, content: CardContent, *, but: Sequence[FileOrder] = ()
) -> None:
    """Take back what servers claim of the card's files, but for the orders that are open: the
    card speaks for itself. What a server claims and does not order would else be in force for
    ever, and stand in the way of whoever orders next."""
    kept = {(order.server_id, order.path) for order in but}
    paths = [data_path(content.card_id, index) for index in range(len(content.files))]
    for layer in tree.layers():
        for path in paths:
            claimed = layer.kind == "server" and layer.get(path) is not None
            if claimed and (layer.id, path) not in kept:
                tree.forget("server", layer.id, path)


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
