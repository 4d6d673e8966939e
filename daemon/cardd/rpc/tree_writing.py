"""The part of TreeService by which local programs change the tree, each as its own authority."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cardea.v1 import tree_pb2 as pb
from cardea.v1 import tree_pb2_grpc as pb_grpc
from cardea_core import canonical_path
from omadm.nodes import INTERIOR, TreeNode

from cardd.tree import Authority, ManagementTree, Source, source_of

from . import convert
from .call import current_call
from .idempotency import IdempotentCalls
from .ports import LocalOperation, TreeChanges
from .refusals import ArgumentInvalidError
from .tree_view import TreeView

__all__ = ["TreeWriting"]

_Act = Callable[[Authority, int], None]


class TreeWriting(pb_grpc.TreeServiceServicer):
    """Converts, lets the authority act, converts."""

    def __init__(self, changes: TreeChanges) -> None:
        self._changes = changes
        self._idempotent: IdempotentCalls[tuple[ManagementTree, int]] = IdempotentCalls()

    async def ReplaceNode(
        self, request: pb.ReplaceNodeRequest, context: Any
    ) -> pb.ReplaceNodeResponse:
        path = _plain_path(request.path)
        stated = _stated(path, request)
        mine = source_of(current_call().authority)

        def put(authority: Authority, at_ms: int) -> None:
            node = authority.tree.snapshot.get(path)
            if _claims_already(authority.tree, mine, stated):
                return
            if node is None:
                authority.add(path, _complete(stated), at_ms)
            else:
                authority.replace(path, stated, at_ms)

        tree, revision = await self._change("Replace", path, request, put)
        node = tree.snapshot.get(path)
        in_force = node is not None and (node.kind, node.id) == mine
        # What another has put in its place is for those who may read it.
        seen = in_force or TreeView(current_call().with_right("tree.read"), tree).covers(path)
        return pb.ReplaceNodeResponse(
            node=(
                convert.node_message(node, tree.descriptions) if node is not None and seen else None
            ),
            in_force=in_force,
            revision=revision,
        )

    async def DeleteNode(
        self, request: pb.DeleteNodeRequest, context: Any
    ) -> pb.DeleteNodeResponse:
        path = _plain_path(request.path)
        call = current_call()

        def delete(authority: Authority, at_ms: int) -> None:
            snapshot = authority.tree.snapshot
            for node in snapshot.walk(path) if snapshot.get(path) is not None else []:
                call.require(node=node.path)
            authority.delete(path, at_ms)

        _, revision = await self._change("Delete", path, request, delete)
        return pb.DeleteNodeResponse(revision=revision)

    async def SetNodeAcl(
        self, request: pb.SetNodeAclRequest, context: Any
    ) -> pb.SetNodeAclResponse:
        path = _plain_path(request.path)
        property = f"{path}?prop=ACL"
        value = TreeNode(path, request.acl.encode())
        tree, revision = await self._change(
            "Replace", property, request, lambda a, at_ms: a.replace(property, value, at_ms)
        )
        return pb.SetNodeAclResponse(acl=convert.acl_message(tree, path), revision=revision)

    async def _change(
        self, verb: str, uri: str, request: Any, act: _Act
    ) -> tuple[ManagementTree, int]:
        """Let the caller's authority act; a repetition gets what the first call got."""
        call = current_call()
        call.require(node=uri.partition("?")[0])
        name = call.authority
        operation = LocalOperation(call.caller.uid, name, call.id, verb, uri)

        async def changed() -> tuple[ManagementTree, int]:
            _, tree, revision = await self._changes.change(
                operation, lambda tree, at_ms: act(Authority(tree, name, card=""), at_ms)
            )
            return tree, revision

        return await self._idempotent.once(
            (call.caller.uid, request.request_id),
            call.method.encode() + request.SerializeToString(deterministic=True),
            changed,
        )


def _plain_path(text: str) -> str:
    """A path without ?prop= or ?list=: the calls say themselves what of the node is meant."""
    if "?" in text:
        raise ArgumentInvalidError("path", "has a question mark")
    return canonical_path(text)


def _stated(path: str, request: pb.ReplaceNodeRequest) -> TreeNode:
    if request.format != INTERIOR:
        return TreeNode(path, request.value, request.format, request.type)
    if request.value:
        raise ArgumentInvalidError("value", "an interior node has none")
    return TreeNode(path, None, INTERIOR, request.type)


def _complete(node: TreeNode) -> TreeNode:
    """A new node: text, if nothing else is said."""
    if node.value is None:
        return node
    mime = "application/octet-stream" if node.format in ("bin", "b64") else "text/plain"
    return TreeNode(node.path, node.value, node.format or "chr", node.mime or mime)


def _claims_already(tree: ManagementTree, mine: Source, node: TreeNode) -> bool:
    layer = tree.layer(*mine)
    entry = layer.get(node.path) if layer is not None else None
    if entry is None or entry.absent or entry.value != node.value:
        return False
    return node.format in ("", entry.format) and node.mime in ("", entry.mime)
