"""What a run tells reaches everybody who listens, whole and to its end."""

from __future__ import annotations

import asyncio

from cardd.app.progress_log import ProgressLog
from cardd.app.provisioner import _broken_off
from cardd.provisioning.progress import Progress, Stage

FIRST = Progress(Stage.READING_CARD, 0, 1, "", 0.0)
SECOND = Progress(Stage.ADOPTING, 1, 1, "", 0.1)
LAST = Progress(
    Stage.FAILED, 1, 1, "", 0.2, _broken_off("provisionings/1", "8949", "INTERNAL", "broken")
)


async def test_a_listener_that_takes_its_time_misses_nothing() -> None:
    log, heard = ProgressLog(), []
    log.add(FIRST)
    async for progress in log.tell():
        heard.append(progress)
        if progress is FIRST:
            log.add(SECOND)
            log.add(LAST)
    assert heard == [FIRST, SECOND, LAST]


async def test_who_comes_late_is_told_from_the_beginning() -> None:
    log = ProgressLog()
    waiting = asyncio.create_task(log.result())
    for progress in (FIRST, SECOND, LAST):
        await asyncio.sleep(0)
        log.add(progress)
    assert await waiting is LAST.result
    assert [each async for each in log.tell()] == [FIRST, SECOND, LAST]
