"""A result as bars: Cardea, bare pyscard beneath it, and a mark where the promise lies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from bench.chaos.figure import Figure
from bench.picture import amount, text

__all__ = ["write"]

_WIDTH = 860
_LEFT = 24
_BAR = 15
_ROW = 78
_TOP = 66
_SCALE = 470.0
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1f2933;paint-order:stroke;stroke:#ffffff;"
    "stroke-width:4px}.t{font-size:17px;font-weight:600}.s{fill:#66727f}.a{fill:#0b7285}"
    ".x{fill:#c92a2a}.b{fill:#b8c2cc}.g{stroke:#e67700;stroke-width:2}rect.p{fill:#ffffff}"
    "@media(prefers-color-scheme:dark){text{fill:#e4e9ee;stroke:#161b21}.s{fill:#9aa6b2}"
    ".a{fill:#3bc9db}.x{fill:#ff8787}.b{fill:#56616d}rect.p{fill:#161b21}}"
)


def write(
    promise: str, title: str, measured_on: str, figures: Sequence[Figure], path: Path
) -> None:
    """An SVG that needs no fonts, scripts or other files."""
    lines = _document(promise, title, measured_on, figures)
    path.write_text("\n".join(lines) + "\n", "utf-8")


def _document(
    promise: str, title: str, measured_on: str, figures: Sequence[Figure]
) -> Iterator[str]:
    height = _TOP + _ROW * len(figures) + 8
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'role="img" aria-label="{escape(promise)}: {escape(title)}">'
    )
    yield f"<style>{_STYLE}</style>"
    yield f'<rect class="p" width="{_WIDTH}" height="{height}" rx="8"/>'
    yield text(_LEFT, 28, f"{promise} · {title}", "t")
    yield text(_LEFT, 47, f"{measured_on}; the upright mark is the promise", "s")
    for index, figure in enumerate(figures):
        yield from _pair(figure, _TOP + index * _ROW)
    yield "</svg>"


def _pair(figure: Figure, top: int) -> Iterator[str]:
    yield text(_LEFT, top + 14, f"{figure.name}{_promised(figure)}")
    bars = [("a" if figure.holds else "x", "Cardea", figure.value)]
    if figure.against_value is not None:
        bars.append(("b", figure.against, figure.against_value))
    largest = max(figure.bound or 0, *(value for _, _, value in bars)) or 1.0
    labels = []
    for line, (style, name, value) in enumerate(bars):
        y = top + 22 + line * (_BAR + 4)
        length = max(1.0, value / largest * _SCALE)
        yield (
            f'<rect class="{style}" x="{_LEFT}" y="{y}" width="{length:.1f}" '
            f'height="{_BAR}" rx="2"/>'
        )
        label = f"{amount(value, figure.unit)} · {name}"
        labels.append(text(round(_LEFT + length + 8), y + 12, label, "s"))
    if figure.bound is not None:
        mark = _LEFT + figure.bound / largest * _SCALE
        yield (
            f'<line class="g" x1="{mark:.1f}" y1="{top + 19}" x2="{mark:.1f}" '
            f'y2="{top + 25 + 2 * _BAR + 4}"/>'
        )
    # Above the mark, which would strike them through.
    yield from labels


def _promised(figure: Figure) -> str:
    if figure.bound is None:
        return ""
    verdict = "" if figure.holds else ": does not hold"
    if not figure.bound and not figure.is_least:
        return f"; promised: none{verdict}"
    sign = "≥" if figure.is_least else "≤"
    return f"; promised: {sign} {amount(figure.bound, figure.unit)}{verdict}"
