"""Trees of one source, from paths and values."""

from __future__ import annotations

from collections.abc import Mapping

from cardd.tree import ManagementTree
from cardea_core import Snapshot
from omadm.nodes import leaf

__all__ = ["snapshot"]


def snapshot(values: Mapping[str, str | bytes]) -> Snapshot:
    tree = ManagementTree()
    tree.adopt("device", "local", [leaf(path, value) for path, value in values.items()], 1)
    return tree.snapshot
