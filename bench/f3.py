"""F3: the management tree of three sources, merged by Cardea and by what one would take instead."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.peers import merging, trees
from bench.report import Row

TITLE = "three sources merged, with winner, losers and ACL of each node"

_SIZES = (100_000, 1_000_000)
_ROUNDS = 5
_PEERS = Path(__file__).parent / "peers"
_PROGRAM = Path(__file__).parents[1] / ".build" / "bench" / "over_libyang"
_LIMIT_US = 0.4
_LIMIT_BYTES = 64
_CHANGES = {"together": "together", "scattered": "all over the tree"}


def rows() -> Iterator[Row]:
    """The values in force are compared before any figure is given."""
    compile_ = ["cc", "-O2", "-o", str(_PROGRAM), str(_PEERS / "over_libyang.c"), "-lyang"]
    subprocess.run(compile_, check=True)
    for leaves in _SIZES:
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            trees.write(Path(folder), trees.claims(leaves))
            yield from _rows(leaves, Path(folder), stack)


def _rows(leaves: int, folder: Path, stack: ExitStack) -> Iterator[Row]:
    size = f"{leaves // 1000}k leaves"
    promised = leaves == max(_SIZES)
    names = {
        "libyang": (f"libyang {_libyang_version()} (C), records none", 40 if promised else 1),
        "dicts": ("Python dicts with provenance and ACL", 100 if promised else 1),
        "deepmerge": (f"deepmerge {version('deepmerge')}, records none", 1),
        "mergedeep": (f"mergedeep {version('mergedeep')}, records none", 1),
    }
    # All of them stay, so that they can take turns.
    ours = stack.enter_context(_Contender("cardea", folder))
    others = {name: stack.enter_context(_Contender(name, folder)) for name in names}
    for name, other in others.items():
        if other.facts["digest"] != ours.facts["digest"]:
            raise AssertionError(f"{name} disagrees on the values in force")
    for _ in range(_ROUNDS):
        for contender in (ours, *others.values()):
            # Once over first: no other's turn is to be felt in its caches.
            contender.told("merge")
            contender.does("merge")
        ours.told("alone")
        for task in ("alone", "stream"):
            ours.does(task)
        for change in _CHANGES:
            # As above: its code has not run since the last round.
            ours.told(change)
            ours.does(change)
            ours.does(f"{change} copies")
    full_ms, alone_ms = ours.median_ms("merge"), ours.median_ms("alone")
    for name, (against, least) in names.items():
        theirs = others[name].median_ms("merge")
        yield Row(f"merge {size}", full_ms, "ms", against, theirs, least)
        yield Row(f"merge {size}, on one thread as they do", alone_ms, "ms", against, theirs, 1)
    limit = "the claims read and the nodes written, nothing decided"
    yield Row(f"merge {size}, on one thread", alone_ms, "ms", limit, ours.median_ms("stream"), None)
    for task, where in _CHANGES.items():
        name, changed_ms = f"1,000 changed of {size}, {where}", ours.median_ms(task)
        yield Row(name, changed_ms, "ms", "merging all", full_ms, 200 if promised else 1)
        limit = "they and those beside them and above copied, nothing decided"
        yield Row(name, changed_ms, "ms", limit, ours.median_ms(f"{task} copies"), None)
    ingest_us = ours.facts["ingest_us"]
    yield Row(f"take in a leaf, {size}", ingest_us, "us", "what was promised", _LIMIT_US, 1)
    for name, (against, _) in names.items():
        theirs = others[name].facts["ingest_us"]
        yield Row(f"take in a leaf, {size}", ingest_us, "us", against, theirs, 1)
    yield Row(
        f"memory a node beside values, {size}",
        ours.facts["bytes_a_node"], "B", "what was promised", _LIMIT_BYTES, 1,
    )  # fmt: skip
    for name, (against, _) in names.items():
        mine, theirs = ours.facts["peak_bytes"] / 1e6, others[name].facts["peak_bytes"] / 1e6
        yield Row(f"peak of memory, {size}", mine, "MB", against, theirs, 1)


class _Contender:
    """A process that has taken in the claims and does what it is told."""

    def __init__(self, name: str, folder: Path) -> None:
        command = [sys.executable, "-m", "bench.peers.merging", name, str(folder)]
        if name == "libyang":
            command = [str(_PROGRAM), str(_PEERS), *(str(folder / kind) for kind in trees.KINDS)]
        self._samples: dict[str, list[float]] = {}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.facts = self._facts()

    def __enter__(self) -> _Contender:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:
            self._process.kill()

    def does(self, task: str) -> None:
        self._samples.setdefault(task, []).append(self.told(task))

    def told(self, task: str) -> float:
        """Let it do a task: the microseconds it took."""
        assert self._process.stdin
        self._process.stdin.write(task + "\n")
        self._process.stdin.flush()
        return float(self._line())

    def median_ms(self, task: str) -> float:
        return statistics.median(self._samples[task]) / 1000

    def _facts(self) -> dict[str, Any]:
        """A Python contender tells a digest, the C program the values themselves, a line each."""
        values = []
        while not (line := self._line()).startswith("{"):
            path, _, value = line.partition(" ")
            values.append((path, value.encode()))
        facts: dict[str, Any] = json.loads(line)
        return {"digest": merging.digest(values), **facts}

    def _line(self) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError(f"{self._process.args!r} ended with {self._process.wait()}")
        return line.rstrip("\n")


def _libyang_version() -> str:
    asked = subprocess.run(
        ["pkg-config", "--modversion", "libyang"], check=True, stdout=subprocess.PIPE, text=True
    )
    return asked.stdout.strip()
