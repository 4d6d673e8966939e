"""Medians of interleaved rounds."""

from __future__ import annotations

import gc
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

Contender = Callable[[], float]
"""Does its work once over and says how many microseconds one unit of it took."""


def medians_us(contenders: Mapping[str, Contender], *, rounds: int) -> dict[str, float]:
    """Each contender in turn, round after round, so that a noisy moment meets them all."""
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    for contender in contenders.values():
        contender()
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, contender in contenders.items():
                samples[name].append(contender())
    finally:
        gc.enable()
    return {name: statistics.median(taken) for name, taken in samples.items()}


class Stopwatch:
    """Microseconds between entering and leaving."""

    def __enter__(self) -> Stopwatch:
        self._start = time.perf_counter_ns()
        return self

    def __exit__(self, *_: object) -> None:
        self.elapsed_us = (time.perf_counter_ns() - self._start) / 1000


@contextmanager
def one_processor() -> Iterator[None]:
    """Stay on one processor, for figures that are about one."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
