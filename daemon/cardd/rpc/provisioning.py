"""ProvisioningService: the use case, run, watched, or only looked at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from cardea.v1 import provisioning_pb2 as pb

from cardd.provisioning.progress import Progress
from cardd.reader.events import ReaderStatus
from cardd.tree import Descriptions

from . import convert
from .call import current_call
from .card_leases import CardLeases
from .history import HistoryCalls
from .idempotency import IdempotentStreams
from .ports import HistoryPort, ProvisionerPort
from .questions import OpenQuestions, QuestionCalls
from .refusals import RunFailedError

__all__ = ["ProvisioningService"]


class ProvisioningService(HistoryCalls, QuestionCalls):
    """Finds the card that is meant, calls the provisioner, converts."""

    def __init__(
        self,
        leases: CardLeases,
        provisioner: ProvisionerPort,
        history: HistoryPort,
        known: Descriptions,
        questions: OpenQuestions,
    ) -> None:
        HistoryCalls.__init__(self, history, known)
        QuestionCalls.__init__(self, questions)
        self._leases = leases
        self._provisioner = provisioner
        self._idempotent: IdempotentStreams[Progress] = IdempotentStreams()

    async def Provision(
        self, request: pb.ProvisionRequest, context: Any
    ) -> AsyncIterator[pb.ProvisionResponse]:
        status = await self._card(request.name)
        key = (current_call().caller.uid, request.request_id)
        last = None
        run = self._idempotent.play(
            key,
            f"{status.card} {request.ask_again}".encode(),
            lambda: self._provisioner.provision(status, ask_again=request.ask_again),
        )
        async for progress in run:
            last = progress.result
            yield convert.progress_message(progress)
        if last is not None and last.reason:
            raise RunFailedError(last)

    async def PreviewProvisioning(
        self, request: pb.PreviewProvisioningRequest, context: Any
    ) -> pb.PreviewProvisioningResponse:
        call = current_call()
        preview = await self._provisioner.preview(await self._card(request.name))
        seen = tuple(change for change in preview.changes if call.may(node=change.path))
        return convert.preview_message(replace(preview, changes=seen), self._known)

    async def GetProvisioningStatus(
        self, request: pb.GetProvisioningStatusRequest, context: Any
    ) -> pb.GetProvisioningStatusResponse:
        return pb.GetProvisioningStatusResponse(
            statuses=map(convert.status_message, await self._provisioner.statuses())
        )

    async def _card(self, name: str) -> ReaderStatus:
        call = current_call()
        return await self._leases.ready(await self._leases.find(name, call), call)
