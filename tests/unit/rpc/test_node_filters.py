"""What a grant's nodes leave out is left out of every answer that speaks of nodes."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from unittest.mock import create_autospec

import grpc
import pytest
from cardd.provisioning.progress import CardStatus, Preview, Progress, SessionOutcome
from cardd.reader.events import ReaderStatus
from cardd.rpc.access import Grant, Policy
from cardd.rpc.card_leases import CardLeases
from cardd.rpc.management import ManagementService
from cardd.rpc.provisioning import ProvisioningService
from cardd.rpc.questions import OpenQuestions
from cardd.rpc.server import Service
from cardd.store import Revision
from cardd.tree import BUILT_IN, Delta, ManagementTree, TreeHolder
from cardea.v1 import management_pb2, management_pb2_grpc, provisioning_pb2, provisioning_pb2_grpc
from omadm.nodes import leaf
from support.readers import ONE_CARD, OneReader
from unit.rpc.tree_scene import NoNotifications, NothingChanges

Serve = Callable[..., Awaitable[Any]]
ONLY_NAPS = Policy(
    (Grant(uids=frozenset({os.geteuid()}), rights=("*",), nodes=("./NAP/*", "./DMAcc/1")),)
)


@dataclass(frozen=True, slots=True)
class Account:
    path: str
    server_id: str
    address: str = "https://x/"
    display_name: str = ""
    source: str = ""
    auth_type: str = ""
    last_session_at_ms: int = 0
    last_session_outcome: str = ""


class Provisioner:
    """Answers with what it was made with."""

    def provision(
        self, status: ReaderStatus, *, ask_again: bool = False
    ) -> AsyncIterator[Progress]:
        raise AssertionError("not asked for")

    async def preview(self, status: ReaderStatus) -> Preview:
        before, after = ManagementTree(), ManagementTree()
        nodes = [leaf("./NAP/1/Addr", "mine"), leaf("./Private/Addr", "theirs")]
        after.adopt("card", "8949", nodes, 1)
        return Preview((), tuple(before.content_diff(after)))

    async def statuses(self) -> Sequence[CardStatus]:
        return ()

    async def start_session(self, server_id: str) -> SessionOutcome:
        raise AssertionError("not asked for")

    async def accounts(self) -> Sequence[Account]:
        return (Account("./DMAcc/1", "mine.example"), Account("./DMAcc/2", "theirs.example"))


class History:
    """A commit that changed the same nodes as the preview."""

    def __init__(self) -> None:
        self.rolled_back: list[int] = []

    async def revisions(self, limit: int) -> Sequence[Revision]:
        return ()

    async def compare(self, before: int, after: int | None) -> Delta:
        return Delta(2, tuple((await Provisioner().preview(ONE_CARD)).changes))

    async def roll_back(self, revision: int, actor: str) -> Delta:
        self.rolled_back.append(revision)
        return Delta(3, ())


def provisioning_service(history: History) -> ProvisioningService:
    leases = CardLeases(OneReader(), max_wait_s=1.0)
    questions = create_autospec(OpenQuestions)  # nobody is asked anything
    return ProvisioningService(leases, Provisioner(), history, BUILT_IN, questions)


async def test_a_preview_shows_the_changes_of_nodes_that_the_caller_may_see(serve: Serve) -> None:
    service = provisioning_service(History())
    add = provisioning_pb2_grpc.add_ProvisioningServiceServicer_to_server
    served = await serve(Service("s", service, add), policy=ONLY_NAPS)
    async with served.channel() as channel:
        stub = provisioning_pb2_grpc.ProvisioningServiceStub(channel)
        answer = await stub.PreviewProvisioning(provisioning_pb2.PreviewProvisioningRequest())
    assert [change.path for change in answer.changes] == ["./NAP/1", "./NAP/1/Addr"]


async def test_a_comparison_shows_the_nodes_that_the_caller_may_see(serve: Serve) -> None:
    add = provisioning_pb2_grpc.add_ProvisioningServiceServicer_to_server
    service = Service("s", provisioning_service(History()), add)
    async with (await serve(service, policy=ONLY_NAPS)).channel() as channel:
        stub = provisioning_pb2_grpc.ProvisioningServiceStub(channel)
        answer = await stub.CompareRevisions(provisioning_pb2.CompareRevisionsRequest(before=1))
    assert [change.path for change in answer.changes] == ["./NAP/1", "./NAP/1/Addr"]


async def test_who_may_not_touch_every_node_cannot_roll_the_tree_back(serve: Serve) -> None:
    history = History()
    add = provisioning_pb2_grpc.add_ProvisioningServiceServicer_to_server
    service = Service("s", provisioning_service(history), add)
    async with (await serve(service, policy=ONLY_NAPS)).channel() as channel:
        stub = provisioning_pb2_grpc.ProvisioningServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            await stub.RollbackTree(provisioning_pb2.RollbackTreeRequest(revision=1))
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert history.rolled_back == []


async def test_accounts_are_nodes_too(serve: Serve) -> None:
    add = management_pb2_grpc.add_ManagementServiceServicer_to_server
    holder = TreeHolder(ManagementTree(), 1)
    service = ManagementService(Provisioner(), NoNotifications(), holder, NothingChanges())
    served = await serve(Service("s", service, add), policy=ONLY_NAPS)
    async with served.channel() as channel:
        stub = management_pb2_grpc.ManagementServiceStub(channel)
        answer = await stub.ListAccounts(management_pb2.ListAccountsRequest())
    assert [account.server_id for account in answer.accounts] == ["mine.example"]
