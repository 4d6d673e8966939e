"""Why a session with a DM server failed. Nothing of it is in force then."""

from __future__ import annotations

__all__ = [
    "CredentialsRefused",
    "DmError",
    "DmProtocolError",
    "ServerNotAuthentic",
    "SessionAborted",
]

Fact = str | int | None


class DmError(Exception):
    """Base of this layer: ``reason`` is a snake_case code, ``facts`` say where and what."""

    def __init__(self, reason: str, **facts: Fact) -> None:
        self.reason = reason
        self.facts: dict[str, Fact] = {k: v for k, v in facts.items() if v is not None}
        detail = ", ".join(f"{key}={value}" for key, value in self.facts.items())
        super().__init__(f"{reason} ({detail})" if detail else reason)


class DmProtocolError(DmError):
    """The server's message does not follow the protocol."""


class ServerNotAuthentic(DmError):
    """The server did not prove who it is, not even when it was asked again."""


class CredentialsRefused(DmError):
    """The server does not accept this device's credentials, or asks for weaker ones."""


class SessionAborted(DmError):
    """The server ended the session early (Alert 1223)."""
