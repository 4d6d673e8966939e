"""Replacing obsolete files on the card: the order read off the tree, the work journalled.

A server claims other content for ``./Card/<card>/Files/<n>/Data`` and orders the update by Exec on
``./Card/<card>/Update``; the order's data is the card's administrative key, if the file needs one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from cardd.card import provisioning_files
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
    "orders_in",
    "settle_journal",
    "with_orders",
    "withdraw_claims",
    "write",
]


@dataclass(frozen=True, slots=True)
class FileOrder:
    """One file of the card that is to get other content, by whose claim, and with which key."""

    file: ProvisioningFile
    path: str
    server_id: str
    # A document holds secrets.
    content: bytes = field(repr=False)
    credential: Credential | None
    correlator: str | None


def orders_in(
    tree: ManagementTree, content: CardContent, execs: Sequence[ExecOrder]
) -> tuple[FileOrder, ...]:
    """The files that a server claims other content for, and has ordered to be rewritten.

    A claim without an order for this very card is none: its key would be another card's.
    """
    update = f"{card_path(content.card_id)}/Update"
    ordered = {each.server_id: each for each in execs if each.path == update}
    found = []
    for index, file in enumerate(content.files):
        path = data_path(content.card_id, index)
        node = tree.snapshot.get(path)
        if node is None or node.kind != "server" or node.value is None:
            continue
        order = ordered.get(node.id)
        if order is None:
            continue
        found.append(
            FileOrder(
                file=file,
                path=path,
                server_id=node.id,
                content=node.value,
                credential=Credential(ADM1, order.data) if order.data is not None else None,
                correlator=order.correlator,
            )
        )
    return tuple(found)


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
    # What is read back has no FF at its end, whether padding or not: nor has what is wanted.
    content = content.rstrip(b"\xff")
    earlier = [row for row in store.open_card_writes(card_id) if row.oid == file.oid]
    row = store.begin_card_write(
        card_id, file.oid, str(file.path), _digest(file.content), content, now_ms
    )
    done = provisioning_files.update(
        transmit, file, content, credential, rejections=rejections, floor=floor
    )
    store.finish_card_write(row, now_ms)
    for superseded in earlier:
        store.abandon_card_write(superseded.id, now_ms)
    return done


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
