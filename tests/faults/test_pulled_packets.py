"""Packets of a server on their way to the card: pulled, played again, refused, forged (P5).

The device has no key of the card, and the server believes the card alone.
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from cardd.provisioning import card_update
from cardd.provisioning.card_content import data_path
from cardd.provisioning.progress import Stage
from cardd.tree import ManagementTree
from dmsd.registry import CardOrder
from omadm.nodes import leaf
from softcard import SoftCard
from support.machine import DEVICE, Content
from support.scene import (
    LONG_DOCUMENT,
    NEW_DOCUMENT,
    OLD_DOCUMENT,
    MakeScene,
    Pull,
    Scene,
    profile_with,
)
from support.system import CARDS, OTA

ENVELOPE, VERIFY = 0xC2, 0x20
KEYS = [bytes.fromhex(OTA["ota"][name]) for name in ("kic", "kid")]


@pytest.fixture
def scene(make_scene: MakeScene) -> Scene:
    return make_scene(OTA)


def last_order(scene: Scene) -> CardOrder:
    found: CardOrder = scene.machine.network.registry.journal.orders(DEVICE)[0]
    return found


def test_a_card_is_written_by_packets_alone(scene: Scene, new: Content) -> None:
    """To the same end as with ADM1; the server counts it done by the card's own word."""
    result = scene.machine.run(scene.inserted())

    assert (result.stage, result.card_files_updated) == (Stage.CONFIRMED, 1)
    assert scene.document == NEW_DOCUMENT
    assert scene.settled
    assert scene.machine.content == new
    order = last_order(scene)
    assert (order.state, order.reason, order.first_counter) == ("done", "", 1)
    assert order.packets >= 1
    assert scene.card.counts[ENVELOPE] > order.packets, "a packet is longer than a message"
    assert scene.card.counts[VERIFY] == 0
    (card,) = scene.machine.network.registry.subscribers.cards()
    assert card.ota is not None
    assert card.ota.counter == order.packets


@pytest.mark.parametrize("when", ["before", "after"])
def test_pulled_at_every_apdu_the_card_is_old_or_new_or_completed_at_the_next_insertion(
    make_scene: MakeScene, when: str
) -> None:
    torn = 0
    for nth in itertools.count(1):
        scene, pull = make_scene(OTA, wanted=LONG_DOCUMENT), Pull(nth, when)
        machine = scene.machine

        result = machine.run(scene.inserted(pull))

        at = f"{when} APDU {nth}"
        if not pull.pulled:
            break
        assert result.reason == "CARD_LOST", at
        machine.restart()
        assert machine.content == scene.old, at
        torn += scene.document not in (OLD_DOCUMENT, LONG_DOCUMENT)

        again = machine.run(scene.inserted())

        assert again.stage is Stage.CONFIRMED, f"{at}: {again.reason} {again.message}"
        assert scene.document == LONG_DOCUMENT, at
        assert scene.settled, at
    assert nth > 30
    assert torn >= 1, "the document is longer than a packet, so some cut tears it"


