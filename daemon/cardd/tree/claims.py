"""What sources state of nodes beside their values, by path and source."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
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
        # In the order of paths and sources; None: to be made.
        self._ordered: tuple[C, ...] | None = ()
        # When each source last stated something; what it withdrew counts on.
        self._latest_ms: dict[Source, int] = {}
        self._shared = False
        for claim in claims:
            self._ordered = None
            self.put(claim)

    def copy(self) -> Self:
        twin = type(self)()
        twin._claims = self._claims
        twin._ordered = self._ordered
        twin._latest_ms = dict(self._latest_ms)
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

    def latest_ms(self, path: str) -> int:
        """When something was last stated of the node; -1: never."""
        return max((claim.at_ms for claim in self.at(path)), default=-1)

    def ordered(self) -> tuple[C, ...]:
        """All claims, in the order of paths and sources; the same object if none has changed."""
        if self._ordered is None:
            self._ordered = tuple(sorted(self, key=_place))
        return self._ordered

    def latest_ms_of_others(self, source: Source) -> int:
        """When any other source last stated something; -1: never."""
        return max((at for other, at in self._latest_ms.items() if other != source), default=-1)

    def put(self, claim: C) -> None:
        """State a claim; it replaces what its source said of the node before."""
        self._write(claim.path, (*self._others(claim.path, claim.source), claim))

    def forget(self, source: Source, path: str = ROOT) -> bool:
        """Withdraw a source's claims at and below a path; False: there were none."""
        gone = [claim.path for claim in self._at_and_below(path) if claim.source == source]
        for where in gone:
            self._write(where, self._others(where, source))
        return bool(gone)

    def take_over(self, other: ClaimTable[C], whose: Callable[[Source], bool]) -> None:
        """Let some sources claim what they claim in another table."""
        if self._claims is other._claims:
            return
        for path in self._claims.keys() | other._claims.keys():
            mine, theirs = self.at(path), other.at(path)
            if mine is not theirs:
                kept = (claim for claim in mine if not whose(claim.source))
                taken = (claim for claim in theirs if whose(claim.source))
                self._write(path, (*kept, *taken))

    def _at_and_below(self, path: str) -> tuple[C, ...]:
        claims = self.ordered()
        if path == ROOT:
            return claims
        # "0" is the character after "/".
        first, end = (bisect_left(claims, path + after, key=_path) for after in "/0")
        return (*self.at(path), *claims[first:end])

    def _others(self, path: str, source: Source) -> tuple[C, ...]:
        return tuple(c for c in self._claims.get(path, ()) if c.source != source)

    def _write(self, path: str, claims: tuple[C, ...]) -> None:
        if self._shared:
            self._claims = dict(self._claims)
            self._shared = False
        if self._ordered is not None:
            old = self._ordered
            first, end = (side(old, path, key=_path) for side in (bisect_left, bisect_right))
            self._ordered = (*old[:first], *sorted(claims, key=_place), *old[end:])
        for claim in claims:
            known = self._latest_ms.get(claim.source, -1)
            self._latest_ms[claim.source] = max(known, claim.at_ms)
        if claims:
            self._claims[path] = claims
        else:
            self._claims.pop(path, None)


def strength(claim: _Claim) -> tuple[int, int, str]:
    """Server over card over device, then the later claim."""
    return precedence(claim.source), claim.at_ms, claim.source.id


def _path(claim: _Claim) -> str:
    return claim.path


def _place(claim: _Claim) -> tuple[str, Source]:
    return claim.path, claim.source
