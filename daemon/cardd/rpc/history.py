"""The part of ProvisioningService that tells and undoes what was committed."""

from __future__ import annotations

from typing import Any

from cardea.v1 import provisioning_pb2 as pb
from cardea.v1 import provisioning_pb2_grpc as pb_grpc

from cardd.tree import Delta, Descriptions

from . import convert
from .call import current_call
from .idempotency import IdempotentCalls
from .pieces import fill
from .ports import HistoryPort
from .tree_view import may_see_change

__all__ = ["HistoryCalls"]

_LIMIT = 100


class HistoryCalls(pb_grpc.ProvisioningServiceServicer):
    """Converts, calls the committer, converts."""

    def __init__(self, history: HistoryPort, known: Descriptions) -> None:
        self._history = history
        self._known = known
        self._rollbacks: IdempotentCalls[Delta] = IdempotentCalls()

    async def ListHistory(
        self, request: pb.ListHistoryRequest, context: Any
    ) -> pb.ListHistoryResponse:
        revisions = await self._history.revisions(request.limit or _LIMIT)
        return pb.ListHistoryResponse(commits=map(convert.commit_message, revisions))

    async def CompareRevisions(
        self, request: pb.CompareRevisionsRequest, context: Any
    ) -> pb.CompareRevisionsResponse:
        call = current_call()
        newer = request.after if request.HasField("after") else None
        delta = await self._history.compare(request.before, newer)
        known = self._known
        seen = (
            convert.change_message(each, known) if may_see_change(call, delta, each.path) else None
            for each in delta.changes
        )
        answer = pb.CompareRevisionsResponse(after=delta.revision)
        await fill(answer.changes, seen)
        return answer

    async def RollbackTree(
        self, request: pb.RollbackTreeRequest, context: Any
    ) -> pb.RollbackTreeResponse:
        call = current_call()
        # It may change any node.
        call.require(node="*")
        delta = await self._rollbacks.once(
            (call.caller.uid, request.request_id),
            str(request.revision).encode(),
            lambda: self._history.roll_back(request.revision, f"users/{call.caller.uid}"),
        )
        return pb.RollbackTreeResponse(revision=delta.revision, nodes_changed=len(delta.changes))
