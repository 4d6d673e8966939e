"""A figure held against a bound, with what bare pyscard does under the same load beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Figure", "as_text", "at_least", "at_most", "stated", "write"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of a result. `against_value` is None where there is nothing to compare with."""

    name: str
    value: float
    unit: str
    against: str
    against_value: float | None
    # None: it is stated, and nothing is promised.
    bound: float | None
    is_least: bool

    @property
    def ratio(self) -> float | None:
        """How many times the other's value is this one's; None where one of them is nothing."""
        if not self.value or not self.against_value:
            return None
        return self.against_value / self.value

    @property
    def goal(self) -> str:
        if self.bound is None:
            return "none, it is stated"
        return f"{'>=' if self.is_least else '<='} {self.bound:.4g}"

    @property
    def holds(self) -> bool:
        if self.bound is None:
            return True
        return self.value >= self.bound if self.is_least else self.value <= self.bound


def at_most(
    bound: float, name: str, value: float, unit: str, against: str, against_value: float | None
) -> Figure:
    """A figure that must not be larger than `bound`."""
    return Figure(name, value, unit, against, against_value, bound, is_least=False)


def at_least(
    bound: float, name: str, value: float, unit: str, against: str, against_value: float | None
) -> Figure:
    """A figure that must not be smaller than `bound`."""
    return Figure(name, value, unit, against, against_value, bound, is_least=True)


def stated(
    name: str, value: float, unit: str, against: str = "", against_value: float | None = None
) -> Figure:
    """A figure of which it was promised that it is told."""
    return Figure(name, value, unit, against, against_value, None, is_least=True)


def as_text(figures: Sequence[Figure]) -> str:
    """A line a figure."""
    return "\n".join(_line(figure) for figure in figures)


def write(promise: str, measured_on: str, figures: Sequence[Figure], path: Path) -> None:
    """The file that other documents quote."""
    document = {
        "promise": promise,
        "measured_on": measured_on,
        "rows": [_row(figure) for figure in figures],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _row(figure: Figure) -> dict[str, Any]:
    return {
        "name": figure.name,
        "value": _rounded(figure.value),
        "unit": figure.unit,
        "against": figure.against,
        "against_value": _rounded(figure.against_value),
        "ratio": _rounded(figure.ratio),
        "goal": figure.goal,
        "holds": figure.holds,
    }


def _line(figure: Figure) -> str:
    verdict = "holds" if figure.holds else "DOES NOT HOLD"
    promise = "stated" if figure.bound is None else f"promised {figure.goal}: {verdict}"
    other = ""
    if figure.against_value is not None:
        other = f", {figure.against} {figure.against_value:.4g} {figure.unit}"
    return f"    {figure.name}: {figure.value:.4g} {figure.unit}{other}; {promise}"


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
