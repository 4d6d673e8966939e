"""ManagementService: the servers that manage this device."""

from __future__ import annotations

from typing import Any

from cardea.v1 import management_pb2 as pb
from cardea.v1 import management_pb2_grpc as pb_grpc

from cardd.provisioning.progress import SessionOutcome

from . import convert
from .call import current_call
from .ports import ProvisionerPort
from .refusals import ArgumentInvalidError
from .repeats import Repeats

__all__ = ["ManagementService"]


class ManagementService(pb_grpc.ManagementServiceServicer):
    """Converts, calls the provisioner, converts."""

    def __init__(self, provisioner: ProvisionerPort) -> None:
        self._provisioner = provisioner
        self._repeats: Repeats[SessionOutcome] = Repeats()

    async def ListAccounts(
        self, request: pb.ListAccountsRequest, context: Any
    ) -> pb.ListAccountsResponse:
        call = current_call()
        seen = (each for each in self._provisioner.accounts() if call.may(node=each.path))
        return pb.ListAccountsResponse(accounts=map(convert.account_message, seen))

    async def StartSession(
        self, request: pb.StartSessionRequest, context: Any
    ) -> pb.StartSessionResponse:
        if not request.server_id:
            raise ArgumentInvalidError("server_id", "is empty")
        outcome = await self._repeats.once(
            (current_call().caller.uid, request.request_id),
            request.server_id.encode(),
            lambda: self._provisioner.start_session(request.server_id),
        )
        return convert.session_message(outcome)
