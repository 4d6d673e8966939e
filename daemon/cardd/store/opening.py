"""Starting with whatever lies in the store's place.

A file that is no store, or a damaged one, is moved aside whole and a new store is begun: the
machine is provisioned anew, and nothing of the old file is lost. A store of a newer version, or one
that another process has open, is sound: it stays, and the daemon does not start.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .database import sync_folder
from .epoch_mark import EpochMark
from .errors import StoreError
from .records import Retention, StoredTree
from .store import Store

__all__ = ["SetAside", "open_store"]

# SQLite's companions of a file. The log goes before the file: it would be played into whatever
# lies in the file's place.
_COMPANIONS = ("-wal", "-shm", "-journal")
_HOPELESS = frozenset({"foreign", "corrupt"})


@dataclass(frozen=True, slots=True)
class SetAside:
    """A file that was moved away, and why: "foreign" or "corrupt"."""

    reason: str
    detail: str
    moved_to: Path


def open_store(
    path: Path, retention: Retention, mark: EpochMark | None = None
) -> tuple[Store, StoredTree, SetAside | None]:
    """The store, its tree, and what had to make way for it. ``mark``: what was last told of it.

    Raises:
        StoreError: there is one that cannot be opened now, or cannot be moved away.
    """
    try:
        return *_opened(path, retention, mark), None
    except StoreError as error:
        if error.reason not in _HOPELESS:
            raise
        moved = SetAside(error.reason, error.detail, _move_aside(path, error.reason))
    try:
        return *_opened(path, retention, mark), moved
    except StoreError as error:
        # Nobody else would say where the old file is: the next start finds none in its place.
        detail = f"{error.detail}; what lay there ({moved.detail}) is {moved.moved_to}"
        raise StoreError(error.reason, path, detail) from None


def _opened(path: Path, retention: Retention, mark: EpochMark | None) -> tuple[Store, StoredTree]:
    store = Store(path, retention, mark)
    try:
        return store, store.begin()
    except StoreError:
        store.close()
        raise


def _move_aside(path: Path, reason: str) -> Path:
    number = 1
    while any(aside.exists() for aside in _places(path, f".{reason}-{number}")):
        number += 1
    moved = []
    try:
        for present, aside in zip(
            _places(path, ""), _places(path, f".{reason}-{number}"), strict=True
        ):
            if present.exists():
                moved.append(present.rename(aside))
        sync_folder(path.parent)
    except OSError as error:
        raise StoreError("unreadable", path, f"cannot be moved: {error.strerror}") from None
    return moved[-1]


def _places(path: Path, mark: str) -> list[Path]:
    return [Path(f"{path}{mark}{companion}") for companion in (*_COMPANIONS, "")]
