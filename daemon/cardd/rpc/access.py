"""The access policy: which local caller may do what, to which reader, application and node.

Deny by default. A call needs one right; a grant gives rights, by glob, to some callers, and may
narrow them to readers (PC/SC names), applications of the card and nodes of the tree.
"""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from .peer import Caller

__all__ = ["RIGHTS", "Grant", "Policy", "builtin_grants", "gids_of", "uids_of"]

# Every RPC that the server answers, and the one right that it takes.
RIGHTS: Mapping[str, str] = {
    "/cardea.v1.ReaderService/ListReaders": "readers.list",
    "/cardea.v1.ReaderService/WatchReaders": "readers.list",
    "/cardea.v1.CardService/GetCard": "cards.get",
    "/cardea.v1.CardService/ReadFile": "cards.read",
    "/cardea.v1.CardService/BatchReadFiles": "cards.read",
    "/cardea.v1.CardService/Transmit": "cards.transmit",
    "/cardea.v1.CardService/Session": "cards.session",
    "/cardea.v1.CardService/WriteCard": "cards.write",
    "/cardea.v1.TreeService/GetNode": "tree.read",
    "/cardea.v1.TreeService/ListNodes": "tree.read",
    "/cardea.v1.TreeService/ExplainNode": "tree.read",
    "/cardea.v1.TreeService/WatchTree": "tree.read",
    "/cardea.v1.ProvisioningService/Provision": "provisioning.run",
    "/cardea.v1.ProvisioningService/PreviewProvisioning": "provisioning.preview",
    "/cardea.v1.ProvisioningService/GetProvisioningStatus": "provisioning.status",
    "/cardea.v1.ManagementService/ListAccounts": "management.list",
    "/cardea.v1.ManagementService/StartSession": "management.start",
    "/grpc.health.v1.Health/Check": "health.check",
    "/grpc.health.v1.Health/List": "health.check",
    "/grpc.health.v1.Health/Watch": "health.check",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": "reflection.read",
}


@dataclass(frozen=True, slots=True)
class Grant:
    """One row. ``uids`` and ``gids`` are alternatives: either lets a caller in."""

    uids: frozenset[int] = frozenset()
    gids: frozenset[int] = frozenset()
    everyone: bool = False
    rights: tuple[str, ...] = ()
    readers: tuple[str, ...] = ("*",)
    applications: tuple[str, ...] = ("*",)
    nodes: tuple[str, ...] = ("*",)

    def is_for(self, caller: Caller) -> bool:
        return self.everyone or caller.uid in self.uids or not self.gids.isdisjoint(caller.gids)

    def covers(
        self,
        right: str,
        *,
        reader: str | None = None,
        application: str | None = None,
        node: str | None = None,
    ) -> bool:
        """Whether the row gives ``right`` for the objects that are named."""
        return (
            _matches(right, self.rights)
            and (reader is None or _matches(reader, self.readers))
            and (application is None or _matches(application, self.applications))
            and (node is None or _matches(node, self.nodes))
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """All rows in force."""

    grants: tuple[Grant, ...]

    def allows(
        self,
        caller: Caller,
        right: str,
        *,
        reader: str | None = None,
        application: str | None = None,
        node: str | None = None,
    ) -> bool:
        """Whether one row alone gives this caller ``right`` on everything that is named."""
        return any(
            grant.is_for(caller)
            and grant.covers(right, reader=reader, application=application, node=node)
            for grant in self.grants
        )


def builtin_grants(group: str) -> tuple[Grant, ...]:
    """Everything for root, for the daemon's own user and for the members of ``group``."""
    try:
        gids = frozenset({grp.getgrnam(group).gr_gid}) if group else frozenset()
    except KeyError:
        # No such group on this machine: then it has no members either.
        gids = frozenset()
    return (Grant(uids=frozenset({0, os.geteuid()}), gids=gids, rights=("*",)),)


def uids_of(names: Iterable[str]) -> frozenset[int]:
    """User ids of user names. Raises KeyError for a name that nobody bears."""
    return frozenset(pwd.getpwnam(name).pw_uid for name in names)


def gids_of(names: Iterable[str]) -> frozenset[int]:
    """Group ids of group names. Raises KeyError for a name that nobody bears."""
    return frozenset(grp.getgrnam(name).gr_gid for name in names)


def _matches(name: str, globs: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)
