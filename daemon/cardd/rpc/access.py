"""The access policy: which local caller may do what, to which objects.

Deny by default. A call needs one right; a row gives rights, by glob, to some callers, and may
narrow them to readers, applications, files and keys of the card, and nodes of the tree. Rows only
give: none takes away what another gives, so neither their order nor how specific they are changes
what a caller may. One row alone must cover a whole call.
"""

from __future__ import annotations

import grp
import os
import pwd
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypedDict, Unpack

from cardd.tree import PROGRAM_PREFIX

from .feed import Signal
from .peer import Caller

__all__ = [
    "ADMIN_RIGHTS",
    "EVERYDAY_FILES",
    "EVERYDAY_RIGHTS",
    "FURTHER_RIGHTS",
    "OVERSEE",
    "QUIET_RIGHTS",
    "RIGHTS",
    "Callers",
    "CardRulePolicy",
    "DeviceApps",
    "Grant",
    "Objects",
    "Policy",
    "PolicyInForce",
    "builtin_grants",
    "gids_of",
    "uids_of",
]

# Every RPC that the server answers, and the one right that it takes.
RIGHTS: Mapping[str, str] = {
    "/cardea.v1.ReaderService/ListReaders": "readers.list",
    "/cardea.v1.ReaderService/WatchReaders": "readers.list",
    "/cardea.v1.CardService/GetCard": "cards.get",
    "/cardea.v1.CardService/ReadFile": "cards.read",
    "/cardea.v1.CardService/BatchReadFiles": "cards.read",
    "/cardea.v1.CardService/Transmit": "cards.transmit",
    "/cardea.v1.CardService/Session": "cards.session",
    "/cardea.v1.CardService/ListHolders": "cards.holders",
    "/cardea.v1.CardService/WriteCard": "cards.write",
    "/cardea.v1.CardService/PinStatus": "pins.status",
    "/cardea.v1.CardService/VerifyPin": "pins.verify",
    "/cardea.v1.CardService/ChangePin": "pins.change",
    "/cardea.v1.CardService/UnblockPin": "pins.unblock",
    "/cardea.v1.PinAgentService/ServePins": "pins.agent",
    "/cardea.v1.KeyService/ListKeys": "keys.list",
    "/cardea.v1.KeyService/GetPublicKey": "keys.read",
    "/cardea.v1.KeyService/GetCertificate": "keys.read",
    "/cardea.v1.KeyService/Sign": "keys.sign",
    "/cardea.v1.KeyService/Decrypt": "keys.decrypt",
    "/cardea.v1.KeyService/Authenticate": "keys.authenticate",
    "/cardea.v1.KeyService/DeriveKey": "keys.derive",
    "/cardea.v1.TreeService/GetNode": "tree.read",
    "/cardea.v1.TreeService/ListNodes": "tree.read",
    "/cardea.v1.TreeService/ExplainNode": "tree.read",
    "/cardea.v1.TreeService/WatchTree": "tree.read",
    "/cardea.v1.TreeService/GetNodeAcl": "tree.read",
    "/cardea.v1.TreeService/ExportTree": "tree.read",
    "/cardea.v1.TreeService/ListSources": "tree.read",
    "/cardea.v1.TreeService/ReplaceNode": "tree.write",
    "/cardea.v1.TreeService/DeleteNode": "tree.write",
    "/cardea.v1.TreeService/SetNodeAcl": "tree.acl",
    "/cardea.v1.ProvisioningService/Provision": "provisioning.run",
    "/cardea.v1.ProvisioningService/PreviewProvisioning": "provisioning.preview",
    "/cardea.v1.ProvisioningService/GetProvisioningStatus": "provisioning.status",
    "/cardea.v1.ProvisioningService/ListHistory": "provisioning.history",
    "/cardea.v1.ProvisioningService/CompareRevisions": "provisioning.history",
    "/cardea.v1.ProvisioningService/RollbackTree": "provisioning.rollback",
    "/cardea.v1.ProvisioningService/WatchQuestions": "questions.answer",
    "/cardea.v1.ProvisioningService/AnswerQuestion": "questions.answer",
    "/cardea.v1.ProvisioningService/ListQuestions": "questions.list",
    "/cardea.v1.ManagementService/ListAccounts": "management.list",
    "/cardea.v1.ManagementService/StartSession": "management.start",
    "/cardea.v1.ManagementService/DeliverNotification": "management.notify",
    "/cardea.v1.ManagementService/Report": "management.report",
    "/cardea.v1.ManagementService/ListDelegations": "management.report",
    "/cardea.v1.ManagementService/RevokeDelegation": "management.revoke",
    "/grpc.health.v1.Health/Check": "health.check",
    "/grpc.health.v1.Health/List": "health.check",
    "/grpc.health.v1.Health/Watch": "health.check",
    "/cardea.v1.AdminService/GetStatus": "admin.status",
    "/cardea.v1.AdminService/ListClients": "admin.clients",
    "/cardea.v1.AdminService/ListQuarantine": "admin.quarantine",
    "/cardea.v1.AdminService/ReleaseReader": "admin.release",
    "/cardea.v1.AdminService/ReloadPolicy": "admin.reload",
    "/cardea.v1.AdminService/Diagnose": "admin.diagnose",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": "admin.reflection",
    "/grpc.channelz.v1.Channelz/GetTopChannels": "admin.channelz",
    "/grpc.channelz.v1.Channelz/GetServers": "admin.channelz",
    "/grpc.channelz.v1.Channelz/GetServer": "admin.channelz",
    "/grpc.channelz.v1.Channelz/GetServerSockets": "admin.channelz",
    "/grpc.channelz.v1.Channelz/GetChannel": "admin.channelz",
    "/grpc.channelz.v1.Channelz/GetSubchannel": "admin.channelz",
    "/grpc.channelz.v1.Channelz/GetSocket": "admin.channelz",
}

