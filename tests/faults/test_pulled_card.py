"""The card is pulled before and after every APDU of a run (P4, P5): old or new, never a mixture."""

from __future__ import annotations

import itertools

import pytest
from cardd.card import provisioning_files
from cardd.card.credentials import ADM1, Credential
from cardd.card.errors import CardLost
from cardd.provisioning import card_update
from cardd.provisioning.progress import Stage
from cardea_core import Secret
from support.documents import account
from support.machine import Content, desired
from support.scene import NEW_DOCUMENT, NEWS, OLD_DOCUMENT, MakeScene, Pull, Scene
from support.system import CARDS


@pytest.mark.parametrize("when", ["before", "after"])
def test_pulled_at_every_apdu_the_tree_is_old_or_new_and_the_next_insertion_completes_it(
    make_scene: MakeScene, new: Content, when: str
) -> None:
    torn = 0
    for nth in itertools.count(1):
        scene = make_scene()
        machine, pull = scene.machine, Pull(nth, when)

        result = machine.run(scene.inserted(pull))

        at = f"{when} APDU {nth}"
        if not pull.pulled:
            break
        assert result.stage is Stage.FAILED, at
        assert result.reason == "CARD_LOST", at
        # Nothing of a run that failed is in force, in memory or in the file.
        assert machine.content == scene.old, at
        machine.restart()
        assert machine.content == scene.old, at
        torn += scene.document not in (OLD_DOCUMENT, NEW_DOCUMENT)

        again = machine.run(scene.inserted())

        assert again.stage is Stage.CONFIRMED, f"{at}: {again.reason} {again.message}"
        assert machine.content == new, at
        assert scene.document == NEW_DOCUMENT, at
        assert scene.settled, at
    assert nth > 30
    assert torn >= 1, "the document is written in several commands, so some cut tears it"


def test_a_torn_document_is_not_adopted_while_the_server_is_away(make_scene: MakeScene) -> None:
    scene = torn_scene(make_scene)
    machine = scene.machine
    machine.network.reachable = False

    result = machine.run(scene.inserted())

    assert result.reason == "SERVER_UNREACHABLE"
    assert machine.content == scene.old
    (row,) = machine.store.open_card_writes(result.card)
    assert row.new_data == NEW_DOCUMENT


def test_a_torn_document_is_taken_for_what_it_was_to_become(make_scene: MakeScene) -> None:
    scene = torn_scene(make_scene)
    preview = scene.machine.run(scene.inserted())
    assert preview.stage is Stage.CONFIRMED
    assert scene.document == NEW_DOCUMENT


def test_pulled_again_while_a_torn_document_is_completed_it_is_completed_all_the_same(
    make_scene: MakeScene, new: Content
) -> None:
    for nth in itertools.count(1):
        scene = torn_scene(make_scene)
        machine, pull = scene.machine, Pull(nth, "after")
        machine.run(scene.inserted(pull))
        assert machine.content == (scene.old if pull.pulled else new)
        if not pull.pulled:
            break
        machine.restart()
        assert machine.run(scene.inserted()).stage is Stage.CONFIRMED
        assert machine.content == new
        assert scene.document == NEW_DOCUMENT
        assert scene.settled
    assert nth > 30


def test_an_authority_that_writes_anew_makes_a_torn_document_whole(make_scene: MakeScene) -> None:
    """What another authority has written since is neither taken for torn nor overruled."""
    scene = torn_scene(make_scene)
    machine, other = scene.machine, account(access_point="third.example")
    card = scene.inserted()
    (file, *_) = provisioning_files.find(card.card.transmit)
    card.card.reset()
    adm = Credential(ADM1, Secret(bytes.fromhex(CARDS["operator"]["adm1"])))
    name = card.identity.name
    card_update.write(
        card.card.transmit,
        name,
        machine.store,
        file,
        other,
        adm,
        rejections=None,
        floor=0,
        now_ms=1,
    )
    desired(machine.network, {NEWS: "https://news.example/2"})

    assert machine.run(scene.inserted()).stage is Stage.CONFIRMED

    assert machine.content["./NAP/1/Addr"] == (b"third.example", "card", name)
    assert scene.document == other
    assert scene.settled


def torn_scene(make_scene: MakeScene) -> Scene:
    """A card that was pulled after the first of several UPDATE BINARY."""

    def pull(when: str, _: str) -> None:
        if when == "after" and scene.card.trace[-1].command[1] == 0xD6:
            raise CardLost("pulled")

    scene = make_scene()
    scene.machine.run(scene.inserted(pull))
    scene.machine.restart()
    assert scene.document not in (OLD_DOCUMENT, NEW_DOCUMENT)
    return scene
