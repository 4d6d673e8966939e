"""The one table: which exception is which reason, which reason is which code, where to retry.

Reasons and codes are those of errors.proto. A class without a row of its own has that of its
nearest ancestor; a class without any is a defect of the daemon (INTERNAL).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import gba.errors
import grpc
import omadm.errors
from cardea.v1 import errors_pb2 as pb
from cardea_core import BadMac, CodecError, TlvError, TreeError
from omadm.status import StatusCode

from cardd.card import errors as card
from cardd.card.status import AccessDenied, NotFoundOnCard, StatusError
from cardd.dm import errors as dm
from cardd.network import errors as network
from cardd.provisioning import errors as provisioning
from cardd.provisioning.ports import TransportError
from cardd.reader import errors as reader
from cardd.store.errors import RevisionNotFoundError, StoreError
from cardd.tree import Refused

from .refusals import RefusalError, RunFailedError

__all__ = ["CODES", "OF_DM_STATUS", "RETRY_AFTER_S", "ROWS", "Reason", "Row", "reason_named"]

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
    pb.ERROR_REASON_POLICY_INVALID: Code.FAILED_PRECONDITION,
    pb.ERROR_REASON_CARD_RULE_DENIED: Code.PERMISSION_DENIED,
    pb.ERROR_REASON_READER_NOT_QUARANTINED: Code.FAILED_PRECONDITION,
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
    pb.ERROR_REASON_PIN_REQUIRED: Code.FAILED_PRECONDITION,
    pb.ERROR_REASON_PIN_BLOCKED: Code.FAILED_PRECONDITION,
    pb.ERROR_REASON_PIN_VERIFIED_ELSEWHERE: Code.ABORTED,
    pb.ERROR_REASON_PIN_NOT_FOUND: Code.NOT_FOUND,
    pb.ERROR_REASON_PIN_AGENT_MISSING: Code.UNAVAILABLE,
    pb.ERROR_REASON_PIN_PROMPT_REFUSED: Code.CANCELLED,
    pb.ERROR_REASON_KEY_NOT_FOUND: Code.NOT_FOUND,
    pb.ERROR_REASON_KEY_USE_UNSUPPORTED: Code.FAILED_PRECONDITION,
    pb.ERROR_REASON_SESSION_NOT_FOUND: Code.NOT_FOUND,
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
    pb.ERROR_REASON_ANSWER_TOO_LARGE: Code.RESOURCE_EXHAUSTED,
    pb.ERROR_REASON_STORE_UNAVAILABLE: Code.UNAVAILABLE,
    pb.ERROR_REASON_REVISION_NOT_FOUND: Code.NOT_FOUND,
    pb.ERROR_REASON_NODE_FORBIDDEN: Code.PERMISSION_DENIED,
    pb.ERROR_REASON_NODE_READ_ONLY: Code.FAILED_PRECONDITION,
    pb.ERROR_REASON_VALUE_INVALID: Code.INVALID_ARGUMENT,
    pb.ERROR_REASON_TREE_FULL: Code.RESOURCE_EXHAUSTED,
    pb.ERROR_REASON_NODE_OVERRULED: Code.FAILED_PRECONDITION,
    pb.ERROR_REASON_DELEGATION_NOT_FOUND: Code.NOT_FOUND,
    pb.ERROR_REASON_RENDERING_FAILED: Code.FAILED_PRECONDITION,
    pb.ERROR_REASON_CARD_PACKETS_UNSUPPORTED: Code.FAILED_PRECONDITION,
    pb.ERROR_REASON_CARD_TOOLKIT_BUSY: Code.UNAVAILABLE,
    pb.ERROR_REASON_QUESTION_NOT_FOUND: Code.NOT_FOUND,
    pb.ERROR_REASON_QUESTION_CLOSED: Code.FAILED_PRECONDITION,
    pb.ERROR_REASON_NOTIFICATION_MALFORMED: Code.INVALID_ARGUMENT,
    pb.ERROR_REASON_NOTIFICATION_NOT_AUTHENTIC: Code.UNAUTHENTICATED,
    pb.ERROR_REASON_NOTIFICATION_REPLAYED: Code.ALREADY_EXISTS,
    pb.ERROR_REASON_NOTIFICATION_NEEDS_USER: Code.FAILED_PRECONDITION,
    pb.ERROR_REASON_CONFIRMATION_REFUSED: Code.FAILED_PRECONDITION,
    pb.ERROR_REASON_CONFIRMATION_MISSING: Code.UNAVAILABLE,
}

# Where waiting can help: how long to wait at least.
RETRY_AFTER_S: Mapping[Reason, float] = {
    pb.ERROR_REASON_CALLER_UNKNOWN: 0.1,
    pb.ERROR_REASON_LIMIT_REACHED: 1.0,
    pb.ERROR_REASON_PCSC_UNAVAILABLE: 1.0,
    pb.ERROR_REASON_CARD_LOST: 1.0,
    pb.ERROR_REASON_CARD_BUSY: 0.5,
    pb.ERROR_REASON_LEASE_ENDED: 0.1,
    pb.ERROR_REASON_CARD_TOOLKIT_BUSY: 5.0,
    pb.ERROR_REASON_PIN_VERIFIED_ELSEWHERE: 0.1,
    pb.ERROR_REASON_PROVISIONING_UNDER_WAY: 2.0,
    pb.ERROR_REASON_SERVER_UNREACHABLE: 10.0,
    pb.ERROR_REASON_STORE_UNAVAILABLE: 1.0,
}


@dataclass(frozen=True, slots=True)
class Row:
    """What one exception class, and those derived from it without a row of their own, becomes."""

    error: type[Exception]
    reason: Reason | Callable[[Any], Reason]
    facts: Callable[[Any], Mapping[str, object]] = lambda _: {}

    def reason_of(self, error: Exception) -> Reason:
        return self.reason(error) if callable(self.reason) else self.reason


def reason_named(name: str) -> Reason:
    """The reason of a name as ErrorInfo carries it; INTERNAL for a name that is none."""
    full = _PREFIX + name
    known = full in pb.ErrorReason.keys()  # noqa: SIM118 - an enum wrapper, not a dict
    return pb.ErrorReason.Value(full) if known else pb.ERROR_REASON_INTERNAL


def _facts(*names: str) -> Callable[[Any], Mapping[str, object]]:
    """The error's attributes of these names."""
    return lambda error: {name: getattr(error, name) for name in names}


