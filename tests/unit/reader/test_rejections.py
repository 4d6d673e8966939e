"""What cards have refused stays known, however often they are pulled and put back."""

from __future__ import annotations

import pytest
from cardd.card.credentials import ADM1, Credential
from cardd.card.errors import CredentialRejected
from cardd.card.identify import CardIdentity
from cardd.reader.rejections import RejectionBook
from cardea_core import Secret

WRONG = Credential(ADM1, Secret(b"WRONGKEY"))
CARD = CardIdentity("8949", "8949", "", b"", ())
NAMELESS = CardIdentity("atr-0123", "", "", b"", ())


def test_a_card_that_was_put_back_is_not_shown_the_same_wrong_value_again() -> None:
    book = RejectionBook()
    book.of(CARD, "Reader A", 1).remember(WRONG, 2)
    with pytest.raises(CredentialRejected):
        book.of(CARD, "Reader B", 7).raise_if_known(WRONG)


def test_another_card_is_not_taken_for_the_one_that_refused() -> None:
    book = RejectionBook()
    book.of(CARD, "Reader A", 1).remember(WRONG, 2)
    book.of(CardIdentity("8950", "8950", "", b"", ()), "Reader A", 2).raise_if_known(WRONG)


def test_cards_without_a_name_are_told_apart_by_their_insertion() -> None:
    book = RejectionBook()
    book.of(NAMELESS, "Reader A", 1).remember(WRONG, 2)
    with pytest.raises(CredentialRejected):
        book.of(NAMELESS, "Reader A", 1).raise_if_known(WRONG)
    book.of(NAMELESS, "Reader A", 2).raise_if_known(WRONG)
