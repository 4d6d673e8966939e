"""Promises that are measured on a stage: a private pcscd, software cards, a real daemon."""

from __future__ import annotations

import importlib
import time
from pathlib import Path

from bench import report
from bench.chaos import figure, picture
from bench.chaos.stage import SHORT

__all__ = ["measure", "promises"]

_FOLDER = Path(__file__).parent
# Figures to be quoted come from whole runs only.
_RESULTS = _FOLDER.parents[1] / ".build/chaos" if SHORT else _FOLDER.parent / "results"


def promises(kind: str = "fp") -> list[str]:
    """Their names; `kind` is the first letters, in lower case."""
    return [path.stem.upper() for path in _FOLDER.glob(f"[{kind}][0-9]*.py")]


def measure(name: str) -> bool:
    """Measure, print, write result and picture; whether the promise holds."""
    module = importlib.import_module(f"bench.chaos.{name.lower()}")
    print(f"{name}  {module.TITLE}", flush=True)
    started = time.monotonic()
    figures = tuple(module.rows())
    print(figure.as_text(figures), flush=True)
    print(f"    ({time.monotonic() - started:.0f} s)", flush=True)
    measured_on = report.machine()
    figure.write(name, measured_on, figures, _RESULTS / f"{name}.json")
    picture.write(name, module.TITLE, measured_on, figures, _RESULTS / f"{name}.svg")
    return all(one.holds for one in figures)
