"""TreeService: what is in force, and why."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

from cardea.v1 import tree_pb2 as pb
from cardea.v1 import tree_pb2_grpc as pb_grpc
from cardea_core import canonical_path

from cardd.tree import Delta, ManagementTree, TreeHolder

from . import convert
from .call import Call, current_call
from .feed import Signal
from .refusals import EventsGoneError, NodeNotFoundError

__all__ = ["TreeService"]


class TreeService(pb_grpc.TreeServiceServicer):
    """Reads the tree that is in force; never changes it."""

    def __init__(self, holder: TreeHolder, committed: Signal) -> None:
        self._holder = holder
        self._committed = committed

    async def GetNode(self, request: pb.GetNodeRequest, context: Any) -> pb.GetNodeResponse:
        path = _readable_path(request.path)
        node = self._holder.current.snapshot.get(path)
        if node is None:
            raise NodeNotFoundError(path)
        return pb.GetNodeResponse(node=convert.node_message(node))

    async def ListNodes(self, request: pb.ListNodesRequest, context: Any) -> pb.ListNodesResponse:
        path = canonical_path(request.path or ".")
        tree, revision = self._holder.state()
        if tree.snapshot.get(path) is None:
            raise NodeNotFoundError(path)
        return pb.ListNodesResponse(nodes=_below(tree, path, current_call()), revision=revision)

    async def ExplainNode(
        self, request: pb.ExplainNodeRequest, context: Any
    ) -> pb.ExplainNodeResponse:
        path = _readable_path(request.path)
        tree = self._holder.current
        claims = tree.snapshot.explain(path)
        if not claims:
            raise NodeNotFoundError(path)
        node = tree.snapshot.get(path)
        acl, acl_from = tree.acl_in_force(path)
        return pb.ExplainNodeResponse(
            node=convert.node_message(node) if node is not None else None,
            claims=(convert.claim_message(path, claim) for claim in claims),
            acl=str(acl),
            acl_from=acl_from,
        )

    async def WatchTree(
        self, request: pb.WatchTreeRequest, context: Any
    ) -> AsyncIterator[pb.WatchTreeResponse]:
        call = current_call()
        path = canonical_path(request.path or ".")
        revision = request.after_revision
        if not revision:
            tree, revision = self._holder.state()
            yield pb.WatchTreeResponse(
                revision=revision, snapshot=pb.TreeSnapshot(nodes=_below(tree, path, call))
            )
        while True:
            wake = self._committed.next()
            deltas = self._holder.since(revision)
            if deltas is None:
                raise EventsGoneError(after=revision)
            for delta in deltas:
                revision = delta.revision
                message = _delta_message(delta, path, call)
                if message.changed or message.removed:
                    yield pb.WatchTreeResponse(revision=revision, delta=message)
            if not deltas:
                await asyncio.shield(wake)


def _readable_path(path: str) -> str:
    path = canonical_path(path)
    current_call().require(node=path)
    return path


def _below(tree: ManagementTree, path: str, call: Call) -> Iterator[pb.Node]:
    """The nodes at and below a path that the caller may read; none if it does not exist."""
    if tree.snapshot.get(path) is None:
        return
    for node in tree.snapshot.walk(path):
        if call.may(node=node.path):
            yield convert.node_message(node)


def _delta_message(delta: Delta, path: str, call: Call) -> pb.TreeDelta:
    def wanted(changed: str) -> bool:
        inside = path == "." or changed == path or changed.startswith(f"{path}/")
        return inside and call.may(node=changed)

    return pb.TreeDelta(
        changed=(convert.node_message(node) for node in delta.changed if wanted(node.path)),
        removed=filter(wanted, delta.removed),
    )
