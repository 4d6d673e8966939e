"""Properties that nodes have beside their values: Title and VerNo (DM TND 1.2 §7.7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cardea_core import Node

from cardd.tree.claims import ClaimTable, strength
from cardd.tree.sources import Source

__all__ = ["MAX_TITLE_BYTES", "TitleClaim", "Titles", "Versions"]

# §7.7.5
MAX_TITLE_BYTES = 255
_VERSIONS = 1 << 16


@dataclass(frozen=True, slots=True)
class TitleClaim:
    """The title that one source gives a node; "" takes away that of a weaker source."""

    path: str
    source: Source
    title: str
    at_ms: int


class Titles(ClaimTable[TitleClaim]):
    """Title claims by path."""

    def value(self, path: str) -> str:
        """The title in force; "" for none."""
        claim = max(self.at(path), key=strength, default=None)
        return "" if claim is None else claim.title


class Versions:
    """How often each node has changed since it came into being, modulo 2^16 (§7.7.8).

    A copy shares the counts until one of the two changes.
    """

    def __init__(self, counts: Mapping[str, int] = MappingProxyType({})) -> None:
        self._counts = dict(counts)
        self._shared = False

    def copy(self) -> Versions:
        twin = Versions()
        twin._counts = self._counts
        twin._shared = self._shared = True
        return twin

    @property
    def counts(self) -> Mapping[str, int]:
        """Nodes that have changed; all others are at 0."""
        return MappingProxyType(self._counts)

    def of(self, path: str) -> int:
        return self._counts.get(path, 0)

    def take(self, path: str, before: Node | None, after: Node | None) -> None:
        """Count a node that has become another value; one that is new, or gone, begins anew."""
        if before is None or after is None:
            if path in self._counts:
                del self._own()[path]
        elif _content(before) != _content(after):
            self.count(path)

    def count(self, path: str) -> None:
        """One change of a node: of its value, its name, or what else it says of itself."""
        self.put(path, self.of(path) + 1)

    def put(self, path: str, count: int) -> None:
        self._own()[path] = count % _VERSIONS

    def _own(self) -> dict[str, int]:
        if self._shared:
            self._counts = dict(self._counts)
            self._shared = False
        return self._counts


def _content(node: Node) -> tuple[bytes | None, str, str]:
    return node.value, node.format, node.mime
