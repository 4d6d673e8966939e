"""The device's management tree: sources and precedence, ACLs, the DM verbs of a server."""

from cardd.tree.acl import Acl, Verb
from cardd.tree.acl_table import AclClaim
from cardd.tree.addresses import path_status
from cardd.tree.authority import Authority, ExecOrder
from cardd.tree.ddf import BUILT_IN
from cardd.tree.delegations import Delegation, delegations, revoke
from cardd.tree.descriptions import SECRET_LEAVES, Descriptions
from cardd.tree.device import (
    LIMITS,
    NOBODY,
    DeviceInfo,
    Limits,
    dev_info_nodes,
    device_nodes,
)
from cardd.tree.errors import AclError, DescriptionError, ManagementTreeError, Refused
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
from cardd.tree.values import checked_value

__all__ = [
    "BUILT_IN",
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
    "DescriptionError",
    "Descriptions",
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
    "checked_value",
    "delegations",
    "dev_info_nodes",
    "device_nodes",
    "export",
    "is_program",
    "path_status",
    "place",
    "precedence",
    "purge_servers",
    "restored",
    "revoke",
    "serialised",
    "source_of",
]
