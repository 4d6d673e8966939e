"""Collects the nodes of a mapped document; unknown parms and characteristics keep their names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from omadm.clientprov import Characteristic, Parm
from omadm.nodes import TreeNode, interior, leaf

__all__ = ["Collector"]


@dataclass(slots=True)
class Collector:
    """Collects nodes; a parent is made when its first child comes."""

    found: dict[str, TreeNode] = field(default_factory=dict)

    def object(self, path: str, mime: str = "") -> None:
        parent = path.rpartition("/")[0]
        if parent not in ("", ".") and parent not in self.found:
            self.object(parent)
        self.found.setdefault(path, interior(path, mime=mime))

    def leaf(self, path: str, value: str | bytes | None, format: str | None = None) -> None:
        if value is None:
            return
        self.object(path.rpartition("/")[0])
        self.found[path] = leaf(path, value, format=format)

    def nodes(self) -> tuple[TreeNode, ...]:
        return tuple(self.found.values())

    def as_written(self, path: str, part: Characteristic) -> None:
        self.object(path)
        self.leaf(f"{path}/Type", part.type)
        self.parms(f"{path}/Parm", part.parms)
        self.nested(path, part, skip=set())

    def nested(self, path: str, part: Characteristic, *, skip: Iterable[str]) -> None:
        counts: dict[str, int] = {}
        left_out = frozenset(skip)
        for inner in part.characteristics:
            if inner.type in left_out:
                continue
            counts[inner.type] = counts.get(inner.type, 0) + 1
            place = f"{path}/{_segment(inner.type)}/{counts[inner.type]}"
            self.object(place)
            self.parms(f"{place}/Parm", inner.parms)
            self.nested(place, inner, skip=())

    def rest(self, path: str, part: Characteristic, known: Iterable[str]) -> None:
        """Parms without a standard node are kept below Ext, under their own name."""
        names = frozenset(known)
        self.parms(f"{path}/Ext", (parm for parm in part.parms if parm.name not in names))

    def parms(self, path: str, parms: Iterable[Parm]) -> None:
        counts: dict[str, int] = {}
        for parm in parms:
            counts[parm.name] = counts.get(parm.name, 0) + 1
            suffix = "" if counts[parm.name] == 1 else f"-{counts[parm.name]}"
            name = _segment(parm.name + suffix)
            if parm.value is None:
                self.leaf(f"{path}/{name}", "true", "bool")
            else:
                self.leaf(f"{path}/{name}", parm.value)


def _segment(name: str) -> str:
    """A name as a path segment: "/" is not one, neither are "." and ".."."""
    safe = name.replace("/", "_").strip(".") or "_"
    return safe[:64]
