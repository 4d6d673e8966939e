"""A result as bars on a logarithmic scale; each pair is Cardea and what it is held against."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape
from pathlib import Path

from bench.report import Result, Row

_WIDTH = 860
_LEFT = 24
_BAR = 15
_ROW = 74
_TOP = 64
_SIGNS = {"<=": "≤", ">=": "≥"}
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1f2933}.t{font-size:17px;font-weight:600}"
    ".s{fill:#66727f}.a{fill:#0b7285}.b{fill:#b8c2cc}rect.p{fill:#ffffff}"
    "@media(prefers-color-scheme:dark){text{fill:#e4e9ee}.s{fill:#9aa6b2}"
    ".a{fill:#3bc9db}.b{fill:#56616d}rect.p{fill:#161b21}}"
)


def write(result: Result, path: Path) -> None:
    """An SVG that needs no fonts, scripts or other files."""
    path.write_text("\n".join(_document(result)) + "\n", "utf-8")


def _document(result: Result) -> Iterator[str]:
    height = _TOP + _ROW * len(result.rows) + 8
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'role="img" aria-label="{escape(result.promise)}: {escape(result.title)}">'
    )
    yield f"<style>{_STYLE}</style>"
    yield f'<rect class="p" width="{_WIDTH}" height="{height}" rx="8"/>'
    yield text(_LEFT, 28, f"{result.promise} · {result.title}", "t")
    yield text(_LEFT, 47, f"{result.measured_on}; logarithmic scale", "s")
    values = [value for row in result.rows for value in (row.value, row.against_value)]
    # Half a decade of room, so that the smallest bar can be seen too
    low = math.log10(min(values)) - 0.5
    scale = (_WIDTH - 2 * _LEFT - 320) / (math.log10(max(values)) - low)
    for index, row in enumerate(result.rows):
        yield from _pair(row, _TOP + index * _ROW, low, scale)
    yield "</svg>"


def _pair(row: Row, top: int, low: float, scale: float) -> Iterator[str]:
    yield text(_LEFT, top + 14, _headline(row))
    bars = (("a", "Cardea", row.value), ("b", row.against, row.against_value))
    for line, (style, name, value) in enumerate(bars):
        y = top + 22 + line * (_BAR + 4)
        length = (math.log10(value) - low) * scale
        yield (
            f'<rect class="{style}" x="{_LEFT}" y="{y}" width="{length:.1f}" '
            f'height="{_BAR}" rx="2"/>'
        )
        yield text(round(_LEFT + length + 8), y + 12, f"{amount(value, row.unit)} · {name}", "s")


def text(x: int, y: int, words: str, style: str = "") -> str:
    """A line of a picture."""
    return f'<text x="{x}" y="{y}" class="{style}">{escape(words)}</text>'


def amount(value: float, unit: str) -> str:
    """As people write it: three digits that tell, no powers of ten."""
    number = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{number} {unit}".replace(" us", " µs").replace(" 1/s", " a second")


def signs(goal: str) -> str:
    """A bound such as ``<= 2`` with the sign that people write."""
    sign, _, bound = goal.partition(" ")
    return f"{_SIGNS[sign]} {bound}"


def _headline(row: Row) -> str:
    if row.least is None:
        return f"{row.name}: {row.ratio:.2f} of its limit"
    verdict = "" if row.holds else ": does not hold"
    return f"{row.name}: {row.ratio:.1f} times, promised {signs(row.goal)}{verdict}"
