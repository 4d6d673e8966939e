"""Errors of bootstrapping. They carry facts; they never carry keys."""

from __future__ import annotations

__all__ = ["BootstrapError", "DigestError", "GbaError", "NafError", "RealmError"]

Fact = str | int | None


class GbaError(Exception):
    """Base of this layer: ``reason`` is a snake_case code, ``facts`` says where and what."""

    def __init__(self, reason: str, **facts: Fact) -> None:
        self.reason = reason
        self.facts: dict[str, Fact] = {k: v for k, v in facts.items() if v is not None}
        detail = ", ".join(f"{key}={value}" for key, value in self.facts.items())
        super().__init__(f"{reason} ({detail})" if detail else reason)


class DigestError(GbaError):
    """An HTTP digest header that is malformed, incomplete or wrong."""


class RealmError(GbaError):
    """A subscriber identity from which no realm can be made."""


class BootstrapError(GbaError):
    """The exchange with the bootstrapping server failed."""


class NafError(GbaError):
    """The application server or the device could not show the derived key."""
