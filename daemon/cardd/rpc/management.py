"""ManagementService: the servers that manage this device."""

from __future__ import annotations

import asyncio
from typing import Any

from cardea.v1 import management_pb2 as pb
from cardea.v1 import management_pb2_grpc as pb_grpc
from cardea_core import TreeError, canonical_path

from cardd.provisioning.progress import SessionOutcome
from cardd.tree import Delegation, ManagementTree, TreeHolder, delegations, revoke

from . import convert
from .call import current_call
from .idempotency import IdempotentCalls
from .ports import (
    LocalOperation,
    NotificationsPort,
    NotifiedSession,
    ProvisionerPort,
    TreeChanges,
)
from .refusals import ArgumentInvalidError, DelegationNotFoundError

__all__ = ["ManagementService"]

_OPERATIONS, _MOST_OPERATIONS = 100, 1000


class ManagementService(pb_grpc.ManagementServiceServicer):
    """Converts, calls the provisioner, converts."""

    def __init__(
        self,
        provisioner: ProvisionerPort,
        notifications: NotificationsPort,
        holder: TreeHolder,
        changes: TreeChanges,
    ) -> None:
        self._provisioner = provisioner
        self._notifications = notifications
        self._holder = holder
        self._changes = changes
        self._idempotent: IdempotentCalls[SessionOutcome] = IdempotentCalls()
        self._deliveries: IdempotentCalls[NotifiedSession] = IdempotentCalls()
        self._revocations: IdempotentCalls[tuple[tuple[Delegation, ...], int]] = IdempotentCalls()

    async def ListAccounts(
        self, request: pb.ListAccountsRequest, context: Any
    ) -> pb.ListAccountsResponse:
        call = current_call()
        accounts = await self._provisioner.accounts()
        seen = (each for each in accounts if call.may(node=each.path))
        return pb.ListAccountsResponse(accounts=map(convert.account_message, seen))

    async def StartSession(
        self, request: pb.StartSessionRequest, context: Any
    ) -> pb.StartSessionResponse:
        if not request.server_id:
            raise ArgumentInvalidError("server_id", "is empty")
        outcome = await self._idempotent.once(
            (current_call().caller.uid, request.request_id),
            request.server_id.encode(),
            lambda: self._provisioner.start_session(request.server_id),
        )
        return convert.session_message(outcome)

    async def DeliverNotification(
        self, request: pb.DeliverNotificationRequest, context: Any
    ) -> pb.DeliverNotificationResponse:
        done = await self._deliveries.once(
            (current_call().caller.uid, request.request_id),
            request.SerializeToString(deterministic=True),
            lambda: self._notifications.deliver(request.message, user_agreed=request.user_agreed),
        )
        return convert.notified_message(done)

    async def Report(self, request: pb.ReportRequest, context: Any) -> pb.ReportResponse:
        call = current_call()
        limit = min(request.limit or _OPERATIONS, _MOST_OPERATIONS)
        found = await asyncio.to_thread(
            self._changes.operations, request.authority, limit, request.before
        )
        seen = (each for each in found if call.may(node=_node_of(each.path)))
        return pb.ReportResponse(
            operations=map(convert.operation_message, seen),
            next=found[-1].id if len(found) == limit else 0,
        )

    async def ListDelegations(
        self, request: pb.ListDelegationsRequest, context: Any
    ) -> pb.ListDelegationsResponse:
        call = current_call()
        tree, grantor, grantee = self._holder.current, request.grantor, request.grantee
        found = await asyncio.to_thread(
            lambda: list(delegations(tree, grantor=grantor, grantee=grantee))
        )
        seen = (each for each in found if call.may(node=each.path))
        return pb.ListDelegationsResponse(delegations=map(convert.delegation_message, seen))

    async def RevokeDelegation(
        self, request: pb.RevokeDelegationRequest, context: Any
    ) -> pb.RevokeDelegationResponse:
        call = current_call()
        path = canonical_path(request.path or ".")
        call.require(node=path)
        if not request.grantee:
            raise ArgumentInvalidError("grantee", "is empty")
        operation = LocalOperation(call.caller.uid, call.authority, call.id, "Revoke", path)

        def revoked(tree: ManagementTree, _: int) -> tuple[Delegation, ...]:
            gone = revoke(tree, request.grantee, grantor=request.grantor, path=path)
            for each in gone:
                call.require(node=each.path)
            if not gone:
                raise DelegationNotFoundError(request.grantee, path)
            return gone

        async def change() -> tuple[tuple[Delegation, ...], int]:
            gone, _, revision = await self._changes.change(operation, revoked)
            return gone, revision

        gone, revision = await self._revocations.once(
            (call.caller.uid, request.request_id),
            request.SerializeToString(deterministic=True),
            change,
        )
        return pb.RevokeDelegationResponse(
            delegations=map(convert.delegation_message, gone), revision=revision
        )


def _node_of(uri: str) -> str:
    """The node that an operation was about; what names none is everybody's to see."""
    try:
        return canonical_path(uri.partition("?")[0])
    except TreeError:
        return "."
