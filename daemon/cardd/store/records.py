"""What the store keeps beside the tree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cardea_core import Layer

from cardd.tree import AclClaim, ManagementTree, TitleClaim

__all__ = ["StoredTree"]


@dataclass(frozen=True, slots=True)
class StoredTree:
    """The tree as it was last committed; revision 0: never."""

    layers: tuple[Layer, ...]
    acls: tuple[AclClaim, ...]
    revision: int
    titles: tuple[TitleClaim, ...] = ()
    versions: Mapping[str, int] = field(default_factory=dict)

    def tree(self) -> ManagementTree:
        return ManagementTree(self.layers, self.acls, self.titles, self.versions)