def _coded(error: Any) -> Mapping[str, object]:
    """The facts of the protocol layers: a snake_case code and a mapping."""
    return {"code": error.reason, **error.facts}


def _command(error: StatusError | card.PacketsUnsupported) -> Mapping[str, object]:
    return {"command": error.command, "status_word": f"{error.sw:04X}"}


# What a server says, or the one before it, that is no longer there for the session (410, 421), or
# not at the moment: a new session may find it, or another of its nodes.
_NOT_NOW = frozenset({410, 421, 502, 503, 504})


def _of_http_status(status: object) -> Reason:
    # 401 and 403 are about who asks; everything else is the server's own trouble.
    if status in (401, 403):
        return pb.ERROR_REASON_CREDENTIALS_REFUSED_BY_SERVER
    if status in _NOT_NOW:
        return pb.ERROR_REASON_SERVER_UNREACHABLE
    return pb.ERROR_REASON_SERVER_PROTOCOL_ERROR


def _of_bootstrapping(error: gba.errors.BootstrapError) -> Reason:
    if error.reason == "server_not_authenticated":
        return pb.ERROR_REASON_SERVER_NOT_AUTHENTIC
    return _of_http_status(error.facts.get("status"))


def _of_cause(error: Exception) -> Reason:
    """An error that wraps another has the other's reason, if that has one."""
    cause = error.__cause__ or error.__context__
    if isinstance(cause, gba.errors.BootstrapError):
        return _of_bootstrapping(cause)
    return pb.ERROR_REASON_SERVER_PROTOCOL_ERROR


# What a local program is told where a server would be told the status.
OF_DM_STATUS: Mapping[StatusCode, Reason] = {
    StatusCode.FORBIDDEN: pb.ERROR_REASON_NODE_OVERRULED,
    StatusCode.NOT_FOUND: pb.ERROR_REASON_NODE_NOT_FOUND,
    StatusCode.NOT_ALLOWED: pb.ERROR_REASON_NODE_READ_ONLY,
    StatusCode.TOO_LARGE: pb.ERROR_REASON_VALUE_INVALID,
    StatusCode.URI_TOO_LONG: pb.ERROR_REASON_PATH_INVALID,
    StatusCode.UNSUPPORTED_FORMAT: pb.ERROR_REASON_VALUE_INVALID,
    StatusCode.DEVICE_FULL: pb.ERROR_REASON_TREE_FULL,
    StatusCode.PERMISSION_DENIED: pb.ERROR_REASON_NODE_FORBIDDEN,
}


