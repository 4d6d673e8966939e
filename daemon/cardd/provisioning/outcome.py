"""What a run has to show at its end."""

from __future__ import annotations

from collections.abc import Sequence

from .dialogue import Conversation
from .progress import ProvisioningResult, Stage
from .task import Task

__all__ = ["LAST_WORDS", "result_of"]

LAST_WORDS = {
    Stage.INSTALLED: "installed",
    Stage.CONFIRMED: "installed, read back, and confirmed by the server",
    Stage.FAILED: "failed",
    Stage.NOTHING_TO_PROVISION: "nothing to provision",
}


def result_of(
    task: Task,
    stage: Stage,
    conversations: Sequence[Conversation],
    *,
    failure: tuple[str, str],
    left_out: Sequence[tuple[str, str]],
    nodes_changed: int,
    card_files_updated: int,
    network_time_s: float,
    total_time_s: float,
    ended_at_ms: int,
) -> ProvisioningResult:
    """The result. ``failure``: reason and message, both "" where there was none."""
    card = task.card
    reason, message = failure
    return ProvisioningResult(
        name=task.name,
        card=card.identity.name if card is not None else "",
        stage=stage,
        servers=tuple(dict.fromkeys(talk.server_id for talk in conversations)),
        trust=tuple(dict.fromkeys(talk.trust for talk in conversations)),
        nodes_changed=nodes_changed,
        card_files_updated=card_files_updated,
        apdus=card.apdus if card is not None else 0,
        card_time_s=card.seconds_spent if card is not None else 0.0,
        network_time_s=network_time_s,
        total_time_s=total_time_s,
        ended_at_ms=ended_at_ms,
        reason=reason,
        message=message,
        nodes_ordered=sum(len(talk.ordered) for talk in conversations),
        nodes_refused=sum(len(talk.refused) for talk in conversations),
        left_out=tuple(left_out),
    )
