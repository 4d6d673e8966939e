"""The Go client against a live daemon: its example is built and run."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from contract import quickstart
from contract.quickstart import Example
from support.daemon import RunningDaemon
from support.stack import Pcsc

CLIENT = Path(__file__).resolve().parents[2] / "clients/go"


@pytest.fixture(scope="module")
def example() -> Iterator[Example]:
    with tempfile.TemporaryDirectory(prefix="cardea-go-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # another user runs it too
        program = folder / "quickstart"
        subprocess.run(
            ["go", "build", "-buildvcs=false", "-o", str(program), "./examples/quickstart"],
            cwd=CLIENT,
            check=True,
        )
        yield Example(
            command=lambda target: [program, "-target", target],
            no_watch="-watch=false",
            card=lambda card: ["-card", card],
            files=[program],
        )


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


def test_its_answers_come_in_time_or_not_at_all() -> None:
    done = subprocess.run(
        ["go", "test", "-count=1", "."], cwd=CLIENT, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_it_is_formatted_and_vetted() -> None:
    unformatted = subprocess.run(
        ["gofmt", "-l", "."], cwd=CLIENT, check=True, capture_output=True, text=True
    )
    assert unformatted.stdout == ""
    subprocess.run(["go", "vet", "./..."], cwd=CLIENT, check=True)
