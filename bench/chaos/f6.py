"""F6: what the daemon costs while nobody uses it, and how soon it is ready."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import grpc
from cardea.v1 import readers_pb2, readers_pb2_grpc

from bench.chaos.figure import Figure, at_most
from bench.chaos.stage import SHORT, Stage

TITLE = "Idle: memory, wake-ups, start, watchers"

_WATCHERS = 1000
_WATCH_S = 4.0 if SHORT else 30.0
_STARTS = 3 if SHORT else 7
# Until the daemon has let the card go after identifying it.
_SETTLE_S = 4.0
_IMPORTS = "import grpc, smartcard.scard"
_LIMITS = f"[limits]\nstreams_per_user = {2 * _WATCHERS}\n"


def rows() -> Iterator[Figure]:
    """Read from /proc; the daemon has a reader with an identified card in it."""
    with Stage(settings=_LIMITS) as stage:
        stage.wait_ready()
        stage.client.close()
        bare = stage.program("monitor", "pyscard")
        bare.hear()
        time.sleep(_SETTLE_S)
        idle_mb = _rss_mb(stage.daemon.pid)
        yield at_most(
            80, "resident memory", idle_mb, "MB", "pyscard's card monitor", _rss_mb(bare.pid)
        )
        before = [_wake_ups(pid) for pid in (stage.daemon.pid, bare.pid)]
        time.sleep(_WATCH_S)
        after = [_wake_ups(pid) for pid in (stage.daemon.pid, bare.pid)]
        ours, others = ((b - a) / _WATCH_S for a, b in zip(before, after, strict=True))
        yield at_most(1, "wake-ups a second", ours, "1/s", "pyscard's card monitor", others)
        yield at_most(
            60,
            f"{_WATCHERS} watchers, memory on top",
            _with_watchers_mb(stage) - idle_mb,
            "MB",
            "",
            None,
        )
    yield from _start()


def _start() -> Iterator[Figure]:
    ready, imports = [], []
    with Stage() as stage:
        for _ in range(_STARTS):
            stage.daemon.stop()
            before = time.perf_counter()
            stage.daemon.start()
            ready.append(time.perf_counter() - before)
            before = time.perf_counter()
            subprocess.run([sys.executable, "-c", _IMPORTS], check=True)
            imports.append(time.perf_counter() - before)
    yield at_most(
        4 * median(imports),
        "from start to ready (promised: 4 times the imports)",
        median(ready),
        "s",
        "python -c 'import grpc, smartcard'",
        median(imports),
    )


def _with_watchers_mb(stage: Stage) -> float:
    with grpc.insecure_channel(f"unix:{stage.daemon.socket}") as channel:
        stub = readers_pb2_grpc.ReaderServiceStub(channel)
        watches = [stub.WatchReaders(readers_pb2.WatchReadersRequest()) for _ in range(_WATCHERS)]
        for watch in watches:
            next(watch)
        taken_mb = _rss_mb(stage.daemon.pid)
        for watch in watches:
            watch.cancel()
    return taken_mb


def _rss_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _wake_ups(pid: int) -> int:
    """How often any of its threads was put on a processor after having waited."""
    count = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        for line in (task / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                count += int(line.split()[1])
    return count
