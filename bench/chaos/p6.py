"""P6: PIN and key attempts of automation, with faults at every step."""

from __future__ import annotations

from collections.abc import Iterator

from support.attempts import FLOOR, Tally, careful, naive, run

from bench.chaos.figure import Figure, at_least, at_most
from bench.chaos.stage import SHORT

TITLE = "Attempts of automation at PINs and keys, faults at every step"

_RUNS = 5_000 if SHORT else 100_000
_BARE = "a program that just presents"


def rows() -> Iterator[Figure]:
    """The same lives of a card, once with the daemon's care and once without."""
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
