"""The registry as one object."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from dmsd.config import RegistryConfig
from dmsd.errors import RegistryError
from dmsd.registry.bootstraps import Bootstraps
from dmsd.registry.database import Database
from dmsd.registry.devices import Devices
from dmsd.registry.journal import Journal
from dmsd.registry.sqlite import SqliteDatabase
from dmsd.registry.subscribers import Subscribers

__all__ = ["Registry"]


class Registry:
    """One part for each noun over a database; by default over a file, which may be ``:memory:``."""

    def __init__(self, database: Database | Path | str) -> None:
        if isinstance(database, Path | str):
            database = SqliteDatabase(database)
        self.database = database
        self.subscribers = Subscribers(database)
        self.devices = Devices(database)
        self.journal = Journal(database)
        self.bootstraps = Bootstraps(database)

    @classmethod
    def open(cls, config: RegistryConfig, *, node: str) -> Self:
        """The configured one. Raises RegistryError."""
        if not config.url:
            return cls(config.path)
        # One node needs neither the library nor the time that it takes to load.
        try:
            from dmsd.registry.postgres import PostgresDatabase
        except ImportError as error:
            hint = "PostgreSQL needs its driver: pip install 'cardea-daemon[postgresql]'"
            raise RegistryError(hint) from error
        return cls(PostgresDatabase(config.url, node=node))

    def close(self) -> None:
        self.database.close()
