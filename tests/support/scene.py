"""A machine that is up to date, and a server that wants more: the moment when things go wrong."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from cardd.card.errors import CardLost
from softcard import SoftCard

from support.documents import BOOTSTRAP, account
from support.machine import DEVICE, Content, DirectCard, DmNetwork, Machine, Watch, desired
from support.system import ACCOUNT, CARDS

__all__ = [
    "LONG_DOCUMENT",
    "NEWS",
    "NEW_DOCUMENT",
    "OLD_DOCUMENT",
    "MakeScene",
    "Pull",
    "Scene",
    "make_scene",
    "new",
    "profile_with",
]

NEWS = "./Service/News/URL"
OLD_DOCUMENT = account()
# Longer by far, so that it takes several UPDATE BINARY.
NEW_DOCUMENT = account(
    access_point=f"{'x' * 60}.{'y' * 60}.{'z' * 60}.{'v' * 60}.internet2.example"
)
# Takes more than one packet.
LONG_DOCUMENT = account(access_point=".".join(letter * 60 for letter in "abcdefghijkl"))


@dataclass
class Scene:
    """`old` is in force; the next run leads to `new`, on the card and in the tree; `wanted` is what
    the card is to carry then."""

    machine: Machine
    card: SoftCard
    old: Content
    wanted: bytes

    def inserted(self, watch: Watch = lambda _when, _what: None) -> DirectCard:
        """The card, put in anew."""
        return DirectCard(self.card, watch)

    @property
    def settled(self) -> bool:
        """Whether nothing is left to be done or to be said."""
        store = self.machine.store
        card = CARDS["operator"]["iccid"]
        return not store.open_card_writes(card) and not store.pending_confirmations()

    @property
    def document(self) -> bytes:
        """What is on the card."""
        return self.card.read_file("Bootstrap").rstrip(b"\xff")


def profile_with(size: int, folder: Path) -> Path:
    """The operator's card with a Bootstrap file of so many bytes."""
    profiles = Path(str(resources.files("softcard"))) / "profiles"
    text = (profiles / "operator.toml").read_text()
    assert text.count("size = 2048") == 1
    text = text.replace("size = 2048", f"size = {size}")
    path = folder / f"operator-{size}.toml"
    path.write_text(text.replace('"documents/', f'"{profiles}/documents/'))
    return path


class Pull:
    """Pulls the card at the n-th APDU, from 1."""

    def __init__(self, nth: int, when: str) -> None:
        self.nth, self.when = nth, when
        self.seen = 0
        self.pulled = False

    def __call__(self, when: str, what: str) -> None:
        self.seen += when == "before"
        if self.seen == self.nth and when == self.when:
            self.pulled = True
            raise CardLost("pulled")


MakeScene = Callable[..., Scene]


@pytest.fixture
def make_scene(tmp_path: Path) -> Iterator[MakeScene]:
    """Makes scenes, each with a store of its own. `card`: what the server knows of the card,
    which is one of `profile`."""
    with ExitStack() as stack:

        def make(
            card: Mapping[str, Any] = CARDS["operator"],
            profile: str | Path = "operator",
            wanted: bytes = NEW_DOCUMENT,
        ) -> Scene:
            network = DmNetwork()
            network.call("POST", "devices", body={"device": DEVICE, "accounts": [dict(ACCOUNT)]})
            network.call("POST", "cards", body=dict(card))
            desired(network, {NEWS: "https://news.example/1"})
            number = len(list(tmp_path.iterdir()))
            machine = Machine(tmp_path / f"store-{number}.sqlite", network)
            stack.callback(machine.close)
            soft = SoftCard.from_profile(profile)
            soft.write_file("Bootstrap", OLD_DOCUMENT)
            assert not machine.run(DirectCard(soft)).reason
            document = base64.b64encode(wanted).decode()
            desired(network, {NEWS: "https://news.example/2"}, card={BOOTSTRAP: document})
            return Scene(machine, soft, machine.content, wanted)

        yield make


@pytest.fixture
def new(make_scene: MakeScene) -> Content:
    """The tree after a run that nothing disturbs."""
    scene = make_scene()
    assert not scene.machine.run(scene.inserted()).reason
    assert scene.document == NEW_DOCUMENT
    return scene.machine.content
