"""The daemon's store: one SQLite file, one transaction a provisioning."""

from cardd.store.epoch_mark import EpochMark
from cardd.store.errors import StoreError
from cardd.store.opening import SetAside, open_store
from cardd.store.records import Operation, Origin, Retention, Revision, StoredTree
from cardd.store.store import Direction, Store

__all__ = [
    "Direction",
    "EpochMark",
    "Operation",
    "Origin",
    "Retention",
    "Revision",
    "SetAside",
    "Store",
    "StoreError",
    "StoredTree",
    "open_store",
]
