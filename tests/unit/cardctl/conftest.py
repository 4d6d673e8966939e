"""A daemon that answers from a script: for what a real one shows only in a failure."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import grpc
import pytest
from cardd.provisioning.progress import ProvisioningResult, Stage
from cardd.rpc.errors import failure_of
from cardd.rpc.refusals import RunFailedError
from cardea.v1 import provisioning_pb2 as pb
from cardea.v1 import provisioning_pb2_grpc as pb_grpc

STORY = (
    (pb.STAGE_READING_CARD, 1, 3, "EF.DIR"),
    (pb.STAGE_READING_CARD, 3, 3, "1 document"),
    (pb.STAGE_ADOPTING, 0, 0, "12 nodes"),
    (pb.STAGE_MANAGING, 4, 4, "dm.example"),
)


class ScriptedProvisioning(pb_grpc.ProvisioningServiceServicer):
    """Tells the story; ends as the card's name says."""

    def Provision(self, request, context):  # type: ignore[no-untyped-def] # overloads for sync and aio
        for stage, done, total, detail in STORY:
            yield pb.ProvisionResponse(stage=stage, done=done, total=total, detail=detail)
        failed = request.name == "cards/bad"
        stage = pb.STAGE_FAILED if failed else pb.STAGE_CONFIRMED
        reason = "SERVER_CERTIFICATE_INVALID" if failed else ""
        yield pb.ProvisionResponse(
            stage=stage, result=pb.ProvisioningResult(stage=stage, reason=reason, nodes_changed=12)
        )
        if failed:
            result = ProvisioningResult(
                name="provisionings/1",
                card="bad",
                stage=Stage.FAILED,
                servers=(),
                trust=(),
                nodes_changed=0,
                card_files_updated=0,
                apdus=0,
                card_time_s=0,
                network_time_s=0,
                total_time_s=0,
                ended_at_ms=0,
                reason=reason,
                message="expired",
            )
            context.abort_with_status(failure_of(RunFailedError(result)).status())

    def PreviewProvisioning(self, request, context):  # type: ignore[no-untyped-def] # as above
        raise AssertionError("not asked for")

    ListHistory = CompareRevisions = RollbackTree = PreviewProvisioning
    WatchQuestions = AnswerQuestion = ListQuestions = PreviewProvisioning

    def GetProvisioningStatus(self, request, context):  # type: ignore[no-untyped-def] # as above
        return pb.GetProvisioningStatusResponse()


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[Path]:
    """The socket of the scripted daemon."""
    socket = tmp_path / "s.sock"
    server = grpc.server(futures.ThreadPoolExecutor(2))
    pb_grpc.add_ProvisioningServiceServicer_to_server(ScriptedProvisioning(), server)
    server.add_insecure_port(f"unix:{socket}")
    server.start()
    yield socket
    server.stop(0).wait()
