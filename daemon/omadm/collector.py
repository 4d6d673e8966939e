"""Collects the nodes of a mapped document; unknown parms and characteristics keep their names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from omadm.clientprov import Characteristic, Parm
from omadm.nodes import TreeNode, interior, leaf

__all__ = ["Collector"]


@dataclass(slots=True)
class Collector:
    """Collects nodes; a parent is made when its first child comes."""

    found: dict[str, TreeNode] = field(default_factory=dict)
    # By the path that was taken: how many have wanted it.
    _wanted: dict[str, int] = field(default_factory=dict)

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
        left_out = frozenset(skip)
        by_type: dict[str, list[Characteristic]] = {}
        for inner in part.characteristics:
            if inner.type not in left_out:
                by_type.setdefault(inner.type, []).append(inner)
        for type, several in by_type.items():
            # A parm may have the same name.
            kind = self._place(path, type)
            for number, inner in enumerate(several, 1):
                place = f"{kind}/{number}"
                self.object(place)
                self.parms(f"{place}/Parm", inner.parms)
                self.nested(place, inner, skip=())

    def rest(self, path: str, part: Characteristic, known: Iterable[str]) -> None:
        """Parms without a standard node are kept below Ext, under their own name."""
        names = frozenset(known)
        self.parms(f"{path}/Ext", (parm for parm in part.parms if parm.name not in names))

    def parms(self, path: str, parms: Iterable[Parm]) -> None:
        for parm in parms:
            place = self._place(path, parm.name)
            if parm.value is None:
                self.leaf(place, "true", "bool")
            else:
                self.leaf(place, parm.value)

    def _place(self, parent: str, name: str) -> str:
        """Where nothing stands yet: below the parent under that name, or with a number behind."""
        place = wanted = f"{parent}/{_segment(name)}"
        while place in self.found:
            self._wanted[wanted] = self._wanted.get(wanted, 1) + 1
            place = f"{wanted}-{self._wanted[wanted]}"
        return place


_IN_NO_NAME = re.compile("[\x00-\x1f\x7f-\x9f/?]")
_NAME_BYTES = 64


def _segment(name: str) -> str:
    """A name as a path segment: "." and ".." are none, and some characters stand in none."""
    safe = _IN_NO_NAME.sub("_", name).strip(".") or "_"
    return safe.encode()[:_NAME_BYTES].decode(errors="ignore")
