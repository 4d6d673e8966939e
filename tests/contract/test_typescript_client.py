"""The TypeScript client against a live daemon: its example is compiled, strictly, and run."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from contract import quickstart
from contract.quickstart import Example
from support.daemon import RunningDaemon
from support.stack import Pcsc

CLIENT = Path(__file__).resolve().parents[2] / "clients/typescript"


@pytest.fixture(scope="module")
def example() -> Example:
    if not (CLIENT / "node_modules").exists():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=CLIENT, check=True)
    shutil.rmtree(CLIENT / "dist", ignore_errors=True)
    subprocess.run(["npm", "run", "--silent", "build"], cwd=CLIENT, check=True)
    node = Path(shutil.which("node") or "node")
    program = CLIENT / "dist/examples/quickstart.js"
    return Example(
        command=lambda target: [node, program, target],
        no_watch="--no-watch",
        card=lambda card: [f"--card={card}"],
        files=[node, program],
    )


def test_its_answers_come_in_time_or_not_at_all(example: Example) -> None:
    done = subprocess.run(
        ["npm", "test", "--silent"], cwd=CLIENT, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_it_is_compiled_strictly() -> None:
    options = json.loads((CLIENT / "tsconfig.json").read_text())["compilerOptions"]
    assert options["strict"] is True


def test_it_lists_readers_and_reads_the_iccid(
    example: Example, daemon: RunningDaemon, pcsc: Pcsc
) -> None:
    quickstart.check_list(example, daemon, pcsc)


def test_the_environment_says_where_the_daemon_is(example: Example, daemon: RunningDaemon) -> None:
    quickstart.check_environment(example, daemon)


def test_it_sees_an_insertion_and_nothing_else_as_one(
    example: Example, daemon: RunningDaemon, pcsc: Pcsc
) -> None:
    quickstart.check_watch(example, daemon, pcsc)


def test_no_card_comes_out_as_reason_and_facts(
    example: Example, daemon: RunningDaemon, pcsc: Pcsc
) -> None:
    quickstart.check_absent_card(example, daemon, pcsc)


def test_a_denial_names_the_caller_and_the_right(example: Example, pcsc: Pcsc) -> None:
    quickstart.check_denied(example, pcsc)


def test_a_daemon_that_is_not_there_is_said_to_be_so(example: Example, tmp_path: Path) -> None:
    quickstart.check_no_daemon(example, tmp_path)