# What is about the daemon itself, and answered on the admin socket only.
ADMIN_RIGHTS = frozenset(right for right in RIGHTS.values() if right.startswith("admin."))

# What no call needs by itself, and what it is for.
OVERSEE = "tree.oversee"
FURTHER_RIGHTS: Mapping[str, str] = {
    OVERSEE: "reading nodes too whose ACL gives `Get` to other local programs only",
}

# What members of the daemon's group may do without a row of their own: nothing that changes.
EVERYDAY_RIGHTS = (
    "readers.list",
    "cards.get",
    "cards.read",
    "pins.status",
    "pins.agent",
    "keys.list",
    "tree.read",
    "provisioning.status",
    "management.list",
    "health.check",
)
# What only looks: the audit passes over it where it is granted.
QUIET_RIGHTS = frozenset(
    {*EVERYDAY_RIGHTS, "provisioning.preview", "admin.status", "admin.reflection", "admin.channelz"}
)
# Files that every card lets anybody read, and that are about the card (TS 102 221 §13).
EVERYDAY_FILES = ("EF.DIR", "EF.ICCID", "EF.PL")


class Objects(TypedDict, total=False):
    """What a call touches. Left out: nothing of that kind, and every row covers that."""

    reader: str
    application: str
    file: str
    key: str
    node: str


@dataclass(frozen=True, slots=True)
class Callers:
    """Whom a row is for. All but ``units`` are alternatives: any of them lets a caller in.
    ``units`` narrows them, or stands alone."""

    uids: frozenset[int] = frozenset()
    gids: frozenset[int] = frozenset()
    units: tuple[str, ...] = ()
    everyone: bool = False

    def is_for(self, caller: Caller) -> bool:
        if self.units and not any(_unit_matches(caller.unit, glob) for glob in self.units):
            return False
        if self.units and not (self.uids or self.gids):
            return True
        return self.everyone or caller.uid in self.uids or not self.gids.isdisjoint(caller.gids)


@dataclass(frozen=True, slots=True)
class Grant(Callers):
    """One row. ``name`` is where it stands, for whoever looks for why a call was let in;
    ``authority`` what ACLs of the tree call these callers, behind ``local:``."""

    rights: tuple[str, ...] = ()
    readers: tuple[str, ...] = ("*",)
    applications: tuple[str, ...] = ("*",)
    files: tuple[str, ...] = ("*",)
    keys: tuple[str, ...] = ("*",)
    nodes: tuple[str, ...] = ("*",)
    name: str = ""
    authority: str = ""

    def covers(self, right: str, **objects: Unpack[Objects]) -> bool:
        """Whether the row gives ``right`` for the objects that are named."""
        columns = {
            "reader": self.readers,
            "application": self.applications,
            "file": self.files,
            "key": self.keys,
            "node": self.nodes,
        }
        return _matches(right, self.rights) and all(
            _matches(str(name), columns[kind]) for kind, name in objects.items()
        )


