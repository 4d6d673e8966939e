"""Latencies as figures."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["p99_ms"]


def p99_ms(taken_s: Sequence[float]) -> float:
    """The 99th percentile in milliseconds."""
    ordered = sorted(taken_s)
    return 1000 * ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
