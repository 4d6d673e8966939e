"""The numbers by which the code says what it is for stand in docs/requirements.md."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/requirements.md").read_text()
_REFERENCE = re.compile(r"\(([MSPF]\d{1,2}(?:, [MSPF]\d{1,2})*)\)")


def test_every_number_that_the_code_refers_to_is_explained() -> None:
    explained = set(re.findall(r"^\| ([MSPF]\d+) \|", TEXT, re.MULTILINE))
    named = {
        number
        for folder in ("daemon", "tests", "bench", "demo")
        for file in (ROOT / folder).rglob("*.py")
        for group in _REFERENCE.findall(file.read_text())
        for number in group.split(", ")
    }
    assert named, "the code refers to nothing any more"
    assert named <= explained


def test_the_tests_that_are_named_are_there() -> None:
    missing = {
        name for name in re.findall(r"`(tests/[\w/.]+)`", TEXT) if not (ROOT / name).exists()
    }
    assert not missing
