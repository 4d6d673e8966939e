"""The vector files, which the Rust tests read too."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

_VECTORS = Path(__file__).parents[2] / "vectors"


@pytest.fixture(scope="session")
def vectors() -> Callable[[str], dict[str, Any]]:
    """Reads a file by its name without suffix; every file tells where it comes from."""

    def read(name: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((_VECTORS / f"{name}.json").read_text("utf-8"))
        assert document["source"]
        assert document["clause"]
        assert document["licence"]
        return document

    return read
