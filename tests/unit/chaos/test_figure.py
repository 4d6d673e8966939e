"""Figures say themselves whether they hold, and are written in the form that documents quote."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.chaos import picture
from bench.chaos.figure import at_least, at_most, write
from bench.chaos.percentile import p99_ms


@pytest.mark.parametrize(("value", "holds"), [(0.9, True), (1.0, True), (1.1, False)])
def test_a_bound_above_holds_up_to_itself(value: float, holds: bool) -> None:
    assert at_most(1.0, "wait", value, "s", "bare", 3.0).holds is holds


@pytest.mark.parametrize(("value", "holds"), [(19.9, False), (20.0, True), (25.0, True)])
def test_a_bound_below_holds_from_itself_on(value: float, holds: bool) -> None:
    assert at_least(20.0, "share", value, "%", "bare", 1.0).holds is holds


def test_a_result_is_written_in_the_promised_form(tmp_path: Path) -> None:
    path = tmp_path / "results" / "P1.json"
    write("P1", "2 cores", [at_most(1.0, "wait", 0.5, "s", "bare pyscard", 3.0)], path)
    assert json.loads(path.read_text()) == {
        "promise": "P1",
        "measured_on": "2 cores",
        "rows": [
            {
                "name": "wait",
                "value": 0.5,
                "unit": "s",
                "against": "bare pyscard",
                "against_value": 3.0,
                "ratio": 6.0,
                "goal": "<= 1",
                "holds": True,
            }
        ],
    }


def test_what_is_compared_with_nothing_has_no_ratio() -> None:
    assert at_most(0, "wrong answers", 0, "times", "bare", 2).ratio is None
    assert at_most(1, "wait", 0.5, "s", "", None).ratio is None


def test_a_picture_is_drawn_also_of_nothing(tmp_path: Path) -> None:
    path = tmp_path / "P2.svg"
    figures = [at_most(0, "lost & found <", 0, "times", "", None)]
    picture.write("P2", "a title", "2 cores", figures, path)
    assert ElementTree.parse(path).getroot().tag.endswith("svg")


def test_the_99th_percentile_leaves_one_in_a_hundred_out() -> None:
    assert p99_ms([0.001] * 199 + [1.0]) == pytest.approx(1.0)
    assert p99_ms([0.001] * 299 + [1.0]) == pytest.approx(1.0)
