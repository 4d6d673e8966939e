"""Client of the card-access daemon.

    import cardea

    with cardea.Client() as client:
        for reader in client.readers():
            print(reader.pcsc_name, reader.card)
        print(client.read(reader.card, "EF.ICCID").decoded)

Messages are those of ``cardea.v1``; failures are :class:`CardeaError` with reason and remedy.
"""

from __future__ import annotations

from .admin import Admin
from .client import Client, FileData
from .errors import CardeaError, ConnectionFailedError
from .keys import AkaResult, DerivedKey
from .pins import AskPerson, PinValue
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
    "Session",
]
