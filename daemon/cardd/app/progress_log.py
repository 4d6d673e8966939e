"""The progress of one run, told from its beginning to everybody who asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from cardd.provisioning.progress import Progress, ProvisioningResult, Stage

__all__ = ["ProgressLog"]


class ProgressLog:
    """Belongs to one event loop; its last progress has the result. ``run``: provisionings/{id}"""

    def __init__(self, run: str = "") -> None:
        self.run = run
        self._told: list[Progress] = []
        self._more = asyncio.Event()

    @property
    def stage(self) -> Stage | None:
        return self._told[-1].stage if self._told else None

    def add(self, progress: Progress) -> None:
        self._told.append(progress)
        self._more.set()
        self._more = asyncio.Event()

    async def tell(self) -> AsyncIterator[Progress]:
        """Everything from the beginning, and then what comes, up to the result."""
        at = 0
        while True:
            more = self._more
            while at < len(self._told):  # it may grow whenever a listener takes its time
                progress = self._told[at]
                at += 1
                yield progress
                if progress.result is not None:
                    return
            # What came since `more` was taken has woken it.
            await more.wait()

    async def result(self) -> ProvisioningResult:
        async for progress in self.tell():
            if progress.result is not None:
                return progress.result
        raise AssertionError("a run ends with a result")
