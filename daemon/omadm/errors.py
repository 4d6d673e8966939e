"""Errors of the OMA DM layer. They carry facts; they never carry secret values."""

from __future__ import annotations

__all__ = [
    "AuthError",
    "DocumentError",
    "FormatError",
    "NotificationError",
    "OmadmError",
]

Fact = str | int | None


class OmadmError(Exception):
    """Base of this layer: ``reason`` is a snake_case code, ``facts`` says where and what."""

    def __init__(self, reason: str, **facts: Fact) -> None:
        self.reason = reason
        self.facts: dict[str, Fact] = {k: v for k, v in facts.items() if v is not None}
        detail = ", ".join(f"{key}={value}" for key, value in self.facts.items())
        super().__init__(f"{reason} ({detail})" if detail else reason)


class FormatError(OmadmError):
    """A DM message or a TNDS object that cannot be understood."""


class DocumentError(OmadmError):
    """A provisioning document that is malformed or contradicts itself."""


class AuthError(OmadmError):
    """Credentials or a challenge that are missing, malformed or wrong."""


class NotificationError(OmadmError):
    """A package 0 that is malformed or whose digest is wrong."""
