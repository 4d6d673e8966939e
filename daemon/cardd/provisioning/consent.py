"""A card is adopted without a word, unless its data says that people are asked first (M10)."""

from __future__ import annotations

from omadm.accounts import accounts_in
from omadm.interaction import Outcome, Reply

from cardd.tree import ManagementTree

from .card_content import CardContent
from .errors import ConfirmationMissingError, ConfirmationRefusedError
from .people import Asked
from .ports import StorePort

__all__ = ["check", "given", "question_of", "trusted_servers"]


def given(content: CardContent, store: StorePort) -> bool | None:
    """Whether this may be adopted: nobody is to be asked, or somebody has agreed; None: nobody has
    answered yet. What was said of these very documents holds for good."""
    if content.question is None:
        return True
    return store.agreed(content.card_id, content.agreement)


def trusted_servers(content: CardContent, tree: ManagementTree) -> tuple[str, ...]:
    """Those of the card's servers that have an account already, by what the card brought before."""
    known = {each.server_id for each in accounts_in(tree.snapshot)}
    named = dict.fromkeys(each.server_id for each in content.accounts)
    return tuple(each for each in named if each in known)


def question_of(content: CardContent, run: str, max_wait_s: float | None) -> Asked:
    """What is to be asked."""
    assert content.question is not None, "a card without a question is not asked about"
    return Asked(
        f"cards/{content.card_id}",
        run,
        content.question,
        digest=content.agreement,
        max_wait_s=max_wait_s,
    )


def check(reply: Reply, card: str) -> None:
    """Raises: ConfirmationRefusedError; ConfirmationMissingError, if it was no answer."""
    if reply.outcome is Outcome.DECLINED:
        raise ConfirmationRefusedError(card)
    if reply.outcome is not Outcome.ANSWERED:
        raise ConfirmationMissingError(card, reply.outcome.value)
