"""P4: pcscd killed, the reader unplugged, the card pulled at every APDU: again and again."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import cardea

from bench.chaos.apdus import SCRIPT
from bench.chaos.figure import Figure, at_most
from bench.chaos.stage import SHORT, Program, Stage

TITLE = "pcscd killed, reader unplugged, card pulled at every APDU"

_CYCLES = (
    {"pulled": 8, "killed": 2, "unplugged": 2}
    if SHORT
    else {
        "pulled": 704,
        "killed": 200,
        "unplugged": 96,
    }
)
_BARE_CYCLES = (
    {"pulled": 4, "killed": 1, "unplugged": 1}
    if SHORT
    else {
        "pulled": 32,
        "killed": 5,
        "unplugged": 5,
    }
)
_GIVE_UP_S = 3.0
_PROFILES = ("operator", "second-operator")
_WHAT = {"pulled": "card pulled", "killed": "pcscd killed", "unplugged": "reader unplugged"}


@dataclass
class _Tally:
    """What came of the cycles through one transport."""

    worst_s: dict[str, float] = field(default_factory=lambda: dict.fromkeys(_WHAT, 0.0))
    cycles: int = 0
    wrong: int = 0
    not_back: int = 0


def rows() -> Iterator[Figure]:
    """Two cards take turns, so that whoever mistakes one for the other is found out."""
    ours = _all("cardea", _CYCLES)
    bare = _all("pyscard", _BARE_CYCLES)
    name = f"bare pyscard, its context kept, {bare.cycles} cycles"
    for kind, what in _WHAT.items():
        yield at_most(
            2.0,
            f"{what}: right answers again, worst of {_CYCLES[kind]}",
            ours.worst_s[kind],
            "s",
            name,
            bare.worst_s[kind],
        )
    yield at_most(
        0,
        f"not back within {_GIVE_UP_S:g} s, of {ours.cycles}",
        ours.not_back,
        "cycles",
        name,
        bare.not_back,
    )
    yield at_most(
        0,
        f"answers of another card, wrong states, gaps in the watch, of {ours.cycles}",
        ours.wrong,
        "times",
        name,
        bare.wrong,
    )


def _all(transport: str, cycles: dict[str, int]) -> _Tally:
    tally = _Tally()
    chance = random.Random(4)  # noqa: S311  the same moments in every run
    kinds = [kind for kind, count in cycles.items() for _ in range(count)]
    chance.shuffle(kinds)
    with Stage(cards=False) as stage:
        faults = _FaultCycles(stage, transport, tally, chance)
        for kind in kinds:
            faults.cycle(kind)
        faults.finish()
    return tally


class _FaultCycles:
    """One program that uses the card, and what befalls it."""

    def __init__(self, stage: Stage, transport: str, tally: _Tally, chance: random.Random) -> None:
        self._stage = stage
        self._transport = transport
        self._tally = tally
        self._chance = chance
        self._pulls = 0
        self._profile = _PROFILES[0]
        self._insert()
        stage.wait_ready()
        self._program = self._start()
        self._watch = _Watch(stage) if transport == "cardea" else None

    def cycle(self, kind: str) -> None:
        """Something breaks in the midst of a transaction; then its cause is taken away."""
        self._tally.cycles += 1
        befall = {"pulled": self._pull, "killed": self._kill, "unplugged": self._unplug}
        self._tally.wrong += befall[kind]()
        if kind != "killed":
            self._profile = _PROFILES[self._tally.cycles % 2]
            self._insert()
        began = time.monotonic()
        back_at = self._program.ask(f"until {self._iccid}")
        if back_at is None:
            self._tally.not_back += 1
            back_at = began + _GIVE_UP_S
            self._program.end()
            self._program = self._start()
        self._tally.worst_s[kind] = max(self._tally.worst_s[kind], back_at - began)
        if self._transport == "cardea":
            self._tally.wrong += self._shown() != self._card.profile.serial

    def finish(self) -> None:
        if self._watch is not None:
            self._tally.wrong += self._watch.gaps
            self._watch.close()
        self._program.end()

    def _pull(self) -> int:
        """At every APDU of the script in turn, before it and after it."""
        index, after = divmod(self._pulls, 2)
        self._pulls += 1
        arm = self._card.faults.pull_after if after else self._card.faults.pull_before
        arm(index % len(SCRIPT) + 1)
        outcome = self._program.ask(f"run {self._iccid}")
        self._stage.readers.remove(0)
        return int(outcome[0])

    def _kill(self) -> int:
        self._program.tell(f"run {self._iccid}")
        time.sleep(self._chance.uniform(0, 0.05))
        self._stage.readers.kill_pcscd()
        outcome = self._program.hear()
        self._stage.readers.restart_pcscd()
        return int(outcome[0])

    def _unplug(self) -> int:
        self._program.tell(f"run {self._iccid}")
        time.sleep(self._chance.uniform(0, 0.05))
        self._stage.readers.unplug(0)
        outcome = self._program.hear()
        self._stage.readers.plug(0)
        self._stage.readers.restart_pcscd()
        return int(outcome[0])

    def _insert(self) -> None:
        self._card = self._stage.insert(0, self._stage.card(self._profile))
        self._iccid = self._card.read_file("3F00/2FE2").hex()

    def _start(self) -> Program:
        program = self._stage.program("script", self._transport, str(_GIVE_UP_S))
        program.hear()
        return program

    def _shown(self) -> str:
        """The card that cardd names, once it says that there is one."""
        return self._stage.client.card().name.removeprefix("cards/")


class _Watch:
    """Follows cardd's story of the readers and counts what is missing from it."""

    def __init__(self, stage: Stage) -> None:
        self.gaps = 0
        self._client = stage.daemon.client()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._client.close()
        self._thread.join(5.0)

    def _follow(self) -> None:
        last = None
        try:
            for event in self._client.watch_readers():
                if last is not None:
                    self.gaps += event.sequence != last + 1
                last = event.sequence
        except (cardea.CardeaError, ValueError):
            return  # the watch was closed
