"""The management tree: claims of every source, the ACLs, and what follows from them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from cardea_core import Change, Layer, Snapshot, canonical_path, merge
from omadm.nodes import TreeNode

from cardd.tree.acl import INHERIT, ROOT_DEFAULT, Acl, Verb, root_without
from cardd.tree.device import LIMITS, Limits

__all__ = ["AclClaim", "ManagementTree", "Source", "SourceKind"]

ROOT = "."
_RANK: dict[SourceKind, int] = {"device": 0, "card": 1, "server": 2}


SourceKind = Literal["device", "card", "server"]


class Source(NamedTuple):
    """Who claims: ("device", "local"), ("card", ICCID), ("server", ServerID)."""

    kind: SourceKind
    id: str


@dataclass(frozen=True, slots=True)
class AclClaim:
    """The ACL that one source gives a node. A value that is empty says: inherit."""

    path: str
    source: Source
    acl: Acl
    at_ms: int


class ManagementTree:
    """Layers of claims and ACLs. Precedence for both: device < card < server (S1).

    Not thread-safe: share it through TreeHolder, change it on a ``fork()``.
    """

    def __init__(
        self,
        layers: Iterable[Layer] = (),
        acls: Iterable[AclClaim] = (),
        *,
        limits: Limits = LIMITS,
    ) -> None:
        self._layers = {Source(layer.kind, layer.id): layer for layer in layers}
        self._acls: dict[str, tuple[AclClaim, ...]] = {}
        for claim in acls:
            self._acls[claim.path] = (*self._acls.get(claim.path, ()), claim)
        self._own: set[Source] = set()
        self._own_acls = True
        self._value_bytes: dict[Source, int] = {}
        self._snapshot: Snapshot | None = None
        self.limits = limits

    def fork(self) -> ManagementTree:
        """A working copy; layers are shared until one side writes to them."""
        self._own.clear()
        self._own_acls = False
        copy = ManagementTree(limits=self.limits)
        copy.become(self)
        return copy

    def become(self, other: ManagementTree) -> None:
        """Take over the content of ``other``; both sides copy before they write again."""
        other._own.clear()
        other._own_acls = False
        self._layers = dict(other._layers)
        self._acls = other._acls
        self._own = set()
        self._own_acls = False
        self._value_bytes = dict(other._value_bytes)
        self._snapshot = other._snapshot

    @property
    def snapshot(self) -> Snapshot:
        """The merged tree, immutable."""
        if self._snapshot is None:
            self._snapshot = merge(list(self._layers.values()))
        return self._snapshot

    def diff(self, newer: ManagementTree) -> list[Change]:
        """What changed from this tree to ``newer``, values and sources; not the ACLs."""
        return list(self.snapshot.diff(newer.snapshot))

    def content_diff(self, newer: ManagementTree) -> list[Change]:
        """As ``diff``, without interior nodes that merely have another source now."""
        return [change for change in self.diff(newer) if _is_of_content(change)]

    # -- sources

    def layers(self) -> tuple[Layer, ...]:
        """The claims by source. The tree writes to none of these objects any more.

        So an object that is still the same one has not changed: the store relies on it.
        """
        self._own.clear()
        return tuple(layer for _, layer in sorted(self._layers.items()))

    def layer(self, kind: SourceKind, id: str) -> Layer | None:
        """One source's claims; read them, never write to them."""
        self._own.discard(Source(kind, id))
        return self._layers.get(Source(kind, id))

    def acls(self) -> tuple[AclClaim, ...]:
        """Every ACL claim, in the order of paths and sources."""
        every = (claim for claims in self._acls.values() for claim in claims)
        return tuple(sorted(every, key=lambda claim: (claim.path, claim.source)))

    def adopt(self, kind: SourceKind, id: str, nodes: Iterable[TreeNode], at_ms: int) -> None:
        """Replace all that one source claims, its ACLs too.

        What says the same as before keeps its time. Raises AclError, TreeError; then nothing
        has changed.
        """
        source = Source(kind, id)
        old = self._layers.get(source)
        layer = Layer(kind, id)
        acls = []
        for node in nodes:
            path = canonical_path(node.path)
            same = old.get(path) if old is not None else None
            unchanged = same is not None and (same.value, same.format, same.mime, same.absent) == (
                node.value,
                node.format,
                node.mime,
                False,
            )
            stamp = same.at_ms if unchanged and same is not None else at_ms
            layer.put(path, node.value, format=node.format, mime=node.mime, at_ms=stamp)
            if node.acl is not None:
                acls.append(AclClaim(path, source, Acl.parse(node.acl), at_ms))
        known = {c.path: c for cs in self._acls.values() for c in cs if c.source == source}
        self._forget_acls(source)
        for claim in acls:
            before = known.get(claim.path)
            same_acl = before is not None and before.acl == claim.acl
            self._put_acl(before if before is not None and same_acl else claim)
        if old != layer:
            self._layers[source] = layer
            self._own.add(source)
            self._value_bytes.pop(source, None)
            self._snapshot = None

    def drop(self, kind: SourceKind, id: str) -> bool:
        """Forget all that one source claims; False: it claimed nothing."""
        source = Source(kind, id)
        had_acls = self._forget_acls(source)
        if self._layers.pop(source, None) is None:
            return had_acls
        self._own.discard(source)
        self._snapshot = None
        return True

    def forget(self, kind: SourceKind, id: str, path: str) -> bool:
        """Withdraw one source's claims at and below a path; the others' come into force.

        Its interior claims above go too where they hold nothing and another source has them.
        """
        source = Source(kind, id)
        if source not in self._layers:
            return False
        layer = self._writable(source)
        self._value_bytes.pop(source, None)
        removed = bool(layer.remove(canonical_path(path)))
        parent = parent_of(canonical_path(path))
        while removed and parent != ROOT and self._only_a_way(layer, source, parent):
            layer.remove(parent)
            parent = parent_of(parent)
        self._forget_acls(source, canonical_path(path))
        if not len(layer):
            self._layers.pop(source)
            self._own.discard(source)
        return removed

    def purge_server(self, server_id: str) -> None:
        """Take a server identifier out of every ACL (DM TND 1.2 §7.7.1.2); its layer stays."""
        for path, claims in list(self._acls.items()):
            for claim in claims:
                cut = root_without if path == ROOT else Acl.without
                acl = cut(claim.acl, server_id)
                if acl != claim.acl:
                    self._put_acl(AclClaim(path, claim.source, acl, claim.at_ms))

    # -- access

    def acl(self, path: str) -> Acl:
        """The node's own ACL value; falsy when it inherits.

        The card's claim stands over the device's, a server's over both. A server's claim that is
        older than theirs counts only if the value before it lets that server replace it: so nobody
        takes a node over by claiming its place before the card is inserted.
        """
        claims = self._acls.get(path, ())
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

    def acl_in_force(self, path: str) -> tuple[Acl, str]:
        """The ACL that counts for a node and the path where it stands (§7.7.1.1)."""
        while not (acl := self.acl(path)):
            path = parent_of(path)
        return acl, path

    def allows(self, server_id: str, verb: Verb, path: str) -> bool:
        """Whether the ACL in force at the path grants the verb."""
        return self.acl_in_force(path)[0].allows(verb, server_id)

    def has_acl_claims(self, path: str) -> bool:
        """Whether any source gives the node an ACL, even an empty one."""
        return path in self._acls

    def set_acl(self, path: str, source: Source, acl: Acl, at_ms: int) -> None:
        """State an ACL for a node on behalf of a source; who may is Authority's matter."""
        self._put_acl(AclClaim(path, source, acl, at_ms))

    # -- claims of one source, for Authority

    def put(self, source: Source, node: TreeNode, at_ms: int) -> None:
        """Let a source claim a node; missing parents become interior claims of that source."""
        snapshot = self.snapshot
        layer = self._writable(source)
        old = layer.get(node.path)
        # A claim on a parent that is only the way to the node must not take its type away.
        for parent in _way_to(node.path):
            there = snapshot.get(parent)
            if there is not None and there.interior and layer.get(parent) is None:
                layer.put(parent, None, mime=there.mime, at_ms=at_ms)
        layer.put(node.path, node.value, format=node.format, mime=node.mime, at_ms=at_ms)
        if source in self._value_bytes:
            before = len(old.value) if old is not None and old.value is not None else 0
            self._value_bytes[source] += len(node.value or b"") - before

    def bury(self, source: Source, path: str, at_ms: int) -> None:
        """Let a source claim that the node shall not exist."""
        self._writable(source).bury(path, at_ms=at_ms)
        self._value_bytes.pop(source, None)

    def withdraw(self, source: Source, path: str) -> None:
        """Forget a source's claims and ACLs at and below a path."""
        self._writable(source).remove(path)
        self._value_bytes.pop(source, None)
        self._forget_acls(source, path)

    def usage(self, source: Source) -> tuple[int, int]:
        """(claims, bytes of values) that a source holds."""
        layer = self._layers.get(source)
        if layer is None:
            return 0, 0
        if source not in self._value_bytes:
            total = sum(len(e.value) for e in layer.entries() if e.value is not None)
            self._value_bytes[source] = total
        return len(layer), self._value_bytes[source]

    def latest_ms_of_others(self, source: Source) -> int:
        """When others last claimed what a write of this server has to count against; -1: never.

        Values of other servers, and ACLs of any other source.
        """
        stamps = [
            entry.at_ms
            for key, layer in self._layers.items()
            if key.kind == source.kind and key != source
            for entry in layer.entries()
        ]
        stamps.extend(
            claim.at_ms
            for claims in self._acls.values()
            for claim in claims
            if claim.source != source
        )
        return max(stamps, default=-1)

    # -- helpers

    def _writable(self, source: Source) -> Layer:
        if source not in self._own:
            shared = self._layers.get(source)
            self._layers[source] = (
                Layer(source.kind, source.id) if shared is None else shared.copy()
            )
            self._own.add(source)
        self._snapshot = None
        return self._layers[source]

    def _only_a_way(self, layer: Layer, source: Source, path: str) -> bool:
        entry = layer.get(path)
        if entry is None or entry.value is not None or entry.absent:
            return False
        below = path + "/"
        if any(other.path.startswith(below) for other in layer.entries()):
            return False
        others = (other for key, other in self._layers.items() if key != source)
        return any(other.get(path) is not None for other in others)

    def _put_acl(self, claim: AclClaim) -> None:
        acls = self._writable_acls()
        others = (c for c in acls.get(claim.path, ()) if c.source != claim.source)
        acls[claim.path] = (*others, claim)

    def _forget_acls(self, source: Source, path: str = ROOT) -> bool:
        below = path + "/"
        gone = [
            (where, claims)
            for where, claims in self._acls.items()
            if (path in (ROOT, where) or where.startswith(below))
            and any(claim.source == source for claim in claims)
        ]
        for where, claims in gone:
            kept = tuple(claim for claim in claims if claim.source != source)
            if kept:
                self._writable_acls()[where] = kept
            else:
                del self._writable_acls()[where]
        return bool(gone)

    def _writable_acls(self) -> dict[str, tuple[AclClaim, ...]]:
        if not self._own_acls:
            self._acls = dict(self._acls)
            self._own_acls = True
        return self._acls


def parent_of(path: str) -> str:
    """``./A/B`` → ``./A``; the root is its own parent."""
    return path.rpartition("/")[0] or ROOT


def _strength(claim: AclClaim) -> tuple[int, int, str]:
    return _RANK[claim.source.kind], claim.at_ms, claim.source.id


def _way_to(path: str) -> list[str]:
    """The parents from the top down, without the root."""
    names = path.split("/")[1:-1]
    return ["/".join((ROOT, *names[:count])) for count in range(1, len(names) + 1)]


def _is_of_content(change: Change) -> bool:
    before, after = change.before, change.after
    if before is None or after is None:
        return True
    return not (before.interior and after.interior and before.mime == after.mime)
