"""What cards have refused stays known, however often they are pulled and put back."""

from __future__ import annotations

from pathlib import Path

import pytest
from cardd.card.credentials import ADM1
from cardd.card.identify import CardIdentity
from cardd.reader.rejections import RejectionsByCard
from cardd.store import Store
from cardea_core import Secret

WRONG = Secret(b"WRONGKEY")
CARD = CardIdentity("8949", "8949", "", b"", ())
OTHER = CardIdentity("8950", "8950", "", b"", ())
NAMELESS = CardIdentity("atr-0123", "", "", b"", ())


@pytest.fixture
def store(tmp_path: Path) -> Store:
    tmp_path.chmod(0o700)
    return Store(tmp_path / "cardd.sqlite")


def test_a_card_that_was_put_back_is_not_shown_the_same_wrong_value_again(store: Store) -> None:
    rejections = RejectionsByCard(store.rejections)
    rejections.of(CARD, "Reader A", 1).was_refused(ADM1, WRONG, 2)
    assert rejections.of(CARD, "Reader B", 7).refused(ADM1, WRONG) is not None


def test_another_card_is_not_taken_for_the_one_that_refused(store: Store) -> None:
    rejections = RejectionsByCard(store.rejections)
    rejections.of(CARD, "Reader A", 1).was_refused(ADM1, WRONG, 2)
    assert rejections.of(OTHER, "Reader A", 2).refused(ADM1, WRONG) is None


def test_cards_without_a_name_are_told_apart_by_their_insertion(store: Store) -> None:
    rejections = RejectionsByCard(store.rejections)
    rejections.of(NAMELESS, "Reader A", 1).was_refused(ADM1, WRONG, 2)
    assert rejections.of(NAMELESS, "Reader A", 1).refused(ADM1, WRONG) is not None
    assert rejections.of(NAMELESS, "Reader A", 2).refused(ADM1, WRONG) is None


def test_a_restart_forgets_nothing(store: Store, tmp_path: Path) -> None:
    memory = RejectionsByCard(store.rejections).of(CARD, "Reader A", 1)
    memory.was_refused(ADM1, WRONG, 2)
    memory.sending(0x01, Secret(b"0000"), 3)
    store.close()
    with Store(tmp_path / "cardd.sqlite") as again:
        memory = RejectionsByCard(again.rejections).of(CARD, "Reader B", 1)
        assert memory.refused(ADM1, WRONG) is not None
        assert memory.refused(0x01, Secret(b"0000")) is None  # in doubt
        memory.settle(0x01, 2)
        assert memory.refused(0x01, Secret(b"0000")) is not None


def test_a_change_of_the_value_behind_a_reference_forgets_its_rejections_alone(
    store: Store,
) -> None:
    memory = RejectionsByCard(store.rejections).of(CARD, "Reader A", 1)
    memory.was_refused(0x01, Secret(b"0000"), 2)
    memory.was_refused(ADM1, WRONG, 2)
    memory.forget(0x01)
    assert memory.refused(0x01, Secret(b"0000")) is None
    assert memory.refused(ADM1, WRONG) is not None


def test_the_file_tells_nobody_what_was_tried(store: Store, tmp_path: Path) -> None:
    RejectionsByCard(store.rejections).of(CARD, "Reader A", 1).was_refused(0x01, WRONG, 2)
    store.close()
    assert not [f for f in tmp_path.iterdir() if b"WRONGKEY" in f.read_bytes()]
    with Store(tmp_path / "other.sqlite") as other:
        # The same value has another digest in another store: nothing to look up.
        RejectionsByCard(other.rejections).of(CARD, "Reader A", 1).was_refused(0x01, WRONG, 2)
        (there,) = other.rejections.of("8949").entries(0x01)
    with Store(tmp_path / "cardd.sqlite") as again:
        (here,) = again.rejections.of("8949").entries(0x01)
    assert here.digest != there.digest
