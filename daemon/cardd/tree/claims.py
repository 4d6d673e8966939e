"""What sources state of nodes beside their values, by path and source."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, Protocol, Self, TypeVar

from cardd.tree.sources import ROOT, Source, precedence

__all__ = ["ClaimTable", "strength"]


class _Claim(Protocol):
    @property
    def path(self) -> str: ...
    @property
    def source(self) -> Source: ...
    @property
    def at_ms(self) -> int: ...


C = TypeVar("C", bound=_Claim)


class ClaimTable(Generic[C]):
    """At most one claim of a source for each node. A copy shares them until one of the two
    changes."""

    def __init__(self, claims: Iterable[C] = ()) -> None:
        self._claims: dict[str, tuple[C, ...]] = {}
        self._shared = False
        for claim in claims:
            self.put(claim)

    def copy(self) -> Self:
        twin = type(self)()
        twin._claims = self._claims
        twin._shared = self._shared = True
        return twin

    def __iter__(self) -> Iterator[C]:
        for claims in self._claims.values():
            yield from claims

    def at(self, path: str) -> tuple[C, ...]:
        """The claims on one node, one a source, in no order."""
        return self._claims.get(path, ())

    def has(self, path: str) -> bool:
        """Whether any source states something of the node, even an empty value."""
        return path in self._claims

    def ordered(self) -> tuple[C, ...]:
        """All claims, in the order of paths and sources."""
        return tuple(sorted(self, key=lambda claim: (claim.path, claim.source)))

    def put(self, claim: C) -> None:
        """State a claim; it replaces what its source said of the node before."""
        self._write(claim.path, (*self._others(claim.path, claim.source), claim))

    def forget(self, source: Source, path: str = ROOT) -> bool:
        """Withdraw a source's claims at and below a path; False: there were none."""
        below = path + "/"
        gone = [
            claim.path
            for claim in self
            if claim.source == source
            and (path in (ROOT, claim.path) or claim.path.startswith(below))
        ]
        for where in gone:
            self._write(where, self._others(where, source))
        return bool(gone)

    def take_over(self, other: ClaimTable[C], whose: Callable[[Source], bool]) -> None:
        """Let some sources claim what they claim in another table."""
        kept = [claim for claim in self if not whose(claim.source)]
        taken = [claim for claim in other if whose(claim.source)]
        self._claims, self._shared = {}, False
        for claim in (*kept, *taken):
            self.put(claim)

    def _others(self, path: str, source: Source) -> tuple[C, ...]:
        return tuple(c for c in self._claims.get(path, ()) if c.source != source)

    def _write(self, path: str, claims: tuple[C, ...]) -> None:
        if self._shared:
            self._claims = dict(self._claims)
            self._shared = False
        if claims:
            self._claims[path] = claims
        else:
            self._claims.pop(path, None)


def strength(claim: _Claim) -> tuple[int, int, str]:
    """Server over card over device, then the later claim."""
    return precedence(claim.source), claim.at_ms, claim.source.id
