"""The use case as one table: what follows what, and nothing else.

OMA-RD-DM §5.1.3, *Smart Card based Provisioning*: the card's parameters go into the device's tree,
the card's key builds trust with the DM server, the server's data is downloaded and confirmed.
Variation a leaves the first step out. A pair that is not in the table cannot happen: it is a defect
and raises, it is not ignored.
"""

from __future__ import annotations

from enum import Enum, auto

from .progress import Stage

__all__ = ["FIRST", "TRANSITIONS", "Found", "ImpossibleTransitionError", "follow"]


class Found(Enum):
    """What an action finds when its stage ends."""

    CARD_READ = auto()
    """Documents, or a USIM that can do without (variation a)."""
    NOTHING = auto()
    """Neither, and nothing that the card has brought before."""
    TO_ASK = auto()
    """The card's data says that somebody is asked before it is adopted, and nobody was yet."""
    AGREED = auto()
    NO_SERVER_WANTED = auto()
    """Neither the card's data nor the caller asks for a connection."""
    TRUST_IN_DOCUMENT = auto()
    """Every account that is to be used brings its own credentials."""
    TRUST_FROM_KEY = auto()
    """At least one account needs a key derived from the card's."""
    KEY_DERIVED = auto()
    CARD_OBSOLETE = auto()
    """The server has ordered new content for files of the card."""
    CARD_CURRENT = auto()
    CARD_UPDATED = auto()
    COMMITTED = auto()
    NOTHING_TO_CONFIRM = auto()
    """No server took part."""
    CONFIRMED_BEFORE = auto()
    """The servers had nothing new, and have acknowledged what there was."""
    TO_CONFIRM = auto()
    ACKNOWLEDGED = auto()
    SERVER_SILENT = auto()
    """The confirmation could not be delivered now; the store keeps it for the next session."""
    FAILURE = auto()


class ImpossibleTransitionError(Exception):
    """A stage ended with something that the table does not know for it."""

    def __init__(self, stage: Stage, found: Found) -> None:
        super().__init__(f"{found.name} cannot follow in stage {stage.name}")
        self.stage = stage
        self.found = found


FIRST = Stage.READING_CARD

TRANSITIONS: dict[tuple[Stage, Found], Stage] = {
    (Stage.READING_CARD, Found.CARD_READ): Stage.ADOPTING,
    (Stage.READING_CARD, Found.NOTHING): Stage.NOTHING_TO_PROVISION,
    (Stage.READING_CARD, Found.TO_ASK): Stage.ASKING,
    # People take their time: card and tree may be others by now.
    (Stage.ASKING, Found.AGREED): Stage.READING_CARD,
    (Stage.ADOPTING, Found.TRUST_IN_DOCUMENT): Stage.MANAGING,
    (Stage.ADOPTING, Found.TRUST_FROM_KEY): Stage.BOOTSTRAPPING,
    (Stage.ADOPTING, Found.NO_SERVER_WANTED): Stage.COMMITTING,
    (Stage.BOOTSTRAPPING, Found.KEY_DERIVED): Stage.MANAGING,
    # No key, but accounts that need none.
    (Stage.BOOTSTRAPPING, Found.TRUST_IN_DOCUMENT): Stage.MANAGING,
    (Stage.MANAGING, Found.CARD_OBSOLETE): Stage.UPDATING_CARD,
    (Stage.MANAGING, Found.CARD_CURRENT): Stage.COMMITTING,
    # The card first, read back; only then the tree: a tree that claims what the card refused
    # would be a lie after the next insertion.
    (Stage.UPDATING_CARD, Found.CARD_UPDATED): Stage.COMMITTING,
    # What local programs read comes after the tree, and before a server is told "installed".
    (Stage.COMMITTING, Found.COMMITTED): Stage.RENDERING,
    (Stage.RENDERING, Found.NOTHING_TO_CONFIRM): Stage.INSTALLED,
    (Stage.RENDERING, Found.CONFIRMED_BEFORE): Stage.CONFIRMED,
    (Stage.RENDERING, Found.TO_CONFIRM): Stage.CONFIRMING,
    (Stage.CONFIRMING, Found.ACKNOWLEDGED): Stage.CONFIRMED,
    (Stage.CONFIRMING, Found.SERVER_SILENT): Stage.INSTALLED,
    # The server used the session that took the confirmation to order more.
    (Stage.CONFIRMING, Found.CARD_OBSOLETE): Stage.UPDATING_CARD,
    (Stage.CONFIRMING, Found.CARD_CURRENT): Stage.COMMITTING,
    # Up to the commit a failure leaves the tree as it was. One in rendering leaves the new tree and
    # is told as what it is. Afterwards there is none: what cannot be confirmed now stays to be
    # confirmed.
    **{
        (stage, Found.FAILURE): Stage.FAILED
        for stage in Stage
        if not stage.final and stage is not Stage.CONFIRMING
    },
}


def follow(stage: Stage, found: Found) -> Stage:
    """The stage after ``stage`` ended with ``found``.

    Raises:
        ImpossibleTransitionError: the table has no such pair.
    """
    try:
        return TRANSITIONS[stage, found]
    except KeyError:
        raise ImpossibleTransitionError(stage, found) from None
