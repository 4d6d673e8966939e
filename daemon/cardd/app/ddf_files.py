"""Descriptions of management objects that the integrator puts into a directory: DDF documents."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from omadm.ddf import ANY_NAME, DescribedNode, read_description
from omadm.errors import FormatError
from omadm.nodes import INTERIOR, TreeNode

from cardd.tree import (
    BUILT_IN,
    LIMITS,
    Acl,
    AclError,
    DescriptionError,
    Descriptions,
    Refused,
    checked_value,
)

from .settings import ConfigError

__all__ = ["described_by", "permanent_nodes"]

_SUFFIXES = (".ddf", ".xml")


def described_by(
    directory: str, where: str = "device.ddf_directory"
) -> tuple[Descriptions, tuple[DescribedNode, ...]]:
    """What is known of all nodes, and what of it the documents say; ``directory`` "": none.

    Raises:
        ConfigError: a document cannot be read, is none, or contradicts another or the daemon; it
            names the file and the element.
    """
    known, described = BUILT_IN, list[DescribedNode]()
    by_file: dict[str, str] = {}
    for path in _documents(directory, where) if directory else ():
        try:
            nodes = read_description(path.read_bytes())
            for node in nodes:
                other = by_file.setdefault(node.path, path.name)
                if other != path.name:
                    raise DescriptionError(node.path, f"is described in {other} too")
            known = known.joined(nodes)
            for node in nodes:
                _check_default(node, known)
        except OSError as error:
            raise ConfigError(where, f"{path.name}: {error.strerror}") from error
        except (DescriptionError, FormatError) as error:
            raise ConfigError(where, f"{path.name}: {error}") from error
        described += nodes
    return known, tuple(described)


def permanent_nodes(described: tuple[DescribedNode, ...]) -> Iterator[TreeNode]:
    """Those that the device brings: permanent ones whose names are known (§6.3)."""
    for node in described:
        if node.permanent and ANY_NAME not in node.path.split("/"):
            yield _made(node)


def _documents(directory: str, where: str) -> list[Path]:
    try:
        return sorted(path for path in Path(directory).iterdir() if path.suffix in _SUFFIXES)
    except OSError as error:
        raise ConfigError(where, f"{directory}: {error.strerror}") from error


def _made(node: DescribedNode) -> TreeNode:
    mime = min(node.types, default="")
    acl = node.acl or None
    if node.format == INTERIOR:
        return TreeNode(node.path, None, INTERIOR, mime, acl)
    format = "bin" if node.format == "b64" else node.format
    return TreeNode(node.path, (node.default or "").encode(), format, mime or "text/plain", acl)


def _check_default(node: DescribedNode, known: Descriptions) -> None:
    """What the device is to make of the node can be made; DescriptionError."""
    try:
        Acl.parse(node.acl)
        if node.default is not None or node.permanent:
            checked_value(_made(node), LIMITS, known.rule_for(node.path))
    except AclError as error:
        raise DescriptionError(node.path, str(error)) from error
    except Refused as refusal:
        problem = f"DefaultValue is {refusal.reason}" if node.default else "needs a DefaultValue"
        raise DescriptionError(node.path, problem) from refusal
    if node.acl and not node.permanent:
        raise DescriptionError(node.path, "an ACL is for permanent nodes")
