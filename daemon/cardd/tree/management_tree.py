"""The management tree: claims of every source, the ACLs, and what follows from them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from types import MappingProxyType

from cardea_core import Change, Entry, Layer, Node, Snapshot, canonical_path, merge
from omadm.nodes import TreeNode, interior

from cardd.tree.acl import Acl, Verb, parsed
from cardd.tree.acl_table import AclClaim, AclTable
from cardd.tree.adoption import restated
from cardd.tree.ddf import BUILT_IN
from cardd.tree.descriptions import Descriptions
from cardd.tree.device import LIMITS, Limits
from cardd.tree.holdings import Holdings, Usage
from cardd.tree.properties import TitleClaim, Titles, Versions
from cardd.tree.sources import ROOT, Source, SourceKind, is_program_name, parent_of, parents_of

__all__ = ["ManagementTree"]


class ManagementTree:
    """Layers of claims, ACLs and titles. Precedence for all: device < card < server (S1).

    Not thread-safe: share it through TreeHolder, change it on a ``fork()``.
    """

    def __init__(
        self,
        layers: Iterable[Layer] = (),
        acls: Iterable[AclClaim] = (),
        titles: Iterable[TitleClaim] = (),
        versions: Mapping[str, int] = MappingProxyType({}),
        digests: Mapping[Source, bytes] = MappingProxyType({}),
        *,
        limits: Limits = LIMITS,
        descriptions: Descriptions = BUILT_IN,
    ) -> None:
        self._layers = {Source(layer.kind, layer.id): layer for layer in layers}
        # Layers that nobody else can see, so that they may be written to.
        self._own: set[Source] = set()
        self._acls = AclTable(acls)
        self._titles = Titles(titles)
        self._versions = Versions(versions)
        self._digests = dict(digests)
        self._holdings = Holdings()
        self._snapshot: Snapshot | None = None
        # What one server has put since that was made.
        self._put: dict[str, TreeNode] = {}
        self._put_by: Source | None = None
        # Up to here changes are counted in the versions.
        self._counted: Snapshot | None = None
        self.limits = limits
        self.descriptions = descriptions

    def fork(self) -> ManagementTree:
        """A working copy; layers are shared until one side writes to them."""
        copy = ManagementTree(limits=self.limits, descriptions=self.descriptions)
        copy.become(self)
        return copy

    def become(self, other: ManagementTree) -> None:
        """Take over the content of ``other``; both sides copy before they write again."""
        other._own.clear()
        self._own = set()
        self._layers = dict(other._layers)
        self._acls = other._acls.copy()
        self._titles = other._titles.copy()
        self._versions = other._versions.copy()
        self._digests = dict(other._digests)
        self._holdings = other._holdings.copy()
        self._snapshot = other._snapshot
        self._put, self._put_by = dict(other._put), other._put_by
        self._counted = other._counted

    @property
    def snapshot(self) -> Snapshot:
        """The merged tree, immutable."""
        if self._snapshot is None or self._put or self._acls.changed:
            # Layers are copied before they are written to: only what is new in them is merged.
            acls = self._acls.values(self._is_on_a_card)
            self._snapshot = merge(list(self._layers.values()), acls=acls, since=self._counted)
            self._put = {}
            self._count_changes(self._snapshot)
        return self._snapshot

    def node(self, path: str) -> Node | TreeNode | None:
        """What a node is now: without a merge where only servers have put something since the last.
        Nothing is stronger, so thousands of Adds need one."""
        if self._snapshot is None:
            return self.snapshot.get(path)
        return self._put.get(path) or self._snapshot.get(path)

    def _count_changes(self, newer: Snapshot) -> None:
        older, self._counted = self._counted, newer
        for change in older.diff(newer) if older is not None else ():
            self._versions.take(change.path, change.before, change.after)

    def diff(self, newer: ManagementTree) -> list[Change]:
        """What changed from this tree to ``newer``, values and sources; not the ACLs."""
        return list(self.snapshot.diff(newer.snapshot))

    def content_diff(self, newer: ManagementTree) -> list[Change]:
        """As ``diff``, without interior nodes that merely have another source now."""
        return [change for change in self.diff(newer) if _is_of_content(change)]

    def claims_the_same(self, other: ManagementTree) -> bool:
        """Whether every source claims what it does there, also where that is not in force, and
        made of the same.

        True only for trees that come from one another; False says that it is not certain.
        """
        mine, theirs = self.layers(), other.layers()
        same = len(mine) == len(theirs) and all(a is b for a, b in zip(mine, theirs, strict=True))
        of_the_same = self._digests == other._digests
        stated = self.acls() == other.acls() and self.titles() == other.titles()
        return same and of_the_same and stated

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
        return self._acls.ordered()

    def titles(self) -> tuple[TitleClaim, ...]:
        """Every title claim, in the order of paths and sources."""
        return self._titles.ordered()

    def versions(self) -> Mapping[str, int]:
        """VerNo of every node that has changed since it came into being."""
        _ = self.snapshot
        return self._versions.counts

    def digests(self) -> Mapping[Source, bytes]:
        """What sources' claims were made of, as ``adopt`` was told."""
        return MappingProxyType(self._digests)

    def adopt(
        self,
        kind: SourceKind,
        id: str,
        nodes: Iterable[TreeNode],
        at_ms: int,
        *,
        digest: bytes = b"",
    ) -> None:
        """Replace all that one source claims, its ACLs too.

        What says the same as before keeps its time. ``digest`` is kept as long as the claims are:
        by it they are known to be made of the same as what is at hand then. Raises AclError,
        TreeError; then nothing has changed.
        """
        source = Source(kind, id)
        old = self._layers.get(source)
        stated = list(nodes)
        layer = restated(old, source, stated, at_ms)
        acls = []
        for node in (each for each in stated if each.acl is not None):
            claim = AclClaim(canonical_path(node.path), source, Acl.parse(node.acl or ""), at_ms)
            known = (each for each in self._acls.at(claim.path) if each.source == source)
            acls.append(next((each for each in known if each.acl == claim.acl), claim))
        self._acls.forget(source)
        for claim in acls:
            self._acls.put(claim)
        self._keep_digest(source, digest)
        if layer is not old:
            self._layers[source] = layer
            self._own.add(source)
            self._holdings.forget(source)
            self._snapshot = None

    def drop(self, kind: SourceKind, id: str) -> bool:
        """Forget all that one source claims; False: it claimed nothing."""
        source = Source(kind, id)
        had_acls = self._acls.forget(source)
        self._titles.forget(source)
        self._keep_digest(source, b"")
        if self._layers.pop(source, None) is None:
            return had_acls
        self._own.discard(source)
        self._holdings.forget(source)
        self._snapshot = None
        return True

    def forget(self, kind: SourceKind, id: str, path: str) -> bool:
        """Withdraw one source's claims at and below a path; the others' come into force.

        Its interior claims above go too where they hold nothing and another source has them.
        """
        source = Source(kind, id)
        path = canonical_path(path)
        if source not in self._layers:
            return False
        layer = self._writable(source)
        gone = layer.entries(path)
        removed = layer.remove(path)
        parent = parent_of(path)
        while removed and parent != ROOT and self._only_a_way(layer, source, parent):
            gone += layer.entries(parent)
            layer.remove(parent)
            parent = parent_of(parent)
        self._holdings.change(source, layer, gone)
        self._acls.forget(source, path)
        self._titles.forget(source, path)
        if not len(layer):
            self._holdings.forget(source)
            del self._layers[source]
            self._own.discard(source)
        return removed

    def purge(self, identifier: str, paths: Collection[str] | None = None) -> None:
        """Take an identifier out of the ACLs of some nodes, or of all; its layer stays."""
        for path in self._acls.purge(identifier, paths):
            self._versions.count(path)

    def take_over(self, other: ManagementTree, whose: Callable[[Source], bool]) -> None:
        """Let some sources claim here what they claim in ``other``."""
        for source in filter(whose, self._layers.keys() | other._layers.keys()):
            self._keep_digest(source, other._digests.get(source, b""))
            theirs = other._layers.get(source)
            if self._layers.get(source) is theirs:
                continue
            self._own.discard(source)
            other._own.discard(source)
            self._holdings.forget(source)
            self._snapshot = None
            if theirs is None:
                del self._layers[source]
            else:
                self._layers[source] = theirs
        self._acls.take_over(other._acls, whose)
        self._titles.take_over(other._titles, whose)

    # -- access

    def acl(self, path: str) -> Acl:
        """The node's own ACL value; falsy when it inherits."""
        return self._acls.value(path, self._is_on_a_card)

    def acl_claims(self, path: str) -> tuple[AclClaim, ...]:
        """The claims that count for the node's own ACL value; the last of them is in force."""
        return tuple(self._acls.counting(path, self._is_on_a_card))

    def acl_in_force(self, path: str) -> Acl:
        """The ACL that counts for a node (§7.7.1.1); for one that is not there, that of the
        nearest node above it, from which it would inherit."""
        if self._put:
            return self.acl(self.acl_place(path))
        while path != ROOT:
            value = self.snapshot.acl(path)
            if value is not None:
                return parsed(value)
            path = parent_of(path)
        return self.acl(ROOT)

    def acl_if_there(self, path: str) -> Acl:
        """The ACL that would count for a node, if it and all above it that have an ACL were there:
        what is hidden keeps what it says."""
        while not (acl := self.acl(path)):
            path = parent_of(path)
        return acl

    def acl_place(self, path: str) -> str:
        """The node where the ACL in force stands."""
        while path != ROOT and (self.node(path) is None or not self.acl(path)):
            path = parent_of(path)
        return path

    def allows(self, server_id: str, verb: Verb, path: str) -> bool:
        """Whether the ACL in force at the path grants the verb."""
        return self.acl_in_force(path).allows(verb, server_id)

    def programs_reading(self, path: str) -> frozenset[str]:
        """The local programs that the ACL in force gives Get by name: to these and no others of
        them. None: the access policy alone decides, for settings are there to be read."""
        readers = self.acl_in_force(path).holders(Verb.GET)
        return frozenset(filter(is_program_name, readers))

    def names_programs(self) -> bool:
        """Whether any ACL gives a local program anything."""
        return self._acls.names_programs()

    def has_room_for(self, acl: Acl) -> bool:
        """Whether the tree takes one more node with this ACL."""
        return self._acls.has_room_for(acl, self.limits.different_acls)

    def has_acl_claims(self, path: str) -> bool:
        """Whether any source gives the node an ACL, even an empty one."""
        return self._acls.has(path)

    def set_acl(self, path: str, source: Source, acl: Acl, at_ms: int) -> None:
        """State an ACL for a node on behalf of a source; who may is Authority's matter."""
        before = self.acl(path)
        self._acls.put(AclClaim(path, source, acl, at_ms))
        if self.acl(path) != before:
            self._versions.count(path)

    # -- properties

    def title(self, path: str) -> str:
        """The node's title; "" for none."""
        return self._titles.value(path)

    def set_title(self, path: str, source: Source, title: str, at_ms: int) -> None:
        """State a title for a node on behalf of a source; who may is Authority's matter."""
        before = self.title(path)
        self._titles.put(TitleClaim(path, source, title, at_ms))
        if self.title(path) != before:
            self._versions.count(path)

    def has_title_claims(self, path: str) -> bool:
        return self._titles.has(path)

    def version(self, path: str) -> int:
        """VerNo: how often the node has changed, modulo 2^16."""
        _ = self.snapshot
        return self._versions.of(path)

    def set_version(self, path: str, version: int) -> None:
        """Let a node that has another name now go on counting."""
        _ = self.snapshot
        self._versions.put(path, version)

    def stated_ms(self, node: Node) -> int:
        """When the value in force, an ACL or a title of the node was last stated."""
        path = node.path
        return max(node.at_ms, self._acls.latest_ms(path), self._titles.latest_ms(path))

    # -- claims of one source, for Authority

    def put(self, source: Source, node: TreeNode, at_ms: int) -> None:
        """Let a source claim a node; missing parents become interior claims of that source.

        That of a server is the latest there is, or this node has no other.
        """
        if node.path in self._put or source != self._put_by:
            # VerNo counts each change; and of what others have put the claims are not known here.
            _ = self.snapshot
        there, parents = self.node(node.path), parents_of(node.path)
        ways = {parent: self.node(parent) for parent in parents}
        merged, layer = self._snapshot, self._writable(source)
        # A leaf takes away what is below; no parent stays a leaf.
        gone = layer.entries(node.path) if node.value is not None else []
        gone += filter(None, map(layer.get, parents if gone else [*parents, node.path]))
        # A claim on a parent that is only the way to the node leaves it as it is: its type, and
        # when it last changed.
        for parent, way in ways.items():
            if isinstance(way, Node) and way.interior and layer.get(parent) is None:
                layer.put(parent, None, mime=way.mime, at_ms=min(at_ms, way.at_ms))
        layer.put(node.path, node.value, format=node.format, mime=node.mime, at_ms=at_ms)
        self._holdings.change(source, layer, gone, layer.get(node.path))
        if source.kind == "server" and (there is None or there.interior == node.interior):
            self._snapshot = merged
            new = (interior(parent) for parent, way in ways.items() if way is None)
            self._put |= {each.path: each for each in (*new, node)}
            self._put_by = source

    def bury(self, source: Source, path: str, at_ms: int) -> None:
        """Let a source claim that the node shall not exist."""
        layer = self._writable(source)
        gone = layer.entries(path)
        layer.bury(path, at_ms=at_ms)
        self._holdings.change(source, layer, gone, layer.get(path))

    def withdraw(self, source: Source, path: str) -> None:
        """Forget a source's claims and ACLs at and below a path."""
        layer = self._writable(source)
        gone = layer.entries(path)
        layer.remove(path)
        self._holdings.change(source, layer, gone)
        self._acls.forget(source, path)
        self._titles.forget(source, path)

    def claim(self, source: Source, path: str) -> Entry | None:
        """What a source claims of exactly this node."""
        layer = self._layers.get(source)
        return None if layer is None else layer.get(path)

    def usage(self, source: Source) -> Usage:
        """How much a source claims."""
        return self._holdings.of(source, self._layers.get(source))

    def latest_ms_of_others(self, source: Source) -> int:
        """When others last claimed what a write of this server has to count against; -1: never.

        Values of other sources of its kind, and what any other source states beside values.
        """
        servers = [s for s in self._layers if s.kind == source.kind and s != source]
        values = (self.usage(server).latest_ms for server in servers)
        stated = (self._acls.latest_ms_of_others(source), self._titles.latest_ms_of_others(source))
        return max(*values, *stated)

    # -- helpers

    def _writable(self, source: Source) -> Layer:
        """The layer, to be written to."""
        if source not in self._own:
            shared = self._layers.get(source)
            self._layers[source] = (
                Layer(source.kind, source.id) if shared is None else shared.copy()
            )
            self._own.add(source)
        self._snapshot = None
        return self._layers[source]

    def _keep_digest(self, source: Source, digest: bytes) -> None:
        self._digests.pop(source, None)
        if digest:
            self._digests[source] = digest

    def _is_on_a_card(self, path: str) -> bool:
        layers = (layer for source, layer in self._layers.items() if source.kind == "card")
        return any(layer.get(path) is not None for layer in layers)

    def _only_a_way(self, layer: Layer, source: Source, path: str) -> bool:
        entry = layer.get(path)
        if entry is None or entry.value is not None or entry.absent:
            return False
        if len(layer.entries(path)) > 1:
            return False
        others = (other for key, other in self._layers.items() if key != source)
        return any(other.get(path) is not None for other in others)


def _is_of_content(change: Change) -> bool:
    before, after = change.before, change.after
    if before is None or after is None:
        return True
    return not (before.interior and after.interior and before.mime == after.mime)
