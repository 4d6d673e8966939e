"""One contender of F3 in a process of its own: ``python -m bench.peers.merging NAME LEAVES``.

Prints one line of JSON: microseconds a leaf to take the claims in, a node to merge them, to merge
1,000 changed leaves again, the peak of memory, and a digest of the values in force.
"""

from __future__ import annotations

import gc
import hashlib
import json
import resource
import statistics
import sys
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from typing import Any

from bench.measure import Stopwatch
from bench.peers import trees

_CHANGED = 1000
_ROUNDS = 5

Tree = dict[str, Any]


def main() -> None:
    name, leaves = sys.argv[1], int(sys.argv[2])
    sources = trees.claims(leaves)
    gc.disable()
    result = _CONTENDERS[name](sources)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({**result, "peak_bytes": peak}))


def digest(values: Iterable[tuple[str, bytes]]) -> str:
    """One text for paths and values in any order."""
    lines = sorted(path.encode() + b" " + value for path, value in values)
    return hashlib.sha256(b"\n".join(lines)).hexdigest()


def nodes_of(sources: list[trees.Claims]) -> int:
    """How many nodes the sources claim: leaves, and their parents in each source."""
    return sum(_nodes_of(source.paths) for source in sources)


def _nodes_of(paths: list[str]) -> int:
    count, before = 0, [""]
    for path in paths:
        names = path.split("/")
        same = next(i for i, name in enumerate(names) if i >= len(before) or name != before[i])
        count += len(names) - max(same, 1)
        before = names
    return count


def _rss() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


# -- Cardea


def _cardea(sources: list[trees.Claims]) -> dict[str, Any]:
    from cardea_core import Acls, Layer, Snapshot, merge

    acls = Acls()
    for path, value in trees.acls(sources).items():
        acls.set(path, value)
    leaves = sum(len(source.paths) for source in sources)
    value_bytes = sum(len(value) for source in sources for value in source.values)
    before = _rss()
    layers = [Layer(source.kind, source.kind) for source in sources]  # type: ignore[arg-type]
    with Stopwatch() as ingest:
        for layer, source in zip(layers, sources, strict=True):
            layer.load(source.paths, source.values, at_ms=trees.AT_MS)
    tree = merge(layers, acls=acls)
    nodes = sum(len(layer) for layer in layers)
    held = (_rss() - before - value_bytes) / (nodes + len(tree))
    full = []
    for _ in range(_ROUNDS):
        with Stopwatch() as watch:
            tree = merge(layers, acls=acls)
        full.append(watch.elapsed_us)
    in_force = digest((n.path, n.value) for n in tree.nodes() if n.value is not None)
    again, since = [], tree
    for number in range(_ROUNDS):
        layers[2] = layers[2].copy()
        for path in trees.changed(sources[2], _CHANGED):
            layers[2].put(path, b"changed %d" % number, at_ms=trees.AT_MS + number + 1)
        layers[2] = layers[2].copy()
        with Stopwatch() as watch:
            newer = merge(layers, acls=acls, since=since)
        again.append(watch.elapsed_us)
        _expect(len(since.diff(newer)) >= _CHANGED, "changes are missing")
        since = newer
    anew: Snapshot = merge(layers, acls=acls)
    _expect(anew.diff(since) == [], "going on and merging anew disagree")
    return {
        "ingest_us": ingest.elapsed_us / leaves,
        "merge_us": statistics.median(full) / nodes,
        "again_us": statistics.median(again),
        "full_us": statistics.median(full),
        "bytes_a_node": held,
        "digest": in_force,
    }


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


def _over_dicts(merge: Callable[[Tree, list[Tree]], Tree]) -> Callable[..., dict[str, Any]]:
    def run(sources: list[trees.Claims]) -> dict[str, Any]:
        with Stopwatch() as ingest:
            nested = [_nested(source, bytes) for source in sources]
        leaves = sum(len(source.paths) for source in sources)
        # The first is merged into: it is copied, as a snapshot must leave its sources alone.
        with Stopwatch() as watch:
            merged = merge(deepcopy(nested[0]), nested[1:])
        return {
            "ingest_us": ingest.elapsed_us / leaves,
            "merge_us": watch.elapsed_us / nodes_of(sources),
            "digest": digest(_leaves(merged)),
        }

    return run


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


def _with_provenance(sources: list[trees.Claims]) -> dict[str, Any]:
    acls = trees.acls(sources)
    with Stopwatch() as ingest:
        nested = [_nested(source, lambda value: (value, trees.AT_MS)) for source in sources]
    leaves = sum(len(source.paths) for source in sources)
    strongest_first = [(source.kind, tree) for source, tree in zip(sources, nested, strict=True)]
    strongest_first.reverse()
    with Stopwatch() as watch:
        merged = _lay(strongest_first, ".", "", acls)
    return {
        "ingest_us": ingest.elapsed_us / leaves,
        "merge_us": watch.elapsed_us / nodes_of(sources),
        "digest": digest(_values(merged, ".")),
    }


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


_CONTENDERS: dict[str, Callable[[list[trees.Claims]], dict[str, Any]]] = {
    "cardea": _cardea,
    "deepmerge": _over_dicts(_with_deepmerge),
    "mergedeep": _over_dicts(_with_mergedeep),
    "dicts": _with_provenance,
}

if __name__ == "__main__":
    main()
