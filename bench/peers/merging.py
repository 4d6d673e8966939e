"""One contender of F3 in a process of its own: ``python -m bench.peers.merging NAME FOLDER``.

Takes in the claims in the folder (see ``trees``), merges them, and says on a line of JSON what
that took: microseconds a leaf to take in, the peak of memory above what the claims took as they
were read, and a digest of the values in force. Then each line that it reads is the name of a task,
"merge" or another that the contender has, and it answers with the microseconds that the task took.
"""

from __future__ import annotations

import gc
import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.measure import Stopwatch
from bench.peers import trees

_CHANGED = 1000
_CLAIM_BYTES = 32
_NODE_BYTES = 16
"""What a claim takes in a layer, and a node in the merged tree, beside long names and values."""

Tree = dict[str, Any]
Task = Callable[[], float]


@dataclass(frozen=True)
class Entrant:
    """A contender that has taken in the claims."""

    ingest_us: float
    tasks: dict[str, Task]
    """Each does its work once over and says how many microseconds it took; "merge" is one."""
    in_force: Callable[[], Iterable[tuple[str, bytes]]]
    """Paths and values of the last merge."""
    others: dict[str, float]


def main() -> None:
    name, folder = sys.argv[1], Path(sys.argv[2])
    sources = trees.read(folder)
    gc.disable()
    before = _memory("VmRSS")
    entrant = _CONTENDERS[name](sources)
    entrant.tasks["merge"]()
    facts = {
        "ingest_us": entrant.ingest_us / sum(len(source.paths) for source in sources),
        "peak_bytes": _memory("VmHWM") - before,
        "digest": digest(entrant.in_force()),
    }
    print(json.dumps(facts | entrant.others), flush=True)
    for line in sys.stdin:
        print(entrant.tasks[line.strip()](), flush=True)


def digest(values: Iterable[tuple[str, bytes]]) -> str:
    """One text for paths and values in any order."""
    lines = sorted(path.encode() + b" " + value for path, value in values)
    return hashlib.sha256(b"\n".join(lines)).hexdigest()


def _memory(what: str) -> int:
    """Bytes that this process has (VmRSS), or had at its peak (VmHWM)."""
    with open("/proc/self/status", encoding="ascii") as file:
        line = next(line for line in file if line.startswith(what))
    return int(line.split()[1]) * 1024


# -- Cardea


def _cardea(sources: list[trees.Claims]) -> Entrant:
    from cardea_core import Acls, Layer, Snapshot, merge

    acls = Acls()
    for path, value in trees.acls(sources).items():
        acls.set(path, value)
    value_bytes = sum(len(value) for source in sources for value in source.values)
    before = _memory("VmRSS")
    layers = [Layer(source.kind, source.kind) for source in sources]  # type: ignore[arg-type]
    with Stopwatch() as ingest:
        for layer, source in zip(layers, sources, strict=True):
            layer.load(source.paths, source.values, at_ms=trees.AT_MS)
    tree = merge(layers, acls=acls)
    claims = sum(len(layer) for layer in layers)
    held = (_memory("VmRSS") - before - value_bytes) / (claims + len(tree))
    at_ms = trees.AT_MS

    def merge_all(threads: int = 0) -> float:
        with Stopwatch() as watch:
            merged: Snapshot = merge(layers, acls=acls, threads=threads)
        nonlocal tree
        tree = merged
        return watch.elapsed_us

    def merge_again(paths: list[str]) -> float:
        nonlocal at_ms, tree
        at_ms += 1
        since = merge(layers, acls=acls)
        layers[2] = layers[2].copy()
        for path in paths:
            layers[2].put(path, b"changed %d" % at_ms, at_ms=at_ms)
        layers[2] = layers[2].copy()
        with Stopwatch() as watch:
            newer = merge(layers, acls=acls, since=since)
        tree = newer
        _expect(len(since.diff(tree)) >= len(paths), "changes are missing")
        _expect(merge(layers, acls=acls).diff(tree) == [], "going on and merging anew disagree")
        return watch.elapsed_us

    def stream() -> float:
        # None of the memory is new: what the kernel takes to give it is no limit.
        read = bytearray(b"c") * (claims * _CLAIM_BYTES)
        nodes = bytearray(b"n") * (len(tree) * _NODE_BYTES)
        with Stopwatch() as watch:
            nodes[:] = memoryview(read)[: len(nodes)]
            # The quickest reading there is here: nothing is found.
            read.find(b"n", len(nodes))
        return watch.elapsed_us

    def copies(paths: list[str]) -> Task:
        ways = {path.rsplit("/", up)[0] for path in paths for up in range(1, path.count("/") + 1)}
        nodes = sum(len(tree.children(way) or ()) for way in ways) * _NODE_BYTES

        def copy() -> float:
            # Of the nodes as they were, which lie where nobody has been lately.
            source, target = bytearray(b"n") * nodes, bytearray(b"n") * nodes
            stream()
            with Stopwatch() as watch:
                target[:] = source
            return watch.elapsed_us

        return copy

    scattered = trees.scattered(sources[2], _CHANGED)
    together = trees.together(sources[2], _CHANGED)
    return Entrant(
        ingest.elapsed_us,
        {
            "merge": merge_all,
            "alone": lambda: merge_all(threads=1),
            "scattered": lambda: merge_again(scattered),
            "together": lambda: merge_again(together),
            "stream": stream,
            "scattered copies": copies(scattered),
            "together copies": copies(together),
        },
        lambda: ((n.path, n.value) for n in tree.nodes() if n.value is not None),
        {"bytes_a_node": held},
    )


