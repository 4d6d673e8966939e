"""Sources of claims, and paths as the tree writes them."""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = [
    "DEVICE",
    "PROGRAM_PREFIX",
    "ROOT",
    "Source",
    "SourceKind",
    "is_program",
    "is_program_name",
    "parent_of",
    "parents_of",
    "precedence",
    "source_of",
]

ROOT = "."
# What the identifiers of local programs begin with: no server and no card bears such a name.
PROGRAM_PREFIX = "local:"

SourceKind = Literal["device", "card", "server"]


class Source(NamedTuple):
    """Who claims: ("device", "local"), ("card", ICCID), ("server", ServerID).

    A local program is of the device's side: ("device", "local:uid-1000").
    """

    kind: SourceKind
    id: str


def precedence(source: Source) -> int:
    """Server over card over device (S1)."""
    return _RANK[source.kind]


DEVICE = Source("device", "local")


def source_of(identifier: str) -> Source:
    """Whose claims an authority makes, by its identifier in ACLs."""
    return Source("device" if is_program_name(identifier) else "server", identifier)


def is_program_name(identifier: str) -> bool:
    """Whether ACLs call a local program so."""
    return identifier.startswith(PROGRAM_PREFIX)


def is_program(source: Source) -> bool:
    """Whether a local program claims, and not the device itself."""
    return source.kind == "device" and is_program_name(source.id)


def parent_of(path: str) -> str:
    """``./A/B`` → ``./A``; the root is its own parent."""
    return path.rpartition("/")[0] or ROOT


def parents_of(path: str) -> list[str]:
    """The nodes above from the top down, without the root."""
    names = path.split("/")[1:-1]
    return ["/".join((ROOT, *names[:count])) for count in range(1, len(names) + 1)]


_RANK: dict[SourceKind, int] = {"device": 0, "card": 1, "server": 2}
