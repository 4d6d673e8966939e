"""Measure, print, and write bench/results/<promise>.json and .svg; ONLY="P1 P2" selects.

SHORT=1 bounds the whole run to about a minute and writes to .build/chaos instead. Ends with 1
if a promise does not hold.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import time
from pathlib import Path

from bench import report
from bench.chaos import figure, picture
from bench.chaos.stage import SHORT

_FOLDER = Path(__file__).parent
# Figures to be quoted come from whole runs only.
_RESULTS = _FOLDER.parents[1] / ".build/chaos" if SHORT else _FOLDER.parent / "results"


def main() -> int:
    """Run the promises that are asked for, all by default."""
    known = sorted(
        (path.stem.upper() for path in _FOLDER.glob("[fp][0-9]*.py")),
        key=lambda name: (name[0] != "P", int(name[1:])),
    )
    wanted = os.environ.get("ONLY", "").upper().split() or known
    if unknown := [name for name in wanted if name not in known]:
        print(f"chaos: no such promise: {' '.join(unknown)}; there are {' '.join(known)}")
        return 2
    # So that what runs is ended, and not left behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    kept = True
    for name in wanted:
        module = importlib.import_module(f"bench.chaos.{name.lower()}")
        print(f"{name}  {module.TITLE}", flush=True)
        started = time.monotonic()
        figures = tuple(module.rows())
        print(figure.as_text(figures), flush=True)
        print(f"    ({time.monotonic() - started:.0f} s)", flush=True)
        measured_on = report.machine()
        figure.write(name, measured_on, figures, _RESULTS / f"{name}.json")
        picture.write(name, module.TITLE, measured_on, figures, _RESULTS / f"{name}.svg")
        kept = kept and all(one.holds for one in figures)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