# -- nested dictionaries


def _nested(source: trees.Claims, leaf: Callable[[bytes], Any]) -> Tree:
    root: Tree = {}
    for path, value in zip(source.paths, source.values, strict=True):
        here = root
        *way, name = path.split("/")[1:]
        for step in way:
            here = here.setdefault(step, {})
        here[name] = leaf(value)
    return root


def _leaves(tree: Tree, path: str = ".") -> Iterator[tuple[str, bytes]]:
    for name, below in tree.items():
        if isinstance(below, dict):
            yield from _leaves(below, f"{path}/{name}")
        else:
            yield f"{path}/{name}", below


def _over_dicts(merge: Callable[[Tree, list[Tree]], Tree]) -> Callable[..., Entrant]:
    def entrant(sources: list[trees.Claims]) -> Entrant:
        with Stopwatch() as ingest:
            nested = [_nested(source, bytes) for source in sources]
        merged: Tree = {}

        # The first is merged into: it is copied, as a snapshot must leave its sources alone.
        def merge_all() -> float:
            with Stopwatch() as watch:
                new = merge(deepcopy(nested[0]), nested[1:])
            nonlocal merged
            merged = new
            return watch.elapsed_us

        return Entrant(ingest.elapsed_us, {"merge": merge_all}, lambda: _leaves(merged), {})

    return entrant


def _with_deepmerge(base: Tree, others: list[Tree]) -> Tree:
    from deepmerge import always_merger

    for other in others:
        base = always_merger.merge(base, other)
    return base


def _with_mergedeep(base: Tree, others: list[Tree]) -> Tree:
    from mergedeep import merge

    merged: Tree = dict(merge(base, *others))
    return merged


# -- dictionaries that say who won, who lost and which ACL is in force


def _with_provenance(sources: list[trees.Claims]) -> Entrant:
    acls = trees.acls(sources)
    with Stopwatch() as ingest:
        nested = [_nested(source, lambda value: (value, trees.AT_MS)) for source in sources]
    strongest_first = [(source.kind, tree) for source, tree in zip(sources, nested, strict=True)]
    strongest_first.reverse()
    merged: Tree = {}

    def merge_all() -> float:
        with Stopwatch() as watch:
            new = _lay(strongest_first, ".", "", acls)
        nonlocal merged
        merged = new
        return watch.elapsed_us

    return Entrant(ingest.elapsed_us, {"merge": merge_all}, lambda: _values(merged, "."), {})


def _lay(claims: list[tuple[str, Tree]], path: str, acl: str, acls: dict[str, str]) -> Tree:
    """Of each name: winner, its claim, the losers, the ACL in force, the children."""
    merged: Tree = {}
    for name in dict.fromkeys(name for _, tree in claims for name in tree):
        of_name = [(kind, tree[name]) for kind, tree in claims if name in tree]
        where = f"{path}/{name}"
        in_force = acls.get(where, acl)
        (winner, claim), losers = of_name[0], of_name[1:]
        below = [(kind, tree) for kind, tree in of_name if isinstance(tree, dict)]
        children = _lay(below, where, in_force, acls) if isinstance(claim, dict) else None
        merged[name] = (winner, claim, losers, in_force, children)
    return merged


def _values(merged: Tree, path: str) -> Iterator[tuple[str, bytes]]:
    for name, (_, claim, _, _, children) in merged.items():
        if children is None:
            yield f"{path}/{name}", claim[0]
        else:
            yield from _values(children, f"{path}/{name}")


def _expect(holds: bool, what: str) -> None:
    if not holds:
        raise AssertionError(what)


_CONTENDERS: dict[str, Callable[[list[trees.Claims]], Entrant]] = {
    "cardea": _cardea,
    "deepmerge": _over_dicts(_with_deepmerge),
    "mergedeep": _over_dicts(_with_mergedeep),
    "dicts": _with_provenance,
}

if __name__ == "__main__":
    main()
