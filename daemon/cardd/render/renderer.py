"""One renderer: its files brought to what the tree says, and its program told.

Safe to be cut short anywhere: what is about to be written is noted before, the program's success
after. So the next time removes what is no longer wanted, and runs a program that may not have run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cardea_core import Snapshot

from . import folder
from .output import Output, Plan, PlanError
from .program import Program, ProgramFailedError

__all__ = ["RenderRecord", "Renderer", "RendererError", "owned_by_others"]


class RenderRecord(Protocol):
    """What has been rendered, kept over restarts. Every call is one transaction; StoreError."""

    def renderers(self) -> Iterable[str]: ...
    def files(self, renderer: str) -> frozenset[str]: ...
    def digest(self, renderer: str) -> bytes | None: ...
    def begin(self, renderer: str, files: Iterable[str]) -> None:
        """These files are, or are about to be, the renderer's; it has not come to its end."""

    def finish(self, renderer: str, files: Iterable[str], digest: bytes) -> None:
        """The renderer has come to its end; these files are there and no others."""

    def forget(self, renderer: str) -> None: ...


class RendererError(Exception):
    """What went wrong; names nodes, files and programs, never values."""


def owned_by_others(name: str, record: RenderRecord) -> frozenset[str]:
    """The files of all renderers but one. Raises StoreError."""
    others = (other for other in record.renderers() if other != name)
    return frozenset().union(*map(record.files, others))


@dataclass(frozen=True, slots=True)
class Renderer:
    """As configured."""

    name: str
    plan: Plan
    folder: Path
    mode: int = 0o600
    program: Program | None = None

    def bring_up_to_date(self, tree: Snapshot, record: RenderRecord) -> bool:
        """False: everything was as it should be, and nothing was done.

        Raises: RendererError, StoreError. What could not be rendered is an error once: with the
        change that brought it.
        """
        try:
            output = self.plan(tree)
        except PlanError as error:
            raise RendererError(str(error)) from None
        wanted = {str(self.folder / file.name): file.content for file in output.files}
        owned, digest = record.files(self.name), self._digest(output)
        # What another renderer has taken over is that one's.
        gone = sorted(owned - wanted.keys() - owned_by_others(self.name, record))
        # Also where the tree has not changed: somebody else may have changed a file.
        stale = [p for p, c in wanted.items() if not folder.has(Path(p), c, self.mode)]
        if record.digest(self.name) == digest and not gone and not stale:
            return False
        record.begin(self.name, owned | wanted.keys())
        try:
            for path in stale:
                folder.put(Path(path), wanted[path], self.mode)
            for path in gone:
                folder.remove(Path(path))
        except OSError as error:
            raise RendererError(f"{path}: {error.strerror}") from None
        if self.program is not None:
            self._run(self.program)
        record.finish(self.name, wanted, digest)
        if output.problems:
            raise RendererError("; ".join(output.problems))
        return True

    def _run(self, program: Program) -> None:
        try:
            program.run({"CARDEA_RENDERER": self.name, "CARDEA_FOLDER": str(self.folder)})
        except ProgramFailedError as error:
            raise RendererError(f"{program.arguments[0]} {error}") from None

    def _digest(self, output: Output) -> bytes:
        """Of the output, and of the program that is to be told of it."""
        told = self.program.arguments if self.program is not None else ()
        return hashlib.sha256(output.digest() + "\0".join(told).encode()).digest()
