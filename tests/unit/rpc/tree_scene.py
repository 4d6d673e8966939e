"""A tree service and a management service over a real server, store and committer."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from cardd.app.serial_executor import SerialExecutor
from cardd.app.tree_committer import TreeCommitter
from cardd.rpc.access import Grant, Policy
from cardd.rpc.feed import Signal
from cardd.rpc.management import ManagementService
from cardd.rpc.ports import NotifiedSession
from cardd.rpc.server import Service
from cardd.rpc.tree import TreeService
from cardd.store import Operation, Store
from cardd.tree import ManagementTree, TreeHolder
from cardea.v1 import management_pb2_grpc, tree_pb2_grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

Serve = Callable[..., Awaitable[Any]]


def policy_for(authority: str, *rights: str, nodes: tuple[str, ...] = ("*",)) -> Policy:
    me = frozenset({os.geteuid()})
    row = Grant(uids=me, rights=rights or ("*",), nodes=nodes, authority=authority)
    return Policy((row,))


class NothingChanges:
    """For reading only."""

    async def change(self, operation: object, act: object) -> Any:
        raise AssertionError("not asked for")

    def operations(self, authority: str, limit: int, before: int) -> tuple[Operation, ...]:
        return ()


class NoProvisioner:
    """Nothing is provisioned here."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)


class NoNotifications:
    """No server reaches this device."""

    async def deliver(self, message: bytes, *, user_agreed: bool) -> NotifiedSession:
        raise AssertionError(message, user_agreed)


@dataclass(slots=True)
class Scene:
    """What stands behind the services, and stubs for one caller after the other."""

    serve: Serve
    store: Store
    holder: TreeHolder
    committer: TreeCommitter

    @classmethod
    def of(cls, serve: Serve, folder: Path, tree: ManagementTree) -> Scene:
        store = Store(folder / "store" / "cardd.sqlite")
        holder = TreeHolder(tree, store.commit(tree, 1))
        return cls(serve, store, holder, TreeCommitter(store, holder, SerialExecutor("test")))

    async def as_(self, policy: Policy) -> Caller:
        """Serve a caller of this policy."""
        committed = Signal()
        committed.bind(asyncio.get_running_loop())
        self.holder.subscribe(lambda _: committed.raise_from_thread())
        tree = TreeService(self.holder, committed, self.committer)
        management = ManagementService(
            NoProvisioner(), NoNotifications(), self.holder, self.committer
        )
        served = await self.serve(
            Service("cardea.v1.TreeService", tree, tree_pb2_grpc.add_TreeServiceServicer_to_server),
            Service(
                "cardea.v1.ManagementService",
                management,
                management_pb2_grpc.add_ManagementServiceServicer_to_server,
            ),
            policy=policy,
        )
        channel = served.channel()
        return Caller(
            channel,
            tree_pb2_grpc.TreeServiceStub(channel),
            management_pb2_grpc.ManagementServiceStub(channel),
        )

    def state(self) -> object:
        """All that a refusal leaves as it is."""
        tree, revision = self.holder.state()
        return revision, tree.layers(), tree.acls(), tree.titles(), dict(tree.versions())


@dataclass(slots=True)
class Caller:
    channel: grpc.aio.Channel
    tree: Any
    management: Any


async def reason_of(call: Awaitable[object]) -> tuple[str, dict[str, str]]:
    """Reason and facts of a call that is refused; "" of one that is not."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        status = rpc_status.from_call(error)  # type: ignore[arg-type] # has what is asked of a Call
        assert status is not None
        info = error_details_pb2.ErrorInfo()
        assert status.details[0].Unpack(info)
        return info.reason, dict(info.metadata)
    return "", {}
