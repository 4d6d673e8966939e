"""What the configuration lets the device say of itself, as nodes of the tree."""

from __future__ import annotations

import hashlib
import platform
import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from cardea_core import TreeError, canonical_path
from omadm.nodes import TreeNode, interior, leaf

from cardd.tree import (
    LIMITS,
    Acl,
    AclError,
    Descriptions,
    DeviceInfo,
    Refused,
    checked_value,
    device_nodes,
)

from .config import DeviceConfig
from .ddf_files import described_by, permanent_nodes
from .settings import ConfigError

__all__ = ["VERSION", "device_info", "nodes_of_device"]

VERSION = "0.1.0"

_MACHINE_ID = Path("/etc/machine-id")


def device_info(config: DeviceConfig) -> DeviceInfo:
    """DevInfo and DevDetail; what is not configured is taken from the machine."""
    return DeviceInfo(
        dev_id=config.id or _derived_id(),
        man=config.manufacturer,
        mod=config.model,
        lang=config.language,
        dev_type=config.device_type,
        oem=config.oem,
        fw_version=config.firmware_version or platform.release(),
        sw_version=config.software_version or f"cardd {VERSION}",
        hw_version=config.hardware_version or platform.machine(),
    )


def nodes_of_device(config: DeviceConfig, where: str = "device") -> list[TreeNode]:
    """Everything that the source ("device", "local") claims.

    Raises:
        ConfigError: a path or an ACL of the configuration is none, a value or a device
            description not what it has to be.
    """
    known, described = described_by(config.ddf_directory, f"{where}.ddf_directory")
    nodes = {node.path: node for node in permanent_nodes(described)}
    nodes |= {node.path: node for node in device_nodes(device_info(config))}
    for path, value in _canonical(config.tree, f"{where}.tree").items():
        acl = nodes[path].acl if path in nodes else None
        nodes[path] = _as_described(path, value, acl, known, f'{where}.tree."{path}"')
    for path, acl in _canonical(config.acl, f"{where}.acl").items():
        _check_acl(acl, f'{where}.acl."{path}"')
        node = nodes.get(path, interior(path))
        nodes[path] = replace(node, acl=acl)
    return list(nodes.values())


def _as_described(
    path: str, value: str, acl: str | None, known: Descriptions, where: str
) -> TreeNode:
    """A configured value in the format and of the type that its description wants."""
    rule = known.rule_for(path)
    # Octets come as the text's: "bin", never "b64".
    format = "chr" if not rule.formats or "chr" in rule.formats else max(rule.formats)
    mime = "text/plain" if not rule.types or "text/plain" in rule.types else min(rule.types)
    try:
        return checked_value(leaf(path, value, format=format, mime=mime, acl=acl), LIMITS, rule)
    except Refused as refusal:
        raise ConfigError(where, refusal.reason) from refusal


def _canonical(values: Mapping[str, str], where: str) -> dict[str, str]:
    result = {}
    for path, value in values.items():
        try:
            result[canonical_path(path)] = value
        except TreeError as error:
            raise ConfigError(f'{where}."{path}"', f"is not a node path: {error}") from error
    return result


def _check_acl(acl: str, where: str) -> None:
    try:
        Acl.parse(acl)
    except AclError as error:
        raise ConfigError(where, str(error)) from error


def _derived_id() -> str:
    """A name of this machine for management servers, from which its machine-id, which must not
    leave it (machine-id(5)), cannot be computed."""
    try:
        machine = _MACHINE_ID.read_text().strip()
    except OSError:
        machine = platform.node()
    digest = hashlib.sha256(b"cardea DevId " + machine.encode()).digest()
    return f"urn:uuid:{uuid.UUID(bytes=digest[:16], version=5)}"
