"""Structured logs in which no secret can appear."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
from cardea_core import Secret

__all__ = ["configure", "redact"]

# Names under which a caller could hand over something that nobody must read in a log.
_SENSITIVE = frozenset(
    {"adm", "adm1", "authorization", "checksum_key", "cipher_key", "ck", "client_secret", "cred",
     "hmac", "ik", "k", "key", "kic", "kid", "ks", "ks_naf", "mac", "nonce", "op", "opc",
     "password", "pin", "res", "secret", "server_secret", "token", "xres"}
)  # fmt: skip


def configure(level: str, form: str) -> None:
    """Set up structlog for the process; ``form`` is ``json`` or ``console``. Logs go to stderr."""
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            redact,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    # aiohttp speaks through the standard library; only its complaints matter.
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr, format="%(name)s: %(message)s")


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace what is or may be secret: by name, by kind, and raw bytes always."""
    return {name: _shown(name, value) for name, value in event.items()}


def _shown(name: str, value: Any) -> Any:
    if name.lower() in _SENSITIVE:
        return "<redacted>"
    if isinstance(value, Secret):
        return "<redacted>"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"<{len(value)} bytes>"
    if isinstance(value, dict):
        return {str(key): _shown(str(key), inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_shown("", inner) for inner in value]
    return value
