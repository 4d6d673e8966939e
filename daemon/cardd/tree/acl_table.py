"""Who gives which node which ACL, and which of these values counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from cardd.tree.acl import INHERIT, ROOT_DEFAULT, Acl, Verb, root_without
from cardd.tree.sources import ROOT, Source, precedence

__all__ = ["AclClaim", "AclTable"]


@dataclass(frozen=True, slots=True)
class AclClaim:
    """The ACL that one source gives a node. A value that is empty says: inherit."""

    path: str
    source: Source
    acl: Acl
    at_ms: int


class AclTable:
    """ACL claims by path. A copy shares them until one of the two changes."""

    def __init__(self, claims: Iterable[AclClaim] = ()) -> None:
        self._claims: dict[str, tuple[AclClaim, ...]] = {}
        self._shared = False
        for claim in claims:
            self.put(claim)

    def copy(self) -> AclTable:
        twin = AclTable()
        twin._claims = self._claims
        twin._shared = self._shared = True
        return twin

    def __iter__(self) -> Iterator[AclClaim]:
        for claims in self._claims.values():
            yield from claims

    def has(self, path: str) -> bool:
        """Whether any source gives the node an ACL, even an empty one."""
        return path in self._claims

    def value(self, path: str) -> Acl:
        """The node's own ACL value; falsy when it inherits.

        The card's claim stands over the device's, a server's over both. A server's claim that is
        older than theirs counts only if the value before it lets that server replace it: so nobody
        takes a node over by claiming its place before the card is inserted.
        """
        claims = self._claims.get(path, ())
        given = [claim for claim in claims if claim.source.kind != "server" and claim.acl]
        base = max(given, key=_strength, default=None)
        acl = base.acl if base is not None else INHERIT
        for claim in sorted(claims, key=lambda claim: (claim.at_ms, claim.source.id)):
            if claim.source.kind == "server" and (
                base is None
                or claim.at_ms > base.at_ms
                or acl.allows(Verb.REPLACE, claim.source.id)
            ):
                acl = claim.acl
        return acl or (ROOT_DEFAULT if path == ROOT else INHERIT)

    def put(self, claim: AclClaim) -> None:
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

    def purge(self, server_id: str) -> None:
        """Take a server identifier out of every value (DM TND 1.2 §7.7.1.2)."""
        for claim in list(self):
            cut = root_without if claim.path == ROOT else Acl.without
            acl = cut(claim.acl, server_id)
            if acl != claim.acl:
                self.put(replace(claim, acl=acl))

    def _others(self, path: str, source: Source) -> tuple[AclClaim, ...]:
        return tuple(c for c in self._claims.get(path, ()) if c.source != source)

    def _write(self, path: str, claims: tuple[AclClaim, ...]) -> None:
        if self._shared:
            self._claims = dict(self._claims)
            self._shared = False
        if claims:
            self._claims[path] = claims
        else:
            self._claims.pop(path, None)


def _strength(claim: AclClaim) -> tuple[int, int, str]:
    return precedence(claim.source), claim.at_ms, claim.source.id
