"""What the device says of itself: DevInfo and DevDetail (DM Standardized Objects 1.2 §5.3)."""

from __future__ import annotations

from dataclasses import dataclass

from omadm.names import DEVDETAIL_MO, DEVINFO_MO, INBOX_MO
from omadm.nodes import TreeNode, interior, leaf

__all__ = ["LIMITS", "DeviceInfo", "Limits", "dev_info_nodes", "device_nodes"]


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """Identity and capabilities of this machine; ``dev_id`` is a URN or IMEI:… (S8)."""

    dev_id: str
    man: str
    mod: str
    lang: str = "en"
    dev_type: str = "linux"
    oem: str = ""
    fw_version: str = ""
    sw_version: str = ""
    hw_version: str = ""
    max_msg_bytes: int = 65_536
    max_obj_bytes: int = 262_144


@dataclass(frozen=True, slots=True)
class Limits:
    """What the tree takes. Paths: DevDetail/URI; the rest answers 413 and 420."""

    depth: int = 32
    total_bytes: int = 1024
    segment_bytes: int = 127
    value_bytes: int = 262_144
    nodes_per_server: int = 20_000
    bytes_per_server: int = 16 * 1024 * 1024
    # A merge tells 65,535 apart, those of the tree before it among them.
    different_acls: int = 16_384


LIMITS = Limits()


def dev_info_nodes(info: DeviceInfo) -> tuple[TreeNode, ...]:
    """./DevInfo; its leaves travel in package 1 of every session."""
    return (
        interior("./DevInfo", mime=DEVINFO_MO),
        leaf("./DevInfo/DevId", info.dev_id),
        leaf("./DevInfo/Man", info.man),
        leaf("./DevInfo/Mod", info.mod),
        leaf("./DevInfo/DmV", "1.2"),
        leaf("./DevInfo/Lang", info.lang),
    )


def device_nodes(info: DeviceInfo, limits: Limits = LIMITS) -> tuple[TreeNode, ...]:
    """Every permanent node that the device itself brings, for the layer ("device", "local")."""
    return (
        *dev_info_nodes(info),
        interior("./DevDetail", mime=DEVDETAIL_MO),
        leaf("./DevDetail/DevTyp", info.dev_type),
        leaf("./DevDetail/OEM", info.oem),
        leaf("./DevDetail/FwV", info.fw_version),
        leaf("./DevDetail/SwV", info.sw_version),
        leaf("./DevDetail/HwV", info.hw_version),
        leaf("./DevDetail/LrgObj", "true", format="bool"),
        interior("./DevDetail/URI"),
        leaf("./DevDetail/URI/MaxDepth", str(limits.depth)),
        leaf("./DevDetail/URI/MaxTotLen", str(limits.total_bytes)),
        leaf("./DevDetail/URI/MaxSegLen", str(limits.segment_bytes)),
        interior("./DMAcc"),
        interior("./Inbox", mime=INBOX_MO),
        # What lies on cards is read and written by those the card's own documents name, and by
        # those the configuration names: no ServerID equals NOBODY, so nothing is inherited.
        interior("./Card", acl=f"Exec={NOBODY}&Get={NOBODY}&Replace={NOBODY}"),
    )


# No account may carry this ServerID; see Authority.
NOBODY = "-"
