"""P12: a foreign program resets the card while a session relies on its state."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

from bench.chaos.figure import Figure, at_least, at_most
from bench.chaos.stage import SHORT, Stage

TITLE = "A foreign PC/SC program resets the card under a session"

_ROUNDS = 3 if SHORT else 25
_BARE = "bare pyscard"
_NEVER_S = 5.0
# Longer than cardd keeps others out (half a second), so that the reset gets in between two APDUs.
_PAUSE_S = 0.7


@dataclass(frozen=True, slots=True)
class _Outcome:
    wrong: int
    told: float
    back_s: float


def rows() -> Iterator[Figure]:
    """Every round builds PIN and selection state, lets it be reset, and reads on."""
    with Stage(cards=False) as stage:
        stage.insert(0, stage.card(pins={"pin1": {"enabled": True}}))
        ours, bare = (_load(stage, door) for door in ("cardea", "pyscard"))
    yield at_most(
        0, f"answers on a lost state, {_ROUNDS} resets", ours.wrong, "answers", _BARE, bare.wrong
    )
    yield at_least(100, "losses that the session was told of", ours.told, "%", _BARE, bare.told)
    yield at_most(2.0, "a new session works, worst", ours.back_s, "s", _BARE, bare.back_s)


def _load(stage: Stage, door: str) -> _Outcome:
    moments = random.Random(12)  # noqa: S311  the same moments in every run
    resetter = stage.program("resetter", "pyscard")
    resetter.hear()
    program = stage.program("stateful", door, str(_PAUSE_S))
    program.hear()
    wrong, told, back_s = 0, 0, 0.0
    for _ in range(_ROUNDS):
        program.tell()
        program.hear()
        time.sleep(moments.uniform(0, _PAUSE_S))
        resetter.ask("go")
        _, lost_state, ended, again_s = program.hear()
        wrong += lost_state
        told += bool(ended)
        back_s = max(back_s, _NEVER_S if again_s is None else again_s)
    program.end()
    resetter.end()
    return _Outcome(wrong, 100 * told / _ROUNDS, back_s)
