"""An earlier tree in force again: the claims of then, and no right that has been taken away since.

Whoever goes back wants settings back, not the rights of that day. So an authority may do what it
might do then and may do now; on what had gone and comes back, also what it grants there itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from cardd.tree.acl import Acl, Verb
from cardd.tree.acl_table import AclClaim
from cardd.tree.device import NOBODY
from cardd.tree.management_tree import ManagementTree
from cardd.tree.sources import DEVICE, Source

__all__ = ["restored"]

# An ACL without a value would be inherited.
_FOR_NOBODY = Acl(((Verb.GET, (NOBODY,)),))


def restored(present: ManagementTree, then: ManagementTree, at_ms: int) -> ManagementTree:
    """A copy of the present tree in which every source claims what it claimed then, but for the
    device: that is what its configuration says now."""
    tree = present.fork()
    tree.take_over(then, lambda source: source != DEVICE)
    with_rights_of_then = tree.fork()
    for path in sorted({claim.path for each in (tree, present) for claim in each.acls()}):
        wanted = _rights(with_rights_of_then, present, path)
        if wanted is not None:
            _state(tree, path, wanted, _who_may_say_it(with_rights_of_then, present, path), at_ms)
    return tree


def _rights(then: ManagementTree, present: ManagementTree, path: str) -> Acl | None:
    """The ACL that a node has to get; None: the one that it has does."""
    now = present.acl_if_there(path)
    if present.snapshot.get(path) is not None or present.has_acl_claims(path):
        was = then.acl_if_there(path)
        kept = was.meet(now)
    else:
        claim = _in_force(then, path)
        if claim is None or not claim.acl:
            return None
        was, kept = claim.acl, claim.acl.meet(now).join(_own(claim))
    return None if was.meet(kept) == was else kept or _FOR_NOBODY


def _own(claim: AclClaim) -> Acl:
    """What a source grants itself. A card grants nothing to itself: whom it lets manage its objects
    is a part of what it says of them, and comes back with them."""
    return claim.acl if claim.source.kind == "card" else claim.acl.of(claim.source.id)


def _in_force(tree: ManagementTree, path: str) -> AclClaim | None:
    claims = tree.acl_claims(path)
    return claims[-1] if claims else None


def _who_may_say_it(then: ManagementTree, present: ManagementTree, path: str) -> Iterator[Source]:
    """On whose behalf: who says it already, whose node it is, who took the right away since."""
    node = then.snapshot.get(path)
    for said in (_in_force(then, path), node, _in_force(present, path)):
        if isinstance(said, AclClaim):
            yield said.source
        elif said is not None and said.id:
            yield Source(said.kind, said.id)


def _state(
    tree: ManagementTree, path: str, acl: Acl, sources: Iterator[Source], at_ms: int
) -> None:
    latest = max((claim.at_ms for claim in tree.acl_claims(path)), default=-1)
    for source in sources:
        # What is said for the device goes when it next reads its configuration.
        if source != DEVICE and tree.acl(path) != acl:
            tree.set_acl(path, source, acl, max(at_ms, latest + 1))
