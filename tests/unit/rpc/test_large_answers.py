"""Answers that are more than one message come by pages or in pieces, and never as one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import cardea
import grpc
import pytest
from cardd.rpc.access import Grant, Policy
from cardd.rpc.feed import Signal
from cardd.rpc.server import Service
from cardd.rpc.tree import TreeService
from cardd.tree import Delta, ManagementTree, TreeHolder
from cardea.v1 import provisioning_pb2 as pb
from cardea.v1 import provisioning_pb2_grpc as pb_grpc
from cardea.v1 import tree_pb2, tree_pb2_grpc
from omadm.nodes import leaf
from unit.rpc.test_node_filters import History, provisioning_service
from unit.rpc.tree_scene import NothingChanges

Serve = Callable[..., Awaitable[Any]]
ALL_BUT_SOME = Policy(
    (Grant(uids=frozenset({os.geteuid()}), rights=("*",), nodes=("./A", "./A/*0", "./B")),)
)
SEEN = ["./A", *(f"./A/{number:04}" for number in range(0, 2000, 10)), "./B"]


def tree(number: int, value: bytes = b"v") -> ManagementTree:
    made = ManagementTree()
    leaves = (leaf(f"./A/{number:04}", value) for number in range(number))
    made.adopt("card", "8949", [*leaves, leaf("./B", "b")], 1)
    return made


class LargeHistory(History):
    """Counts how often it had to compare."""

    def __init__(self, number: int, value: bytes = b"v") -> None:
        super().__init__()
        self.compared: list[tuple[int, int | None]] = []
        self._delta = Delta.between(ManagementTree(), tree(number, value), 2)

    async def compare(self, before: int, after: int | None) -> Delta:
        self.compared.append((before, after))
        return self._delta


def history_service(history: History) -> Service:
    add = pb_grpc.add_ProvisioningServiceServicer_to_server
    return Service("cardea.v1.ProvisioningService", provisioning_service(history), add)


@pytest.mark.parametrize("page_size", [1, 7, 200, 5000])
async def test_pages_of_a_comparison_are_the_whole(serve: Serve, page_size: int) -> None:
    history = LargeHistory(2000)
    served = await serve(history_service(history), policy=ALL_BUT_SOME)
    async with served.channel() as channel:
        stub = pb_grpc.ProvisioningServiceStub(channel)
        whole = await stub.CompareRevisions(pb.CompareRevisionsRequest(before=1))
        assert ([each.path for each in whole.changes], whole.next_page_token) == (SEEN, "")
        history.compared.clear()
        request = pb.CompareRevisionsRequest(before=1, page_size=page_size)
        told: list[str] = []
        while True:
            page = await stub.CompareRevisions(request)
            assert len(page.changes) <= page_size
            assert page.after == 2
            told += [each.path for each in page.changes]
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token
    assert told == SEEN
    # The daemon has compared once for all pages.
    assert history.compared == [(1, None)]


def paging(before: int, page: pb.CompareRevisionsResponse) -> pb.CompareRevisionsRequest:
    return pb.CompareRevisionsRequest(before=before, page_size=2, page_token=page.next_page_token)


@pytest.mark.parametrize(("clients", "compared"), [(4, 4), (5, 15)])
async def test_a_few_clients_page_different_comparisons_at_once(
    serve: Serve, clients: int, compared: int
) -> None:
    """Each compares once; of more than are kept, every page of every client finds none."""
    history = LargeHistory(5)
    served = await serve(history_service(history))
    async with served.channel() as channel:
        stub = pb_grpc.ProvisioningServiceStub(channel)
        pages = [pb.CompareRevisionsResponse() for _ in range(clients)]
        for _ in range(3):
            pages = [
                await stub.CompareRevisions(paging(before, page))
                for before, page in enumerate(pages)
            ]
            assert all(page.next_page_token for page in pages)
    assert len(history.compared) == compared


async def test_a_comparison_is_forgotten_after_its_last_page_and_after_a_while(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = LargeHistory(1)
    served = await serve(history_service(history))
    async with served.channel() as channel:
        stub = pb_grpc.ProvisioningServiceStub(channel)
        first = await stub.CompareRevisions(paging(1, pb.CompareRevisionsResponse()))
        last = await stub.CompareRevisions(paging(1, first))
        assert (last.next_page_token, len(history.compared)) == ("", 1)
        await stub.CompareRevisions(paging(1, first))
        assert len(history.compared) == 2
        monkeypatch.setattr("cardd.rpc.history._KEPT_S", 0.0)
        first = await stub.CompareRevisions(paging(1, pb.CompareRevisionsResponse()))
        await stub.CompareRevisions(paging(1, first))
        assert len(history.compared) == 4


async def test_a_page_ends_where_a_message_would_be_too_large(serve: Serve) -> None:
    served = await serve(history_service(LargeHistory(40, bytes(200_000))))
    async with served.channel() as channel:
        stub = pb_grpc.ProvisioningServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            await stub.CompareRevisions(pb.CompareRevisionsRequest(before=1))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "page_size" in (caught.value.details() or "")
        page = await stub.CompareRevisions(pb.CompareRevisionsRequest(before=1, page_size=5000))
        assert 4 <= len(page.changes) <= 8
    with cardea.Client(str(served.socket)) as client:
        changes = (await asyncio.to_thread(client.compare, 1)).changes
    assert [each.path for each in changes] == ["./A", *(f"./A/{n:04}" for n in range(40)), "./B"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"page_token": "x"},
        {"page_token": "1-2"},
        {"page_token": "7-2-3"},
        {"page_token": "1-9-3", "after": 2},
        {"page_size": -1},
    ],
)
async def test_a_page_of_another_comparison_is_refused(serve: Serve, wrong: dict[str, Any]) -> None:
    served = await serve(history_service(LargeHistory(3)))
    async with served.channel() as channel:
        stub = pb_grpc.ProvisioningServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            await stub.CompareRevisions(pb.CompareRevisionsRequest(before=1, **wrong))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_list_that_is_more_than_a_message_is_refused_and_comes_in_pieces(
    serve: Serve,
) -> None:
    holder = TreeHolder(tree(40, bytes(200_000)), 3, "epoch")
    service = TreeService(holder, Signal(), NothingChanges())
    add = tree_pb2_grpc.add_TreeServiceServicer_to_server
    served = await serve(Service("cardea.v1.TreeService", service, add))
    async with served.channel() as channel:
        stub = tree_pb2_grpc.TreeServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            await stub.ListNodes(tree_pb2.ListNodesRequest())
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "WatchTree" in (caught.value.details() or "")
    with cardea.Client(str(served.socket)) as client:
        listed = await asyncio.to_thread(client.nodes)
    assert [node.path for node in listed.nodes] == [
        node.path for node in holder.current.snapshot.walk()
    ]
    assert (listed.revision, listed.epoch) == (3, "epoch")


@pytest.mark.parametrize(("ends", "reason"), [(True, "CANCELLED"), (False, "DEADLINE")])
async def test_a_part_of_the_nodes_is_no_answer(serve: Serve, ends: bool, reason: str) -> None:
    class Broken(TreeService):
        async def WatchTree(
            self, request: tree_pb2.WatchTreeRequest, context: Any
        ) -> AsyncIterator[tree_pb2.WatchTreeResponse]:
            yield tree_pb2.WatchTreeResponse(snapshot=tree_pb2.TreeSnapshot())
            if not ends:
                await asyncio.Event().wait()

    service = Broken(TreeHolder(tree(40, bytes(200_000)), 3), Signal(), NothingChanges())
    add = tree_pb2_grpc.add_TreeServiceServicer_to_server
    served = await serve(Service("cardea.v1.TreeService", service, add))
    limit_s = 60.0 if ends else 2.0
    with (
        cardea.Client(str(served.socket), timeout_s=limit_s) as client,
        pytest.raises(cardea.CardeaError) as caught,
    ):
        await asyncio.to_thread(client.nodes)
    assert caught.value.reason == reason
