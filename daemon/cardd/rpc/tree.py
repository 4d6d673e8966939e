"""TreeService: what is in force, and why."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

from cardea.v1 import tree_pb2 as pb
from cardea_core import canonical_path

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
from .pieces import fill, pieces
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
        answer = pb.ListNodesResponse(revision=revision, epoch=self._holder.epoch)
        nodes = _seen_below(path, tree, self._view(tree))
        await fill(answer.nodes, nodes, instead="WatchTree sends it in pieces")
        return answer

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
        call, holder = current_call(), self._holder
        path = canonical_path(request.path or ".")
        revision, epoch = request.after_revision, request.epoch
        if not revision:
            (tree, revision), epoch = holder.state(), holder.epoch
            nodes = _seen_below(path, tree, TreeView(call, tree))
            async for message in _told(nodes, epoch, 0, revision, is_snapshot=True):
                yield message
        while True:
            wake = self._committed.next()
            deltas = holder.since(revision, epoch)
            if deltas is None:
                other = holder.epoch if epoch != holder.epoch else None
                raise EventsGoneError(after=revision, epoch=other)
            for delta in deltas:
                changes = _seen_of(delta, path, call, holder.current.descriptions)
                async for message in _told(changes, epoch, revision, delta.revision):
                    yield message
                revision = delta.revision
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
        sources = (Source(layer.kind, layer.id) for layer in reversed(tree.layers()))
        strongest_first = sorted(sources, key=precedence, reverse=True)

        def counted() -> list[pb.SourceInfo]:
            in_force = dict(tree.snapshot.winners())
            return [
                convert.source_info(source, tree.usage(source), in_force.get(source, 0))
                for source in strongest_first
            ]

        return pb.ListSourcesResponse(sources=await asyncio.to_thread(counted), revision=revision)

    @staticmethod
    def _view(tree: ManagementTree) -> TreeView:
        return TreeView(current_call(), tree)


def _seen_below(path: str, tree: ManagementTree, view: TreeView) -> Iterator[pb.Node | None]:
    """The nodes at and below a path; None for those that are kept from the caller."""
    for node in tree.snapshot.nodes(path):
        yield convert.node_message(node, tree.descriptions) if view.covers(node.path) else None


def _seen_of(
    delta: Delta, path: str, call: Call, known: Descriptions
) -> Iterator[pb.Node | str | None]:
    """The nodes at and below a path that have changed, and the paths of those that are gone."""
    below = "./" if path == "." else f"{path}/"
    for change in delta.changes:
        where = change.path
        wanted = where == path or where.startswith(below)
        if not wanted or not may_see_change(call, delta, where):
            yield None
        else:
            after = change.after
            yield convert.node_message(after, known) if after is not None else where


async def _told(
    items: Iterator[pb.Node | None] | Iterator[pb.Node | str | None],
    epoch: str,
    before: int,
    after: int,
    *,
    is_snapshot: bool = False,
) -> AsyncIterator[pb.WatchTreeResponse]:
    """What leads from one revision to another; nothing, where a commit has changed nothing."""
    begun = False
    for piece, is_last in pieces(items):
        if piece or (begun and is_last) or (is_snapshot and not begun):
            nodes = [item for item in piece if isinstance(item, pb.Node)]
            gone = [item for item in piece if isinstance(item, str)]
            first = is_snapshot and not begun
            yield pb.WatchTreeResponse(
                revision=after if is_last else before,
                epoch=epoch,
                snapshot=pb.TreeSnapshot(nodes=nodes) if first else None,
                delta=None if first else pb.TreeDelta(changed=nodes, removed=gone),
            )
            begun = True
        await asyncio.sleep(0)
