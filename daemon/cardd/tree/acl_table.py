"""Who gives which node which ACL, and which of these values counts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from itertools import chain

from cardd.tree.acl import INHERIT, ROOT_DEFAULT, Acl, Verb, root_without
from cardd.tree.claims import ClaimTable, strength
from cardd.tree.sources import ROOT, Source, is_program, is_program_name

__all__ = ["AclClaim", "AclTable"]


@dataclass(frozen=True, slots=True)
class AclClaim:
    """The ACL that one source gives a node. A value that is empty says: inherit."""

    path: str
    source: Source
    acl: Acl
    at_ms: int


class AclTable(ClaimTable[AclClaim]):
    """ACL claims by path."""

    # Of which claims it was last asked whether they name programs, and the answer.
    _asked: tuple[AclClaim, ...] | None = None
    _programs = False

    def value(self, path: str, is_on_a_card: Callable[[str], bool]) -> Acl:
        """The node's own ACL value; falsy when it inherits."""
        acl = INHERIT
        for claim in self.counting(path, is_on_a_card):
            acl = claim.acl
        return acl or (ROOT_DEFAULT if path == ROOT else INHERIT)

    def counting(self, path: str, is_on_a_card: Callable[[str], bool]) -> Iterator[AclClaim]:
        """The claims that count, each overriding the one before.

        The card's stands over the device's, a local program's over the device's too but never on
        a node that a card claims, a server's over all of them. A program's or server's claim that
        is older than what it would override counts only if that lets it replace: so nobody takes a
        node over by claiming its place before the card is inserted.
        """
        claims = self.at(path)
        stated = [c for c in claims if c.acl and c.source.kind != "server"]
        base = max((c for c in stated if not is_program(c.source)), key=strength, default=None)
        if base is not None:
            yield base
        acl = base.acl if base is not None else INHERIT
        programs = [claim for claim in claims if is_program(claim.source)]
        if programs and is_on_a_card(path):
            programs = []
        servers = [claim for claim in claims if claim.source.kind == "server"]
        for claim in (*_by_time(programs), *_by_time(servers)):
            if (
                base is None
                or claim.at_ms > base.at_ms
                or acl.allows(Verb.REPLACE, claim.source.id)
            ):
                acl = claim.acl
                yield claim

    def names_programs(self) -> bool:
        """Whether any value gives a local program anything."""
        claims = self.ordered()
        if self._asked is not claims:
            grants = (names for claim in claims for _, names in claim.acl.grants)
            self._programs = any(is_program_name(name) for names in grants for name in names)
            self._asked = claims
        return self._programs

    def purge(self, identifier: str, paths: Collection[str] | None = None) -> set[str]:
        """Take an identifier out of the values of some nodes, or of all (DM TND 1.2 §7.7.1.4).

        Returns where it was in one.
        """
        changed = set()
        chosen = self if paths is None else chain.from_iterable(map(self.at, paths))
        for claim in list(chosen):
            cut = root_without if claim.path == ROOT else Acl.without
            acl = cut(claim.acl, identifier)
            if acl != claim.acl:
                self.put(replace(claim, acl=acl))
                changed.add(claim.path)
        return changed


def _by_time(claims: list[AclClaim]) -> list[AclClaim]:
    return sorted(claims, key=lambda claim: (claim.at_ms, claim.source.id))
