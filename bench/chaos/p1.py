"""P1: clients that never pause share one card."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import mean, median

from bench.chaos.figure import Figure, at_least, at_most
from bench.chaos.stage import SHORT, Stage

TITLE = "Four clients that never pause share one card"

_CLIENTS = 4
_SECONDS = 1.5 if SHORT else 10.0
_BARE = "bare pyscard"
_TRANSPORTS = ("cardea", "pyscard")


@dataclass(frozen=True, slots=True)
class _Load:
    """What the clients of one run got: their transactions, as [asked, granted, done]."""

    clients: list[list[tuple[float, float, float]]]

    @property
    def total(self) -> int:
        return sum(len(done) for done in self.clients)

    @property
    def per_second(self) -> float:
        """Between the first request and the last answer."""
        first = min(done[0][0] for done in self.clients if done)
        last = max(done[-1][2] for done in self.clients if done)
        return self.total / (last - first)

    @property
    def least_share(self) -> float:
        return 100 * min(len(done) for done in self.clients) / self.total

    @property
    def worst_wait_ms(self) -> float:
        waits = [granted - asked for done in self.clients for asked, granted, _ in done]
        return 1000 * max(waits)

    @property
    def slice_ms(self) -> float:
        """One transaction, from the request to the end."""
        return 1000 * median(end - asked for done in self.clients for asked, _, end in done)


def rows() -> Iterator[Figure]:
    """One client alone, four, and one again, through cardd and through pyscard by turns."""
    loads: dict[tuple[str, int], list[_Load]] = {}
    with Stage() as stage:
        for clients in (1, _CLIENTS, 1):
            for transport in _TRANSPORTS:
                loads.setdefault((transport, clients), []).append(_run(stage, transport, clients))
    ours, bare = loads["cardea", _CLIENTS][0], loads["pyscard", _CLIENTS][0]
    alone, bare_alone = (mean(load.per_second for load in loads[d, 1]) for d in _TRANSPORTS)
    slice_ms = mean(load.slice_ms for load in loads["cardea", 1])
    yield at_least(20, "smallest share of a client", ours.least_share, "%", _BARE, bare.least_share)
    yield at_least(
        95,
        "four clients together, of what one alone gets",
        100 * ours.per_second / alone,
        "%",
        _BARE,
        100 * bare.per_second / bare_alone,
    )
    yield at_most(
        _CLIENTS * slice_ms + 50,
        f"worst wait (a slice is {slice_ms:.0f} ms)",
        ours.worst_wait_ms,
        "ms",
        _BARE,
        bare.worst_wait_ms,
    )


def _run(stage: Stage, transport: str, clients: int) -> _Load:
    programs = [stage.program("transactions", transport, str(_SECONDS)) for _ in range(clients)]
    for program in programs:
        program.hear()
    for program in programs:
        program.tell()
    load = _Load([program.hear() for program in programs])
    for program in programs:
        program.end()
    return load
