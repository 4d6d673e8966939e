"""A sub-tree as a document: TNDS as XML or WBXML, or JSON."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from cardea_core import wbxml_encode, xml_encode
from omadm import tnds
from omadm.elements import xml_text
from omadm.nodes import TreeNode

__all__ = ["ExportFormat", "carried", "export"]

ExportFormat = Literal["json", "tnds-wbxml", "tnds-xml"]


def export(nodes: Iterable[TreeNode], format: ExportFormat) -> bytes:
    """The nodes, parents first. A value that is not the text it claims to be is octets (bin)."""
    nodes = map(carried, nodes)
    if format == "json":
        tree = {node.path: _described(node) for node in nodes if node.path != "."}
        return json.dumps({"tree": tree}, ensure_ascii=False, indent=2).encode() + b"\n"
    element = tnds.write(nodes)
    return xml_encode(element) if format == "tnds-xml" else wbxml_encode(element)


def carried(node: TreeNode) -> TreeNode:
    """The node as a document carries it: what is not the text it claims to be, as octets."""
    if node.value is None or node.format in ("bin", "b64") or xml_text(node.value) is not None:
        return node
    return replace(node, format="bin")


def _described(node: TreeNode) -> dict[str, str]:
    """A node as in what an operator desires of a device (docs/operator.md)."""
    said = {"format": node.format, "type": node.mime}
    if node.value is None or node.format == "null":
        return said
    if node.format in ("bin", "b64"):
        return said | {"value": base64.b64encode(node.value).decode()}
    return said | {"value": node.value.decode()}
