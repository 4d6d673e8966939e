"""What the store keeps beside the tree."""

from __future__ import annotations

from dataclasses import dataclass

from cardea_core import Layer

from cardd.tree import AclClaim, ManagementTree

__all__ = ["StoredTree"]


@dataclass(frozen=True, slots=True)
class StoredTree:
    """The tree as it was last committed; revision 0: never."""

    layers: tuple[Layer, ...]
    acls: tuple[AclClaim, ...]
    revision: int

    def tree(self) -> ManagementTree:
        return ManagementTree(self.layers, self.acls)