def _of_refused(error: Refused) -> Reason:
    return OF_DM_STATUS.get(error.status, pb.ERROR_REASON_NODE_READ_ONLY)


_CARD_ROWS = (
    Row(card.CardError, pb.ERROR_REASON_CARD_REFUSED),
    Row(card.CardLost, pb.ERROR_REASON_CARD_LOST, _facts("cause")),
    Row(card.CardMute, pb.ERROR_REASON_CARD_MUTE, _facts("cause")),
    Row(
        card.MalformedCardData,
        pb.ERROR_REASON_CARD_DATA_MALFORMED,
        _facts("what", "file", "offset"),
    ),
    Row(card.NoSuchApplication, pb.ERROR_REASON_CARD_FILE_NOT_FOUND, _facts("application")),
    Row(card.CardRuleDenied, pb.ERROR_REASON_CARD_RULE_DENIED, _facts("application")),
    Row(card.CredentialRejected, pb.ERROR_REASON_CREDENTIAL_REJECTED, _facts("tries_left")),
    Row(card.RetryFloor, pb.ERROR_REASON_RETRY_FLOOR, _facts("tries_left", "floor")),
    Row(card.PacketsUnsupported, pb.ERROR_REASON_CARD_PACKETS_UNSUPPORTED, _command),
    Row(card.ToolkitBusy, pb.ERROR_REASON_CARD_TOOLKIT_BUSY, _facts("command")),
    Row(card.PinBlocked, pb.ERROR_REASON_PIN_BLOCKED),
    Row(card.PinMalformed, pb.ERROR_REASON_ARGUMENT_INVALID, _facts("rule")),
    Row(card.PinRequired, pb.ERROR_REASON_PIN_REQUIRED, _facts("pin")),
    Row(card.VerifiedElsewhere, pb.ERROR_REASON_PIN_VERIFIED_ELSEWHERE),
    Row(card.NoSuchPin, pb.ERROR_REASON_PIN_NOT_FOUND, _facts("pin")),
    Row(card.NoSuchKey, pb.ERROR_REASON_KEY_NOT_FOUND, _facts("key")),
    Row(card.KeyUseUnsupported, pb.ERROR_REASON_KEY_USE_UNSUPPORTED, _facts("key", "use")),
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
    Row(TlvError, pb.ERROR_REASON_CARD_DATA_MALFORMED, _facts("code")),
)

_READER_ROWS = (
    Row(reader.ReaderError, pb.ERROR_REASON_PCSC_UNAVAILABLE),
    Row(reader.PcscUnavailable, pb.ERROR_REASON_PCSC_UNAVAILABLE, _facts("cause")),
    Row(reader.ReaderNotFound, pb.ERROR_REASON_READER_NOT_FOUND, _facts("reader")),
    Row(reader.ReaderUnavailable, pb.ERROR_REASON_PCSC_UNAVAILABLE, _facts("reader", "cause")),
    Row(
        reader.ReaderNotQuarantined,
        pb.ERROR_REASON_READER_NOT_QUARANTINED,
        _facts("reader"),
    ),
    Row(reader.CardAbsent, pb.ERROR_REASON_CARD_ABSENT, _facts("reader")),
    Row(reader.CardNotFound, pb.ERROR_REASON_CARD_NOT_FOUND, _facts("card")),
    Row(reader.CardBusy, pb.ERROR_REASON_CARD_BUSY, _facts("reader", "holder", "waited_s")),
    Row(
        reader.LeaseEnded,
        pb.ERROR_REASON_LEASE_ENDED,
        lambda e: {"reader": e.reader, "because": e.reason.value},
    ),
    Row(reader.InvalidApdu, pb.ERROR_REASON_ARGUMENT_INVALID, _facts("length")),
)

