"""What writes files by itself survives its end at each sync, removal and renaming: killed, and with
all lost that was not synced, names as well as bytes (P5)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.dying import built_layer


@pytest.mark.parametrize(
    ("part", "outcomes"),
    [
        ("a foreign file that makes way for a store", ["foreign 0", "nothing 0", "nothing 1"]),
        ("files that come and go", ["ab", "abc", "bc"]),
    ],
)
def test_at_every_operation(tmp_path: Path, part: str, outcomes: list[str]) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    ran = subprocess.run(
        [sys.executable, "-m", "support.dying_parts", part, str(folder)],
        env=os.environ
        | {
            "LD_PRELOAD": str(built_layer(tmp_path)),
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        },
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == outcomes
