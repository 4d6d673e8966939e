"""From what was raised to what the caller gets, by the table in error_table.py.

Everything that is not in the table is a defect of the daemon: the caller gets INTERNAL and an
opaque id, and the log has the event under the same id, without the exception's words.
"""

from __future__ import annotations

import secrets
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any

import grpc
from cardea.v1 import errors_pb2 as pb
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from .error_table import CODES, RETRY_AFTER_S, ROWS, Reason, Row
from .refusals import RefusalError

__all__ = ["DOMAIN", "Failure", "failure_of", "where_raised"]

DOMAIN = "cardea"
_PREFIX = "ERROR_REASON_"

# A status travels in HTTP/2 trailers, which are small.
_MAX_MESSAGE, _MAX_FACT = 1000, 300

_BY_CLASS: Mapping[type[Exception], Row] = {row.error: row for row in ROWS}


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed call, as the caller gets it."""

    reason: Reason
    message: str
    facts: Mapping[str, str] = field(default_factory=dict)
    error_id: str = ""
    retry_after_s: float | None = None

    @property
    def reason_name(self) -> str:
        return pb.ErrorReason.Name(self.reason).removeprefix(_PREFIX)

    @property
    def code(self) -> grpc.StatusCode:
        return CODES[self.reason]

    @property
    def internal(self) -> bool:
        return self.reason == pb.ERROR_REASON_INTERNAL

    def status(self) -> grpc.Status:
        """As google.rpc.Status with ErrorInfo, and RetryInfo where waiting can help."""
        info = error_details_pb2.ErrorInfo(
            reason=self.reason_name, domain=DOMAIN, metadata=dict(self.facts)
        )
        details = [_packed(info)]
        retry_after_s = self.retry_after_s or RETRY_AFTER_S.get(self.reason)
        if retry_after_s is not None:
            delay = Duration()
            delay.FromMilliseconds(ceil(retry_after_s * 1000))
            details.append(_packed(error_details_pb2.RetryInfo(retry_delay=delay)))
        return rpc_status.to_status(
            status_pb2.Status(code=self.code.value[0], message=self.message, details=details)
        )


def failure_of(error: Exception) -> Failure:
    """The failure that ``error`` is, by the nearest class that has a row."""
    for ancestor in type(error).__mro__:
        row = _BY_CLASS.get(ancestor)
        if row is not None:
            facts = {k: str(v)[:_MAX_FACT] for k, v in row.facts(error).items()}
            message = str(error)[:_MAX_MESSAGE]
            retry_after_s = error.retry_after_s if isinstance(error, RefusalError) else None
            return Failure(row.reason_of(error), message, facts, retry_after_s=retry_after_s)
    error_id = secrets.token_hex(8)
    return Failure(
        pb.ERROR_REASON_INTERNAL,
        f"internal error {error_id}; the daemon's log has it",
        {"error_id": error_id},
        error_id,
    )


def where_raised(error: BaseException) -> str:
    """Class and places, innermost last, without the exception's words: they may quote a value."""
    frames = traceback.extract_tb(error.__traceback__)
    places = " > ".join(f"{f.filename.rsplit('/', 2)[-1]}:{f.lineno}" for f in frames)
    cause = error.__cause__ or error.__context__
    tail = f" caused by {where_raised(cause)}" if cause is not None else ""
    return f"{type(error).__qualname__} at {places}{tail}"


def _packed(message: Any) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed
