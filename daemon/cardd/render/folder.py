"""Files that appear, change and go as a whole: a reader finds the old or the new one."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

__all__ = ["has", "put", "remove"]


def put(path: Path, content: bytes, mode: int) -> None:
    """Make the file have this content and mode, beginning with a folder for it.

    Raises OSError; then the file is what it was.
    """
    path.parent.mkdir(mode=0o755, exist_ok=True)
    with _folder(path.parent) as folder:
        building = _building(path)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(building, dir_fd=folder)
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with open(os.open(building, flags, 0o600, dir_fd=folder), "wb") as file:
                file.write(content)
                # An unbuffered write says nothing where the disk is full: it writes a part.
                file.flush()
                os.fchmod(file.fileno(), mode)
                os.fsync(file.fileno())
            os.rename(building, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(building, dir_fd=folder)
            raise
        os.fsync(folder)


def remove(path: Path) -> None:
    """Take the file away, if there is one, and what a `put` that was cut short has left of it.

    Raises OSError.
    """
    with contextlib.suppress(FileNotFoundError), _folder(path.parent) as folder:
        for name in (_building(path), path.name):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder)
        os.fsync(folder)


def has(path: Path, content: bytes, mode: int) -> bool:
    """Whether it is a file of our own with this content and mode already."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            found = os.fstat(descriptor)
            # Somebody else's would be somebody else's to change.
            if found.st_uid != os.geteuid() or found.st_mode != stat.S_IFREG | mode:
                return False
            with open(descriptor, "rb", closefd=False) as file:
                return found.st_size == len(content) and file.read() == content
        finally:
            os.close(descriptor)
    except OSError:
        return False


def _building(path: Path) -> str:
    return f".{path.name}.cardea-new"


@contextlib.contextmanager
def _folder(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
