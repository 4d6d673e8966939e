"""Whether a value is what its format says (SyncML Meta-Information 1.2 §5.3.2)."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from dataclasses import replace

from omadm.nodes import INTERIOR, TreeNode
from omadm.status import StatusCode

from cardd.tree.descriptions import Rule
from cardd.tree.device import Limits
from cardd.tree.errors import Refused

__all__ = ["checked_value", "fitting"]

# XML Schema 1.0 part 2 §3.2.4, where a float's text is defined
_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|-?INF|NaN")
_INT = re.compile(r"[+-]?[0-9]{1,10}")


def _is_int(text: str) -> bool:
    return _INT.fullmatch(text) is not None and -(1 << 31) <= int(text) < 1 << 31


def _is_of_iso_8601(read: Callable[[str], object], text: str) -> bool:
    try:
        read(text)
    except ValueError:
        return False
    return True


# DM TND 1.2 §9.4.2: what is text, and what it has to be besides.
_TEXTS: dict[str, Callable[[str], bool]] = {
    "chr": lambda _: True,
    "xml": lambda _: True,
    "b64": lambda _: True,
    "null": lambda text: not text,
    "bool": lambda text: text in ("true", "false"),
    "int": _is_int,
    "float": lambda text: _FLOAT.fullmatch(text) is not None,
    "date": lambda text: _is_of_iso_8601(datetime.date.fromisoformat, text),
    "time": lambda text: _is_of_iso_8601(datetime.time.fromisoformat, text),
}
_MAX_MIME_BYTES = 255


def checked_value(node: TreeNode, limits: Limits, rule: Rule) -> TreeNode:
    """The node as it can be stored. Raises Refused: 413 too large, 415 not of its format."""
    if len(node.mime.encode()) > _MAX_MIME_BYTES or not node.mime.isprintable():
        raise Refused(StatusCode.UNSUPPORTED_FORMAT, node.path, "type")
    if node.value is None:
        return fitting(replace(node, format=INTERIOR), rule)
    if len(node.value) > limits.value_bytes:
        raise Refused(StatusCode.TOO_LARGE, node.path, f"{len(node.value)} bytes")
    if not _fits(node.value, node.format):
        raise Refused(StatusCode.UNSUPPORTED_FORMAT, node.path, f"not {node.format[:16]}")
    return fitting(node, rule)


def fitting(node: TreeNode, rule: Rule) -> TreeNode:
    """The node, if its description allows its format and, of a leaf, its type; else 415."""
    if rule.formats and node.format not in rule.formats:
        wanted = " or ".join(sorted(rule.formats))
        raise Refused(StatusCode.UNSUPPORTED_FORMAT, node.path, f"has to be {wanted}")
    if rule.types and _essence(node.mime) not in map(_essence, rule.types):
        wanted = " or ".join(sorted(rule.types))
        raise Refused(StatusCode.UNSUPPORTED_FORMAT, node.path, f"has to be {wanted}")
    return node


def _essence(mime: str) -> str:
    """The type without parameters; case has no meaning in it (RFC 2045 §5.1)."""
    return mime.partition(";")[0].strip().lower()


def _fits(value: bytes, format: str) -> bool:
    if format == "bin":
        return True
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return False
    return format in _TEXTS and _TEXTS[format](text)
