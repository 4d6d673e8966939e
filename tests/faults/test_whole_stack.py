"""Pulled cards and killed daemons on the whole stack: pcscd, processes, TLS (P4, P5).

The enumeration of every step in one process is in test_pulled_card and test_killed_daemon.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import cardea
import pytest
from dmsd import ca
from softcard import Exchange, SoftCard
from softcard.stack import VirtualReaders
from support.client import LIMIT_S, eventually
from support.documents import BOOTSTRAP, account
from support.dying import How, built_layer
from support.gate import Answer, Gate, Raw, Request, break_off
from support.system import CARDS, CONFIRMED, SERVER_ID, Site, failure, open_site

from demo.system import DM_OPERATOR, CommandFailedError

OPERATOR = CARDS["operator"]["iccid"]
NEWS, ADDRESS = "./Service/News/URL", "./NAP/1/Addr"


class Story:
    """A provisioned system whose server wants something newer at every turn."""

    def __init__(self, site: Site, gate: Gate) -> None:
        self.site = site
        self.gate = gate
        self.turn = 0
        self.card: SoftCard = site.card()
        self.document = b""
        self.want()
        self.card.write_file("Bootstrap", self.document)
        assert site.inserted(self.card).stage == CONFIRMED
        assert self.state == "new"

    def want(self) -> None:
        """A longer document for the card, and another value for the tree."""
        self.turn += 1
        self.before = self.site.tree()
        self.address = ".".join([f"n{self.turn}", *("x" * 60 for _ in range(3)), "example"])
        self.document = account(access_point=self.address)
        wanted = {BOOTSTRAP: base64.b64encode(self.document).decode()}
        self.site.desire({NEWS: f"https://news.example/{self.turn}"}, card=wanted)

    @property
    def state(self) -> str:
        """Of the tree: "old", "new" or "mixed"."""
        tree = self.site.tree()
        if tree == self.before:
            return "old"
        news = f"https://news.example/{self.turn}"
        wanted = {NEWS: news.encode(), ADDRESS: self.address.encode()}
        return "new" if all(tree[path][0] == value for path, value in wanted.items()) else "mixed"

    @property
    def card_is_new(self) -> bool:
        return self.card.read_file("Bootstrap").rstrip(b"\xff") == self.document


@pytest.fixture
def story(virtual_readers: VirtualReaders, authority: ca.CaFiles) -> Iterator[Story]:
    files = authority.server_certificate(SERVER_ID), authority.server_key(SERVER_ID)
    with Gate(*files) as gate:
        hosts = {f"{DM_OPERATOR}:443": gate.address}
        with open_site(virtual_readers, authority, hosts=hosts) as site:
            gate.upstream = site.ready()["dm"]
            site.know("operator")
            yield Story(site, gate)


def test_pulled_at_every_apdu_the_tree_is_old_and_the_next_insertion_makes_both_new(
    story: Story,
) -> None:
    site, card = story.site, story.card
    for nth in itertools.count(1):
        story.want()
        # In turn: the card has not seen the command, or has and its answer is lost.
        (card.faults.pull_before if nth % 2 else card.faults.pull_after)(nth)

        error = failure(site.provision)

        if error is None:
            card.faults.clear()
            assert story.state == "new"
            break
        assert error.reason == "CARD_LOST", f"APDU {nth}: {error}"
        assert story.state == "old", f"APDU {nth}"
        assert card.wait_removed(LIMIT_S)
        site.remove()
        assert site.inserted(card).stage == CONFIRMED, f"APDU {nth}"
        assert story.state == "new", f"APDU {nth}"
        assert story.card_is_new, f"APDU {nth}"
    assert nth > 30


@pytest.mark.parametrize("nth", [3, 15, 24, 26, 28, 30, 33, 36])
def test_killed_at_an_apdu_it_begins_anew_and_completes(story: Story, nth: int) -> None:
    seen = itertools.count(1)
    site = story.site

    def kill(_: Exchange) -> None:
        if next(seen) == nth:
            os.kill(site.system.cardd.pid, signal.SIGKILL)

    story.want()
    story.card.observer = kill
    assert failure(site.provision) is not None
    story.card.observer = None
    completes(story)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_at_every_request_it_begins_anew_and_completes(story: Story, moment: str) -> None:
    site = story.site
    for nth in itertools.count(1):
        story.want()
        seen = len(story.gate.requests)
        story.gate.rule = killing(story, seen + nth, moment)
        error = failure(site.provision)
        story.gate.rule = lambda _: None
        if error is None:
            break
        completes(story)
    assert nth > 5


def test_killed_at_operations_on_its_store_it_begins_anew_and_completes(
    story: Story, tmp_path: Path
) -> None:
    """From its start on, through all that it does by itself with the card that is there; killed
    and without power in turn."""
    cardd, layer = story.site.system.cardd, built_layer(tmp_path)
    store = story.site.system.folder / "cardd.sqlite"
    for nth in itertools.count(3, 11):
        how = (How.KILLED, How.POWER_LOST)[nth % 2]
        story.want()
        cardd.environment = {"LD_PRELOAD": str(layer), "DYING_FILES": f"{nth} {how:d} {store}"}
        with contextlib.suppress(CommandFailedError):  # it may not even have come up
            story.site.restart_cardd()
        eventually(lambda: has_ended(cardd.pid) or is_complete(story))
        survived = not has_ended(cardd.pid)
        cardd.environment = {}
        completes(story)
        if survived:
            break
    assert nth > 50


def is_complete(story: Story) -> bool:
    """Whether everything is new and told; False also where nobody answers any more."""
    try:
        pending = story.site.client.provisioning_status()[0].confirmation_pending
        return story.state == "new" and not pending
    except cardea.CardeaError:
        return False


def has_ended(pid: int) -> bool:
    try:
        return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return True


def killing(story: Story, number: int, moment: str) -> Callable[[Request], Answer | Raw | None]:
    def rule(request: Request) -> Answer | Raw | None:
        if request.number != number:
            return None
        if moment == "after":
            story.gate.forward(request)
        os.kill(story.site.system.cardd.pid, signal.SIGKILL)
        return break_off

    return rule


def completes(story: Story) -> None:
    """The daemon, started again, does by itself what was left to do; nothing in between shows."""
    site = story.site
    site.restart_cardd(kill=True)

    def is_new() -> bool:
        state = story.state
        assert state != "mixed"
        return state == "new"

    eventually(is_new)
    eventually(lambda: not site.client.provisioning_status()[0].confirmation_pending)
    assert story.card_is_new
