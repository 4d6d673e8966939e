"""AdminService: the daemon about itself, and the operator's hand on it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import unquote

from cardea.v1 import admin_pb2 as pb
from cardea.v1 import admin_pb2_grpc as pb_grpc
from google.protobuf.timestamp_pb2 import Timestamp

from cardd.reader.events import ReaderStatus

from .access import PolicyInForce
from .call import current_call
from .call_registry import CallRegistry
from .card_leases import READERS, reader_name
from .refusals import ArgumentInvalidError
from .server import Acceptors

__all__ = ["AdminService", "QuarantinePort"]


class QuarantinePort(Protocol):
    """The part of the supervisor that is needed here; thread-safe, returns at once."""

    @property
    def pcsc_available(self) -> bool: ...

    def readers(self) -> Sequence[ReaderStatus]: ...

    def release(self, name: str) -> None:
        """Raises ReaderNotFound, ReaderNotQuarantined."""


class AdminService(pb_grpc.AdminServiceServicer):
    """Collects what the rooms know of themselves.

    ``about`` is what does not change: version, pid, start. ``reload`` raises PolicyInvalidError.
    ``sections`` are the parts of a diagnosis.
    """

    def __init__(
        self,
        *,
        readers: QuarantinePort,
        policy: PolicyInForce,
        registry: CallRegistry,
        acceptors: Acceptors,
        status: Callable[[], pb.GetStatusResponse],
        reload: Callable[[], None],
        sections: Callable[[], Mapping[str, Any]],
    ) -> None:
        self._readers = readers
        self._policy = policy
        self._registry = registry
        self._acceptors = acceptors
        self._status = status
        self._reload = reload
        self._sections = sections

    async def GetStatus(self, request: pb.GetStatusRequest, context: Any) -> pb.GetStatusResponse:
        readers = self._readers.readers()
        answer = self._status()
        answer.pcsc_available = self._readers.pcsc_available
        answer.readers = len(readers)
        answer.quarantined = sum(status.quarantined for status in readers)
        answer.policy.CopyFrom(self._policy_message())
        answer.calls.CopyFrom(
            pb.CallCounts(
                served=self._registry.served,
                denied=self._registry.denied,
                limited=self._registry.limited,
                under_way=len(self._registry.under_way()),
            )
        )
        answer.connections.CopyFrom(pb.ConnectionCounts(**self._acceptors.counts()))
        return answer

    async def ListClients(
        self, request: pb.ListClientsRequest, context: Any
    ) -> pb.ListClientsResponse:
        clients = {
            name: pb.Client(
                uid=peer.uid,
                gid=peer.gid,
                pid=peer.pid,
                unit=peer.unit,
                exe=peer.exe,
                comm=peer.comm,
            )
            for name, peer in self._acceptors.peers().items()
        }
        for call in self._registry.under_way():
            if call.peer in clients:
                started = _timestamp(call.started_at_s)
                clients[call.peer].calls.append(
                    pb.ClientCall(method=call.method, started_at=started)
                )
        ordered = sorted(clients.values(), key=lambda client: (client.uid, client.pid))
        return pb.ListClientsResponse(clients=ordered)

    async def ListQuarantine(
        self, request: pb.ListQuarantineRequest, context: Any
    ) -> pb.ListQuarantineResponse:
        call = current_call()
        return pb.ListQuarantineResponse(
            readers=(
                pb.QuarantinedReader(name=reader_name(status.name), cause=status.cause)
                for status in self._readers.readers()
                if status.quarantined and call.may(reader=status.name)
            )
        )

    async def ReleaseReader(
        self, request: pb.ReleaseReaderRequest, context: Any
    ) -> pb.ReleaseReaderResponse:
        if not request.name.startswith(READERS):
            raise ArgumentInvalidError("name", "is not readers/{reader}")
        reader = unquote(request.name.removeprefix(READERS))
        current_call().require(reader=reader)
        self._readers.release(reader)
        return pb.ReleaseReaderResponse()

    async def ReloadPolicy(
        self, request: pb.ReloadPolicyRequest, context: Any
    ) -> pb.ReloadPolicyResponse:
        self._reload()
        return pb.ReloadPolicyResponse(policy=self._policy_message())

    async def Diagnose(self, request: pb.DiagnoseRequest, context: Any) -> pb.DiagnoseResponse:
        return pb.DiagnoseResponse(
            sections=(
                pb.DiagnosticSection(name=name, json=json.dumps(content, ensure_ascii=False))
                for name, content in self._sections().items()
            )
        )

    def _policy_message(self) -> pb.PolicyStatus:
        policy = self._policy
        return pb.PolicyStatus(
            rows=len(policy.current.grants),
            loaded_at=_timestamp(policy.loaded_at_s),
            source=policy.source,
            last_error=policy.last_error,
        )


def _timestamp(seconds: float) -> Timestamp:
    message = Timestamp()
    message.FromNanoseconds(round(seconds * 1e9))
    return message
