"""Device descriptions: what the nodes of a management object may be (OMA DM TND 1.2 §9)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from cardea_core import CodecError, Element, TreeError, canonical_path, xml_decode

from omadm.elements import children, number, text_of
from omadm.errors import FormatError
from omadm.names import DMDDF_NAMESPACE
from omadm.nodes import INTERIOR
from omadm.tnds import FORMATS

__all__ = ["ANY_NAME", "DescribedNode", "read_description"]

ANY_NAME = "*"
_MAX_BYTES = 1 << 20
_MAX_NODES = 20_000
_VERSION = "1.2"
# Elements of other namespaces are extensions of their owners'.
_NAMESPACES = ("", DMDDF_NAMESPACE, "syncml:dmddf")
# The internal subset that these documents have tells the version again. No other is taken.
_VERSION_NOTE = re.compile(rb"\[\s*<\?oma-dm-ddf-ver\s[^<>\[\]]*\?>\s*\]")
_PROLOG_BYTES = 2048

_IN_TREE = frozenset({"VerDTD", "Man", "Mod", "Node"})
_IN_NODE = frozenset({"NodeName", "Path", "RTProperties", "DFProperties", "Node", "Value"})
_RUN_TIME = frozenset({"ACL", "Format", "Name", "Size", "Title", "TStamp", "Type", "VerNo"})
_FRAMEWORK = frozenset(
    {
        *("AccessType", "DefaultValue", "Description", "DFFormat", "Occurrence"),
        *("Scope", "DFTitle", "DFType", "CaseSense"),
    }
)
_COMMANDS = frozenset({"Add", "Copy", "Delete", "Exec", "Get", "Replace"})
# By the element: the least and the most instances; None: no limit, or the number in it (N).
_OCCURRENCES: Mapping[str, tuple[int, int | None]] = {
    "One": (1, 1),
    "ZeroOrOne": (0, 1),
    "ZeroOrMore": (0, None),
    "OneOrMore": (1, None),
    "ZeroOrN": (0, None),
    "OneOrN": (1, None),
}


@dataclass(frozen=True, slots=True)
class DescribedNode:
    """The description of a node, or of all nodes in its place.

    ``path``: a segment ``*`` stands for a name that is given at run time. ``least`` and ``most``
    (None: no limit) instances stand in a parent. ``types``: MIME types of a leaf, or the
    identifier of the object that an interior node begins; empty: any. ``default``: a leaf's value
    if nobody sets another; None: none is stated.
    """

    path: str
    commands: frozenset[str]
    format: str
    least: int
    most: int | None
    permanent: bool
    types: frozenset[str] = frozenset()
    acl: str = ""
    default: str | None = field(default=None, repr=False)


def read_description(document: bytes) -> tuple[DescribedNode, ...]:
    """The nodes of a DDF document, parents first.

    Raises:
        FormatError: it is none; the fact ``at`` says at which element.
    """
    head, rest = document[:_PROLOG_BYTES], document[_PROLOG_BYTES:]
    try:
        root = xml_decode(_VERSION_NOTE.sub(b"", head, count=1) + rest, max_bytes=_MAX_BYTES)
    except CodecError as error:
        raise FormatError("malformed", cause=error.code, offset=error.offset) from error
    if root.name != "MgmtTree" or root.namespace not in _NAMESPACES:
        raise FormatError("no_description", at=root.name[:40])
    parts = _parts(root, _IN_TREE, "MgmtTree", several=("Node",))
    if _text(parts, "VerDTD") != _VERSION:
        raise FormatError("unknown_version", at="MgmtTree/VerDTD")
    found: dict[str, DescribedNode] = {}
    for node in parts.get("Node", ()):
        _read_node(node, "", found)
    if not found:
        raise FormatError("empty", at="MgmtTree")
    return tuple(found.values())


def _read_node(node: Element, parent: str, found: dict[str, DescribedNode]) -> None:
    parts = _parts(node, _IN_NODE, parent or "MgmtTree", several=("Node",))
    path = _path(parts, parent)
    if path in found:
        raise FormatError("described_twice", at=path)
    if len(found) >= _MAX_NODES:
        raise FormatError("too_many_nodes", limit=_MAX_NODES)
    if "DFProperties" not in parts:
        raise FormatError("missing_element", at=path, element="DFProperties")
    inner = parts.get("Node", [])
    found[path] = described = _described(path, parts)
    if described.format != INTERIOR and inner:
        raise FormatError("leaf_with_children", at=path)
    for part in inner:
        _read_node(part, path, found)


def _path(parts: Mapping[str, list[Element]], parent: str) -> str:
    above, name = _text(parts, "Path"), _text(parts, "NodeName")
    if "NodeName" not in parts:
        raise FormatError("missing_element", at=parent or "MgmtTree", element="NodeName")
    if above and parent:
        # §9.4.1.7: it is for the nodes right below MgmtTree.
        raise FormatError("path_within", at=f"{parent}/{name}")
    segments = above.removeprefix("./").rstrip("/") if above not in ("", ".") else ""
    if ANY_NAME in name + segments:
        # It is our own sign.
        raise FormatError("bad_path", at=parent or "MgmtTree", path=f"{segments}/{name}"[:40])
    base = parent or (f"./{segments}" if segments else ".")
    try:
        # Of "*", for which a name stands that nobody has chosen yet, too.
        return canonical_path(f"{base}/{name or ANY_NAME}")
    except TreeError as error:
        raise FormatError("bad_path", at=parent or "MgmtTree", cause=error.code) from error


def _described(path: str, of_node: Mapping[str, list[Element]]) -> DescribedNode:
    parts = _parts(of_node["DFProperties"][0], _FRAMEWORK, f"{path}/DFProperties")
    for needed in ("AccessType", "DFFormat", "DFType"):
        if needed not in parts:
            raise FormatError("missing_element", at=f"{path}/DFProperties", element=needed)
    format = _choice(parts, "DFFormat", FORMATS, path).name
    least, most = _occurrence(parts, path)
    scope = _choice(parts, "Scope", frozenset({"Permanent", "Dynamic"}), path, "Dynamic").name
    if _choice(parts, "CaseSense", frozenset({"CS", "CIS"}), path, "CS").name == "CIS":
        # §9.4.3.23: then two names would be one. Here they are two.
        raise FormatError("case_insensitive", at=f"{path}/CaseSense")
    value = parts.get("DefaultValue") or of_node.get("Value")
    default = text_of(value[0]) if value else None
    if default and format == INTERIOR:
        raise FormatError("interior_with_value", at=path)
    commands = _parts(parts["AccessType"][0], _COMMANDS, f"{path}/AccessType")
    return DescribedNode(
        path,
        frozenset(commands),
        format,
        least,
        most,
        scope == "Permanent",
        _types(parts["DFType"][0], format, path),
        _acl(of_node, path),
        default,
    )


def _occurrence(parts: Mapping[str, list[Element]], path: str) -> tuple[int, int | None]:
    chosen = _choice(parts, "Occurrence", frozenset(_OCCURRENCES), path, "One")
    least, most = _OCCURRENCES[chosen.name]
    if chosen.name.endswith("OrN"):
        most = number(text_of(chosen), element=f"{path}/Occurrence", maximum=65_536)
        if most < 2:
            raise FormatError("not_a_number", at=f"{path}/Occurrence", text=str(most))
    return least, most


def _types(element: Element, format: str, path: str) -> frozenset[str]:
    kinds = list(_known(element, frozenset({"MIME", "DDFName"}), f"{path}/DFType"))
    # Interior nodes have one of either, leaves any number of MIME.
    single = len(kinds) <= 1
    if not (single if format == INTERIOR else all(kind.name == "MIME" for kind in kinds)):
        raise FormatError("unknown_type", at=f"{path}/DFType")
    return frozenset(filter(None, map(text_of, kinds)))


def _acl(parts: Mapping[str, list[Element]], path: str) -> str:
    if "RTProperties" not in parts:
        return ""
    return _text(_parts(parts["RTProperties"][0], _RUN_TIME, f"{path}/RTProperties"), "ACL")


def _choice(
    parts: Mapping[str, list[Element]],
    name: str,
    known: frozenset[str],
    path: str,
    otherwise: str = "",
) -> Element:
    """The one element within that one; without it, or without content: what holds otherwise."""
    at = f"{path}/{name}"
    chosen = list(_known(parts[name][0], known, at)) if name in parts else [Element(otherwise)]
    if len(chosen) != 1:
        raise FormatError("not_one", at=at)
    return chosen[0]


def _parts(
    element: Element, known: frozenset[str], at: str, *, several: tuple[str, ...] = ()
) -> dict[str, list[Element]]:
    """Child elements by name, each once but for some."""
    parts: dict[str, list[Element]] = {}
    for part in _known(element, known, at):
        if part.name in parts and part.name not in several:
            raise FormatError("given_twice", at=at, element=part.name)
        parts.setdefault(part.name, []).append(part)
    return parts


def _known(element: Element, known: frozenset[str], at: str) -> Iterator[Element]:
    if any(isinstance(part, str) and part.strip() for part in element.content):
        raise FormatError("text_between", at=at)
    for part in children(element):
        if part.namespace not in _NAMESPACES:
            continue
        if part.name not in known:
            raise FormatError("unknown_element", at=at, element=part.name[:40])
        yield part


def _text(parts: Mapping[str, list[Element]], name: str) -> str:
    return text_of(parts[name][0]) if name in parts else ""
