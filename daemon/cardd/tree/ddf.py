"""What the device knows of the management objects that it has: their descriptions, as a table.

A row says what the DDF of an object says of a node (DM TND 1.2 §9): its format, how often it stands
in its parent (Occurrence), which verbs it takes (AccessType), and whether it is permanent (Scope).
An integrator adds rows by documents (`tree/descriptions.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cardd.tree.acl import Verb
from cardd.tree.descriptions import DYNAMIC, SECRET, SECRET_LEAVES, Descriptions, Occurs, Rule

__all__ = ["BUILT_IN"]

_ALL = frozenset(Verb)
_NODE, _CHR = frozenset({"node"}), frozenset({"chr"})
# What is octets comes as text from many a server.
_OCTETS = frozenset({"bin", "chr", "b64"})


def _permanent(*verbs: Verb, formats: frozenset[str] = frozenset()) -> Rule:
    return Rule(frozenset(verbs), True, formats, Occurs.ONE)


_Description = tuple[tuple[str, frozenset[str], Occurs], ...]

# urn:oma:mo:oma-dm-dmacc:1.0, DM Standardized Objects 1.2 §5.3.1. That a device has an account at
# all is not demanded: it comes with the card.
_DMACC: _Description = (
    ("", _NODE, Occurs.MANY),
    ("AppID", _CHR, Occurs.ONE),
    ("ServerID", _CHR, Occurs.ONE),
    ("Name", _CHR, Occurs.OPTIONAL),
    ("PrefConRef", _CHR, Occurs.OPTIONAL),
    ("ToConRef", _NODE, Occurs.OPTIONAL),
    ("ToConRef/*", _NODE, Occurs.SOME),
    ("ToConRef/*/ConRef", _CHR, Occurs.ONE),
    ("AppAddr", _NODE, Occurs.ONE),
    ("AppAddr/*", _NODE, Occurs.SOME),
    ("AppAddr/*/Addr", _CHR, Occurs.ONE),
    ("AppAddr/*/AddrType", _CHR, Occurs.ONE),
    ("AppAddr/*/Port", _NODE, Occurs.OPTIONAL),
    ("AppAddr/*/Port/*", _NODE, Occurs.SOME),
    ("AppAddr/*/Port/*/PortNbr", _CHR | {"int"}, Occurs.ONE),
    ("AAuthPref", _CHR, Occurs.OPTIONAL),
    ("AppAuth", _NODE, Occurs.OPTIONAL),
    ("AppAuth/*", _NODE, Occurs.SOME),
    ("AppAuth/*/AAuthLevel", _CHR, Occurs.ONE),
    ("AppAuth/*/AAuthType", _CHR, Occurs.OPTIONAL),
    ("AppAuth/*/AAuthName", _CHR, Occurs.OPTIONAL),
    ("AppAuth/*/AAuthSecret", _OCTETS, Occurs.OPTIONAL),
    ("AppAuth/*/AAuthData", _OCTETS, Occurs.OPTIONAL),
    ("Ext", _NODE, Occurs.OPTIONAL),
)
# The connectivity objects as omadm.connectivity makes them of NAPDEF and PXLOGICAL.
_NAP: _Description = (
    ("", _NODE, Occurs.MANY),
    ("NapID", _CHR, Occurs.ONE),
    ("Name", _CHR, Occurs.OPTIONAL),
    ("Addr", _CHR, Occurs.ONE),
    ("AddrType", _CHR, Occurs.OPTIONAL),
    ("Linger", _CHR | {"int"}, Occurs.OPTIONAL),
    ("Bearer", _NODE, Occurs.OPTIONAL),
    ("Bearer/*", _NODE, Occurs.SOME),
    ("Bearer/*/BearerType", _CHR, Occurs.ONE),
    ("IPv4", _NODE, Occurs.OPTIONAL),
    ("IPv4/LocalAddr", _CHR, Occurs.OPTIONAL),
    ("IPv4/DNS", _NODE, Occurs.OPTIONAL),
    ("IPv4/DNS/*", _NODE, Occurs.SOME),
    ("IPv4/DNS/*/DNSAddr", _CHR, Occurs.ONE),
    ("AuthInfo", _NODE, Occurs.OPTIONAL),
    ("AuthInfo/*", _NODE, Occurs.SOME),
    ("AuthInfo/*/AuthType", _CHR, Occurs.ONE),
    ("AuthInfo/*/AuthName", _CHR, Occurs.OPTIONAL),
    ("AuthInfo/*/AuthSecret", _OCTETS, Occurs.OPTIONAL),
    ("AuthInfo/*/SPI", _CHR, Occurs.OPTIONAL),
    ("AuthInfo/*/AuthEntities", _NODE, Occurs.OPTIONAL),
    ("AuthInfo/*/AuthEntities/*", _NODE, Occurs.SOME),
    ("AuthInfo/*/AuthEntities/*/AuthEntity", _CHR, Occurs.ONE),
    ("Ext", _NODE, Occurs.OPTIONAL),
)
_PROXY: _Description = (
    ("", _NODE, Occurs.MANY),
    ("ProxyID", _CHR, Occurs.ONE),
    ("Name", _CHR, Occurs.OPTIONAL),
    ("StartPage", _CHR, Occurs.OPTIONAL),
    ("Addr", _CHR, Occurs.ONE),
    ("AddrType", _CHR, Occurs.OPTIONAL),
    ("Domains", _NODE, Occurs.OPTIONAL),
    ("Domains/*", _NODE, Occurs.SOME),
    ("Domains/*/DomainName", _CHR, Occurs.ONE),
    ("AuthInfo", _NODE, Occurs.OPTIONAL),
    ("AuthInfo/*", _NODE, Occurs.SOME),
    ("AuthInfo/*/AuthType", _CHR, Occurs.OPTIONAL),
    ("AuthInfo/*/AuthName", _CHR, Occurs.OPTIONAL),
    ("AuthInfo/*/AuthSecret", _OCTETS, Occurs.OPTIONAL),
    ("ConRefs", _NODE, Occurs.OPTIONAL),
    ("ConRefs/*", _NODE, Occurs.SOME),
    ("ConRefs/*/ConRef", _CHR, Occurs.ONE),
    ("Ports", _NODE, Occurs.OPTIONAL),
    ("Ports/*", _NODE, Occurs.SOME),
    ("Ports/*/PortNbr", _CHR | {"int"}, Occurs.ONE),
    ("Ports/*/Services", _NODE, Occurs.OPTIONAL),
    ("Ports/*/Services/*", _NODE, Occurs.SOME),
    ("Ports/*/Services/*/ServiceName", _CHR, Occurs.ONE),
    ("Ext", _NODE, Occurs.OPTIONAL),
)


def _dynamic(rows: Iterable[tuple[str, frozenset[str], Occurs]]) -> Iterator[tuple[str, Rule]]:
    for path, formats, occurs in rows:
        secret = path.rpartition("/")[2] in SECRET_LEAVES
        yield path, Rule((SECRET if secret else DYNAMIC).access, False, formats, occurs)


# Where each object stands; "/**" is what is below and has no row of its own.
_OBJECTS: tuple[tuple[str, Iterable[tuple[str, Rule]]], ...] = (
    (".", [("", _permanent(Verb.ADD, Verb.GET, formats=_NODE))]),
    # §5.3.2, §5.3.3: what the device says of itself.
    ("./DevInfo", [("", _permanent(Verb.GET, formats=_NODE)), ("**", _permanent(Verb.GET))]),
    ("./DevDetail", [("", _permanent(Verb.GET, formats=_NODE)), ("**", _permanent(Verb.GET))]),
    # §5.3.4: no Get at ./Inbox or below. It takes bootstrap documents only.
    ("./Inbox", [("", _permanent()), ("**", _permanent())]),
    ("./DMAcc", [("", _permanent(Verb.ADD, Verb.GET, formats=_NODE))]),
    ("./DMAcc/*", _dynamic(_DMACC)),
    ("./NAP", [("", Rule(_ALL, formats=_NODE))]),
    ("./NAP/*", _dynamic(_NAP)),
    ("./Proxy", [("", Rule(_ALL, formats=_NODE))]),
    ("./Proxy/*", _dynamic(_PROXY)),
    # The files of a card can be rewritten, not made or removed. Update orders that to be done with
    # the card's administrative key, Packets with what the server has secured for the card.
    ("./Card", [("", _permanent(Verb.GET)), ("**", _permanent(Verb.GET))]),
    ("./Card/*/Files/*/Data", [("", _permanent(Verb.GET, Verb.REPLACE))]),
    ("./Card/*/Update", [("", _permanent(Verb.EXEC))]),
    ("./Card/*/Packets", [("", _permanent(Verb.EXEC))]),
)


def _rows() -> Iterator[tuple[str, Rule]]:
    for at, rows in _OBJECTS:
        for path, rule in rows:
            yield f"{at}/{path}" if path else at, rule


BUILT_IN = Descriptions(_rows())
