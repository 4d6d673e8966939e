"""A tree with two authorities, and what a verb's status is."""

from __future__ import annotations

from collections.abc import Callable

from cardd.tree import (
    DeviceInfo,
    ManagementTree,
    Refused,
    device_nodes,
)
from omadm.nodes import TreeNode, interior, leaf

A, B = "a.example", "b.example"
NOW = 1_700_000_000_000
DEVICE = DeviceInfo("IMEI:004999010640000", "Maker", "Box", fw_version="7")


def full(server: str) -> str:
    return "&".join(f"{verb}={server}" for verb in ("Add", "Delete", "Exec", "Get", "Replace"))


def sample_tree() -> ManagementTree:
    made = ManagementTree()
    made.adopt("device", "local", device_nodes(DEVICE), NOW - 5000)
    card = [
        interior("./DMAcc/1", mime="urn:oma:mo:oma-dm-dmacc:1.0", acl=full(A)),
        leaf("./DMAcc/1/ServerID", A),
        leaf("./DMAcc/1/AppAuth/1/AAuthName", "device"),
        leaf("./DMAcc/1/AppAuth/1/AAuthSecret", "geheim"),
        leaf("./DMAcc/1/AppAuth/1/AAuthData", b"nonce"),
        interior("./Card/8949", acl=full(A)),
        leaf("./Card/8949/ICCID", "8949"),
        leaf("./Card/8949/Files/1/OID", "2.23.43.5.1"),
        leaf("./Card/8949/Files/1/Data", b"\x03\x0b"),
        interior("./A", acl=full(A)),
        leaf("./A/Text", "eins"),
        leaf("./A/Number", "1", format="int"),
        interior("./A/Sub"),
        leaf("./A/Sub/Deep", "tief"),
        interior("./B", acl=full(B)),
        leaf("./B/Text", "zwei"),
    ]
    made.adopt("card", "8949", card, NOW - 4000)
    return made


def code(act: Callable[[], object]) -> int:
    """Status of an act that is refused, 200 otherwise."""
    try:
        act()
    except Refused as refusal:
        return int(refusal.status)
    return 200


def text(value: str = "neu") -> TreeNode:
    return leaf(".", value)


def value(tree: ManagementTree, path: str) -> bytes | None:
    node = tree.snapshot.get(path)
    return None if node is None else node.value
