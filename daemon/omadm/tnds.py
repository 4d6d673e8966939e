"""TNDS: a sub-tree as one object (OMA DM Tree and Description Serialization 1.2)."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping

from cardea_core import Element, TreeError, canonical_path

from omadm.elements import (
    child,
    child_text,
    children,
    from_base64,
    is_opaque,
    text_of,
)
from omadm.errors import FormatError
from omadm.names import DMDDF_NAMESPACE
from omadm.nodes import INTERIOR, TreeNode

__all__ = ["FORMATS", "MAX_NODES", "read", "write"]

# TNDS 1.2 §6.3.1.15 to 6.3.1.25
FORMATS = frozenset(
    {"b64", "bin", "bool", "chr", "int", "node", "null", "xml", "date", "time", "float"}
)
MAX_NODES = 20_000
VERSION = "1.2"


def read(tree: Element, *, base: str = ".") -> tuple[TreeNode, ...]:
    """Nodes of a MgmtTree, parents first, paths below ``base`` (the target of the command).

    A top node without NodeName stands for ``base`` itself (TNDS 1.2 §6.3.1.6).
    """
    if tree.name != "MgmtTree":
        raise FormatError("not_tnds", element=tree.name[:40])
    if not (child_text(tree, "VerDTD") or VERSION).startswith("1."):
        raise FormatError("unknown_version", version=child_text(tree, "VerDTD"))
    found: dict[str, TreeNode] = {}
    for part in children(tree):
        if part.name == "Node":
            _read_node(part, canonical(base), found, top=True)
    if not found:
        raise FormatError("empty_tnds")
    return tuple(found.values())


def write(
    nodes: Iterable[TreeNode], *, base: str = ".", without: frozenset[str] = frozenset()
) -> Element:
    """A MgmtTree with the nodes at and below ``base``, nested.

    ``without`` may name Format and Value; of the other properties what is stated is written.
    """
    base = canonical(base)
    known = {node.path: node for node in nodes}
    below: dict[str, list[TreeNode]] = {}
    for node in known.values():
        below.setdefault(_parent(node.path), []).append(node)
    tops = [node for node in known.values() if node.path == base or _parent(node.path) not in known]
    parts = [_write_node(node, base, below, without, top=True) for node in tops]
    return _element("MgmtTree", _element("VerDTD", VERSION), *parts)


def canonical(path: str) -> str:
    """The path in canonical form; FormatError when it is not one."""
    try:
        return canonical_path(path)
    except TreeError as error:
        raise FormatError("bad_path", path=path[:100], cause=error.code) from error


def _read_node(node: Element, parent: str, found: dict[str, TreeNode], *, top: bool) -> None:
    path = _path_of(node, parent, top=top)
    properties = child(node, "RTProperties")
    format_word = _format(properties)
    value = child(node, "Value")
    inner = [part for part in children(node) if part.name == "Node"]
    if inner and (value is not None or format_word not in (None, INTERIOR)):
        raise FormatError("leaf_with_children", path=path)
    if path in found:
        raise FormatError("duplicate_node", path=path)
    if len(found) >= MAX_NODES:
        raise FormatError("too_many_nodes", limit=MAX_NODES)
    # One without a value is what every new node has; it takes no right away that the device gives.
    acl = None if properties is None else child_text(properties, "ACL") or None
    title = None if properties is None else child_text(properties, "Title")
    mime = _type(properties)
    if inner or format_word == INTERIOR or (value is None and format_word is None):
        found[path] = TreeNode(path, None, INTERIOR, mime, acl, title)
        for part in inner:
            _read_node(part, path, found, top=False)
        return
    data, settled = _value(value, format_word or "chr", path)
    mime = mime or _default_mime(settled)
    found[path] = TreeNode(path, data, settled, mime, acl, title)


def _path_of(node: Element, parent: str, *, top: bool) -> str:
    above = child_text(node, "Path")
    if above:
        parent = _join(parent, above.removeprefix("./").strip("/")) if above != "." else parent
    name = child_text(node, "NodeName") or ""
    if not name:
        if not top:
            raise FormatError("node_without_name", parent=parent)
        return parent
    if "/" in name:
        raise FormatError("bad_path", path=name[:100], cause="path_segment_slash")
    return _join(parent, name)


def _join(parent: str, name: str) -> str:
    return canonical(f"{parent}/{name}")


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _format(properties: Element | None) -> str | None:
    found = None if properties is None else child(properties, "Format")
    if found is None:
        return None
    inner = next(iter(children(found)), None)
    # Some servers write the word where the empty element belongs.
    word = inner.name if inner is not None else text_of(found)
    if word not in FORMATS:
        raise FormatError("unknown_format", format=word[:20])
    return word


def _type(properties: Element | None) -> str:
    found = None if properties is None else child(properties, "Type")
    if found is None:
        return ""
    inner = next(iter(children(found)), None)
    return text_of(found if inner is None else inner)


def _value(value: Element | None, format_word: str, path: str) -> tuple[bytes, str]:
    if value is None or format_word == "null":
        return b"", "bin" if format_word == "b64" else format_word
    if any(True for _ in children(value)):
        raise FormatError("markup_in_value", path=path)
    if format_word not in ("b64", "bin"):
        return value.data, format_word
    if is_opaque(value) and format_word == "bin":
        return value.data, "bin"
    try:
        return from_base64(text_of(value)), "bin"
    except FormatError:
        if format_word == "b64":
            raise FormatError("bad_base64", path=path) from None
        return value.data, "bin"


def _default_mime(format_word: str) -> str:
    return "application/octet-stream" if format_word == "bin" else "text/plain"


def _write_node(
    node: TreeNode,
    base: str,
    below: Mapping[str, list[TreeNode]],
    without: frozenset[str],
    *,
    top: bool,
) -> Element:
    at_base = node.path == base
    name = _element("NodeName") if at_base else _element("NodeName", node.name)
    head: list[Element] = [name]
    if top and not at_base and _parent(node.path) != base:
        head.append(_element("Path", _relative(_parent(node.path), base)))
    head.append(_properties(node, without))
    if node.value is None:
        inner = (
            _write_node(part, base, below, without, top=False) for part in below.get(node.path, [])
        )
        return _element("Node", *head, *inner)
    if "Value" in without:
        return _element("Node", *head)
    text = base64.b64encode(node.value).decode("ascii") if _is_binary(node) else None
    content = _utf8(node) if text is None else text
    return _element("Node", *head, _element("Value", content) if content else _element("Value"))


def _relative(path: str, base: str) -> str:
    prefix = f"{base}/"
    if not path.startswith(prefix):
        raise FormatError("node_outside_base", path=path, base=base)
    return path.removeprefix(prefix)


def _properties(node: TreeNode, without: frozenset[str]) -> Element:
    word = INTERIOR if node.value is None else "b64" if _is_binary(node) else node.format
    parts: list[Element] = []
    if node.acl:
        parts.append(_element("ACL", node.acl))
    if "Format" not in without:
        parts.append(_element("Format", _element(word)))
    if node.title:
        parts.append(_element("Title", node.title))
    if node.t_stamp:
        parts.append(_element("TStamp", node.t_stamp))
    if node.value is None:
        # DM TND 1.2 §9.4.2.7: DDFName is there, and may be empty.
        parts.append(_element("Type", _element("DDFName", node.mime)))
    else:
        parts.append(_element("Type", _element("MIME", node.mime or _default_mime(node.format))))
    if node.ver_no is not None:
        parts.append(_element("VerNo", str(node.ver_no)))
    return _element("RTProperties", *parts)


def _is_binary(node: TreeNode) -> bool:
    return node.format in ("bin", "b64")


def _utf8(node: TreeNode) -> str:
    try:
        return (node.value or b"").decode()
    except UnicodeDecodeError as error:
        raise FormatError("value_not_text", path=node.path) from error


def _element(name: str, *content: Element | str | bytes) -> Element:
    return Element(name, [part for part in content if part != ""], namespace=DMDDF_NAMESPACE)