_PROVISIONING_ROWS = (
    Row(
        provisioning.NoProvisioningDataError,
        pb.ERROR_REASON_NO_PROVISIONING_DATA,
        _facts("card"),
    ),
    Row(
        provisioning.DocumentMalformedError,
        pb.ERROR_REASON_DOCUMENT_MALFORMED,
        _facts("card", "oid", "file", "detail"),
    ),
    Row(
        provisioning.AccountNotFoundError,
        pb.ERROR_REASON_ACCOUNT_NOT_FOUND,
        _facts("server_id", "detail"),
    ),
    Row(
        provisioning.ConfirmationRefusedError,
        pb.ERROR_REASON_CONFIRMATION_REFUSED,
        _facts("card"),
    ),
    Row(
        provisioning.ConfirmationMissingError,
        pb.ERROR_REASON_CONFIRMATION_MISSING,
        _facts("card", "outcome"),
    ),
    Row(provisioning.BootstrappingError, _of_cause, _facts("bsf", "detail")),
    Row(
        provisioning.ServerAnswerError,
        lambda e: _of_http_status(e.status),
        _facts("url", "status"),
    ),
    Row(
        provisioning.RenderingFailedError,
        pb.ERROR_REASON_RENDERING_FAILED,
        _facts("renderer", "detail"),
    ),
    Row(provisioning.CardNeededError, pb.ERROR_REASON_CARD_NOT_FOUND, _facts("server_id")),
    Row(
        provisioning.NotificationNotAuthenticError,
        pb.ERROR_REASON_NOTIFICATION_NOT_AUTHENTIC,
        _facts("server_id", "detail"),
    ),
    Row(
        provisioning.NotificationReplayedError,
        pb.ERROR_REASON_NOTIFICATION_REPLAYED,
        _facts("server_id", "session_id"),
    ),
    Row(
        provisioning.NotificationNeedsUserError,
        pb.ERROR_REASON_NOTIFICATION_NEEDS_USER,
        _facts("server_id", "session_id", "outcome"),
    ),
    Row(omadm.errors.NotificationError, pb.ERROR_REASON_NOTIFICATION_MALFORMED, _coded),
    Row(omadm.errors.DocumentError, pb.ERROR_REASON_DOCUMENT_MALFORMED, _coded),
)

_SERVER_ROWS = (
    Row(TransportError, pb.ERROR_REASON_SERVER_UNREACHABLE),
    Row(network.NetworkError, pb.ERROR_REASON_SERVER_PROTOCOL_ERROR, _facts("url")),
    Row(network.ServerUnreachableError, pb.ERROR_REASON_SERVER_UNREACHABLE, _facts("url")),
    Row(
        network.CertificateInvalidError,
        pb.ERROR_REASON_SERVER_CERTIFICATE_INVALID,
        _facts("url"),
    ),
    Row(network.HttpStatusError, lambda e: _of_http_status(e.status), _facts("url", "status")),
    Row(gba.errors.GbaError, pb.ERROR_REASON_SERVER_PROTOCOL_ERROR, _coded),
    Row(gba.errors.BootstrapError, _of_bootstrapping, _coded),
    Row(gba.errors.NafError, pb.ERROR_REASON_SERVER_NOT_AUTHENTIC, _coded),
    Row(dm.DmError, pb.ERROR_REASON_SERVER_PROTOCOL_ERROR, _coded),
    Row(dm.ServerNotAuthentic, pb.ERROR_REASON_SERVER_NOT_AUTHENTIC, _coded),
    Row(dm.CredentialsRefused, pb.ERROR_REASON_CREDENTIALS_REFUSED_BY_SERVER, _coded),
    Row(dm.SessionAborted, pb.ERROR_REASON_SESSION_ABORTED_BY_SERVER, _coded),
    Row(omadm.errors.OmadmError, pb.ERROR_REASON_SERVER_PROTOCOL_ERROR, _coded),
    Row(omadm.errors.AuthError, pb.ERROR_REASON_SERVER_NOT_AUTHENTIC, _coded),
    Row(CodecError, pb.ERROR_REASON_SERVER_PROTOCOL_ERROR, _facts("code")),
    Row(BadMac, pb.ERROR_REASON_SERVER_NOT_AUTHENTIC),
)

ROWS: tuple[Row, ...] = (
    # The edge itself.
    Row(RefusalError, lambda e: e.reason, lambda e: e.facts),
    Row(RunFailedError, lambda e: reason_named(e.reason_name), lambda e: e.facts),
    *_CARD_ROWS,
    *_READER_ROWS,
    *_PROVISIONING_ROWS,
    *_SERVER_ROWS,
    # The tree and its store.
    Row(Refused, _of_refused, lambda e: {"node": e.path, "status": int(e.status)}),
    Row(TreeError, pb.ERROR_REASON_PATH_INVALID, _facts("code")),
    Row(StoreError, pb.ERROR_REASON_STORE_UNAVAILABLE, lambda e: {"code": e.reason}),
    Row(RevisionNotFoundError, pb.ERROR_REASON_REVISION_NOT_FOUND, _facts("revision")),
)
