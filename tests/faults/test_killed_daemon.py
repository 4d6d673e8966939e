"""The daemon dies before and after every step to the outside (P5): old or new, and it goes on.

Steps are APDUs, requests and transactions, as the run makes them one after the other. A process
that dies leaves the card, the server and the store's file as they are at that moment.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import pytest
from cardd.provisioning.progress import Stage
from support.machine import DEVICE, Content, Killed
from support.scene import NEW_DOCUMENT, OLD_DOCUMENT, MakeScene
from support.system import CARDS, OTA


class _Kill:
    """Ends the process at the n-th step, from 1."""

    def __init__(self, nth: int, when: str) -> None:
        self.nth, self.when = nth, when
        self.seen = 0
        self.killed_at = ""

    def __call__(self, when: str, what: str) -> None:
        self.seen += when == "before"
        if self.seen == self.nth and when == self.when and not self.killed_at:
            self.killed_at = what
            raise Killed


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_every_step_the_tree_is_old_or_new_and_the_next_start_completes_it(
    make_scene: MakeScene, new: Content, when: str
) -> None:
    kinds: set[str] = set()
    outcomes: set[tuple[bool, str]] = set()
    for nth in itertools.count(1):
        scene = make_scene()
        machine, kill = scene.machine, _Kill(nth, when)
        machine.watch = machine.network.watch = kill
        try:
            machine.run(scene.inserted(kill))
        except Killed:
            machine.watch = machine.network.watch = lambda _when, _what: None
        at = f"{when} step {nth}, {kill.killed_at}"
        if not kill.killed_at:
            break
        kinds.add(kill.killed_at)

        machine.restart()

        assert machine.content in (scene.old, new), at
        is_new = machine.content == new
        state = {OLD_DOCUMENT: "old", NEW_DOCUMENT: "new"}.get(scene.document, "torn")
        # The card goes first: a tree that is new on a card that is not would be a lie.
        assert state == "new" or not is_new, at
        outcomes.add((is_new, state))

        again = machine.run(scene.inserted())

        assert again.stage is Stage.CONFIRMED, f"{at}: {again.reason} {again.message}"
        assert machine.content == new, at
        assert scene.document == NEW_DOCUMENT, at
        assert scene.settled, at
    assert {"apdu", "request", "commit", "begin_card_write", "end_session"} <= kinds
    assert outcomes == {(False, "old"), (False, "torn"), (False, "new"), (True, "new")}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("card", [CARDS["operator"], OTA], ids=["with the key", "by packets"])
def test_killed_while_confirming_the_server_is_told_after_the_restart(
    make_scene: MakeScene, card: Mapping[str, object], when: str
) -> None:
    scene = make_scene(card)
    machine = scene.machine

    def kill(at: str, what: str) -> None:
        committed = any(step.stage is Stage.CONFIRMING for step in machine.progress)
        if what == "request" and at == when and committed:
            raise Killed

    machine.progress.clear()
    machine.network.watch = kill
    with pytest.raises(Killed):
        machine.run(scene.inserted())
    machine.network.watch = lambda _when, _what: None
    machine.restart()
    assert len(machine.store.pending_confirmations()) == 1

    assert machine.run(scene.inserted()).stage is Stage.CONFIRMED

    assert machine.store.pending_confirmations() == ()
    reports = machine.network.call("GET", "devices", DEVICE, "reports")
    told = {each["data"].split()[0] for each in reports if each["correlator"]}
    assert told == {"200"}
    (order,) = machine.network.registry.journal.orders(DEVICE)
    assert (order.state, order.reason) == ("done", "")
