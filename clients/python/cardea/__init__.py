"""Client of the card-access daemon.

    import cardea

    with cardea.Client() as client:
        for reader in client.readers():
            print(reader.pcsc_name, reader.card)
        print(client.read(reader.card, "EF.ICCID").decoded)

Messages are those of ``cardea.v1``; failures are :class:`CardeaError` with reason and remedy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .admin import Admin
    from .client import Client, FileData
    from .errors import CardeaError, ConnectionFailedError
    from .keys import AkaResult, DerivedKey
    from .pins import AskPerson, PinValue
    from .questions import QuestionAnswer
    from .session import Session

__all__ = [
    "Admin",
    "AkaResult",
    "AskPerson",
    "CardeaError",
    "Client",
    "ConnectionFailedError",
    "DerivedKey",
    "FileData",
    "PinValue",
    "QuestionAnswer",
    "Session",
]

_HOMES = {
    "Admin": "admin",
    "AkaResult": "keys",
    "AskPerson": "pins",
    "CardeaError": "errors",
    "Client": "client",
    "ConnectionFailedError": "errors",
    "DerivedKey": "keys",
    "FileData": "client",
    "PinValue": "pins",
    "QuestionAnswer": "questions",
    "Session": "session",
}


def __getattr__(name: str) -> Any:
    """Load the client when it is asked for: who wants only ``cardea.v1`` does not wait for it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
