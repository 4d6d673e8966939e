"""All that a source states at once, as a new version of its layer: what is the same is shared."""

from __future__ import annotations

from collections.abc import Iterable

from cardea_core import Layer, canonical_path
from omadm.nodes import TreeNode

from cardd.tree.sources import Source

__all__ = ["restated"]


def restated(old: Layer | None, source: Source, nodes: Iterable[TreeNode], at_ms: int) -> Layer:
    """The layer that claims these nodes and no others. A claim that is as before keeps its time;
    if all of them are, it is the old layer. Raises TreeError."""
    stated = Layer(*source)
    for node in nodes:
        path = canonical_path(node.path)
        at = at_ms if old is None else _time_if_same(old, path, node, at_ms)
        stated.put(path, node.value, format=node.format, mime=node.mime, at_ms=at)
    if old is None:
        return stated
    changes = old.diff(stated)
    layer = old.copy() if changes else old
    for path, _, after in changes:
        if after is None:
            layer.remove(path)
        else:
            layer.put(path, after.value, format=after.format, mime=after.mime, at_ms=after.at_ms)
    return layer


def _time_if_same(old: Layer, path: str, node: TreeNode, at_ms: int) -> int:
    entry = old.get(path)
    if entry is None or entry.absent:
        return at_ms
    before = (entry.value, entry.format, entry.mime)
    return entry.at_ms if before == (node.value, node.format, node.mime) else at_ms
