"""The one table from what was raised to what the caller gets: code, reason, facts, retry.

Everything that is not in the table is a defect of the daemon: the caller gets INTERNAL and an
opaque id, and the log has the event under the same id, without the exception's words.
"""

from __future__ import annotations

import secrets
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import grpc
from cardea.v1 import errors_pb2 as pb
from cardea_core import TreeError
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from cardd.card import errors as card
from cardd.card.status import AccessDenied, NotFoundOnCard, StatusError
from cardd.network import errors as network
from cardd.reader import errors as reader

from .refusals import RefusalError, RunFailedError

__all__ = [
    "CODES",
    "DOMAIN",
    "ROWS",
    "Failure",
    "Row",
    "failure_of",
    "reason_named",
    "where_raised",
]

DOMAIN = "cardea"
_PREFIX = "ERROR_REASON_"

Code = grpc.StatusCode
Reason: TypeAlias = "pb.ErrorReason.ValueType"

# The code beside each reason in errors.proto.
CODES: Mapping[Reason, grpc.StatusCode] = {
    pb.ERROR_REASON_CALLER_UNKNOWN: Code.UNAUTHENTICATED,
    pb.ERROR_REASON_ACCESS_DENIED: Code.PERMISSION_DENIED,
    pb.ERROR_REASON_ARGUMENT_INVALID: Code.INVALID_ARGUMENT,
    pb.ERROR_REASON_LIMIT_REACHED: Code.RESOURCE_EXHAUSTED,
    pb.ERROR_REASON_INTERNAL: Code.INTERNAL,
    pb.ERROR_REASON_PCSC_UNAVAILABLE: Code.UNAVAILABLE,
    pb.ERROR_REASON_READER_NOT_FOUND: Code.NOT_FOUND,
    pb.ERROR_REASON_CARD_ABSENT: Code.FAILED_PRECONDITION,
    pb.ERROR_REASON_CARD_MUTE: Code.UNAVAILABLE,
    pb.ERROR_REASON_CARD_LOST: Code.ABORTED,
    pb.ERROR_REASON_CARD_NOT_FOUND: Code.NOT_FOUND,
    pb.ERROR_REASON_CARD_REFUSED: Code.FAILED_PRECONDITION,
    pb.ERROR_REASON_CARD_FILE_NOT_FOUND: Code.NOT_FOUND,
    pb.ERROR_REASON_CARD_ACCESS_DENIED: Code.PERMISSION_DENIED,
    pb.ERROR_REASON_CARD_DATA_MALFORMED: Code.DATA_LOSS,
    pb.ERROR_REASON_CARD_BUSY: Code.DEADLINE_EXCEEDED,
    pb.ERROR_REASON_LEASE_ENDED: Code.ABORTED,
    pb.ERROR_REASON_CREDENTIAL_REJECTED: Code.FAILED_PRECONDITION,
    pb.ERROR_REASON_RETRY_FLOOR: Code.FAILED_PRECONDITION,
    pb.ERROR_REASON_NO_PROVISIONING_DATA: Code.NOT_FOUND,
    pb.ERROR_REASON_DOCUMENT_MALFORMED: Code.DATA_LOSS,
    pb.ERROR_REASON_PROVISIONING_UNDER_WAY: Code.ALREADY_EXISTS,
    pb.ERROR_REASON_ACCOUNT_NOT_FOUND: Code.NOT_FOUND,
    pb.ERROR_REASON_READ_BACK_DIFFERS: Code.DATA_LOSS,
    pb.ERROR_REASON_SERVER_UNREACHABLE: Code.UNAVAILABLE,
    pb.ERROR_REASON_SERVER_CERTIFICATE_INVALID: Code.UNAUTHENTICATED,
    pb.ERROR_REASON_SERVER_NOT_AUTHENTIC: Code.UNAUTHENTICATED,
    pb.ERROR_REASON_CREDENTIALS_REFUSED_BY_SERVER: Code.PERMISSION_DENIED,
    pb.ERROR_REASON_SERVER_PROTOCOL_ERROR: Code.UNAVAILABLE,
    pb.ERROR_REASON_SESSION_ABORTED_BY_SERVER: Code.ABORTED,
    pb.ERROR_REASON_NODE_NOT_FOUND: Code.NOT_FOUND,
    pb.ERROR_REASON_PATH_INVALID: Code.INVALID_ARGUMENT,
    pb.ERROR_REASON_EVENTS_GONE: Code.OUT_OF_RANGE,
    pb.ERROR_REASON_STORE_UNAVAILABLE: Code.UNAVAILABLE,
}