def test_an_order_that_another_authority_has_overtaken_is_answered_as_not_carried_out(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine, orders_in = scene.machine, card_update.orders_in
    claim = leaf(data_path(OTA["iccid"], 0), LONG_DOCUMENT, format="bin")

    def overtaken(tree: ManagementTree, *rest: Any) -> object:
        tree.adopt("server", "later.example", [claim], machine.network.now_ms + 1)
        return orders_in(tree, *rest)

    monkeypatch.setattr(card_update, "orders_in", overtaken)
    result = machine.run(scene.inserted())

    assert (result.stage, result.card_files_updated) == (Stage.CONFIRMED, 0)
    assert scene.document == OLD_DOCUMENT
    assert scene.card.counts[ENVELOPE] == 0
    order = last_order(scene)
    assert (order.state, order.reason) == ("failed", "NOT_IN_FORCE")


def test_the_biggest_file_that_offsets_reach_is_written_and_proved(
    make_scene: MakeScene, tmp_path_factory: pytest.TempPathFactory
) -> None:
    scene = make_scene(OTA, profile_with(0x8000, tmp_path_factory.mktemp("profile")))

    result = scene.machine.run(scene.inserted())

    assert (result.stage, result.reason) == (Stage.CONFIRMED, "")
    order = last_order(scene)
    assert (order.state, order.reason, order.packets) == ("done", "", 54)
    assert scene.card.read_file("Bootstrap") == NEW_DOCUMENT.ljust(0x8000, b"\xff")


def test_packets_played_again_are_refused_by_the_card_and_are_no_success(scene: Scene) -> None:
    """As a device would see it whose server, or whoever speaks for it, repeats itself."""
    machine = scene.machine
    assert machine.run(scene.inserted()).stage is Stage.CONFIRMED
    envelopes = [e.command for e in scene.card.trace if e.command[1] == ENVELOPE]
    scene.card.write_file("Bootstrap", OLD_DOCUMENT)
    scene.card.reset()
    scene.card.transmit(bytes.fromhex("801000000113"))
    for envelope in envelopes:
        answer = scene.card.transmit(envelope)
        if answer[-2] == 0x61:
            scene.card.transmit(bytes.fromhex("00C00000") + answer[-1:])
    assert scene.document == OLD_DOCUMENT

    # The next session orders anew, with counters that are new as well.
    assert machine.run(scene.inserted()).stage is Stage.CONFIRMED
    assert scene.document == NEW_DOCUMENT


def test_a_server_whose_counter_has_fallen_behind_hears_it_from_the_card(scene: Scene) -> None:
    machine = scene.machine
    machine.network.registry.database.run("UPDATE packet_counters SET counter = 100")
    assert machine.run(scene.inserted()).stage is Stage.CONFIRMED
    scene.card.write_file("Bootstrap", OLD_DOCUMENT)
    machine.network.registry.database.run("UPDATE packet_counters SET counter = 0")
    machine.network.registry.database.run("DELETE FROM card_orders")

    result = machine.run(scene.inserted())

    assert (result.stage, result.reason) == (Stage.FAILED, "READ_BACK_DIFFERS")
    order = last_order(scene)
    assert (order.state, order.reason) == ("failed", "READ_BACK_DIFFERS PACKET_COUNTER_LOW")
    assert scene.document == OLD_DOCUMENT


def test_a_card_that_takes_no_packets_is_told_of(make_scene: MakeScene) -> None:
    scene = make_scene(OTA)
    scene.card = SoftCard.from_profile("operator", overrides={"ota": None})
    scene.card.write_file("Bootstrap", OLD_DOCUMENT)

    result = scene.machine.run(scene.inserted())

    assert (result.stage, result.reason) == (Stage.FAILED, "CARD_PACKETS_UNSUPPORTED")
    order = last_order(scene)
    assert (order.state, order.reason) == ("failed", "CARD_PACKETS_UNSUPPORTED")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, "NO_PROOF"),
        (b"\x02\x71\x00\x00\x0b\x0a\xb0\x00\x10" + bytes(7), "FALSE_PROOF"),
        (b"\x02\x71\x00\x00\x0b\x0a\xb0\x00\x10" + bytes(6) + b"\x01", "PACKET_CHECK_FAILED"),
        (b"anything", "FALSE_PROOF"),
    ],
)
def test_a_device_that_says_done_without_the_card_s_word_is_not_believed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, answer: bytes | None, reason: str
) -> None:
    carry_out = card_update.carry_out

    def forging(*arguments: object, **named: object) -> object:
        done = carry_out(*arguments, **named)  # type: ignore[arg-type]  # handed on
        receipts = arguments[4]
        assert isinstance(receipts, list)
        receipts[:] = [] if answer is None else [answer] * len(receipts)
        return done

    monkeypatch.setattr(card_update, "carry_out", forging)
    assert scene.machine.run(scene.inserted()).stage is Stage.CONFIRMED
    order = last_order(scene)
    assert (order.state, order.reason) == ("failed", reason)


def test_no_key_of_the_card_crosses_the_device(make_scene: MakeScene) -> None:
    """Not even where the server has the ADM1 as well."""
    scene = make_scene({**OTA, **CARDS["operator"]})
    heard: list[bytes] = []
    request = scene.machine.network.request

    def listening(method: str, url: str, headers: dict[str, str], body: bytes = b"") -> object:
        answer = request(method, url, headers, body)
        heard.extend((body, answer.body))
        return answer

    scene.machine.network.request = listening  # type: ignore[method-assign, assignment]  # a tap
    assert scene.machine.run(scene.inserted()).stage is Stage.CONFIRMED
    assert scene.document == NEW_DOCUMENT
    heard += [exchange.command for exchange in scene.card.trace]
    for secret in (*KEYS, bytes.fromhex(CARDS["operator"]["adm1"])):
        assert not any(secret in each for each in heard)
    assert any(b"\x02\x70\x00" in each or b"\x70\x00" in each for each in heard)
