"""What one authority may do to the tree: the DM verbs with their status codes.

Every write lands in the layer of that authority, so provenance needs no bookkeeping, and another's
values are at most hidden, never changed (DM Representation 1.2 §4.1.6; S2).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from cardea_core import Node, Secret
from omadm.downloads import downloads
from omadm.nodes import TreeNode, interior
from omadm.status import StatusCode

from cardd.tree.acl import ANY, INHERIT, Acl, Verb
from cardd.tree.addresses import Address
from cardd.tree.descriptions import Occurs, Rule
from cardd.tree.device import NOBODY
from cardd.tree.errors import AclError, Refused
from cardd.tree.management_tree import ManagementTree
from cardd.tree.own_claims import OwnClaims
from cardd.tree.properties import MAX_TITLE_BYTES
from cardd.tree.readings import Reading, listing_of, property_of, value_of
from cardd.tree.sources import ROOT, parent_of, source_of
from cardd.tree.values import fitting

__all__ = ["Authority", "ExecOrder"]


# Keys of UICCs have 8 bytes (TS 102 221 §9.5.1), those of other cards up to 16.
_KEY_BYTES = range(4, 17)


@dataclass(frozen=True, slots=True)
class ExecOrder:
    """A process that a server asked for. Kept in memory only, for the key.

    ``packets`` are for the card and secured by the server: the data of an ENVELOPE each.
    """

    path: str
    server_id: str
    key: Secret | None = field(repr=False)
    correlator: str | None
    packets: tuple[bytes, ...] = field(default=(), repr=False)


class Authority:
    """One authority's hands on a tree: a DM server's, or a local program's.

    Every method raises Refused, and then nothing has changed; a local program, whom cards and
    servers overrule, works on a fork that is dropped then.

    ``identifier`` is a ServerID or, of a local program, ``local:…``. ``uri`` is a target as it
    stands in a command; ``at_ms`` Unix milliseconds. ``card`` names the one card whose files may be
    rewritten now; "" for none, None for any.
    """

    def __init__(self, tree: ManagementTree, identifier: str, *, card: str | None = None) -> None:
        if identifier in ("", NOBODY, ANY):
            raise Refused(StatusCode.FORBIDDEN, ROOT, "not an identifier")
        self.tree = tree
        self.identifier = identifier
        self.card = card
        self._source = source_of(identifier)
        self._own = OwnClaims(tree, self._source)

    @classmethod
    def of_server(cls, tree: ManagementTree, server_id: str, *, card: str | None) -> Authority:
        """That of a DM server. One that called itself as local programs are called would have
        their rights: ACLs know authorities by nothing but their identifiers."""
        if source_of(server_id).kind != "server":
            raise Refused(StatusCode.FORBIDDEN, ROOT, "not a server identifier")
        return cls(tree, server_id, card=card)

    def on(self, tree: ManagementTree) -> Authority:
        """The same hands on a fork of the tree."""
        return Authority(tree, self.identifier, card=self.card)

    # -- reading

    def get(self, uri: str) -> tuple[Reading, ...]:
        """A value, the children, a property or a listing; several only for a listing."""
        address = Address.parse(uri)
        if not (address.prop or self._rule(address.path).access):
            # DM Standardized Objects 1.2 §5.3.4: of ./Inbox also what is not there.
            raise Refused(StatusCode.NOT_ALLOWED, address.path, "the node takes no command")
        node = self._existing(address.path)
        if address.prop:
            self._may_read(address.prop, node)
            return (property_of(self.tree, uri, node, address.prop),)
        self._permitted(Verb.GET, node.path)
        if address.listing:
            return listing_of(self.tree, address, uri, self.identifier)
        return (value_of(self.tree, uri, node),)

    # -- writing

    def add(self, uri: str, node: TreeNode, at_ms: int) -> None:
        """Create a node and its missing parents (§4.1.6.1); ``node.path`` is unused."""
        address = _plain(uri)
        self._create(replace(node, path=address.path), at_ms)

    def add_tree(self, uri: str, nodes: Iterable[TreeNode], at_ms: int) -> None:
        """Create all nodes of a TNDS document or none; paths are absolute, parents first."""
        _plain(uri)
        with_all = self.on(self.tree.fork())
        stated = list(nodes)
        for node in stated:
            if self.tree.snapshot.get(node.path) is not None:
                raise Refused(StatusCode.ALREADY_EXISTS, node.path, "the node exists")
            with_all._create_stated(node, at_ms)
        with_all._state_properties(stated, at_ms)
        self.tree.become(with_all.tree)

    def replace(self, uri: str, node: TreeNode, at_ms: int) -> None:
        """Overwrite a value or a property (§4.1.6.11).

        ``node.path`` is unused; an empty ``format`` or ``mime`` keeps what the node has.
        """
        address = Address.parse(uri)
        old = self._known(address.path)
        if address.listing:
            raise Refused(StatusCode.NOT_ALLOWED, old.path, "a listing is read only")
        if address.prop:
            text = node.value or b""
            self._replace_property(self._existing(old.path), address.prop, text, at_ms)
            return
        self._permitted(Verb.REPLACE, old.path)
        if old.interior != node.interior:
            raise Refused(StatusCode.NOT_ALLOWED, old.path, "a leaf stays a leaf")
        format, mime = node.format or old.format, node.mime or old.mime
        if self._rule(old.path).permanent and (format, mime) != (old.format, old.mime):
            # §4.1.6.11
            raise Refused(StatusCode.NOT_ALLOWED, old.path, "a permanent node keeps its type")
        self._own.put(replace(node, path=old.path, format=format, mime=mime), at_ms)

    def replace_tree(self, uri: str, nodes: Iterable[TreeNode], at_ms: int) -> None:
        """Make the sub-tree what a TNDS document says: delete what is there, then create."""
        target = self._existing(_plain(uri).path)
        self._permitted(Verb.REPLACE, target.path)
        if not target.interior:
            raise Refused(StatusCode.NOT_ALLOWED, target.path, "a leaf has no sub-tree")
        rebuilt = self.on(self.tree.fork())
        for name in self.tree.snapshot.children(target.path):
            rebuilt._delete(self._existing(f"{target.path}/{name}"), at_ms)
        stated = list(nodes)
        for node in stated:
            if node.path == target.path and not node.interior:
                raise Refused(StatusCode.NOT_ALLOWED, target.path, "an interior node stays one")
            rebuilt._create_stated(node, at_ms)
        rebuilt._state_properties(stated, at_ms)
        self.tree.become(rebuilt.tree)

    def delete(self, uri: str, at_ms: int) -> None:
        """Remove a node and all below it (§4.1.6.5).

        What others claim there is hidden by a tombstone of this server, and comes back when the
        tombstone goes. A single node below that is permanent or another's keeps all of it.
        """
        node = self._existing(_plain(uri).path)
        if self._is_required(node):
            raise Refused(StatusCode.NOT_ALLOWED, node.path, "what it stands in cannot be without")
        if Verb.DELETE not in self._rule(node.path).access:
            # What is below goes whatever its access type says (§6.5).
            raise Refused(StatusCode.NOT_ALLOWED, node.path, "the node takes no Delete")
        self._delete(node, at_ms)

    def _delete(self, node: Node, at_ms: int) -> None:
        for below in self.tree.snapshot.walk(node.path):
            if self._rule(below.path).permanent:
                raise Refused(StatusCode.NOT_ALLOWED, below.path, "the node is permanent")
            self._granted(Verb.DELETE, below.path)
        self._own.remove(node.path, at_ms)

    def copy(self, source_uri: str, target_uri: str, at_ms: int) -> None:
        """Copy one leaf's value to another leaf, which need not exist (§4.1.6.4)."""
        node = self._existing(_plain(source_uri).path)
        self._permitted(Verb.GET, node.path)
        if node.value is None:
            raise Refused(StatusCode.FORBIDDEN, node.path, "only leaves can be copied")
        target = _plain(target_uri).path
        if not self._rule(target).copies:
            raise Refused(StatusCode.NOT_ALLOWED, target, "the node takes no Copy")
        copied = TreeNode(target, node.value, node.format, node.mime)
        old = self.tree.snapshot.get(target)
        if old is not None:
            self._permitted(Verb.REPLACE, target)
            if old.interior:
                raise Refused(StatusCode.FORBIDDEN, target, "only a leaf can be overwritten")
            kept = (old.format, old.mime) == (copied.format, copied.mime)
            if self._rule(target).permanent and not kept:
                raise Refused(StatusCode.FORBIDDEN, target, "a permanent node keeps its type")
        try:
            if old is None:
                self._create(copied, at_ms)
            elif target != node.path:
                self._own.put(copied, at_ms)
        except Refused as refusal:
            if refusal.status is not StatusCode.UNSUPPORTED_FORMAT:
                raise
            raise Refused(StatusCode.FORBIDDEN, target, refusal.reason) from None

    def execute(self, uri: str, data: bytes | None, correlator: str | None) -> ExecOrder:
        """Take an order (§4.1.6.6): ./Card/<card>/Update, ./Card/<card>/Packets.

        FormatError for data that are no SMS-PP downloads.
        """
        path = _plain(uri).path
        segments = path.split("/")[1:]
        process = segments[2] if len(segments) == 3 and segments[0] == "Card" else ""
        known = process in ("Update", "Packets")
        # The node need not have been claimed: it exists for every card that there is.
        self._existing(parent_of(path) if known else path)
        if not known:
            raise Refused(StatusCode.NOT_SUPPORTED, path, "nothing to execute here")
        self._permitted(Verb.EXEC, path)
        if process == "Packets":
            return ExecOrder(path, self.identifier, None, correlator, downloads(data or b""))
        if data and len(data) not in _KEY_BYTES:
            # A card might take even that for an attempt.
            raise Refused(StatusCode.UNSUPPORTED_FORMAT, path, "no administrative key")
        key = Secret(data) if data else None
        return ExecOrder(path, self.identifier, key, correlator)

    # -- rights

    def _rule(self, path: str) -> Rule:
        return self.tree.descriptions.rule_for(path)

    def _existing(self, path: str) -> Node:
        node = self.tree.snapshot.get(path)
        if node is None:
            raise Refused(StatusCode.NOT_FOUND, path, "no such node")
        return node

    def _known(self, path: str) -> Node | TreeNode:
        """As `_existing`, also before what this server has put is merged."""
        return self.tree.node(path) or self._existing(path)

    def _permitted(self, verb: Verb, path: str) -> None:
        if verb not in self._rule(path).access:
            raise Refused(StatusCode.NOT_ALLOWED, path, f"the node takes no {verb}")
        if verb is not Verb.GET and not self._at_hand(path):
            raise Refused(StatusCode.NOT_ALLOWED, path, "that card is not at hand")
        self._granted(verb, path)

    def _at_hand(self, path: str) -> bool:
        """Whether what is ordered here can be done: nobody keeps orders for other cards."""
        segments = path.split("/")
        of_a_card = len(segments) > 2 and segments[1] == "Card"
        return self.card is None or not of_a_card or segments[2] == self.card

    def _granted(self, verb: Verb, path: str) -> None:
        if not self.tree.allows(self.identifier, verb, path):
            raise Refused(StatusCode.PERMISSION_DENIED, path, f"no right to {verb}")

    def _is_required(self, node: Node) -> bool:
        """Whether the object that the node stands in has to have it (DM TND 1.2 §9.5)."""
        rule = self._rule(node.path)
        last = rule.occurs is Occurs.SOME and self._instances(node.path) == 1
        return rule.occurs is Occurs.ONE or last

    def _instances(self, path: str, *, but: str = "") -> int:
        """How many nodes but that one stand in the node's parent by the same description."""
        rule, parent = self._rule(path), parent_of(path)
        siblings = (f"{parent}/{name}" for name in self.tree.snapshot.children(parent))
        return sum(self._rule(sibling) is rule for sibling in siblings if sibling != but)

    # -- properties

    def _replace_property(self, node: Node, prop: str, value: bytes, at_ms: int) -> None:
        changes = {"ACL": self._set_acl, "Name": self._rename, "Title": self._set_title}
        if prop not in changes:
            raise Refused(StatusCode.NOT_ALLOWED, node.path, f"{prop} is read only")
        try:
            text = value.decode()
        except UnicodeDecodeError:
            raise Refused(StatusCode.UNSUPPORTED_FORMAT, node.path, f"{prop} is text") from None
        changes[prop](node, text, at_ms)

    def _set_title(self, node: Node, title: str, at_ms: int) -> None:
        self._permitted(Verb.REPLACE, node.path)
        if len(title.encode()) > MAX_TITLE_BYTES:
            raise Refused(StatusCode.TOO_LARGE, node.path, "Title")
        if not title.isprintable():
            raise Refused(StatusCode.UNSUPPORTED_FORMAT, node.path, "Title is for people to read")
        self._own.set_title(node.path, title, at_ms)

    def _set_acl(self, node: Node, text: str, at_ms: int) -> None:
        try:
            acl = Acl.parse(text)
        except AclError as error:
            raise Refused(StatusCode.UNSUPPORTED_FORMAT, node.path, str(error)) from None
        self._may_change_acl(node)
        # §7.7.1.1: the root always has a value, and any server can extend the tree.
        if node.path == ROOT and acl.holders(Verb.ADD) != (ANY,):
            raise Refused(StatusCode.NOT_ALLOWED, ROOT, "the root keeps Add=*")
        self._own.set_acl(node.path, acl, at_ms)

    def _may_read(self, prop: str, node: Node) -> None:
        # §7.7.1.3: who may change a leaf's ACL by that of its parent has to read it first.
        above = prop == "ACL" and not node.interior
        if not (above and self.tree.allows(self.identifier, Verb.GET, parent_of(node.path))):
            self._granted(Verb.GET, node.path)

    def _may_change_acl(self, node: Node) -> None:
        # §7.7.1.2: Replace on the parent, or on the node itself where that is interior.
        holders = [node.path] if node.interior else []
        holders += [parent_of(node.path)] if node.path != ROOT else []
        if not any(self.tree.allows(self.identifier, Verb.REPLACE, path) for path in holders):
            raise Refused(StatusCode.PERMISSION_DENIED, node.path, "no right to change the ACL")

    def _rename(self, node: Node, name: str, at_ms: int) -> None:
        rule = self._rule(node.path)
        if rule.permanent or {Verb.GET, Verb.REPLACE} - rule.access or self._is_required(node):
            raise Refused(StatusCode.NOT_ALLOWED, node.path, "the node keeps its name")
        self._granted(Verb.REPLACE, node.path)
        if "/" in name or "?" in name:
            raise Refused(StatusCode.NOT_ALLOWED, node.path, "not a name")
        target = Address.parse(f"{parent_of(node.path)}/{name}").path
        if target == node.path:
            return
        if self.tree.snapshot.get(target) is not None:
            raise Refused(StatusCode.ALREADY_EXISTS, target, "a sibling has that name")
        moved = self.tree.snapshot.walk(node.path)
        if any((below.kind, below.id) != self._source for below in moved):
            # The claims of others are theirs: they cannot be made to say another name.
            raise Refused(StatusCode.NOT_SUPPORTED, node.path, "others claim part of it")
        stamp = self._own.stamp(at_ms)
        renamed = self.tree.fork()
        self._check_creation(target, instead_of=node.path)
        for below in moved:
            self._granted(Verb.REPLACE, below.path)
            path = Address.parse(target + below.path[len(node.path) :]).path
            moving = TreeNode(path, below.value, below.format, below.mime)
            renamed.put(self._source, fitting(moving, self._rule(path)), stamp)
            acl, title = self.tree.acl(below.path), self.tree.title(below.path)
            if acl or renamed.has_acl_claims(path):
                renamed.set_acl(path, self._source, acl, stamp)
            if title or renamed.has_title_claims(path):
                renamed.set_title(path, self._source, title, stamp)
        self.on(renamed)._own.remove(node.path, at_ms)
        for below in moved:
            path = target + below.path[len(node.path) :]
            renamed.set_version(path, self.tree.version(below.path) + (below.path == node.path))
        self.tree.become(renamed)

    # -- claims

    def _create(self, node: TreeNode, at_ms: int) -> None:
        if self.tree.node(node.path) is not None:
            raise Refused(StatusCode.ALREADY_EXISTS, node.path, "the node exists")
        missing = [node.path]
        while self.tree.node(parent := parent_of(missing[-1])) is None:
            missing.append(parent)
        ground = self._known(parent)
        if not ground.interior:
            raise Refused(StatusCode.NOT_ALLOWED, ground.path, "a leaf has no children")
        for path in reversed(missing[1:]):
            try:
                self._check_creation(path)
                fitting(interior(path), self._rule(path))
            except Refused as refusal:
                raise Refused(refusal.status, path, refusal.reason, parent=path) from None
        self._check_creation(node.path)
        self._granted(Verb.ADD, ground.path)
        # §7.7.1.2: whoever could not control the new interior node otherwise is made its owner;
        # what is created below that inherits.
        owner = not self.tree.allows(self.identifier, Verb.REPLACE, ground.path)
        self._own.put(node, at_ms)
        for path in reversed(missing):
            is_interior = path != node.path or node.interior
            if is_interior and owner:
                self._own.set_acl(path, Acl.for_owner(self.identifier), at_ms)
                owner = False
            elif self.tree.has_acl_claims(path):
                self._own.set_acl(path, INHERIT, at_ms)
            if self.tree.has_title_claims(path):
                self._own.set_title(path, "", at_ms)

    def _check_creation(self, path: str, *, instead_of: str = "") -> None:
        """Refuse what the descriptions do not let anybody create (DM TND 1.2 §9.4.3).

        ``instead_of``: a sibling that makes room for it.
        """
        rule, parent = self._rule(path), parent_of(path)
        if rule.permanent:
            raise Refused(StatusCode.NOT_ALLOWED, path, "permanent nodes are not created")
        # A node takes Add itself; one that is not described is what its parent takes.
        giver = path if self.tree.descriptions.describes(path) else parent
        if Verb.ADD not in self._rule(giver).access:
            raise Refused(StatusCode.NOT_ALLOWED, path, "nothing is added here")
        known = rule.most is not None and self.tree.node(parent) is not None
        if known and self._instances(path, but=instead_of) >= (rule.most or 0):
            raise Refused(StatusCode.NOT_ALLOWED, path, f"there are {rule.most} already")

    def _create_stated(self, node: TreeNode, at_ms: int) -> None:
        old = self.tree.node(node.path)
        # A parent may have come into being with a child that stood before it in the document.
        if old is None or not (old.interior and node.interior):
            self._create(node, at_ms)
        else:
            self._own.put(replace(node, mime=node.mime or old.mime), at_ms)

    def _state_properties(self, nodes: list[TreeNode], at_ms: int) -> None:
        # From the bottom up: a value may take away the right to set those below it.
        for node in reversed(nodes):
            created = self._existing(node.path)
            if node.title is not None:
                self._set_title(created, node.title, at_ms)
            if node.acl is not None:
                self._set_acl(created, node.acl, at_ms)


def _plain(uri: str) -> Address:
    """A node's address: properties take Get and Replace, all else is 405 (DM TND 1.2 §7.5)."""
    address = Address.parse(uri)
    if address.prop or address.listing:
        raise Refused(StatusCode.NOT_ALLOWED, address.path, "not for properties and listings")
    return address
