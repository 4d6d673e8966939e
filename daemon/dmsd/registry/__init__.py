"""What the management side remembers: in one SQLite file, or in PostgreSQL for several nodes.

The keys of subscribers and cards lie there in the clear, protected by the file's mode (0600) or by
PostgreSQL's roles only: that is right for a demo and a laboratory. An operator's home subscriber
server keeps them in hardware instead.
"""

from dmsd.registry.bootstraps import Bootstraps
from dmsd.registry.database import Database
from dmsd.registry.devices import Devices
from dmsd.registry.journal import Journal
from dmsd.registry.records import (
    AkaChallenge,
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
    "AkaChallenge",
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
