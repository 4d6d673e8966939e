"""Fixtures over a private pcscd with virtual readers. Loaded by tests/conftest.py as a plugin.

The client library reads PCSCLITE_CSOCK_NAME once per process, so the path is fixed when this
module is imported, and pcscd comes to it when the first test asks for `pcsc`.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from softcard import SoftCard
from softcard.stack import VirtualReaders

__all__ = ["READERS", "Pcsc", "pcsc", "virtual_readers"]

READERS = 3

_FOLDER = Path(tempfile.gettempdir()) / f"cardea-pcsc-{os.getpid()}"
os.environ["PCSCLITE_CSOCK_NAME"] = str(_FOLDER / "pcscd.comm")


class Pcsc:
    """Readers of one test, and cards with fresh state to put into them."""

    def __init__(self, readers: VirtualReaders, folder: Path) -> None:
        self.readers = readers
        self._folder = folder
        self._made = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the readers."""
        return self.readers.reader_names

    def card(self, profile: str = "operator", **overrides: Any) -> SoftCard:
        """A new card of the profile; its state lies in the test's folder."""
        self._made += 1
        state = self._folder / f"card-{self._made}.json"
        return SoftCard.from_profile(profile, state, overrides)

    def insert(self, profile: str = "operator", index: int = 0, **overrides: Any) -> SoftCard:
        """A new card, put into reader `index`."""
        card = self.card(profile, **overrides)
        self.readers.insert(index, card)
        return card

    def remove(self, index: int = 0) -> None:
        """Pull out the card of reader `index`."""
        self.readers.remove(index)


@pytest.fixture(scope="session")
def virtual_readers() -> Iterator[VirtualReaders]:
    """The private pcscd of this test session."""
    try:
        with VirtualReaders(_FOLDER, readers=READERS) as readers:
            yield readers
    finally:
        shutil.rmtree(_FOLDER, ignore_errors=True)


@pytest.fixture
def pcsc(virtual_readers: VirtualReaders, tmp_path: Path) -> Iterator[Pcsc]:
    """Empty readers and a running pcscd; afterwards the same again."""
    plugged = [virtual_readers.plug(index) for index in range(READERS)]
    if any(plugged) or not virtual_readers.pid:
        virtual_readers.restart_pcscd()
    yield Pcsc(virtual_readers, tmp_path)
    for index in range(READERS):
        virtual_readers.remove(index)
