"""Access control lists: ``Add=a+b&Get=*`` (DM TND 1.2 §7.7.1)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from cardd.tree.errors import AclError

__all__ = ["ANY", "INHERIT", "ROOT_DEFAULT", "Acl", "Verb", "parsed", "root_without"]

ANY = "*"
MAX_ACL_BYTES = 4096


class Verb(StrEnum):
    """What an ACL grants; Copy has no word of its own (§7.7.1.4)."""

    ADD = "Add"
    DELETE = "Delete"
    EXEC = "Exec"
    GET = "Get"
    REPLACE = "Replace"


@dataclass(frozen=True, slots=True)
class Acl:
    """Which server identifier may do what. Falsy: no value, the parent's ACL counts."""

    grants: tuple[tuple[Verb, tuple[str, ...]], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Acl:
        """Read the wire form; "" is no value. Raises AclError."""
        if len(text.encode()) > MAX_ACL_BYTES:
            raise AclError("too long")
        if not text:
            return INHERIT
        found: dict[Verb, tuple[str, ...]] = {}
        for entry in text.split("&"):
            word, equals, names = entry.partition("=")
            if not equals or word not in set(Verb):
                raise AclError("entry without a known verb", entry)
            verb = Verb(word)
            if verb in found:
                raise AclError("verb given twice", word)
            found[verb] = _identifiers(names)
        return cls(tuple(sorted(found.items())))

    @classmethod
    def for_owner(cls, server_id: str) -> Acl:
        """What the device grants a server on an interior node it could not otherwise control.

        §7.7.1.2 asks for Add, Delete and Replace. Get is granted as well, to that server alone:
        an ACL with a value is not inherited from, so without it nobody could read the node.
        """
        only = (server_id,)
        return cls(((Verb.ADD, only), (Verb.DELETE, only), (Verb.GET, only), (Verb.REPLACE, only)))

    def __str__(self) -> str:
        return "&".join(f"{verb}={'+'.join(names)}" for verb, names in self.grants)

    def __bool__(self) -> bool:
        return bool(self.grants)

    def allows(self, verb: Verb, server_id: str) -> bool:
        """Whether this value grants the verb; inheritance is the tree's matter."""
        names = self.holders(verb)
        return ANY in names or server_id in names

    def holders(self, verb: Verb) -> tuple[str, ...]:
        """The identifiers that the verb is granted to."""
        return next((names for granted, names in self.grants if granted is verb), ())

    def of(self, server_id: str) -> Acl:
        """What of it is granted to one identifier by name."""
        return Acl(tuple((verb, (server_id,)) for verb, names in self.grants if server_id in names))

    def meet(self, other: Acl) -> Acl:
        """What both grant."""
        common = ((verb, _common(names, other.holders(verb))) for verb, names in self.grants)
        return Acl(tuple((verb, names) for verb, names in common if names))

    def join(self, other: Acl) -> Acl:
        """What either grants."""
        verbs = {verb for acl in (self, other) for verb, _ in acl.grants}
        either = ((verb, (*self.holders(verb), *other.holders(verb))) for verb in sorted(verbs))
        return Acl(tuple((v, (ANY,) if ANY in n else tuple(dict.fromkeys(n))) for v, n in either))

    def without(self, server_id: str) -> Acl:
        """The same without one identifier; a verb left without any goes (§7.7.1.2)."""
        kept = ((verb, tuple(n for n in names if n != server_id)) for verb, names in self.grants)
        return Acl(tuple((verb, names) for verb, names in kept if names))


@lru_cache(maxsize=1024)
def parsed(text: str) -> Acl:
    """As ``Acl.parse``, for values that come again and again."""
    return Acl.parse(text)


INHERIT = Acl()
# §7.7.1.1: every authenticated server may extend the tree.
ROOT_DEFAULT = Acl(((Verb.ADD, (ANY,)), (Verb.GET, (ANY,))))


def root_without(acl: Acl, server_id: str) -> Acl:
    """As ``without``, but a verb of the root that loses its last holder becomes ``*``."""
    kept = tuple(
        (verb, tuple(n for n in names if n != server_id) or (ANY,)) for verb, names in acl.grants
    )
    return Acl(kept)


def _common(some: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    if ANY in some or ANY in others:
        return others if ANY in some else some
    return tuple(name for name in some if name in others)


def _identifiers(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(text.split("+")))
    for name in names:
        # §7.7.1.3: printable, and none of the characters that the grammar uses.
        if not name or not name.isprintable() or any(c.isspace() or c in "=&*" for c in name):
            if name == ANY:
                continue
            raise AclError("with a malformed server identifier", name)
    # §7.7.1.3: a wildcard overrides the identifiers beside it.
    return (ANY,) if ANY in names else names
