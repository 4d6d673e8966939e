"""P3: a reader whose card has stopped answering, its neighbour, and the callers' deadlines."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from cardea.v1 import readers_pb2

from bench.chaos.apdus import READ_ICCID
from bench.chaos.figure import Figure, at_most
from bench.chaos.percentile import p99_ms
from bench.chaos.stage import SHORT, Program, Stage

TITLE = "A reader hangs; its callers and its neighbour do not"

_WATCH_S = 2.0 if SHORT else 10.0
_GIVE_UP_S = 10.0 if SHORT else 15.0
# What a busy machine may take to wake whoever is due.
_SLACK_MS = 150.0
_CALLS = ("deadline 1", "deadline 2", "wait 1", "wait 2", "session 1", "session 2")


def rows() -> Iterator[Figure]:
    """Reader A hangs, reader B is asked; the same through pyscard on the next two readers."""
    with Stage(4) as stage:
        for index in range(4):
            stage.wait_ready(index)
        neighbours = [
            stage.program("session", "cardea", "0", index=1),
            stage.program("session", "pyscard", "0", index=3),
        ]
        for program in neighbours:
            program.hear()
        healthy = _p99(neighbours)
        bare = stage.program("hang", "pyscard", index=2)
        bare.hear()
        late = [stage.program("deadline", "cardea", READ_ICCID.hex()) for _ in _CALLS]
        holder = stage.program("deadline", "cardea", READ_ICCID.hex())
        for program in (*late, holder):
            program.hear()
        for index in (0, 2):
            stage.present(index).faults.mute()
        bare.tell()
        holder.tell("wait 30")
        hung_at = time.monotonic()
        while not stage.holder(0):
            time.sleep(0.005)
        for program, call in zip(late, _CALLS, strict=True):
            program.tell(call)
        with ThreadPoolExecutor(1) as pool:
            aside = pool.submit(_set_aside_s, stage, hung_at)
            beside = _p99(neighbours)
            set_aside_s = aside.result()
        over_s = max(
            program.hear()[0] - float(call.split()[1])
            for program, call in zip(late, _CALLS, strict=True)
        )
        told_s, reason = holder.hear()
        bare_s = bare.heard(max(0.0, hung_at + _GIVE_UP_S - time.monotonic()))
        # Only the card's leaving ends the hang, also for pcscd itself.
        stage.readers.remove(0)
        stage.insert(0, stage.card())
        back_at = time.monotonic()
        stage.wait_ready(0)
        back_s = time.monotonic() - back_at
        stage.readers.remove(2)
    never = "" if bare_s is not None else f" (gave up after {_GIVE_UP_S:g} s)"
    against = _GIVE_UP_S if bare_s is None else bare_s
    yield at_most(
        10, "hung reader is set aside after", set_aside_s, "s", f"bare pyscard{never}", against
    )
    yield at_most(10, f"its caller is told ({reason})", told_s, "s", f"pyscard{never}", against)
    yield at_most(
        _SLACK_MS,
        f"calls beyond their limits of 1 s and 2 s, worst of {len(_CALLS)}",
        1000 * over_s,
        "ms",
        "",
        None,
    )
    yield at_most(
        2 * healthy[0],
        f"p99 of an APDU on another reader ({healthy[0]:.1f} ms before)",
        beside[0],
        "ms",
        f"bare pyscard ({healthy[1]:.1f} ms before)",
        beside[1],
    )
    yield at_most(2, "service back after a new card is in", back_s, "s", "", None)


def _set_aside_s(stage: Stage, since: float) -> float:
    """How long it took, or how long it was waited for."""
    while time.monotonic() < since + _GIVE_UP_S:
        if stage.state(0) == readers_pb2.READER_STATE_UNAVAILABLE:
            break
        time.sleep(0.01)
    return time.monotonic() - since


def _p99(programs: list[Program]) -> list[float]:
    """Of each program's calls during the next while."""
    for program in programs:
        program.ask("drop")
    time.sleep(_WATCH_S)
    return [p99_ms(program.ask("say")) for program in programs]
