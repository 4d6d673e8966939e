"""ProvisioningService: the use case, run, watched, or only looked at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from cardea.v1 import provisioning_pb2 as pb
from cardea.v1 import provisioning_pb2_grpc as pb_grpc

from . import convert
from .ports import ProvisionerPort
from .refusals import RunFailedError

__all__ = ["ProvisioningService"]


class ProvisioningService(pb_grpc.ProvisioningServiceServicer):
    """Converts, calls the provisioner, converts."""

    def __init__(self, provisioner: ProvisionerPort) -> None:
        self._provisioner = provisioner

    async def Provision(
        self, request: pb.ProvisionRequest, context: Any
    ) -> AsyncIterator[pb.ProvisionResponse]:
        last = None
        async for progress in self._provisioner.provision(request.name, request.request_id):
            last = progress.result
            yield convert.progress_message(progress)
        if last is not None and last.reason:
            raise RunFailedError(last)

    async def PreviewProvisioning(
        self, request: pb.PreviewProvisioningRequest, context: Any
    ) -> pb.PreviewProvisioningResponse:
        return convert.preview_message(await self._provisioner.preview(request.name))

    async def GetProvisioningStatus(
        self, request: pb.GetProvisioningStatusRequest, context: Any
    ) -> pb.GetProvisioningStatusResponse:
        return pb.GetProvisioningStatusResponse(
            statuses=map(convert.status_message, self._provisioner.statuses())
        )