@dataclass(frozen=True, slots=True)
class DeviceApps(Callers):
    """What these callers are to a card that has rules of its own (GlobalPlatform SEAC)."""

    ids: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class CardRulePolicy:
    """Whether a card's own rules count, for which applications not, and whether a card without
    any is open."""

    honoured: bool = True
    open_without: bool = True
    exempt: frozenset[str] = frozenset({"mf", "usim", "isim"})


@dataclass(frozen=True, slots=True)
class Policy:
    """All rows in force."""

    grants: tuple[Grant, ...]
    apps: tuple[DeviceApps, ...] = ()
    card_rules: CardRulePolicy = CardRulePolicy()

    def device_apps(self, caller: Caller) -> frozenset[bytes]:
        """The device applications that a caller is, by all rows."""
        return frozenset().union(*(row.ids for row in self.apps if row.is_for(caller)))

    def deciding(self, caller: Caller, right: str, **objects: Unpack[Objects]) -> Grant | None:
        """The first row that alone gives this caller ``right`` on everything that is named."""
        return next(
            (
                grant
                for grant in self.grants
                if grant.is_for(caller) and grant.covers(right, **objects)
            ),
            None,
        )

    def allows(self, caller: Caller, right: str, **objects: Unpack[Objects]) -> bool:
        """Whether one row alone gives this caller ``right`` on everything that is named."""
        return self.deciding(caller, right, **objects) is not None

    def authority_of(self, caller: Caller) -> str:
        """The identifier of a caller in ACLs: that of the first row for it that names one."""
        named = (row.authority for row in self.grants if row.authority and row.is_for(caller))
        return PROGRAM_PREFIX + next(named, f"uid-{caller.uid}")


class PolicyInForce:
    """The policy that holds now. Belongs to the event loop.

    What asks it gets the answer of the moment, so a new policy holds for calls under way too.
    """

    def __init__(self, policy: Policy, source: str = "") -> None:
        self.current = policy
        self.source = source
        self.loaded_at_s = time.time()
        self.last_error = ""
        self.changed = Signal()

    def replace(self, policy: Policy) -> None:
        self.current = policy
        self.loaded_at_s = time.time()
        self.last_error = ""
        self.changed.raise_()

    def deciding(self, caller: Caller, right: str, **objects: Unpack[Objects]) -> Grant | None:
        """As :meth:`Policy.deciding`."""
        return self.current.deciding(caller, right, **objects)

    def allows(self, caller: Caller, right: str, **objects: Unpack[Objects]) -> bool:
        """As :meth:`Policy.allows`."""
        return self.current.allows(caller, right, **objects)

    def authority_of(self, caller: Caller) -> str:
        """As :meth:`Policy.authority_of`."""
        return self.current.authority_of(caller)


def builtin_grants(group: str, admin_group: str) -> tuple[Grant, ...]:
    """Everything for root, the daemon's own user and ``admin_group``; for the members of
    ``group`` what changes nothing and tells nothing of the subscriber on the card."""
    return (
        Grant(
            uids=frozenset({0, os.geteuid()}),
            gids=_members_of(admin_group),
            rights=("*",),
            name="builtin: administrators",
        ),
        Grant(
            gids=_members_of(group),
            rights=EVERYDAY_RIGHTS,
            files=EVERYDAY_FILES,
            name="builtin: everyday use",
        ),
    )


def uids_of(names: Iterable[str]) -> frozenset[int]:
    """User ids of user names. Raises KeyError for a name that nobody bears."""
    return frozenset(pwd.getpwnam(name).pw_uid for name in names)


def gids_of(names: Iterable[str]) -> frozenset[int]:
    """Group ids of group names. Raises KeyError for a name that nobody bears."""
    return frozenset(grp.getgrnam(name).gr_gid for name in names)


def _members_of(group: str) -> frozenset[int]:
    try:
        return gids_of([group] if group else [])
    except KeyError:
        # No such group on this machine: then it has no members either.
        return frozenset()


def _matches(name: str, globs: tuple[str, ...]) -> bool:
    return "*" in globs or any(fnmatchcase(name, glob) for glob in globs)


def _unit_matches(unit: str, glob: str) -> bool:
    """A glob for units of the system's manager is for no unit of a user's manager: whoever the
    user is, it names its units as it likes."""
    return unit != "" and unit.count("/") == glob.count("/") and fnmatchcase(unit, glob)
