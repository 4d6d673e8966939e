"""F4: one APDU on an open Session, beside pyscard and an empty bidi message on the same server.

The other half of the promise, a cached read against an empty unary call, has no cache to measure.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from bench.chaos.figure import Figure, at_most
from bench.chaos.stage import SHORT, Stage

TITLE = "One APDU on an open Session"

_ROUNDS = 10 if SHORT else 60
_CALLS = 50


def rows() -> Iterator[Figure]:
    """A card that answers at once: all that is measured is the way to it."""
    with Stage(2, card_ms=0) as stage:
        stage.wait_ready(0)
        stage.wait_ready(1)
        other = stage.readers.reader_names[1]
        program = stage.program("beside", "cardea", other, str(_ROUNDS), str(_CALLS))
        taken = program.hear()
    ours, bare, empty = (1e6 * median(taken[name]) for name in ("session", "pyscard", "empty"))
    yield at_most(
        bare + 2 * empty,
        f"one APDU, p50 (an empty message takes {empty:.0f} us, and twice that plus pyscard's "
        "is promised)",
        ours,
        "us",
        "pyscard",
        bare,
    )
