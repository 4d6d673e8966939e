"""P12: a foreign program resets the card while a session relies on its state."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

from bench.chaos.figure import Figure, at_least, at_most
from bench.chaos.stage import SHORT, Stage

TITLE = "A foreign PC/SC program resets the card under a session"

_ROUNDS = 2 if SHORT else 15
_STATES = ("pin", "selection")
_BARE = "bare pyscard"
_NEVER_S = 5.0
# Longer than cardd keeps others out (half a second), so that the reset gets in between two APDUs.
_PAUSE_S = 0.7


@dataclass
class _Tally:
    """`inside` counts the resets that came while a session had a state to lose."""

    wrong: int = 0
    inside: int = 0
    told: int = 0
    back_s: float = 0.0

    @property
    def told_percent(self) -> float:
        return 100 * self.told / self.inside if self.inside else 100.0


def rows() -> Iterator[Figure]:
    """Every round builds up a state, lets it be reset, and reads on."""
    ours, bare = _Tally(), _Tally()
    with Stage(len(_STATES), cards=False) as stage:
        for index, state in enumerate(_STATES):
            stage.insert(index, stage.card(pins={"pin1": {"enabled": state == "pin"}}))
            for transport, tally in (("cardea", ours), ("pyscard", bare)):
                _resets(stage, transport, index, state, tally)
    resets = _ROUNDS * len(_STATES)
    yield at_most(
        0, f"answers on a lost state, {resets} resets", ours.wrong, "answers", _BARE, bare.wrong
    )
    yield at_least(
        100,
        f"told of its loss, of {ours.inside} sessions that a reset came into",
        ours.told_percent,
        "%",
        _BARE,
        bare.told_percent,
    )
    # While a PIN is verified, cardd lets no other program in.
    yield at_least(
        1, "sessions that a reset came into", ours.inside, "sessions", _BARE, bare.inside
    )
    yield at_most(2.0, "a new session works, worst", ours.back_s, "s", _BARE, bare.back_s)


def _resets(stage: Stage, transport: str, index: int, state: str, tally: _Tally) -> None:
    moments = random.Random(12)  # noqa: S311  the same moments in every run
    resetter = stage.program("resetter", "pyscard", index=index)
    resetter.hear()
    program = stage.program("stateful", transport, str(_PAUSE_S), state, index=index)
    program.hear()
    for _ in range(_ROUNDS):
        program.tell()
        program.hear()
        time.sleep(moments.uniform(0, _PAUSE_S))
        reset_at = resetter.ask("go")
        wrong, ended, ended_at, again_s = program.hear()
        tally.wrong += wrong
        tally.inside += reset_at < ended_at
        tally.told += bool(ended) and reset_at < ended_at
        tally.back_s = max(tally.back_s, _NEVER_S if again_s is None else again_s)
    program.end()
    resetter.end()
