"""Telling a server that its data is installed, or why not (M5): generic alerts.

A confirmation is stored in the transaction that commits the tree, and goes out with the next
session to that server, now or after a restart. Alert 1226, DM Protocol 1.2 §8.7.1. It tells device
and card apart: one may be done where the other is not. Where a server's packets were given to the
card, what the card answered follows in base64: the server's proof.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterable, Mapping, Sequence

from omadm.downloads import MOST_PROOF_CHARACTERS
from omadm.status import Mark

from cardd.dm.events import Report, Said
from cardd.tree.authority import ExecOrder

from .card_content import card_path
from .dialogue import Conversation
from .records import NewConfirmation, PendingConfirmation

__all__ = ["declined", "failed", "installed", "report_of"]

_DEVICE = "."
_INSTALLED = "200"
_PARTLY = "500 PARTLY_INSTALLED"
# What the server claims for the card is not in force, be it that another has overtaken it.
_NOT_IN_FORCE = "500 NOT_IN_FORCE"

Receipts = Mapping[str, Sequence[bytes]]
_NONE: Receipts = {}


def installed(
    conversations: Iterable[Conversation],
    updated_card: str,
    orders: Collection[ExecOrder] = (),
    receipts: Receipts = _NONE,
) -> tuple[NewConfirmation, ...]:
    """For every server that was talked to: the device, and the card if it was written, is done.

    ``orders`` are those by which the card was written; ``receipts``, by server, what it has
    answered to packets.
    """
    made: list[NewConfirmation] = []
    for talk in conversations:
        device = _PARTLY if talk.refused else _INSTALLED
        if not talk.execs:
            card = _INSTALLED if updated_card else ""
            made.append(NewConfirmation(talk.server_id, updated_card, device, card_payload=card))
        for order in talk.execs:
            card = _NOT_IN_FORCE
            if _is_among(order, orders):
                card = _with_receipts(_INSTALLED, receipts.get(talk.server_id, ()))
            made.append(_for_order(order, device, card))
    return tuple(made)


def declined(servers: Iterable[str], reason: str) -> tuple[NewConfirmation, ...]:
    """For servers of a card whose documents somebody did not want: the device has not got them."""
    return tuple(NewConfirmation(server_id, "", f"500 {reason}") for server_id in servers)


def failed(
    conversations: Iterable[Conversation],
    reason: str,
    orders: Collection[ExecOrder] = (),
    receipts: Receipts = _NONE,
) -> tuple[NewConfirmation, ...]:
    """For every server whose commands were received and could not be installed."""
    payload = f"500 {reason}"
    made: list[NewConfirmation] = []
    for talk in conversations:
        if talk.ordered and not talk.execs:
            made.append(NewConfirmation(talk.server_id, "", payload))
        for order in talk.execs:
            answers = receipts.get(talk.server_id, ()) if _is_among(order, orders) else ()
            made.append(_for_order(order, payload, _with_receipts(payload, answers)))
    return tuple(made)


def report_of(pending: PendingConfirmation) -> Report:
    """The generic alert: one item for the device, one for the card if it was concerned."""
    said = [_said(_DEVICE, pending.payload)]
    if pending.card:
        said.append(_said(card_path(pending.card), pending.card_payload or pending.payload))
    return Report(tuple(said), pending.correlator)


def _said(source: str, payload: str) -> Said:
    good = payload.split(" ")[0] == _INSTALLED
    return Said(source, payload, Mark.INFORMATIONAL if good else Mark.CRITICAL)


def _for_order(order: ExecOrder, device: str, card: str) -> NewConfirmation:
    name = order.path.split("/")[2]
    return NewConfirmation(order.server_id, name, device, order.correlator, card)


def _is_among(order: ExecOrder, orders: Collection[ExecOrder]) -> bool:
    # Two orders may well be equal.
    return any(order is each for each in orders)


def _with_receipts(payload: str, receipts: Sequence[bytes]) -> str:
    """A card that babbles must not make a report that fits no message."""
    words, room = [payload], MOST_PROOF_CHARACTERS
    for each in receipts:
        word = base64.b64encode(each).decode()
        room -= 1 + len(word)
        if room < 0:
            break
        words.append(word)
    return " ".join(words)
