"""The daemon itself: its state, its clients, its policy. Over the admin socket."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cardea.v1 import admin_pb2, admin_pb2_grpc

from .client import DEFAULT_SOCKET
from .errors import readable_errors
from .streams import Connection

__all__ = ["Admin"]


class Admin:
    """A connection to the admin socket. Every method raises :class:`cardea.CardeaError`.

    ``target`` is a gRPC target or a path; by default ``$CARDEA_ADMIN_SOCKET``, or ``admin.sock``
    beside the socket of programs (``$CARDEA_SOCKET``).
    """

    def __init__(self, target: str = "", *, timeout_s: float = 60.0) -> None:
        target = target or os.environ.get("CARDEA_ADMIN_SOCKET", "") or _beside_programs()
        self._connection = Connection(target)
        self.target = self._connection.target
        self._timeout_s = timeout_s
        self._stub = admin_pb2_grpc.AdminServiceStub(self._connection.channel)

    def __enter__(self) -> Admin:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def status(self) -> admin_pb2.GetStatusResponse:
        with readable_errors(self.target):
            return self._stub.GetStatus(admin_pb2.GetStatusRequest(), timeout=self._timeout_s)

    def clients(self) -> Sequence[admin_pb2.Client]:
        with readable_errors(self.target):
            request = admin_pb2.ListClientsRequest()
            return self._stub.ListClients(request, timeout=self._timeout_s).clients

    def quarantine(self) -> Sequence[admin_pb2.QuarantinedReader]:
        with readable_errors(self.target):
            request = admin_pb2.ListQuarantineRequest()
            return self._stub.ListQuarantine(request, timeout=self._timeout_s).readers

    def release(self, name: str) -> None:
        """Take ``readers/{reader}`` out of quarantine."""
        with readable_errors(self.target):
            request = admin_pb2.ReleaseReaderRequest(name=name)
            self._stub.ReleaseReader(request, timeout=self._timeout_s)

    def reload(self) -> admin_pb2.PolicyStatus:
        """Read the access policy of the configuration file again."""
        with readable_errors(self.target):
            request = admin_pb2.ReloadPolicyRequest()
            return self._stub.ReloadPolicy(request, timeout=self._timeout_s).policy

    def diagnose(self) -> dict[str, Any]:
        """The sections of a diagnosis by name. No secret is in it."""
        with readable_errors(self.target):
            request = admin_pb2.DiagnoseRequest()
            sections = self._stub.Diagnose(request, timeout=self._timeout_s).sections
            return {section.name: json.loads(section.json) for section in sections}


def _beside_programs() -> str:
    programs = os.environ.get("CARDEA_SOCKET", "") or DEFAULT_SOCKET
    return str(Path(programs.removeprefix("unix:")).with_name("admin.sock"))
