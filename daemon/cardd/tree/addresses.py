"""Targets of commands: a path of the tree, perhaps with ``?prop=`` or ``?list=``."""

from __future__ import annotations

from dataclasses import dataclass

from cardea_core import TreeError, canonical_path
from omadm.status import StatusCode

from cardd.tree.errors import Refused

__all__ = ["PROPERTIES", "TNDS_PROPERTIES", "Address", "path_status", "tnds_properties"]

# DM TND 1.2 §7.2
PROPERTIES = frozenset({"ACL", "Format", "Name", "Size", "TStamp", "Title", "Type", "VerNo"})
# TNDS 1.2 §6.1; a document always has names and types.
TNDS_PROPERTIES = frozenset({"ACL", "Format", "TStamp", "Title", "Value", "VerNo"})
_TNDS_ALWAYS = frozenset({"Name", "NodeName", "Type"})
_TOO_LONG = frozenset({"path_too_long", "path_too_deep", "path_segment_too_long"})


@dataclass(frozen=True, slots=True)
class Address:
    """A canonical path and what of it is meant; both texts are "" for the node itself."""

    path: str
    prop: str = ""
    listing: str = ""

    @classmethod
    def parse(cls, uri: str) -> Address:
        """Raises Refused: 414 for what exceeds the limits, 404 for what names no node."""
        text, mark, query = uri.partition("?")
        try:
            path = canonical_path(text)
        except TreeError as error:
            raise Refused(path_status(error.code), uri[:128], str(error)) from None
        if not mark:
            return cls(path)
        kind, _, what = query.partition("=")
        if kind == "prop" and what in PROPERTIES:
            return cls(path, prop=what)
        if kind == "list" and (what in ("Struct", "StructData") or what.startswith("TNDS")):
            return cls(path, listing=what)
        raise Refused(StatusCode.NOT_SUPPORTED, path, "no such property or listing")

    @property
    def name(self) -> str:
        return self.path.rsplit("/", 1)[-1]


def path_status(code: str) -> StatusCode:
    """By the code of the TreeError: 414 for what exceeds the limits, 404 for what is no path."""
    return StatusCode.URI_TOO_LONG if code in _TOO_LONG else StatusCode.NOT_FOUND


def tnds_properties(listing: str) -> frozenset[str] | None:
    """Which properties ``TNDS``, ``TNDS+…`` or ``TNDS-…`` asks for; None: for what is none.

    DM TND 1.2 §8.1: ``+`` and ``-`` cannot be combined; names are those of RTProperties and Value.
    """
    rest = listing.removeprefix("TNDS")
    if not rest:
        return TNDS_PROPERTIES
    sign, names = rest[0], set(rest[1:].split(rest[0]))
    if sign not in "+-" or not names <= TNDS_PROPERTIES | _TNDS_ALWAYS:
        return None
    if sign == "+":
        return TNDS_PROPERTIES & names
    return None if names & _TNDS_ALWAYS else TNDS_PROPERTIES - names
