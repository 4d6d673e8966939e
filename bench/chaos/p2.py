"""P2: a holder that ends, is killed, is stopped, or goes idle; when and how the next finds it."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

from bench.chaos.figure import Figure, at_most
from bench.chaos.stage import SHORT, Program, Stage, leftovers

TITLE = "A lease holder ends, is killed, stopped, or idle"

_IDLE_S = 1.0 if SHORT else 5.0
_ROUNDS = 1 if SHORT else 5
# How long the next client is waited for.
_LATE_S = 3.0
_TRANSPORTS = ("cardea", "pyscard")
_HOW = ("ended", "killed", "stopped", "idle")


def rows() -> Iterator[Figure]:
    """Worst of all rounds; the card is looked into before the next client's first command."""
    found = dict.fromkeys(_TRANSPORTS, 0)
    settings = f"[sharing]\nidle_limit_s = {_IDLE_S}\n"
    with Stage(len(_TRANSPORTS), settings=settings, cards=False) as stage:
        for how in _HOW:
            worst = dict.fromkeys(_TRANSPORTS, 0.0)
            for _ in range(_ROUNDS):
                for transport, (late_s, left) in _round(stage, how).items():
                    worst[transport] = max(worst[transport], late_s)
                    found[transport] += bool(left)
            never = f" (gave up after {_LATE_S:g} s)" if worst["pyscard"] == _LATE_S else ""
            yield at_most(
                1.0,
                f"holder {how}: card free after the lease's end, worst of {_ROUNDS}",
                worst["cardea"],
                "s",
                f"bare pyscard{never}",
                worst["pyscard"],
            )
    yield at_most(
        0,
        f"next client found PIN or selection, of {_ROUNDS * len(_HOW)}",
        found["cardea"],
        "times",
        "bare pyscard",
        found["pyscard"],
    )


def _round(stage: Stage, how: str) -> dict[str, tuple[float, tuple[str, ...]]]:
    """For each transport, on a reader of its own: seconds from the lease's end to the next one, and
    what was left on the card then."""
    cases = []
    for index, transport in enumerate(_TRANSPORTS):
        stage.readers.remove(index)
        card = stage.insert(index, stage.card(pins={"pin1": {"enabled": True}}))
        stage.wait_ready(index)
        follower = stage.program("follower", transport, index=index)
        holder = stage.program("holder", transport, how, index=index)
        follower.hear()
        holder.tell()
        held_at = holder.hear()
        if leftovers(card) != ("PIN", "selection"):
            raise AssertionError("the holder has left no traces to be found")
        follower.tell()
        cases.append((transport, card, holder, follower, held_at))
    time.sleep(0.2)
    ended = {transport: _end(how, holder, held_at) for transport, _, holder, _, held_at in cases}
    outcome = {}
    for transport, card, holder, follower, _ in cases:
        limit_s = ended[transport] + _LATE_S - time.monotonic()
        granted_at = follower.heard(max(0.0, limit_s))
        late_s = _LATE_S if granted_at is None else granted_at - ended[transport]
        outcome[transport] = (late_s, () if granted_at is None else leftovers(card))
        for program in (holder, follower):
            program.end()
    return outcome


def _end(how: str, holder: Program, held_at: float) -> float:
    """Let it happen; when the lease ends by that. On bare pyscard nothing ends an idle hold."""
    now = time.monotonic()
    if how == "ended":
        holder.tell()
        return now
    if how == "killed":
        holder.send(signal.SIGKILL)
        return now
    if how == "stopped":
        holder.send(signal.SIGSTOP)
    return held_at + _IDLE_S
