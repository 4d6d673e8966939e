"""The daemon's store: one SQLite file, one transaction a provisioning."""

from cardd.store.errors import StoreError
from cardd.store.records import (
    CardSeen,
    StoredTree,
)
from cardd.store.store import Direction, Store

__all__ = [
    "CardSeen",
    "Direction",
    "Store",
    "StoreError",
    "StoredTree",
]
