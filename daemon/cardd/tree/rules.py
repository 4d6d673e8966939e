"""Which nodes are permanent and which verbs they take: the DDF of the nodes we know.

An access type (DM TND 1.2 §9.1) is a matter of the node, an ACL a matter of the server: a verb that
is not in the access type is refused with 405 to everybody.
"""

from __future__ import annotations

from dataclasses import dataclass

from cardd.tree.acl import Verb

__all__ = ["SECRET_LEAVES", "Rule", "is_secret", "rule_for"]

# §DMAcc: AAuthSecret and AAuthData take no Get. AuthSecret: NAP and Proxy objects.
SECRET_LEAVES = frozenset({"AAuthSecret", "AAuthData", "AuthSecret"})


@dataclass(frozen=True, slots=True)
class Rule:
    """Access type of a node; ``permanent``: no server creates, deletes or renames it."""

    access: frozenset[Verb]
    permanent: bool


def rule_for(path: str) -> Rule:
    """The rule for a canonical path; unknown nodes are dynamic and take every verb."""
    segments = path.split("/")[1:]
    for pattern, rule in _RULES:
        if _matches(pattern, segments):
            return rule
    return _SECRET if segments and segments[-1] in SECRET_LEAVES else _DYNAMIC


def is_secret(path: str) -> bool:
    """Whether the node's value is kept back from local programs and logs.

    A card's file is among them: a provisioning document holds the secrets of its accounts. A
    server may read it over DM where the ACL names that server.
    """
    segments = path.split("/")[1:]
    return bool(segments) and (segments[-1] in SECRET_LEAVES or _matches(_CARD_FILE_DATA, segments))


def _matches(pattern: tuple[str, ...], segments: list[str]) -> bool:
    if pattern and pattern[-1] == "**":
        pattern = pattern[:-1]
        segments = segments[: len(pattern)]
    return len(pattern) == len(segments) and all(
        part in ("*", segment) for part, segment in zip(pattern, segments, strict=True)
    )


def _rule(*verbs: Verb) -> Rule:
    return Rule(frozenset(verbs), permanent=True)


_CARD_FILE_DATA = ("Card", "*", "Files", "*", "Data")
_DYNAMIC = Rule(frozenset(Verb), permanent=False)
_SECRET = Rule(frozenset(Verb) - {Verb.GET}, permanent=False)
# The first match counts.
_RULES: tuple[tuple[tuple[str, ...], Rule], ...] = (
    ((), _rule(Verb.ADD, Verb.GET)),
    (("DevInfo", "**"), _rule(Verb.GET)),
    (("DevDetail", "**"), _rule(Verb.GET)),
    # Standardized Objects §5.4: no Get at ./Inbox or below. It takes bootstrap documents only.
    (("Inbox", "**"), _rule()),
    (("DMAcc",), _rule(Verb.ADD, Verb.GET)),
    # The files of a card can be rewritten, not made or removed; Update orders that to be done.
    (_CARD_FILE_DATA, _rule(Verb.GET, Verb.REPLACE)),
    (("Card", "*", "Update"), _rule(Verb.EXEC)),
    (("Card", "**"), _rule(Verb.GET)),
)
