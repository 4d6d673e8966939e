"""Measure, print, and write bench/results/<promise>.json and .svg; ONLY="F1 F2" selects.

Ends with 1 if a promise does not hold.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from pathlib import Path

from bench import picture, report
from bench.chaos import staged

_FOLDER = Path(__file__).parent


def main() -> int:
    """Run the promises that are asked for, all by default."""
    # So that what runs is ended, and not left behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    on_stage = staged.promises("f")
    known = sorted([*(path.stem.upper() for path in _FOLDER.glob("[fp][0-9]*.py")), *on_stage])
    wanted = os.environ.get("ONLY", "").upper().split() or known
    if unknown := [name for name in wanted if name not in known]:
        print(f"bench: no such figure: {' '.join(unknown)}; there are {' '.join(known)}")
        return 2
    kept = True
    for name in wanted:
        if name in on_stage:
            kept = staged.measure(name) and kept
            continue
        module = importlib.import_module(f"bench.{name.lower()}")
        print(f"{name}  {module.TITLE}", flush=True)
        result = report.Result(name, module.TITLE, report.machine(), tuple(module.rows()))
        print(report.as_text(result), flush=True)
        report.write(result, _FOLDER / "results" / f"{name}.json")
        picture.write(result, _FOLDER / "results" / f"{name}.svg")
        kept = kept and all(row.holds for row in result.rows)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
