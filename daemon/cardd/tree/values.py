"""Whether a value is what its format says (SyncML Meta-Information 1.2 §5.3.2)."""

from __future__ import annotations

import re
from dataclasses import replace

from omadm.nodes import INTERIOR, TreeNode
from omadm.status import StatusCode

from cardd.tree.device import Limits
from cardd.tree.errors import Refused

__all__ = ["checked_value", "fitting"]

_TEXT_FORMATS = frozenset({"chr", "xml", "b64", "date", "time"})
_PATTERNS = {
    "int": re.compile(rb"[+-]?[0-9]{1,10}"),
    "bool": re.compile(rb"true|false"),
    "float": re.compile(rb"[+-]?[0-9]*\.?[0-9]+([eE][+-]?[0-9]+)?"),
}
_MAX_MIME_BYTES = 255


def checked_value(node: TreeNode, limits: Limits, formats: frozenset[str]) -> TreeNode:
    """The node as it can be stored. Raises Refused: 413 too large, 415 not of its format."""
    if len(node.mime.encode()) > _MAX_MIME_BYTES or not node.mime.isprintable():
        raise Refused(StatusCode.UNSUPPORTED_FORMAT, node.path, "type")
    if node.value is None:
        return fitting(replace(node, format=INTERIOR), formats)
    if len(node.value) > limits.value_bytes:
        raise Refused(StatusCode.TOO_LARGE, node.path, f"{len(node.value)} bytes")
    if not _fits(node.value, node.format):
        raise Refused(StatusCode.UNSUPPORTED_FORMAT, node.path, f"not {node.format[:16]}")
    return fitting(node, formats)


def fitting(node: TreeNode, formats: frozenset[str]) -> TreeNode:
    """The node, if its description allows its format; no formats: it has none."""
    if formats and node.format not in formats:
        wanted = " or ".join(sorted(formats))
        raise Refused(StatusCode.UNSUPPORTED_FORMAT, node.path, f"has to be {wanted}")
    return node


def _fits(value: bytes, format: str) -> bool:
    if format == "bin":
        return True
    if format == "null":
        return not value
    if format in _TEXT_FORMATS:
        try:
            value.decode()
        except UnicodeDecodeError:
            return False
        return True
    pattern = _PATTERNS.get(format)
    return pattern is not None and pattern.fullmatch(value) is not None
