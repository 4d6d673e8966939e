"""The device's management tree: sources and precedence, ACLs, the DM verbs of a server."""

from cardd.tree.acl import Acl, Verb
from cardd.tree.acl_table import AclClaim
from cardd.tree.addresses import path_status
from cardd.tree.authority import Authority, ExecOrder
from cardd.tree.ddf import SECRET_LEAVES, is_secret
from cardd.tree.delegations import Delegation, delegations, revoke
from cardd.tree.device import (
    LIMITS,
    NOBODY,
    DeviceInfo,
    Limits,
    dev_info_nodes,
    device_nodes,
)
from cardd.tree.errors import AclError, ManagementTreeError, Refused
from cardd.tree.export import ExportFormat, export
from cardd.tree.holder import Delta, TreeHolder
from cardd.tree.holdings import Usage
from cardd.tree.management_tree import ManagementTree
from cardd.tree.placement import Placement, place
from cardd.tree.properties import TitleClaim
from cardd.tree.readings import Reading, serialised
from cardd.tree.restoring import restored
from cardd.tree.servers import purge_servers
from cardd.tree.sources import (
    DEVICE,
    PROGRAM_PREFIX,
    Source,
    SourceKind,
    is_program,
    precedence,
    source_of,
)

__all__ = [
    "DEVICE",
    "LIMITS",
    "NOBODY",
    "PROGRAM_PREFIX",
    "SECRET_LEAVES",
    "Acl",
    "AclClaim",
    "AclError",
    "Authority",
    "Delegation",
    "Delta",
    "DeviceInfo",
    "ExecOrder",
    "ExportFormat",
    "Limits",
    "ManagementTree",
    "ManagementTreeError",
    "Placement",
    "Reading",
    "Refused",
    "Source",
    "SourceKind",
    "TitleClaim",
    "TreeHolder",
    "Usage",
    "Verb",
    "delegations",
    "dev_info_nodes",
    "device_nodes",
    "export",
    "is_program",
    "is_secret",
    "path_status",
    "place",
    "precedence",
    "purge_servers",
    "restored",
    "revoke",
    "serialised",
    "source_of",
]
