"""What the store keeps beside the tree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from cardea_core import Layer

from cardd.tree import AclClaim, ManagementTree, Source, TitleClaim

__all__ = ["Cause", "Origin", "Retention", "Revision", "StoredTree"]

Cause = Literal["start", "provisioning", "session", "local", "rollback"]


@dataclass(frozen=True, slots=True)
class StoredTree:
    """The tree as it was last committed; revision 0: never."""

    layers: tuple[Layer, ...]
    acls: tuple[AclClaim, ...]
    revision: int
    titles: tuple[TitleClaim, ...] = ()
    versions: Mapping[str, int] = field(default_factory=dict)
    digests: Mapping[Source, bytes] = field(default_factory=dict)

    def tree(self) -> ManagementTree:
        return ManagementTree(self.layers, self.acls, self.titles, self.versions, self.digests)

    @classmethod
    def of(cls, tree: ManagementTree, revision: int) -> StoredTree:
        """A tree as it is to be stored."""
        return cls(
            tree.layers(),
            tree.acls(),
            revision,
            tree.titles(),
            dict(tree.versions()),
            dict(tree.digests()),
        )

    def by_source(self) -> Mapping[Source, Layer]:
        return {Source(layer.kind, layer.id): layer for layer in self.layers}


@dataclass(frozen=True, slots=True)
class Origin:
    """Why a commit was made, and by whom.

    ``actor``: "cards/{card}" that was provisioned from, "servers/{server_id}" that a session was
    held with, "users/{uid}" of a local caller; "" for the daemon's own start. ``run``:
    "provisionings/{id}" or "". ``restored``: the revision that a rollback went back to.
    """

    cause: Cause
    actor: str = ""
    run: str = ""
    restored: int | None = None


@dataclass(frozen=True, slots=True)
class Revision:
    """One commit. ``claims_changed`` counts claims, ACLs and titles of every source.

    ``at_ms`` is 0 where history begins: at the empty tree, or with a store of an older version.
    """

    number: int
    at_ms: int
    origin: Origin
    claims_changed: int


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of an authority on the tree, with its result (S2, S9); later ones have greater
    ids. ``session`` is the DM session, or the call of a local program; ``status`` that of DM."""

    id: int
    authority: str
    session: str
    at_ms: int
    verb: str
    path: str
    status: int
    trust: str


@dataclass(frozen=True, slots=True)
class Retention:
    """How much history is kept, of each kind: so many, and none older but the last."""

    count: int = 200
    days: int = 365

    def oldest_ms(self, now_ms: int) -> int:
        return now_ms - self.days * 86_400_000
