"""F4: a cached read beside an empty unary call; one APDU on an open Session beside pyscard and an
empty bidi message. All on one server."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Any

from bench.chaos.figure import Figure, at_most
from bench.chaos.stage import SHORT, Stage

TITLE = "A cached read; one APDU on an open Session"

_ROUNDS = 10 if SHORT else 60
_CALLS = 50


def rows() -> Iterator[Figure]:
    """A card that answers at once: all that is measured is the way to it."""
    with Stage(2, card_ms=0) as stage:
        stage.wait_ready(0)
        stage.wait_ready(1)
        before = stage.present().apdu_count
        taken = stage.program("reads", "cardea", str(_ROUNDS), str(_CALLS)).hear()
        read, empty = _p50_us(taken, "read"), _p50_us(taken, "empty")
        apdus = stage.present().apdu_count - before
        yield at_most(
            1.3 * empty,
            f"a cached read, p50 ({len(taken['read'])} reads took the card {apdus} APDUs)",
            read,
            "us",
            "an empty unary call",
            empty,
        )
        other = stage.readers.reader_names[1]
        taken = stage.program("beside", "cardea", other, str(_ROUNDS), str(_CALLS)).hear()
        ours, bare, empty = (_p50_us(taken, name) for name in ("session", "pyscard", "empty"))
        yield at_most(
            bare + 2 * empty,
            f"one APDU, p50 (an empty message takes {empty:.0f} us, and twice that plus pyscard's "
            "is promised)",
            ours,
            "us",
            "pyscard",
            bare,
        )


def _p50_us(taken: Any, name: str) -> float:
    return 1e6 * float(median(taken[name]))
