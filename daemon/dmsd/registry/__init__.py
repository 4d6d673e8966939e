"""What the management side remembers, in one SQLite file.

The keys of subscribers and cards lie in that file in the clear, protected by its mode (0600) only:
that is right for a demo and a laboratory. An operator's home subscriber server keeps them in
hardware instead.
"""

from dmsd.registry.bootstraps import Bootstraps
from dmsd.registry.database import Database
from dmsd.registry.devices import Devices
from dmsd.registry.journal import Journal
from dmsd.registry.records import (
    BootstrappedKey,
    CardKey,
    CardOrder,
    CommandRow,
    CredentialAccount,
    Device,
    NetworkAccount,
    OtaKeys,
    ReportRow,
    SessionRow,
    Subscriber,
)
from dmsd.registry.store import Registry
from dmsd.registry.subscribers import Subscribers

__all__ = [
    "BootstrappedKey",
    "Bootstraps",
    "CardKey",
    "CardOrder",
    "CommandRow",
    "CredentialAccount",
    "Database",
    "Device",
    "Devices",
    "Journal",
    "NetworkAccount",
    "OtaKeys",
    "Registry",
    "ReportRow",
    "SessionRow",
    "Subscriber",
    "Subscribers",
]