# Where waiting can help: how long to wait at least.
RETRY_AFTER_S: Mapping[Reason, float] = {
    pb.ERROR_REASON_CALLER_UNKNOWN: 0.1,
    pb.ERROR_REASON_LIMIT_REACHED: 1.0,
    pb.ERROR_REASON_PCSC_UNAVAILABLE: 1.0,
    pb.ERROR_REASON_CARD_LOST: 1.0,
    pb.ERROR_REASON_CARD_BUSY: 0.5,
    pb.ERROR_REASON_LEASE_ENDED: 0.1,
    pb.ERROR_REASON_PROVISIONING_UNDER_WAY: 2.0,
    pb.ERROR_REASON_SERVER_UNREACHABLE: 10.0,
    pb.ERROR_REASON_STORE_UNAVAILABLE: 1.0,
}


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed call, as the caller gets it."""

    reason: Reason
    message: str
    facts: Mapping[str, str] = field(default_factory=dict)
    error_id: str = ""

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
        if self.reason in RETRY_AFTER_S:
            delay = Duration()
            delay.FromMilliseconds(round(RETRY_AFTER_S[self.reason] * 1000))
            details.append(_packed(error_details_pb2.RetryInfo(retry_delay=delay)))
        return rpc_status.to_status(
            status_pb2.Status(code=self.code.value[0], message=self.message, details=details)
        )


@dataclass(frozen=True, slots=True)
class Row:
    """What one exception class, and those derived from it without a row of their own, becomes."""

    error: type[Exception]
    reason: Reason | Callable[[Any], Reason]
    facts: Callable[[Any], Mapping[str, object]] = lambda _: {}

    def failure(self, error: Exception) -> Failure:
        reason = self.reason(error) if callable(self.reason) else self.reason
        facts = {name: str(value) for name, value in self.facts(error).items()}
        return Failure(reason, str(error), facts)


def reason_named(name: str) -> Reason:
    """The reason of a name as ErrorInfo carries it; INTERNAL for a name that is none."""
    full = _PREFIX + name
    known = full in pb.ErrorReason.keys()  # noqa: SIM118 - an enum wrapper, not a dict
    return pb.ErrorReason.Value(full) if known else pb.ERROR_REASON_INTERNAL


def _facts(*names: str) -> Callable[[Any], Mapping[str, object]]:
    """The error's attributes of these names."""
    return lambda error: {name: getattr(error, name) for name in names}


def _command(error: StatusError) -> Mapping[str, object]:
    return {"command": error.command, "status_word": f"{error.sw:04X}"}


ROWS: tuple[Row, ...] = (
    # The edge itself.
    Row(RefusalError, lambda e: e.reason, lambda e: e.facts),
    Row(RunFailedError, lambda e: reason_named(e.reason_name), lambda e: e.facts),
    # The card.
    Row(card.CardError, pb.ERROR_REASON_CARD_REFUSED),
    Row(card.CardLost, pb.ERROR_REASON_CARD_LOST, _facts("cause")),
    Row(card.CardMute, pb.ERROR_REASON_CARD_MUTE, _facts("cause")),
    Row(
        card.MalformedCardData,
        pb.ERROR_REASON_CARD_DATA_MALFORMED,
        _facts("what", "file", "offset"),
    ),
    Row(card.NoSuchApplication, pb.ERROR_REASON_CARD_FILE_NOT_FOUND, _facts("application")),
    Row(card.CredentialRejected, pb.ERROR_REASON_CREDENTIAL_REJECTED, _facts("tries_left")),
    Row(card.RetryFloor, pb.ERROR_REASON_RETRY_FLOOR, _facts("tries_left", "floor")),
    Row(card.MacFailure, pb.ERROR_REASON_SERVER_NOT_AUTHENTIC),
    Row(card.ReadBackDiffers, pb.ERROR_REASON_READ_BACK_DIFFERS, _facts("file", "offset")),
    Row(
        card.ContentTooLong,
        pb.ERROR_REASON_ARGUMENT_INVALID,
        _facts("file", "capacity", "length"),
    ),
    Row(StatusError, pb.ERROR_REASON_CARD_REFUSED, _command),
    Row(NotFoundOnCard, pb.ERROR_REASON_CARD_FILE_NOT_FOUND, _command),
    Row(AccessDenied, pb.ERROR_REASON_CARD_ACCESS_DENIED, _command),
    # The reader.
    Row(reader.ReaderError, pb.ERROR_REASON_PCSC_UNAVAILABLE),
    Row(reader.PcscUnavailable, pb.ERROR_REASON_PCSC_UNAVAILABLE, _facts("cause")),
    Row(reader.ReaderNotFound, pb.ERROR_REASON_READER_NOT_FOUND, _facts("reader")),
    Row(reader.ReaderUnavailable, pb.ERROR_REASON_PCSC_UNAVAILABLE, _facts("reader", "cause")),
    Row(reader.CardAbsent, pb.ERROR_REASON_CARD_ABSENT, _facts("reader")),
    Row(reader.CardNotFound, pb.ERROR_REASON_CARD_NOT_FOUND, _facts("card")),
    Row(reader.CardBusy, pb.ERROR_REASON_CARD_BUSY, _facts("reader", "holder", "waited_s")),
    Row(
        reader.LeaseEnded,
        pb.ERROR_REASON_LEASE_ENDED,
        lambda e: {"reader": e.reader, "because": e.reason.value},
    ),
    Row(reader.InvalidApdu, pb.ERROR_REASON_ARGUMENT_INVALID, _facts("length")),
    # The network.
    Row(network.NetworkError, pb.ERROR_REASON_SERVER_PROTOCOL_ERROR, _facts("url")),
    Row(network.ServerUnreachableError, pb.ERROR_REASON_SERVER_UNREACHABLE, _facts("url")),
    Row(
        network.CertificateInvalidError,
        pb.ERROR_REASON_SERVER_CERTIFICATE_INVALID,
        _facts("url"),
    ),
    # The tree.
    Row(TreeError, pb.ERROR_REASON_PATH_INVALID, _facts("code")),
)

_BY_CLASS: Mapping[type[Exception], Row] = {row.error: row for row in ROWS}


def failure_of(error: Exception) -> Failure:
    """The failure that ``error`` is, by the nearest class that has a row."""
    for ancestor in type(error).__mro__:
        row = _BY_CLASS.get(ancestor)
        if row is not None:
            return row.failure(error)
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
