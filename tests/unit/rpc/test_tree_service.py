"""TreeService over a real server: what is given out, what is kept back, what a watcher sees."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any, Literal

import grpc
import pytest
from cardd.rpc.access import Grant, Policy
from cardd.rpc.feed import Signal
from cardd.rpc.pieces import MAX_ITEMS, fill
from cardd.rpc.server import Service
from cardd.rpc.tree import TreeService
from cardd.tree import ManagementTree, Source, TreeHolder
from cardea.v1 import tree_pb2 as pb
from cardea.v1 import tree_pb2_grpc as pb_grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from omadm.nodes import TreeNode
from unit.rpc.tree_scene import NothingChanges

Kind = Literal["device", "card", "server"]
Serve = Callable[..., Awaitable[Any]]


def leaf(path: str, value: bytes) -> TreeNode:
    return TreeNode(path, value, "chr", "text/plain", None)


def tree_with(*kinds: tuple[Kind, str, tuple[TreeNode, ...]]) -> ManagementTree:
    tree = ManagementTree()
    for at, (kind, name, nodes) in enumerate(kinds, 1):
        tree.adopt(kind, name, nodes, at_ms=at * 1000)
    return tree


def holder_of(tree: ManagementTree, revision: int = 1) -> tuple[TreeHolder, Signal]:
    return TreeHolder(tree, revision), Signal()


def service(holder: TreeHolder, committed: Signal) -> Service:
    return Service(
        "cardea.v1.TreeService",
        TreeService(holder, committed, NothingChanges()),
        pb_grpc.add_TreeServiceServicer_to_server,
    )


THREE_SOURCES: tuple[tuple[Kind, str, tuple[TreeNode, ...]], ...] = (
    ("device", "local", (leaf("./NAP/a/Addr", b"device"), leaf("./Own", b"mine"))),
    ("card", "8949", (leaf("./NAP/a/Addr", b"card"), leaf("./DMAcc/1/AAuthSecret", b"canary"))),
    ("server", "dm.example", (leaf("./NAP/a/Addr", b"server"),)),
)


def reason_of(error: grpc.aio.AioRpcError) -> tuple[str, dict[str, str]]:
    status = rpc_status.from_call(error)  # type: ignore[arg-type] # has what is asked of a Call
    assert status is not None
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert info.domain == "cardea"
    return info.reason, dict(info.metadata)


async def test_list_names_the_source_of_every_node(serve: Serve) -> None:
    served = await serve(service(*holder_of(tree_with(*THREE_SOURCES), 7)))
    async with served.channel() as channel:
        answer = await pb_grpc.TreeServiceStub(channel).ListNodes(pb.ListNodesRequest())
    assert answer.revision == 7
    assert answer.nodes[0].path == "."
    assert all(n.source.kind != pb.SOURCE_KIND_UNSPECIFIED for n in answer.nodes)
    by_path = {n.path: n for n in answer.nodes}
    assert by_path["./NAP/a/Addr"].value == b"server"
    assert by_path["./NAP/a/Addr"].source.id == "dm.example"
    assert by_path["./Own"].source.kind == pb.SOURCE_KIND_DEVICE


async def test_secret_values_are_kept_back_everywhere(serve: Serve) -> None:
    holder, committed = holder_of(tree_with(*THREE_SOURCES))
    served = await serve(service(holder, committed))
    path = "./DMAcc/1/AAuthSecret"
    async with served.channel() as channel:
        stub = pb_grpc.TreeServiceStub(channel)
        answers = [
            await stub.GetNode(pb.GetNodeRequest(path=path)),
            await stub.ListNodes(pb.ListNodesRequest()),
            await stub.ExplainNode(pb.ExplainNodeRequest(path=path)),
        ]
        watch = stub.WatchTree(pb.WatchTreeRequest())
        answers.append(await watch.read())
        watch.cancel()
    assert answers[0].node.secret
    assert all(b"canary" not in answer.SerializeToString() for answer in answers)


async def test_explain_says_where_a_claim_stands_and_of_what_kind_it_is(serve: Serve) -> None:
    tree = tree_with(*THREE_SOURCES)
    tree.bury(Source("server", "dm.example"), "./NAP", 9000)
    holder, committed = holder_of(tree)
    async with (await serve(service(holder, committed))).channel() as channel:
        stub = pb_grpc.TreeServiceStub(channel)
        below = await stub.ExplainNode(pb.ExplainNodeRequest(path="./NAP/a/Addr"))
        above = await stub.ExplainNode(pb.ExplainNodeRequest(path="./NAP"))
    assert [(c.path, c.absent, c.interior) for c in below.claims] == [
        ("./NAP", True, False),
        ("./NAP/a/Addr", False, False),
        ("./NAP/a/Addr", False, False),
    ]
    assert [(c.path, c.absent, c.interior) for c in above.claims] == [
        ("./NAP", True, False),
        ("./NAP", False, True),
        ("./NAP", False, True),
    ]


async def test_explain_names_winner_first_and_why_the_others_lost(serve: Serve) -> None:
    served = await serve(service(*holder_of(tree_with(*THREE_SOURCES))))
    async with served.channel() as channel:
        answer = await pb_grpc.TreeServiceStub(channel).ExplainNode(
            pb.ExplainNodeRequest(path="./NAP/a/Addr")
        )
    assert [(c.source.kind, c.value, c.outcome) for c in answer.claims] == [
        (pb.SOURCE_KIND_SERVER, b"server", pb.CLAIM_OUTCOME_WINS),
        (pb.SOURCE_KIND_CARD, b"card", pb.CLAIM_OUTCOME_LOWER_PRECEDENCE),
        (pb.SOURCE_KIND_DEVICE, b"device", pb.CLAIM_OUTCOME_LOWER_PRECEDENCE),
    ]
    assert answer.acl_from == "."


@pytest.mark.parametrize(
    ("path", "code", "reason"),
    [
        ("./Nothing", grpc.StatusCode.NOT_FOUND, "NODE_NOT_FOUND"),
        ("./a/../b", grpc.StatusCode.INVALID_ARGUMENT, "PATH_INVALID"),
        ("./a/", grpc.StatusCode.INVALID_ARGUMENT, "PATH_INVALID"),
        ("./" + "x" * 2000, grpc.StatusCode.INVALID_ARGUMENT, "PATH_INVALID"),
    ],
)
async def test_bad_paths_have_their_reason(
    serve: Serve, path: str, code: grpc.StatusCode, reason: str
) -> None:
    served = await serve(service(*holder_of(tree_with(*THREE_SOURCES))))
    async with served.channel() as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await pb_grpc.TreeServiceStub(channel).GetNode(pb.GetNodeRequest(path=path))
    assert caught.value.code() is code
    assert reason_of(caught.value)[0] == reason


async def test_watch_sends_a_snapshot_then_each_commit_and_can_be_resumed(serve: Serve) -> None:
    holder, committed = holder_of(tree_with(*THREE_SOURCES))
    holder.subscribe(lambda _: committed.raise_())
    served = await serve(service(holder, committed))
    async with served.channel() as channel:
        stub = pb_grpc.TreeServiceStub(channel)
        watch = stub.WatchTree(pb.WatchTreeRequest(path="./NAP"))
        first = await watch.read()
        assert {n.path for n in first.snapshot.nodes} == {"./NAP", "./NAP/a", "./NAP/a/Addr"}
        for value in (b"one", b"two"):
            newer = holder.fork()
            newer.adopt("server", "dm.example", (leaf("./NAP/a/Addr", value),), at_ms=9000)
            holder.replace(newer, holder.revision + 1)
        outside = holder.fork()
        outside.adopt("device", "local", (leaf("./NAP/a/Addr", b"device"),), at_ms=9000)
        holder.replace(outside, holder.revision + 1)
        second, third = await watch.read(), await watch.read()
        watch.cancel()
        assert [n.value for m in (second, third) for n in m.delta.changed if not n.interior] == [
            b"one",
            b"two",
        ]

        resumed = stub.WatchTree(pb.WatchTreeRequest(path=".", after_revision=second.revision))
        again, last = await resumed.read(), await resumed.read()
        resumed.cancel()
        assert again.revision == third.revision
        assert list(last.delta.removed) == ["./Own"]


async def test_resuming_from_an_unknown_revision_says_events_gone(serve: Serve) -> None:
    served = await serve(service(*holder_of(tree_with(*THREE_SOURCES))))
    async with served.channel() as channel:
        watch = pb_grpc.TreeServiceStub(channel).WatchTree(pb.WatchTreeRequest(after_revision=99))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await watch.read()
    assert caught.value.code() is grpc.StatusCode.OUT_OF_RANGE
    assert reason_of(caught.value)[0] == "EVENTS_GONE"


async def test_a_grant_for_some_nodes_shows_these_and_no_others(serve: Serve) -> None:
    only_nap = Grant(uids=frozenset({os.geteuid()}), rights=("tree.read",), nodes=("./NAP*",))
    served = await serve(service(*holder_of(tree_with(*THREE_SOURCES))), policy=Policy((only_nap,)))
    async with served.channel() as channel:
        stub = pb_grpc.TreeServiceStub(channel)
        answer = await stub.ListNodes(pb.ListNodesRequest())
        assert {n.path for n in answer.nodes} == {"./NAP", "./NAP/a", "./NAP/a/Addr"}
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetNode(pb.GetNodeRequest(path="./Own"))
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
    reason, facts = reason_of(caught.value)
    assert (reason, facts["node"], facts["right"]) == ("ACCESS_DENIED", "./Own", "tree.read")


@pytest.mark.parametrize("epoch", ["", "older"])
async def test_resuming_in_another_epoch_says_events_gone_and_which_it_is_now(
    serve: Serve, epoch: str
) -> None:
    holder = TreeHolder(tree_with(*THREE_SOURCES), 7, "present")
    served = await serve(service(holder, Signal()))
    async with served.channel() as channel:
        stub = pb_grpc.TreeServiceStub(channel)
        first = await stub.WatchTree(pb.WatchTreeRequest()).read()
        listed = await stub.ListNodes(pb.ListNodesRequest())
        assert (first.revision, first.epoch) == (listed.revision, listed.epoch) == (7, "present")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.WatchTree(pb.WatchTreeRequest(after_revision=7, epoch=epoch)).read()
    assert reason_of(caught.value) == ("EVENTS_GONE", {"after": "7", "epoch": "present"})


def large(values: int, size: int = 1) -> tuple[TreeNode, ...]:
    return tuple(leaf(f"./L/{number:05}", b"v" * size) for number in range(values))


@pytest.mark.parametrize("nodes", [large(3000), large(40, 200_000)], ids=["many", "heavy"])
async def test_much_comes_in_pieces_and_the_revision_moves_with_the_last(
    serve: Serve, nodes: tuple[TreeNode, ...]
) -> None:
    holder, committed = holder_of(tree_with(("device", "local", nodes)), 7)
    holder.subscribe(lambda _: committed.raise_())
    served = await serve(service(holder, committed))
    # A client that takes what gRPC takes by default.
    async with served.channel() as channel:
        stub = pb_grpc.TreeServiceStub(channel)
        watch = stub.WatchTree(pb.WatchTreeRequest(path="./L"))
        pieces = [await watch.read()]
        while pieces[-1].revision != 7:
            pieces.append(await watch.read())
        assert len(pieces) > 5
        assert [piece.revision for piece in pieces[:-1]] == [0] * (len(pieces) - 1)
        assert [piece.WhichOneof("change") for piece in pieces] == [
            "snapshot", *["delta"] * (len(pieces) - 1),
        ]  # fmt: skip
        sent = [n.path for piece in pieces for n in (*piece.snapshot.nodes, *piece.delta.changed)]
        assert sent == ["./L", *(node.path for node in nodes)]

        newer = holder.fork()
        newer.adopt("device", "local", (leaf("./Other", b"x"),), at_ms=9000)
        holder.replace(newer, 8)
        deltas = [await watch.read()]
        while deltas[-1].revision != 8:
            deltas.append(await watch.read())
        assert {delta.revision for delta in deltas[:-1]} <= {7}
        assert [path for delta in deltas for path in delta.delta.removed] == sent
        watch.cancel()


async def test_what_is_kept_from_the_caller_takes_turns_with_others_too() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    answer = pb.ListNodesResponse()
    items = (pb.Node(path=str(n)) if n % 2 else None for n in range(10_000))
    await fill(answer.nodes, items, instead="")
    task.cancel()
    assert [int(node.path) for node in answer.nodes] == list(range(1, 10_000, 2))
    assert turns >= 10_000 // MAX_ITEMS
