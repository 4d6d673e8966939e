"""What nodes may be, by their descriptions: those of the device itself, and those of documents.

An access type is a matter of the node, an ACL a matter of the server: a verb that is not in the
access type is refused with 405 to everybody (DM TND 1.2 §9.4.3.1). Nodes that are not described are
taken as they come.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum

from omadm.ddf import ANY_NAME, DescribedNode
from omadm.nodes import INTERIOR

from cardd.tree.acl import Verb
from cardd.tree.errors import DescriptionError

__all__ = ["DYNAMIC", "SECRET", "SECRET_LEAVES", "Descriptions", "Occurs", "Rule"]

# AAuthSecret and AAuthData take no Get (DM Standardized Objects 1.2 §5.3.1); AuthSecret is that of
# the connectivity objects.
SECRET_LEAVES = frozenset({"AAuthSecret", "AAuthData", "AuthSecret"})


class Occurs(Enum):
    """How often a node stands in its parent. What has to be there goes with its parent only."""

    ONE = "One"
    OPTIONAL = "ZeroOrOne"
    MANY = "ZeroOrMore"
    SOME = "OneOrMore"


@dataclass(frozen=True, slots=True)
class Rule:
    """The description of a node. ``permanent``: nobody creates, deletes or renames it; ``formats``
    and, of a leaf, ``types``: what it may be; anything if empty. ``most``: how many stand in a
    parent at once; None: any number. ``copies``: whether Copy may write it."""

    access: frozenset[Verb]
    permanent: bool = False
    formats: frozenset[str] = frozenset()
    occurs: Occurs = Occurs.OPTIONAL
    types: frozenset[str] = frozenset()
    most: int | None = None
    copies: bool = True


DYNAMIC = Rule(frozenset(Verb))
SECRET = Rule(frozenset(Verb) - {Verb.GET})


class Descriptions:
    """Rules by path. Rows: ``*`` stands for a name given at run time, ``**`` at the end for all
    that is below and has no row of its own."""

    def __init__(self, rows: Iterable[tuple[str, Rule]]) -> None:
        self._root = _Place()
        for path, rule in rows:
            self._put(path, rule)

    def rule_for(self, path: str) -> Rule:
        """The rule for a canonical path; unknown nodes are dynamic and take every verb."""
        own, below = self._find(path)
        return own or below or (SECRET if _name(path) in SECRET_LEAVES else DYNAMIC)

    def describes(self, path: str) -> bool:
        """Whether a row is about this very node."""
        return self._find(path)[0] is not None

    def is_secret(self, path: str) -> bool:
        """Whether the node's value is kept back from local programs and logs.

        A leaf that takes no Get has nothing that anybody is to read. A card's file is among them: a
        provisioning document holds the secrets of its accounts. A server may read it over DM where
        the ACL names that server.
        """
        segments = path.split("/")[1:]
        of_a_card = len(segments) == 5 and segments[::2] == ["Card", "Files", "Data"]
        rule = self.rule_for(path)
        closed = Verb.GET not in rule.access and bool(rule.formats) and INTERIOR not in rule.formats
        return _name(path) in SECRET_LEAVES or of_a_card or closed

    def rows(self) -> Iterator[tuple[str, Rule]]:
        """Every row, by its path."""
        return _rows(self._root, ".")

    def joined(self, nodes: Iterable[DescribedNode]) -> Descriptions:
        """With what a document describes, within what is described already.

        Raises:
            DescriptionError: a node is given what it does not have here.
        """
        described = [(node.path, _within(node, self.rule_for(node.path))) for node in nodes]
        return Descriptions((*self.rows(), *described))

    def _put(self, path: str, rule: Rule) -> None:
        place = self._root
        for segment in path.split("/")[1:]:
            if segment == "**":
                place.below = rule
                return
            place = place.children.setdefault(segment, _Place())
        place.rule = rule

    def _find(self, path: str) -> tuple[Rule | None, Rule | None]:
        """The node's own rule, and the nearest one for what is below without a row of its own.

        A row that names a node goes before one for any name.
        """
        places, below = [self._root], self._root.below
        for segment in path.split("/")[1:]:
            named = [p.children[segment] for p in places if segment in p.children]
            any_name = [p.children[ANY_NAME] for p in places if ANY_NAME in p.children]
            places = named + any_name if segment != ANY_NAME else any_name
            below = next((p.below for p in places if p.below is not None), below)
        return next((p.rule for p in places if p.rule is not None), None), below


@dataclass(slots=True)
class _Place:
    """A node of the descriptions; ``below``: the rule of all that is below and not described."""

    rule: Rule | None = None
    below: Rule | None = None
    children: dict[str, _Place] = field(default_factory=dict)


def _rows(place: _Place, path: str) -> Iterator[tuple[str, Rule]]:
    if place.rule is not None:
        yield path, place.rule
    if place.below is not None:
        yield f"{path}/**", place.below
    for name, child in place.children.items():
        yield from _rows(child, f"{path}/{name}")


def _name(path: str) -> str:
    return path.rpartition("/")[2]


_OCCURS = {
    (True, True): Occurs.ONE,
    (False, True): Occurs.OPTIONAL,
    (True, False): Occurs.SOME,
    (False, False): Occurs.MANY,
}


def _rule(node: DescribedNode) -> Rule:
    # What is base64 on its way is octets here (§7.7.2).
    formats = {"b64", "bin"} if node.format in ("b64", "bin") else {node.format}
    return Rule(
        frozenset(verb for verb in Verb if verb in node.commands),
        node.permanent,
        frozenset(formats),
        _OCCURS[node.least == 1, node.most == 1],
        frozenset() if node.format == INTERIOR else node.types,
        node.most,
        "Copy" in node.commands,
    )


def _within(node: DescribedNode, known: Rule) -> Rule:
    """A document may say less of a node than the device does, never more."""
    rule = _rule(node)
    more = sorted(rule.access - known.access)
    if more:
        raise DescriptionError(node.path, f"{more[0]} is more than the node takes here")
    if known.permanent and not rule.permanent:
        raise DescriptionError(node.path, "the node is permanent here")
    formats = rule.formats & known.formats if known.formats else rule.formats
    if not formats:
        raise DescriptionError(node.path, f"the node has to be {' or '.join(known.formats)} here")
    return replace(rule, formats=formats)
