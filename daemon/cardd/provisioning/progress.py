"""What a provisioning run tells the world: stages, progress, result.

The fields are those of ``cardea.v1`` (provisioning.proto, management.proto); units are in names.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from cardea_core import Change

__all__ = [
    "CardStatus",
    "FoundDocument",
    "Preview",
    "Progress",
    "ProvisioningResult",
    "SessionOutcome",
    "Stage",
]


class Stage(IntEnum):
    """The stages in their order; a run leaves out what it does not need."""

    READING_CARD = 1
    ADOPTING = 2
    BOOTSTRAPPING = 3
    MANAGING = 4
    UPDATING_CARD = 5
    COMMITTING = 6
    CONFIRMING = 7
    INSTALLED = 8
    CONFIRMED = 9
    FAILED = 10
    # Between committing and confirming; numbers are for ever.
    RENDERING = 11
    NOTHING_TO_PROVISION = 12
    # Between reading the card and adopting.
    ASKING = 13

    @property
    def final(self) -> bool:
        return self in _FINAL


_FINAL = (Stage.INSTALLED, Stage.CONFIRMED, Stage.FAILED, Stage.NOTHING_TO_PROVISION)


@dataclass(frozen=True, slots=True)
class ProvisioningResult:
    """The end of a run. ``reason`` and ``message`` are empty unless it failed, or found nothing.

    ``nodes_ordered`` counts the nodes that servers wanted to change, ``nodes_refused`` those of
    them where the last word was no (an ACL, a missing parent, …). ``left_out`` names the servers
    with which there was no session, though others took part, and the reason.
    """

    name: str
    card: str
    stage: Stage
    servers: tuple[str, ...]
    trust: tuple[str, ...]
    nodes_changed: int
    card_files_updated: int
    apdus: int
    card_time_s: float
    network_time_s: float
    total_time_s: float
    ended_at_ms: int
    reason: str = ""
    message: str = ""
    nodes_ordered: int = 0
    nodes_refused: int = 0
    left_out: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """One step forward. ``total`` is 0 where it is not known; ``result`` only comes last."""

    stage: Stage
    done: int
    total: int
    detail: str
    elapsed_s: float
    result: ProvisioningResult | None = None


@dataclass(frozen=True, slots=True)
class FoundDocument:
    """A provisioning document on the card, found by its OID in a DODF."""

    oid: str
    path: str
    size: int
    format: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What the card would change, with no server asked and nothing committed."""

    documents: tuple[FoundDocument, ...]
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class CardStatus:
    """The present or last run for one card; ``stage`` None: none yet."""

    card: str
    stage: Stage | None
    last_result: ProvisioningResult | None
    confirmation_pending: bool


@dataclass(frozen=True, slots=True)
class SessionOutcome:
    """What one DM session that was asked for brought."""

    session_id: str
    commands: int
    nodes_changed: int
    card_files_updated: int
    confirmed: bool
