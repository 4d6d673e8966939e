"""Who gives which node which ACL, and which of these values is the node's own.

What is in force where follows from that by inheritance, and is the merge's matter.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Self

from cardea_core import Acls

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

    def __init__(self, claims: Iterable[AclClaim] = ()) -> None:
        # Every node's own value but the root's, as it was last merged; of the open ones it may be
        # another by now.
        self._values = Acls()
        self._open: set[str] = set()
        # What that was where programs state one: there it depends on what cards claim, too.
        self._of_programs: dict[str, str] = {}
        super().__init__(claims)

    def copy(self) -> Self:
        twin = super().copy()
        twin._values = self._values.copy()
        twin._open = set(self._open)
        twin._of_programs = dict(self._of_programs)
        return twin

    @property
    def changed(self) -> bool:
        """Whether claims have changed since the values were last merged."""
        return bool(self._open)

    def values(self, is_on_a_card: Callable[[str], bool]) -> Acls:
        """Every node's own value, for a merge."""
        for path in (self._open | self._of_programs.keys()) - {ROOT}:
            value = str(self.value(path, is_on_a_card))
            if path in self._open or self._of_programs[path] != value:
                self._values.set(path, value)
            if any(is_program(claim.source) for claim in self.at(path)):
                self._of_programs[path] = value
            else:
                self._of_programs.pop(path, None)
        self._open.clear()
        return self._values

    def has_room_for(self, acl: Acl, limit: int) -> bool:
        """Whether there would be no more than so many different values."""
        if len(self._claims) < limit:
            return True
        different = {claim.acl for claim in self}
        return acl in different or len(different) < limit

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

    def _write(self, path: str, claims: tuple[AclClaim, ...]) -> None:
        self._open.add(path)
        super()._write(path, claims)


def _by_time(claims: list[AclClaim]) -> list[AclClaim]:
    return sorted(claims, key=lambda claim: (claim.at_ms, claim.source.id))
