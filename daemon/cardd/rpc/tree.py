"""TreeService: what is in force, and why."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

from cardea.v1 import tree_pb2 as pb
from cardea_core import Node, canonical_path

from cardd.tree import (
    Delta,
    Descriptions,
    ManagementTree,
    Source,
    TreeHolder,
    export,
    precedence,
    serialised,
)

from . import convert
from .call import Call, current_call
from .feed import Signal
from .ports import TreeChanges
from .refusals import ArgumentInvalidError, EventsGoneError, NodeNotFoundError
from .tree_view import TreeView, may_see_change
from .tree_writing import TreeWriting

__all__ = ["TreeService"]


_PIECE_BYTES = 1 << 16


class TreeService(TreeWriting):
    """Reads the tree that is in force; what changes it is in TreeWriting."""

    def __init__(self, holder: TreeHolder, committed: Signal, changes: TreeChanges) -> None:
        super().__init__(changes)
        self._holder = holder
        self._committed = committed

    async def GetNode(self, request: pb.GetNodeRequest, context: Any) -> pb.GetNodeResponse:
        tree = self._holder.current
        node = self._view(tree).node(canonical_path(request.path))
        return pb.GetNodeResponse(node=convert.node_message(node, tree.descriptions))

    async def ListNodes(self, request: pb.ListNodesRequest, context: Any) -> pb.ListNodesResponse:
        path = canonical_path(request.path or ".")
        tree, revision = self._holder.state()
        if tree.snapshot.get(path) is None:
            raise NodeNotFoundError(path)
        nodes = _messages(self._view(tree).below(path), tree)
        return pb.ListNodesResponse(nodes=nodes, revision=revision)

    async def ExplainNode(
        self, request: pb.ExplainNodeRequest, context: Any
    ) -> pb.ExplainNodeResponse:
        path = canonical_path(request.path)
        tree = self._holder.current
        self._view(tree).require(path)
        claims = tree.snapshot.explain(path)
        if not claims:
            raise NodeNotFoundError(path)
        node = tree.snapshot.get(path)
        return pb.ExplainNodeResponse(
            node=convert.node_message(node, tree.descriptions) if node is not None else None,
            claims=(convert.claim_message(path, claim, tree.descriptions) for claim in claims),
            acl=str(tree.acl_in_force(path)),
            acl_from=tree.acl_place(path),
        )

    async def WatchTree(
        self, request: pb.WatchTreeRequest, context: Any
    ) -> AsyncIterator[pb.WatchTreeResponse]:
        call = current_call()
        path = canonical_path(request.path or ".")
        revision = request.after_revision
        if not revision:
            tree, revision = self._holder.state()
            nodes = _messages(TreeView(call, tree).below(path), tree)
            yield pb.WatchTreeResponse(revision=revision, snapshot=pb.TreeSnapshot(nodes=nodes))
        while True:
            wake = self._committed.next()
            deltas = self._holder.since(revision)
            if deltas is None:
                raise EventsGoneError(after=revision)
            for delta in deltas:
                revision = delta.revision
                message = _delta_message(delta, path, call, self._holder.current.descriptions)
                if message.changed or message.removed:
                    yield pb.WatchTreeResponse(revision=revision, delta=message)
            if not deltas:
                await asyncio.shield(wake)

    async def GetNodeAcl(
        self, request: pb.GetNodeAclRequest, context: Any
    ) -> pb.GetNodeAclResponse:
        tree = self._holder.current
        node = self._view(tree).node(canonical_path(request.path))
        return pb.GetNodeAclResponse(acl=convert.acl_message(tree, node.path))

    async def ExportTree(
        self, request: pb.ExportTreeRequest, context: Any
    ) -> AsyncIterator[pb.ExportTreeResponse]:
        path = canonical_path(request.path or ".")
        format = convert.EXPORT_FORMATS.get(request.format)
        if format is None:
            raise ArgumentInvalidError("format", "is not one of those that there are")
        tree = self._holder.current
        view = self._view(tree)
        view.node(path)

        def exported() -> bytes:
            is_secret = tree.descriptions.is_secret
            plain = (node for node in view.below(path) if not is_secret(node.path))
            return export((serialised(tree, node) for node in plain), format)

        document = await asyncio.to_thread(exported)
        for at in range(0, len(document), _PIECE_BYTES):
            yield pb.ExportTreeResponse(data=document[at : at + _PIECE_BYTES])

    async def ListSources(
        self, request: pb.ListSourcesRequest, context: Any
    ) -> pb.ListSourcesResponse:
        tree, revision = self._holder.state()
        self._view(tree).require(".")
        in_force = Counter((node.kind, node.id) for node in tree.snapshot.walk())
        sources = (Source(layer.kind, layer.id) for layer in reversed(tree.layers()))
        strongest_first = sorted(sources, key=precedence, reverse=True)
        return pb.ListSourcesResponse(
            sources=(
                convert.source_info(source, tree.usage(source), in_force[source])
                for source in strongest_first
            ),
            revision=revision,
        )

    @staticmethod
    def _view(tree: ManagementTree) -> TreeView:
        return TreeView(current_call(), tree)


def _messages(nodes: Iterable[Node], tree: ManagementTree) -> Iterator[pb.Node]:
    return (convert.node_message(node, tree.descriptions) for node in nodes)


def _delta_message(delta: Delta, path: str, call: Call, known: Descriptions) -> pb.TreeDelta:
    def wanted(changed: str) -> bool:
        inside = path == "." or changed == path or changed.startswith(f"{path}/")
        return inside and may_see_change(call, delta, changed)

    return pb.TreeDelta(
        changed=(convert.node_message(node, known) for node in delta.changed if wanted(node.path)),
        removed=filter(wanted, delta.removed),
    )
