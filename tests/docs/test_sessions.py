"""The sessions in README.md and docs/ are run, command by command, on the playground.

A block marked ``console`` is a session: a line ``$ command`` and what it prints. In the expected
output ``…`` stands for anything within a line, and a line that is only ``…`` for any lines.
What names the card with keys has it in the second reader.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.playground import CARD_WITH_KEYS, card_with_keys, playground
from demo.system import DEVICE, System

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ("cardctl", "dmsd", "cardd", "softcard")
_BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)


def sessions() -> list[tuple[str, list[tuple[str, str]]]]:
    """(place, [(command, expected output)]) of every session that uses our programs."""
    found = []
    for document in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for block in _BLOCK.finditer(document.read_text()):
            line = document.read_text()[: block.start()].count("\n") + 1
            steps = [
                (command, output)
                for command, output in re.findall(
                    r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block[1], re.MULTILINE
                )
            ]
            if any(command.split()[0] in PROGRAMS for command, _ in steps):
                found.append((f"{document.relative_to(ROOT)}:{line}", steps))
    return found


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    # Sockets lie in it: the path must be short.
    folder = Path(tmp_path_factory.mktemp("play"))
    with playground(folder) as system:
        yield system


@pytest.fixture(scope="module")
def system_with_keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Another one: what a card leaves in the daemon's memory is not for the other sessions."""
    with playground(Path(tmp_path_factory.mktemp("keys"))) as system, card_with_keys(system):
        yield system


@pytest.mark.parametrize(("place", "steps"), sessions(), ids=[place for place, _ in sessions()])
def test_session_prints_what_the_document_says(
    request: pytest.FixtureRequest, place: str, steps: list[tuple[str, str]]
) -> None:
    named = any(CARD_WITH_KEYS in command for command, _ in steps)
    system = request.getfixturevalue("system_with_keys" if named else "system")
    environment = os.environ | {
        "CARDEA_SOCKET": str(system.socket),
        "DMSD_CONFIG": str(system.dmsd_config),
        "DEVICE": DEVICE,
        "NO_COLOR": "1",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    for command, expected in steps:
        done = subprocess.run(
            ["bash", "-c", command],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        printed = done.stdout + done.stderr
        assert _pattern(expected).fullmatch(printed), f"{place}: $ {command}\n{printed}"


def test_the_readme_has_a_session() -> None:
    assert any(place.startswith("README.md") for place, _ in sessions())


def _pattern(expected: str) -> re.Pattern[str]:
    parts = []
    for line in expected.rstrip("\n").split("\n") if expected.strip() else []:
        if line.strip() == "…":
            parts.append(r"(?:.*\n)*?")
        else:
            wildcarded = ".*".join(re.escape(part.rstrip()) for part in line.split("…"))
            parts.append(wildcarded + r"[ ]*\n")
    return re.compile("".join(parts) + r"\n*")
