"""What the configuration lets the device say of itself, as nodes of the tree."""

from __future__ import annotations

import hashlib
import platform
import uuid
from collections.abc import Mapping
from pathlib import Path

from cardea_core import TreeError, canonical_path
from omadm.nodes import TreeNode, leaf

from cardd.tree import Acl, AclError, DeviceInfo, device_nodes

from .config import DeviceConfig
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
        ConfigError: a path or an ACL of the configuration is none.
    """
    nodes = {node.path: node for node in device_nodes(device_info(config))}
    for path, value in _canonical(config.tree, f"{where}.tree").items():
        nodes[path] = leaf(path, value)
    for path, acl in _canonical(config.acl, f"{where}.acl").items():
        _check_acl(acl, f'{where}.acl."{path}"')
        known = nodes.get(path)
        if known is None:
            nodes[path] = TreeNode(path, None, "node", "", acl)
        else:
            nodes[path] = TreeNode(path, known.value, known.format, known.mime, acl)
    return list(nodes.values())


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
