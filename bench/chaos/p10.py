"""P10: a hostile local user with a thousand streams, and the calls of the others."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from bench.chaos.figure import Figure, at_most
from bench.chaos.percentile import p99_ms
from bench.chaos.stage import SHORT, Program, Stage

TITLE = "A hostile local user with 1,000 streams"

_STREAMS = 1000
_PROCESSES = 4
_CONNECTIONS = 40
# Twice this, and what lies between, is less than a lease may last.
_WATCH_S = 2.0 if SHORT else 10.0
_HOSTILE = 65534
# What every local user may have: nobody is asked for more to be hostile.
_SETTINGS = """
[[access.grant]]
everyone = true
rights = ["readers.list", "cards.get", "cards.read"]
"""
_CALLS = {
    "session": "an APDU on an open session",
    "list": "a list of the readers",
    "read": "a file read on the card",
}


def rows() -> Iterator[Figure]:
    """The same calls before and during the flood."""
    if os.geteuid() != 0:
        raise SystemExit("P10 needs a second user: run it as root")
    with Stage(2, settings=_SETTINGS) as stage:
        stage.wait_ready(0)
        stage.wait_ready(1)
        others = {
            "session": stage.program("session", "cardea", "0.001", index=1),
            "read": stage.program("calls", "cardea", "read", "0.001"),
            "list": stage.program("calls", "cardea", "list", "0.001"),
        }
        for program in others.values():
            program.hear()
        before = _p99(others)
        shares = [str(_HOSTILE), str(_STREAMS // _PROCESSES), str(_CONNECTIONS // _PROCESSES)]
        flood = [stage.program("hostile", "cardea", *shares) for _ in range(_PROCESSES)]
        for program in flood:
            program.hear()
        during = _p99(others)
        attempts = sum(program.ask("end") for program in flood)
    for name, what in _CALLS.items():
        yield at_most(
            2 * before[name],
            f"{what}: p99 during {attempts} attempts",
            during[name],
            "ms",
            "the same before",
            before[name],
        )


def _p99(programs: dict[str, Program]) -> dict[str, float]:
    for program in programs.values():
        program.ask("drop")
    time.sleep(_WATCH_S)
    return {name: p99_ms(program.ask("say")) for name, program in programs.items()}
