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

from bench.chaos.figure import Figure, at_most
from bench.chaos.stage import SHORT, Stage

TITLE = "Idle: memory, wake-ups, start, watchers"

_WATCHERS = 1000
_WATCH_S = 4.0 if SHORT else 30.0
_STARTS = 3 if SHORT else 7
# Until gRPC's threads have nothing left to do.
_SETTLE_S = 4.0 if SHORT else 20.0
_BARE = "an empty grpc.aio server"
_METHOD = "/cardea.v1.ReaderService/WatchReaders"
_GRPC_THREADS = ("grpc_global", "event_engine", "lifeguard")
_IMPORTS = "import grpc, smartcard.scard"
_LIMITS = f"[limits]\nwatches_per_user = {2 * _WATCHERS}\nunpaced_per_user = {2 * _WATCHERS}\n"


def rows() -> Iterator[Figure]:
    """Read from /proc; the daemon has a reader with an identified card in it."""
    with Stage(settings=_LIMITS) as stage:
        stage.wait_ready()
        stage.client.close()
        bare_socket = stage.daemon.folder / "bare.sock"
        bare = stage.program("empty_server", "pyscard", str(bare_socket))
        bare.hear()
        yield from _start()
        time.sleep(_SETTLE_S)
        idle_mb, bare_mb = _rss_mb(stage.daemon.pid), _rss_mb(bare.pid)
        yield at_most(80, "resident memory", idle_mb, "MB", _BARE, bare_mb)
        before = [_wake_ups(pid) for pid in (stage.daemon.pid, bare.pid)]
        time.sleep(_WATCH_S)
        after = [_wake_ups(pid) for pid in (stage.daemon.pid, bare.pid)]
        rates = [
            [(b - a) / _WATCH_S for a, b in zip(first, then, strict=True)]
            for first, then in zip(before, after, strict=True)
        ]
        (ours, ours_own), (others, others_own) = rates
        yield at_most(
            1, "wake-ups a second, all but grpc's own", ours_own, "1/s", _BARE, others_own
        )
        yield at_most(1, "wake-ups a second, all threads", ours, "1/s", _BARE, others)
        more_mb = _watched_mb(stage.daemon.socket, _METHOD, stage.daemon.pid) - idle_mb
        bare_more_mb = _watched_mb(bare_socket, "/Empty/Watch", bare.pid) - bare_mb
        name = f"{_WATCHERS} watchers, memory on top"
        yield at_most(60, name, more_mb, "MB", _BARE, bare_more_mb)


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


def _watched_mb(socket: Path, method: str, pid: int) -> float:
    """Memory of the server while each of the watchers has had its first message."""
    options = [("grpc.default_authority", "cardd")]
    with grpc.insecure_channel(f"unix:{socket}", options=options) as channel:
        watch: grpc.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(method)
        watches = [watch(b"") for _ in range(_WATCHERS)]
        for each in watches:
            next(each)
        taken_mb = _rss_mb(pid)
        for each in watches:
            each.cancel()
    return taken_mb


def _rss_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _wake_ups(pid: int) -> tuple[int, int]:
    """How often its threads were put on a processor after having waited: all, without grpc's."""
    everything = own = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        for line in (task / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                count = int(line.split()[1])
                everything += count
                if not (task / "comm").read_text().startswith(_GRPC_THREADS):
                    own += count
    return everything, own
