"""Seconds as the messages have them."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration

__all__ = ["duration"]


def duration(value_s: float | None) -> Duration | None:
    """None stays unset."""
    if value_s is None:
        return None
    message = Duration()
    message.FromMicroseconds(round(value_s * 1e6))
    return message
