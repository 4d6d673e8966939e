"""One result a promise: as JSON for programs, as lines for people."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """A figure beside the one it is held against.

    `least` is the ratio that was promised; None for a limit, which is shown to tell how much there
    is to be had at all.
    """

    name: str
    value: float
    unit: str
    against: str
    against_value: float
    least: float | None
    ratio: float = field(init=False)
    goal: str = field(init=False)
    holds: bool = field(init=False)

    def __post_init__(self) -> None:
        ratio = self.against_value / self.value
        object.__setattr__(self, "ratio", ratio)
        goal = "none, a limit" if self.least is None else f">= {self.least:g}"
        object.__setattr__(self, "goal", goal)
        object.__setattr__(self, "holds", self.least is None or ratio >= self.least)


@dataclass(frozen=True)
class Result:
    """The rows of one promise."""

    promise: str
    title: str
    measured_on: str
    rows: tuple[Row, ...]


def machine() -> str:
    """Processors, their model, the day."""
    today = datetime.now(UTC).date().isoformat()
    return f"{os.cpu_count()} cores, {_model()}, {today}"


def write(result: Result, path: Path) -> None:
    """The file that other documents quote."""
    rows = [_rounded(row) for row in result.rows]
    document = {
        "promise": result.promise,
        "measured_on": result.measured_on,
        "rows": rows,
    }
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", "utf-8")


def as_text(result: Result) -> str:
    """A line a row."""
    return "\n".join(_lines(result))


def _lines(result: Result) -> Iterator[str]:
    for row in result.rows:
        yield (
            f"    {row.name}: {row.value:.3g} {row.unit}, {row.against} "
            f"{row.against_value:.3g} {row.unit}: {_verdict(row)}"
        )


def _verdict(row: Row) -> str:
    if row.least is None:
        return f"{row.ratio:.2f} of its limit"
    verdict = "holds" if row.holds else "DOES NOT HOLD"
    return f"{row.ratio:.1f} x, promised {row.goal}: {verdict}"


def _rounded(row: Row) -> dict[str, object]:
    fields = asdict(row)
    del fields["least"]
    return {
        name: float(f"{value:.4g}") if isinstance(value, float) else value
        for name, value in fields.items()
    }


def _model() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "unknown processor"
