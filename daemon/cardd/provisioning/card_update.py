"""Replacing obsolete files on the card: the order read off the tree, the work journalled.

A server claims other content for ``./Card/<card>/Files/<n>/Data`` and orders the update by Exec on
``./Card/<card>/Update``; the order's data is the card's administrative key, if the file needs one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from cardd.card import provisioning_files
from cardd.card.credentials import ADM1, Credential, Rejections
from cardd.card.provisioning_files import ProvisioningFile
from cardd.tree.authority import ExecOrder
from cardd.tree.management_tree import ManagementTree

from .card_content import CardContent, data_path
from .ports import CardPort, StorePort

__all__ = ["FileOrder", "orders_in", "settle_journal", "withdraw", "write"]


@dataclass(frozen=True, slots=True)
class FileOrder:
    """One file of the card that is to get other content, by whose claim, and with which key."""

    file: ProvisioningFile
    path: str
    server_id: str
    content: bytes
    credential: Credential | None
    correlator: str | None


def orders_in(
    tree: ManagementTree, content: CardContent, execs: Sequence[ExecOrder]
) -> tuple[FileOrder, ...]:
    """The files whose content in force is not the card's own."""
    found = []
    for index, file in enumerate(content.files):
        path = data_path(content.card_id, index)
        node = tree.snapshot.get(path)
        if node is None or node.kind != "server" or node.value is None:
            continue
        order = next((each for each in execs if each.server_id == node.id), None)
        key = order.data if order is not None else None
        found.append(
            FileOrder(
                file=file,
                path=path,
                server_id=node.id,
                content=node.value,
                credential=Credential(ADM1, key) if key is not None else None,
                correlator=order.correlator if order is not None else None,
            )
        )
    return tuple(found)


def write(
    card: CardPort,
    store: StorePort,
    file: ProvisioningFile,
    content: bytes,
    credential: Credential | None,
    *,
    rejections: Rejections | None,
    floor: int,
    now_ms: int,
) -> ProvisioningFile:
    """Write one file and read it back; the journal outlives a crash or a pulled card.

    Returns the file as it now is. The journal's row is closed once the card is known to carry the
    new content, or known to have refused before the first byte; otherwise it stays open and the
    next reading of the card settles it.

    Raises: CardError, StoreError.
    """
    row = store.begin_card_write(
        card.identity.name, file.oid, str(file.path), _digest(file.content), content, now_ms
    )
    with card.lease("update the card") as transmit:
        done = provisioning_files.update(
            transmit, file, content, credential, rejections=rejections, floor=floor
        )
    store.finish_card_write(row, now_ms)
    return done.file


def settle_journal(
    store: StorePort, card_id: str, files: Sequence[ProvisioningFile], now_ms: int
) -> dict[str, bytes]:
    """Compare open journal rows with what the card now carries.

    Old or new content closes the row. Anything else is a file torn in the middle: its row stays,
    and the content that it was to become is returned by OID.
    """
    present = {file.oid: file.content for file in files}
    torn: dict[str, bytes] = {}
    for row in store.open_card_writes(card_id):
        now = present.get(row.oid)
        if now == row.new_data:
            store.finish_card_write(row.id, now_ms)
        elif now is None or _digest(now) == row.old_sha256:
            store.abandon_card_write(row.id, now_ms)
        else:
            torn[row.oid] = row.new_data
    return torn


def withdraw(tree: ManagementTree, order: FileOrder) -> None:
    """Take the claim back once it is carried out or refused: the card speaks for itself again."""
    tree.forget("server", order.server_id, order.path)


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
