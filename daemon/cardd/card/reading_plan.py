"""Several files with the fewest commands: what lies together is read together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from cardd.card.access_rules import AccessRules
from cardd.card.directory import Application
from cardd.card.errors import CardError, MalformedCardData, NoSuchApplication
from cardd.card.files import FileContent, locate, read_path
from cardd.card.status import StatusError
from cardd.card.uicc import FilePath, FileSystem

__all__ = ["FileKey", "Reading", "read_all"]

FileKey: TypeAlias = str | FilePath
"""A well-known name, or a path."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A file as read. `open_to_all`: whoever asks the card gets the same, whatever his rights."""

    content: FileContent
    open_to_all: bool


def read_all(
    files: FileSystem,
    wanted: Iterable[FileKey],
    applications: Sequence[Application] | None,
    rules: AccessRules,
) -> dict[FileKey, Reading | CardError]:
    """Each file, or why it cannot be read. CardLost and CardMute are raised.

    An application is selected once, a directory is entered once. `applications` is the content of
    EF(DIR) where it is known.
    """
    found: dict[FileKey, Reading | CardError] = {}
    located: list[tuple[FilePath, FileKey]] = []
    for key in dict.fromkeys(wanted):
        try:
            path = locate(files, key, applications) if isinstance(key, str) else key
            located.append((path, key))
        except (StatusError, MalformedCardData, NoSuchApplication) as error:
            found[key] = error
    located.sort(key=lambda each: (each[0].aid, each[0].ids[:-1]))
    for path, key in located:
        try:
            content = read_path(files, path)
            # Selected a moment ago: that tells it again for nothing.
            info = files.select(path)
            found[key] = Reading(content, rules.open_to_all(files, path, info))
        except (StatusError, MalformedCardData) as error:
            found[key] = error
    return found
