"""What a program of ours has written about itself."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["events"]


def events(log: str) -> list[dict[str, Any]]:
    """The events in a log, oldest first. What does not end yet is still being written."""
    whole = log[: log.rfind("\n") + 1]
    return [json.loads(line) for line in whole.splitlines() if line.startswith("{")]
