"""F5: what a provisioning costs beside card and network, and how many APDUs it sends.

The scenes of `make demo`, each with a card that answers in 20 ms. The daemon tells the times and
the count; the least that a card's structure needs is counted here, from the files on the card.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import cardea
from cardea.v1 import provisioning_pb2 as pb
from softcard.stack import VirtualReaders

from bench.chaos.figure import Figure, at_most
from bench.chaos.stage import SHORT
from demo.people import ALICE, CAROL, DAVE, Person
from demo.story import APDU_DELAY_MS, SCENES
from demo.story import Stage as Story
from demo.system import System

TITLE = f"Provisioning from a card that answers in {APDU_DELAY_MS} ms"

_ROUNDS = 1 if SHORT else 5
_MOST_OF_TIME = 0.1
_MOST_OF_APDUS = 1.1

_READ = 256
"""Bytes that one READ BINARY brings."""

# A logical channel is opened and closed.
_CHANNEL = 2
# SELECT, and its parameters or the wrong Le told: a length that is not known takes one more.
_SELECT, _LENGTH = 1, 1
_ENVELOPE = 0xC2
_UNLISTED = 2
"""A PKCS#15 application that EF(DIR) does not list is asked for by name, then by its folder."""


@dataclass(frozen=True)
class _Run:
    apdus: int
    least: int
    own_s: float
    total_s: float


def rows() -> Iterator[Figure]:
    """A scene that does not hold is no figure."""
    rounds = [list(_story()) for _ in range(_ROUNDS)]
    for scene, runs in zip(SCENES, zip(*rounds, strict=True), strict=True):
        total_ms = 1e3 * median(run.total_s for run in runs)
        yield at_most(
            _MOST_OF_TIME * total_ms,
            f"({scene.letter}) {scene.title}: time outside card and network",
            1e3 * median(run.own_s for run in runs),
            "ms",
            "in all",
            total_ms,
        )
        # What is read and written is the same in every round.
        (counts,) = {(run.apdus, run.least) for run in runs}
        yield at_most(
            _MOST_OF_APDUS * counts[1],
            f"({scene.letter}) {scene.title}: APDUs",
            counts[0],
            "",
            "the least for what is on the card",
            counts[1],
        )


def _story() -> Iterator[_Run]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cardea-f5-")))
        readers = stack.enter_context(VirtualReaders(folder / "pcsc"))
        system = stack.enter_context(System(folder, readers))
        client = stack.enter_context(cardea.Client(str(system.socket)))
        story = Story(system, client, lambda _: None)
        story.register()
        for scene in SCENES:
            if broken := [check.text for check in scene.play(story) if not check.holds]:
                raise AssertionError(f"({scene.letter}) {'; '.join(broken)}")
            yield _run(story.results[-1], _LEAST[scene.letter](story))


def _run(result: pb.ProvisioningResult, least: int) -> _Run:
    total_s = result.total_time.ToTimedelta().total_seconds()
    waited_s = (result.card_time.ToTimedelta() + result.network_time.ToTimedelta()).total_seconds()
    return _Run(result.apdus, least, total_s - waited_s, total_s)


# -- the least


def _documents(story: Story, person: Person, *names: str, told: bool = True) -> int:
    """The application, its ODF and DODF, and of each document as much as there is of it; whether
    the DODF has told their lengths."""
    card = story.cards[person.iccid]
    directories = 2 * (_SELECT + _LENGTH + 1)
    contents = (card.read_file(name).rstrip(b"\xff") for name in names)
    # An empty file shows that it is empty by its first bytes.
    reads = sum(_SELECT + (not told) * _LENGTH + max(_reads(len(each)), 1) for each in contents)
    return _CHANNEL + _SELECT + directories + reads


def _only_a_key(_: Story) -> int:
    """Who the subscriber is; then, when the network has spoken, AUTHENTICATE and its answer."""
    subscriber = _SELECT + 2 * (_SELECT + 1)
    return (_CHANNEL + _UNLISTED + subscriber) + (_CHANNEL + _SELECT + 2)


def _updated(story: Story) -> int:
    """All is read, what the network sends goes in, and the whole file is read back: what is behind
    a document counts."""
    card = story.cards[ALICE.iccid]
    # A terminal says what it is first; the receipt is fetched.
    writing = 1 + card.counts[_ENVELOPE] + 1
    back = _CHANNEL + _SELECT + _reads(len(card.read_file("Bootstrap")))
    return _documents(story, ALICE, *_OPERATOR) + writing + back


def _reads(length: int) -> int:
    return -(-length // _READ)


_OPERATOR = ("Bootstrap", "Config1", "Config2")
_LEAST: dict[str, Callable[[Story], int]] = {
    "a": lambda story: _documents(story, ALICE, *_OPERATOR),
    "b": _only_a_key,
    "c": _updated,
    "d": lambda story: _documents(story, CAROL, "Bootstrap", told=False),
    "e": lambda story: _documents(story, DAVE, "Bootstrap", "Config1", "DM-Bootstrap"),
}
