"""A subtree as one JSON file: interior nodes are objects, leaves are strings, numbers, booleans."""

from __future__ import annotations

import base64
import json
import re
from functools import partial
from typing import Any

from cardea_core import Node, Snapshot

from .output import Output, OutputFile, Plan

__all__ = ["settings_file"]

# Longer ones are not of the format: a card says what it likes.
_INT = re.compile(r"[+-]?[0-9]{1,10}")


def settings_file(root: str, name: str) -> Plan:
    """Renders what is below ``root``; without that node there is no file."""
    return partial(_plan, root, name)


def _plan(root: str, name: str, tree: Snapshot) -> Output:
    top = tree.get(root)
    if top is None:
        return Output(())
    text = json.dumps(_value(tree, top), ensure_ascii=False, indent=2, sort_keys=True)
    return Output((OutputFile(name, f"{text}\n".encode()),))


def _value(tree: Snapshot, node: Node) -> Any:
    if not node.interior:
        return _leaf(node)
    children = {name: tree.get(f"{node.path}/{name}") for name in tree.children(node.path)}
    return {name: _value(tree, child) for name, child in children.items() if child is not None}


def _leaf(node: Node) -> Any:
    """By the DM format (DM TND 1.2 §7.7.3); what is not of its format stays a string."""
    value = node.value or b""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()
    if node.format == "bool" and text in ("true", "false"):
        return text == "true"
    if node.format == "int" and _INT.fullmatch(text):
        return int(text)
    if node.format == "bin":
        return base64.b64encode(value).decode()
    return text
