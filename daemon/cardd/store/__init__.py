"""The daemon's store: one SQLite file, one transaction a provisioning."""

from cardd.store.errors import StoreError
from cardd.store.records import StoredTree
from cardd.store.store import Direction, Store

__all__ = [
    "Direction",
    "Store",
    "StoreError",
    "StoredTree",
]
