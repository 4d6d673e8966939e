"""Delegation between authorities: what one has granted another through the ACLs (S2).

There is no list beside the ACLs: who granted what, and when, is told by the claims that made the
ACL what it is, so that a right and its record cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cardd.tree.acl import Verb
from cardd.tree.acl_table import AclClaim
from cardd.tree.device import NOBODY
from cardd.tree.management_tree import ManagementTree
from cardd.tree.sources import ROOT, Source

__all__ = ["Delegation", "delegations", "revoke"]


@dataclass(frozen=True, slots=True)
class Delegation:
    """Verbs on a node that an authority, card or device has granted somebody else; ``at_ms`` is
    when it last said so."""

    grantor: Source
    grantee: str
    path: str
    verbs: tuple[Verb, ...]
    at_ms: int


def delegations(
    tree: ManagementTree, *, grantor: str = "", grantee: str = ""
) -> Iterator[Delegation]:
    """Those in force, in the order of paths; by a grantor and to a grantee, where given."""
    for path in sorted({claim.path for claim in tree.acls()}):
        if tree.snapshot.get(path) is None:
            continue
        for (claim, holder), verbs in sorted(_granted(tree.acl_claims(path)), key=_order):
            if grantor in ("", claim.source.id) and grantee in ("", holder):
                yield Delegation(claim.source, holder, path, tuple(sorted(verbs)), claim.at_ms)


def revoke(
    tree: ManagementTree, grantee: str, *, grantor: str = "", path: str = ROOT
) -> tuple[Delegation, ...]:
    """Take an identifier out of the ACLs of the nodes at and below a path where it was granted.

    Out of every claim on such a node, for it may have restated its rights there itself. What it
    has granted on is told, and revoked, as its own. Returns what is revoked.
    """
    below = path + "/"
    gone = tuple(
        each
        for each in delegations(tree, grantor=grantor, grantee=grantee)
        if path in (ROOT, each.path) or each.path.startswith(below)
    )
    tree.purge(grantee, {each.path for each in gone})
    return gone


def _granted(
    claims: tuple[AclClaim, ...],
) -> list[tuple[tuple[AclClaim, str], list[Verb]]]:
    """What is held by others than who granted it, by the claim from which it has been held on."""
    since: dict[tuple[str, Verb], AclClaim] = {}
    for claim in claims:
        held = [(name, verb) for verb, names in claim.acl.grants for name in names]
        since = {right: since.get(right, claim) for right in held}
    found: dict[tuple[AclClaim, str], list[Verb]] = {}
    for (holder, verb), claim in since.items():
        if holder not in (claim.source.id, NOBODY):
            found.setdefault((claim, holder), []).append(verb)
    return list(found.items())


def _order(granted: tuple[tuple[AclClaim, str], list[Verb]]) -> tuple[int, str]:
    (claim, holder), _ = granted
    return claim.at_ms, holder
