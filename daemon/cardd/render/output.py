"""What a renderer wants to be in its folder: pure data, from the tree and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from cardea_core import Snapshot

__all__ = ["OWN_PREFIX", "Output", "OutputFile", "Plan", "PlanError"]


# What renderers that name their files themselves begin the names with.
OWN_PREFIX = "cardea-"


class PlanError(Exception):
    """The tree does not give what the renderer needs; the message names nodes, never values."""


@dataclass(frozen=True, slots=True)
class OutputFile:
    """One file by its name in the folder."""

    name: str
    # It may hold secrets.
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Output:
    """All files that are to be in the folder, and what could not be rendered.

    An object that makes no sense does not keep the others out (S3): it is named in ``problems``.
    """

    files: tuple[OutputFile, ...]
    problems: tuple[str, ...] = ()

    def digest(self) -> bytes:
        """Over names, contents and problems."""
        total = hashlib.sha256()
        files = sorted((file.name.encode(), file.content) for file in self.files)
        for parts in (*files, *((problem.encode(),) for problem in self.problems)):
            for part in (len(parts).to_bytes(1), *parts):
                total.update(len(part).to_bytes(8) + part)
        return total.digest()


Plan: TypeAlias = Callable[[Snapshot], Output]
"""From the tree to files. Raises PlanError where there can be none at all."""
