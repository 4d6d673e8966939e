"""Telling a server that its data is installed, or why not (M5): generic alerts.

A confirmation is stored in the transaction that commits the tree, and goes out with the next
session to that server, now or after a restart. Alert 1226, DM Protocol 1.2 §8.7.1. Where a server's
packets were given to the card, what the card answered follows in base64: the server's proof.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence

from omadm.status import Mark

from cardd.dm.events import Report

from .card_content import card_path
from .dialogue import Conversation
from .records import NewConfirmation, PendingConfirmation

__all__ = ["failed", "installed", "report_of"]

_DEVICE = "."
_INSTALLED = "200"
_PARTLY = "500 PARTLY_INSTALLED"
# Some 53 answers of 41 bytes: a card that babbles must not make a report that fits no message.
_MOST_CHARACTERS = 3072

Receipts = Mapping[str, Sequence[bytes]]
_NONE: Receipts = {}


def installed(
    conversations: Iterable[Conversation], updated_card: str, receipts: Receipts = _NONE
) -> tuple[NewConfirmation, ...]:
    """For every server that was talked to: the device, and the card if it was written, is done.

    ``receipts`` are, by server, what the card has answered to its packets.
    """
    return tuple(
        _for(talk, updated_card, _PARTLY if talk.refused else _INSTALLED, receipts)
        for talk in conversations
    )


def failed(
    conversations: Iterable[Conversation], reason: str, receipts: Receipts = _NONE
) -> tuple[NewConfirmation, ...]:
    """For every server whose commands were received and could not be installed."""
    return tuple(
        _for(talk, "", f"500 {reason}", receipts) for talk in conversations if talk.ordered
    )


def report_of(pending: PendingConfirmation) -> Report:
    """The generic alert: one item for the device, one for the card if it was concerned."""
    good = pending.payload.split(" ")[0] == _INSTALLED
    mark = Mark.INFORMATIONAL if good else Mark.CRITICAL
    sources = (_DEVICE, card_path(pending.card)) if pending.card else (_DEVICE,)
    return Report(sources, pending.payload, mark, pending.correlator)


def _for(
    talk: Conversation, updated_card: str, payload: str, receipts: Receipts
) -> NewConfirmation:
    ordered = next((order.path.split("/")[2] for order in talk.execs), "")
    for each in receipts.get(talk.server_id, ()):
        word = base64.b64encode(each).decode()
        if len(payload) + len(word) >= _MOST_CHARACTERS:
            break
        payload = f"{payload} {word}"
    return NewConfirmation(talk.server_id, ordered or updated_card, payload, talk.correlator)
