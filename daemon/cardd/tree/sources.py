"""Sources of claims, and paths as the tree writes them."""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["ROOT", "Source", "SourceKind", "parent_of", "parents_of", "precedence"]

ROOT = "."

SourceKind = Literal["device", "card", "server"]


class Source(NamedTuple):
    """Who claims: ("device", "local"), ("card", ICCID), ("server", ServerID)."""

    kind: SourceKind
    id: str


def precedence(source: Source) -> int:
    """Server over card over device (S1)."""
    return _RANK[source.kind]


def parent_of(path: str) -> str:
    """``./A/B`` → ``./A``; the root is its own parent."""
    return path.rpartition("/")[0] or ROOT


def parents_of(path: str) -> list[str]:
    """The nodes above from the top down, without the root."""
    names = path.split("/")[1:-1]
    return ["/".join((ROOT, *names[:count])) for count in range(1, len(names) + 1)]


_RANK: dict[SourceKind, int] = {"device": 0, "card": 1, "server": 2}
