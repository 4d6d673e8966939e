"""Response status codes and alert codes of OMA DM 1.2 (DM Representation §4.1.5, §4.2)."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["AlertCode", "Mark", "StatusCode", "is_success"]


class StatusCode(IntEnum):
    """SyncML Representation §10 response codes that DM uses."""

    IN_PROGRESS = 101
    OK = 200
    ACCEPTED = 202
    AUTHENTICATED = 212
    CHUNK_ACCEPTED = 213
    CANCELLED = 214
    NOT_EXECUTED = 215
    ROLLED_BACK = 216
    NOT_MODIFIED = 304
    BAD_REQUEST = 400
    INVALID_CREDENTIALS = 401
    FORBIDDEN = 403
    NOT_FOUND = 404
    NOT_ALLOWED = 405
    NOT_SUPPORTED = 406
    CREDENTIALS_MISSING = 407
    TIMEOUT = 408
    INCOMPLETE = 412
    TOO_LARGE = 413
    URI_TOO_LONG = 414
    UNSUPPORTED_FORMAT = 415
    RANGE_NOT_SATISFIABLE = 416
    ALREADY_EXISTS = 418
    DEVICE_FULL = 420
    SIZE_MISMATCH = 424
    PERMISSION_DENIED = 425
    FAILED = 500
    DTD_NOT_SUPPORTED = 505
    ATOMIC_FAILED = 507
    DATA_STORE_FAILURE = 510
    SERVER_FAILURE = 511
    PROTOCOL_NOT_SUPPORTED = 513
    ROLLBACK_FAILED = 516
    ATOMIC_TOO_LARGE = 517


class AlertCode(IntEnum):
    """DM Representation §4.2."""

    DISPLAY = 1100
    CONFIRM = 1101
    TEXT_INPUT = 1102
    SINGLE_CHOICE = 1103
    MULTIPLE_CHOICE = 1104
    SERVER_INITIATED = 1200
    CLIENT_INITIATED = 1201
    NEXT_MESSAGE = 1222
    SESSION_ABORT = 1223
    CLIENT_EVENT = 1224
    NO_END_OF_DATA = 1225
    GENERIC = 1226


class Mark(IntEnum):
    """Importance of a generic alert, most important first (DM Protocol 1.2 §8.7.1.8)."""

    FATAL = 0
    CRITICAL = 1
    MINOR = 2
    WARNING = 3
    INFORMATIONAL = 4
    HARMLESS = 5
    INDETERMINATE = 6

    @property
    def text(self) -> str:
        """The word on the wire."""
        return self.name.lower()


def is_success(code: int) -> bool:
    """2xx except the three that say a command had no effect."""
    no_effect = (StatusCode.CANCELLED, StatusCode.NOT_EXECUTED, StatusCode.ROLLED_BACK)
    return 200 <= code < 300 and code not in no_effect
