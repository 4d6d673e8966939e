"""The daemon's store: one SQLite file, one transaction a provisioning."""

from cardd.store.errors import StoreError
from cardd.store.records import (
    CardSeen,
    CardWrite,
    NewConfirmation,
    PendingConfirmation,
    SessionCommand,
    SessionRecord,
    StoredTree,
)
from cardd.store.store import Direction, Store

__all__ = [
    "CardSeen",
    "CardWrite",
    "Direction",
    "NewConfirmation",
    "PendingConfirmation",
    "SessionCommand",
    "SessionRecord",
    "Store",
    "StoreError",
    "StoredTree",
]
