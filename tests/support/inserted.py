"""A card in the first reader, known to a daemon."""

from __future__ import annotations

from typing import Any

from softcard import SoftCard

from support.client import eventually
from support.daemon import RunningDaemon
from support.stack import Pcsc

__all__ = ["inserted"]


def inserted(pcsc: Pcsc, daemon: RunningDaemon, profile: str, **overrides: Any) -> SoftCard:
    """A new card of the profile, when the daemon has identified it."""
    card = pcsc.insert(profile, **overrides)
    with daemon.client() as client:
        eventually(lambda: bool(client.readers()[0].card))
    return card
