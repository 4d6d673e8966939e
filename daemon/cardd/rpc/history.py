"""The part of ProvisioningService that tells and undoes what was committed."""

from __future__ import annotations

import asyncio
import re
from itertools import islice
from typing import Any

from cardea.v1 import provisioning_pb2 as pb
from cardea.v1 import provisioning_pb2_grpc as pb_grpc

from cardd.tree import Delta, Descriptions

from . import convert
from .call import current_call
from .idempotency import IdempotentCalls
from .pieces import fill, page
from .ports import HistoryPort
from .refusals import ArgumentInvalidError
from .tree_view import may_see_change

__all__ = ["HistoryCalls"]

_LIMIT = 100
_PAGE = 512
# Comparisons that are kept for their next pages.
_KEPT = 4
_KEPT_S = 60.0
_TOKEN = re.compile(r"(\d{1,19})-(\d{1,19})-(\d{1,9})")


class HistoryCalls(pb_grpc.ProvisioningServiceServicer):
    """Converts, calls the committer, converts."""

    def __init__(self, history: HistoryPort, known: Descriptions) -> None:
        self._history = history
        self._known = known
        self._paged = _Paged()
        self._rollbacks: IdempotentCalls[Delta] = IdempotentCalls()

    async def ListHistory(
        self, request: pb.ListHistoryRequest, context: Any
    ) -> pb.ListHistoryResponse:
        revisions = await self._history.revisions(request.limit or _LIMIT)
        return pb.ListHistoryResponse(commits=map(convert.commit_message, revisions))

    async def CompareRevisions(
        self, request: pb.CompareRevisionsRequest, context: Any
    ) -> pb.CompareRevisionsResponse:
        call, known = current_call(), self._known
        after, done = _place(request)
        delta = await self._compared(request.before, after)
        seen = (
            convert.change_message(each, known) if may_see_change(call, delta, each.path) else None
            for each in islice(delta.changes, done, None)
        )
        answer = pb.CompareRevisionsResponse(after=delta.revision)
        if not (request.page_size or request.page_token):
            await fill(answer.changes, seen, instead="ask for pages, with page_size")
            return answer
        taken = await page(answer.changes, seen, request.page_size or _PAGE)
        if taken is not None:
            answer.next_page_token = f"{request.before}-{delta.revision}-{done + taken}"
            self._paged.keep(request.before, delta)
        return answer

    async def _compared(self, before: int, after: int | None) -> Delta:
        """What differs. Between two revisions that is always the same: so each page goes on where
        the one before it ended, and the comparison is kept for the next page."""
        return self._paged.take(before, after) or await self._history.compare(before, after)

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


class _Paged:
    """Comparisons of which a next page may be asked for: the last few, each for a minute."""

    def __init__(self) -> None:
        # By the older and the newer revision, in the order in which they were asked for.
        self._kept: dict[tuple[int, int | None], tuple[Delta, asyncio.TimerHandle]] = {}

    def keep(self, before: int, delta: Delta) -> None:
        self.take(before, delta.revision)
        if len(self._kept) >= _KEPT:
            self.take(*next(iter(self._kept)))
        loop = asyncio.get_running_loop()
        end = loop.call_later(_KEPT_S, self.take, before, delta.revision)
        self._kept[before, delta.revision] = (delta, end)

    def take(self, before: int, after: int | None) -> Delta | None:
        """It is kept no longer: after the last page nobody asks for it."""
        delta, end = self._kept.pop((before, after), (None, None))
        if end is not None:
            end.cancel()
        return delta


def _place(request: pb.CompareRevisionsRequest) -> tuple[int | None, int]:
    """The newer revision, None: the present one, and how many changes were told before."""
    if request.page_size < 0:
        raise ArgumentInvalidError("page_size", "is negative")
    after = request.after if request.HasField("after") else None
    if not request.page_token:
        return after, 0
    token = _TOKEN.fullmatch(request.page_token)
    before, newer, done = map(int, token.groups()) if token else (-1, -1, 0)
    if before != request.before or after not in (None, newer):
        raise ArgumentInvalidError("page_token", "is not of a comparison of these revisions")
    return newer, done
