"""Events as JSON lines or for a console, with everything that could be a secret taken out.

Redaction is by name and by type: a key that sounds like a secret loses its value, and bytes never
get out whatever they are called, because APDUs, PINs and keys are bytes.
"""

from __future__ import annotations

import functools
import logging
import sys
from collections import deque
from collections.abc import Mapping
from typing import Literal, TextIO

import structlog
from cardea_core import Secret
from structlog.typing import EventDict, WrappedLogger

__all__ = ["REDACTED", "configure_logging", "recent_events", "redact"]

REDACTED = "[redacted]"

_recent: deque[Mapping[str, object]] = deque(maxlen=500)

_SECRET_NAMES = (
    "adm",
    "auts",
    "auth_data",
    "authorization",
    "cred",
    "key",
    "password",
    "pin",
    "puk",
    "secret",
    "token",
)
# Names that contain one of the above and are none.
_HARMLESS = frozenset({"key_name", "keys_listed", "secret_leaves"})


def configure_logging(
    level: Literal["debug", "info", "warning", "error"],
    style: Literal["auto", "json", "console"],
    stream: TextIO | None = None,
) -> None:
    """Route all events, those of the standard library included, to ``stream`` (standard error)."""
    # Of a daemon, and for good: then loggers need not look again at every event.
    lasting = stream is None
    stream = stream or sys.stderr
    threshold = logging.getLevelNamesMapping()[level.upper()]
    console = style == "console" or (style == "auto" and stream.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
        _remember,
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=stream.isatty())
        if console
        else structlog.processors.JSONRenderer(sort_keys=False)
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        # Whole lines: others write to the stream too.
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=lasting,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    handler.addFilter(_is_news)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # Libraries log requests with their URLs and headers at INFO: only their warnings are of use.
    root.setLevel(max(threshold, logging.WARNING))


def _is_news(record: logging.LogRecord) -> bool:
    """All but one: grpcio calls it an error of the server, with a trace, that a caller has gone
    while its answer was on the way. Any caller could fill the log with it."""
    gone = "ExecuteBatchError raised in core by servicer method"
    return record.name != "grpc._cython.cygrpc" or not record.getMessage().startswith(gone)


def recent_events() -> tuple[Mapping[str, object], ...]:
    """The last events that were written, as they were: redacted."""
    return tuple(_recent)


def _remember(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    _recent.append(dict(event))
    return event


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A structlog processor; also for nested mappings and sequences."""
    return {name: _redacted(name, value) for name, value in event.items()}


def _redacted(name: str, value: object) -> object:
    if isinstance(value, Secret):
        return REDACTED
    if isinstance(value, bytes | bytearray | memoryview):
        return f"[{len(value)} bytes]"
    if _sounds_secret(name) and value not in (None, "", True, False):
        return REDACTED
    if isinstance(value, Mapping):
        return {str(k): _redacted(str(k), v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted("", item) for item in value]
    return value


@functools.lru_cache(1024)  # every event has the same few names
def _sounds_secret(name: str) -> bool:
    words = name.lower().replace("-", "_")
    if words in _HARMLESS:
        return False
    parts = words.split("_")
    return any(secret in parts or secret == words for secret in _SECRET_NAMES) or any(
        secret in words for secret in ("password", "secret", "auth_data", "authorization")
    )
