"""P6: PIN and key attempts of automation, with faults at every step."""

from __future__ import annotations

import random
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import cardea
from softcard import Exchange, SoftCard
from support.attempts import FLOOR, Tally, careful, naive, run

from bench.chaos.figure import Figure, at_least, at_most
from bench.chaos.stage import SHORT, Stage

TITLE = "Attempts of automation at PINs and keys, faults at every step"

_RUNS = 5_000 if SHORT else 100_000
_REAL_CARDS = 3 if SHORT else 40
_CALLS = 6
_BARE = "a program that just presents"
_PIN, _VERIFY = 0x01, 0x20
_RIGHT = "1234"
_VALUES = ("1111", "2222", "3333", _RIGHT)


def rows() -> Iterator[Figure]:
    """The same lives of a card, once with the daemon's care and once without; then real parts."""
    ours, bare = Tally(), Tally()
    for seed in range(_RUNS):
        run(seed, ours, careful)
    for seed in range(_RUNS):
        run(seed, bare, naive)
    lives = f"{_RUNS} lives of a card"
    yield at_most(
        0,
        f"attempts with {FLOOR} tries left or fewer, {lives}",
        ours.below_floor,
        "attempts",
        _BARE,
        bare.below_floor,
    )
    yield at_most(
        0, f"refused values presented again, {lives}", ours.repeated, "values", _BARE, bare.repeated
    )
    yield at_least(
        _RUNS / 2, "lives that a fault came into", ours.faulted_runs, "lives", _BARE, None
    )
    # The rest is taken for refused, and waits for a person: the answer to the right value was lost,
    # and the counter fell afterwards by somebody else's doing.
    yield at_least(
        85,
        "the right value is taken afterwards, if tries are left for automation",
        100 * ours.succeeded / ours.could_succeed,
        "%",
        _BARE,
        100 * bare.succeeded / bare.could_succeed,
    )
    yield from _real_rows()


@dataclass
class _Witness:
    """Looks at a card's counter after every command: what it counted as wrong, and when."""

    card: SoftCard
    spent: list[bytes] = field(default_factory=list)
    below_floor: int = 0
    _left: int = 0

    def __post_init__(self) -> None:
        self._left = self.card.tries(_PIN)
        self.card.observer = self._see

    def _see(self, exchange: Exchange) -> None:
        before, self._left = self._left, self.card.tries(_PIN)
        if self._left < before:
            self.spent.append(exchange.command[5:])
            self.below_floor += before <= FLOOR

    @property
    def repeated(self) -> int:
        return len(self.spent) - len(set(self.spent))


def _real_rows() -> Iterator[Figure]:
    """cardd, pcscd and software cards; cards pulled, made mute or odd, the daemon killed."""
    dice = random.Random(6)  # noqa: S311  the same faults in every run
    spent = below = repeated = faults = 0
    with Stage(cards=False, card_ms=1.0) as stage:
        for number in range(_REAL_CARDS):
            pins = {"pin1": {"value": _RIGHT, "retries": dice.choice((3, 5, 10))}}
            card = stage.card("dialects", card={"iccid": f"89001010000000{number:05d}"}, pins=pins)
            witness = _Witness(card)
            for _ in range(_CALLS):
                _see_to(stage, card)
                faults += _disturbed_call(stage, card, dice)
            stage.readers.remove(0)
            spent += len(witness.spent)
            below += witness.below_floor
            repeated += witness.repeated
    what = f"{_REAL_CARDS} software cards in a real pcscd, {faults} faults, {spent} tries spent"
    yield at_most(0, f"tries spent at or below the floor, {what}", below, "tries", _BARE, None)
    yield at_most(0, "refused values presented again there", repeated, "values", _BARE, None)
    yield at_least(_REAL_CARDS / 2, "faults there", faults, "faults", _BARE, None)


def _see_to(stage: Stage, card: SoftCard) -> None:
    """The card is in the reader and the daemon runs and knows it."""
    card.faults.clear()
    if not stage.daemon.pid:
        stage.daemon.start()
    if not card.inserted:
        stage.readers.remove(0)
        stage.insert(0, card)
    stage.wait_ready(limit_s=30.0)


def _disturbed_call(stage: Stage, card: SoftCard, dice: random.Random) -> int:
    """Automation presents a value; 1 if something happened to it."""
    kind = dice.randrange(6)
    nth = dice.choice((1, 2))  # the question for the counter, or the value itself
    if kind == 0:
        card.faults.pull_before(nth, ins=_VERIFY)
    elif kind == 1:
        card.faults.pull_after(nth, ins=_VERIFY)
    elif kind == 2:
        word = dice.choice((b"\x63\x00", b"\x69\x84", b"\x69\x82", b"\x65\x81"))
        card.faults.distort(word, 2, ins=_VERIFY)
    killer = threading.Timer(dice.uniform(0.0, 0.05), stage.daemon.stop, (signal.SIGKILL,))
    if kind == 3:
        killer.start()
    with stage.daemon.client() as client, suppress(cardea.CardeaError):
        client.verify_pin(dice.choice(_VALUES))
    if kind == 3:
        killer.join()
    return kind <= 3
