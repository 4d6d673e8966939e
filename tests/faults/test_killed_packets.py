"""The daemon is killed at every APDU by which a server's packets write the card (P5).

The process really ends. The card has run what it was given, the server has spent the counters, and
what the card answered is lost with the device: the next session orders anew until it is proved.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from dmsd.registry import CardOrder
from support.death import Death
from support.dying import DyingDevice
from support.machine import DEVICE
from support.scene import LONG_DOCUMENT, OLD_DOCUMENT, MakeScene, Scene, profile_with
from support.system import OTA

TERMINAL_PROFILE = 0x10


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DyingDevice]:
    with DyingDevice(tmp_path_factory.mktemp("layer")) as device:
        yield device


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The document just fits its file, and takes two packets."""
    return profile_with(len(LONG_DOCUMENT), tmp_path_factory.mktemp("profile"))


@pytest.mark.parametrize("moment", ["before", "after"])
def test_the_card_is_old_new_or_completed_and_proves_it_once_with_new_counters(
    make_scene: MakeScene, device: DyingDevice, profile: Path, moment: str
) -> None:
    undisturbed = make_scene(OTA, profile, LONG_DOCUMENT)
    assert not undisturbed.machine.run(undisturbed.inserted()).reason
    new = undisturbed.machine.content
    assert orders(undisturbed)[0].packets == 2
    documents = set()
    for nth in itertools.count(1):
        death = Death(make_scene(OTA, profile, LONG_DOCUMENT), device)
        scene, seen = death.scene, itertools.count(1)
        scene.card.clear_trace()

        def dies(
            when: str, what: str, scene: Scene = scene, seen: Iterator[int] = seen, n: int = nth
        ) -> bool:
            begun = what == "transmit" and scene.card.counts[TERMINAL_PROFILE] > 0
            return begun and when == moment and next(seen) == n

        ending = death.live(on_step=dies)
        if not ending.killed:
            break
        at = f"{moment} APDU {nth} of the delivery"
        (cut_off,) = orders(scene)
        assert cut_off.state == "accepted", at
        documents.add({OLD_DOCUMENT: "old", LONG_DOCUMENT: "new"}.get(scene.document, "torn"))

        assert not death.holds(new, at), "the card goes first"

        assert orders(scene)[1] == cut_off, at
        again = orders(scene)[0]
        assert (again.state, again.reason) == ("done", ""), at
        assert again.first_counter == cut_off.first_counter + cut_off.packets, at
        assert [each.split()[0] for each in proofs(scene)] == ["200"], at
    assert nth > 15
    assert documents == {"old", "torn", "new"}


def orders(scene: Scene) -> tuple[CardOrder, ...]:
    """The latest first."""
    found: tuple[CardOrder, ...] = scene.machine.network.registry.journal.orders(DEVICE)
    return found


def proofs(scene: Scene) -> list[str]:
    """What was reported of the card."""
    reports = scene.machine.network.registry.journal.reports(DEVICE)
    return [each.data for each in reports if each.source.startswith("./Card/")]
