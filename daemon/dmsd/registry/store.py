"""The registry as one object."""

from __future__ import annotations

from pathlib import Path

from dmsd.registry.bootstraps import Bootstraps
from dmsd.registry.database import Database
from dmsd.registry.devices import Devices
from dmsd.registry.journal import Journal
from dmsd.registry.subscribers import Subscribers

__all__ = ["Registry"]


class Registry:
    """Opens the file and has one part for each noun. ``path`` may be ``:memory:``."""

    def __init__(self, path: Path | str) -> None:
        self.database = Database(path)
        self.subscribers = Subscribers(self.database)
        self.devices = Devices(self.database)
        self.journal = Journal(self.database)
        self.bootstraps = Bootstraps(self.database)

    def close(self) -> None:
        self.database.close()
