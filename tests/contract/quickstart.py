"""What the quickstart example of every client has to do, whatever its language."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

from support.client import LIMIT_S
from support.daemon import RunningDaemon
from support.programs import NOBODY, running, stranger_can_run
from support.stack import Pcsc

__all__ = [
    "Example",
    "check_absent_card",
    "check_denied",
    "check_environment",
    "check_list",
    "check_no_daemon",
    "check_watch",
]

ICCID = "8900101000000000019"
OTHER_ICCID = "8900101000000000027"


@dataclass(frozen=True)
class Example:
    """How to run one: the command for a target, with the options as that language has them."""

    command: Callable[[str], Sequence[str | Path]]
    no_watch: str
    card: Callable[[str], Sequence[str]]
    files: Sequence[Path]
    """What another user must be able to come to in order to run it."""


def check_list(example: Example, daemon: RunningDaemon, pcsc: Pcsc) -> None:
    pcsc.insert(index=1)
    with daemon.client() as client:
        client.card()  # waits until it is identified
    status, output, errors = _run([*example.command(f"unix:{daemon.socket}"), example.no_watch])
    assert (status, errors) == (0, "")
    assert output.splitlines() == [
        f"reader {pcsc.names[0]}: EMPTY",
        f"reader {pcsc.names[1]}: CARD_READY",
        f"ICCID {ICCID}",
        f"reader {pcsc.names[2]}: EMPTY",
    ]


def check_environment(example: Example, daemon: RunningDaemon) -> None:
    """Without a target it is the socket that the environment names, by its path."""
    status, output, errors = _run(
        [*example.command(""), example.no_watch],
        environment={"CARDEA_SOCKET": str(daemon.socket)},
    )
    assert (status, errors) == (0, "")
    assert output.startswith("reader ")


def check_watch(example: Example, daemon: RunningDaemon, pcsc: Pcsc) -> None:
    pcsc.insert(index=1)
    with daemon.client() as client:
        client.card()
    with running(example.command(f"unix:{daemon.socket}")) as program:
        before = program.lines_until("watching")
        assert f"ICCID {ICCID}" in before
        # The card that was there is taken and left, goes, and is no insertion.
        with daemon.client() as client:
            client.read("", "EF.ICCID")
        pcsc.remove(index=1)
        pcsc.insert("second-operator", index=2)
        inserted, iccid = program.line(), program.line()
        status, rest, errors = program.end()
    assert (inserted, iccid) == (f"inserted cards/{OTHER_ICCID}", f"ICCID {OTHER_ICCID}")
    assert (status, rest, errors) == (0, "", "")


def check_absent_card(example: Example, daemon: RunningDaemon, pcsc: Pcsc) -> None:
    reader = "readers/" + quote(pcsc.names[0], safe="")
    status, output, errors = _run(
        [*example.command(f"unix:{daemon.socket}"), *example.card(reader)]
    )
    assert (status, output) == (1, "")
    assert errors.startswith("CARD_ABSENT: ")
    assert f"reader={pcsc.names[0]}" in errors


def check_denied(example: Example, pcsc: Pcsc) -> None:
    other_user = stranger_can_run(*example.files)
    # Where no other user can run it, this one has no rights.
    settings = "" if other_user else "[access]\nbuiltin = false\n"
    with RunningDaemon(pcsc.readers.socket, settings) as daemon:
        status, output, errors = _run(
            [*example.command(f"unix:{daemon.socket}"), example.no_watch],
            NOBODY if other_user else None,
        )
    uid = NOBODY if other_user else os.geteuid()
    assert (status, output) == (1, "")
    assert errors.startswith("ACCESS_DENIED: ")
    assert f"caller=uid {uid}, pid " in errors
    assert "right=readers.list" in errors


def check_no_daemon(example: Example, folder: Path) -> None:
    status, output, errors = _run(
        [*example.command(f"unix:{folder / 'none.sock'}"), example.no_watch]
    )
    assert (status, output) == (1, "")
    assert errors.startswith("DAEMON_UNREACHABLE: ")
    assert "none.sock" in errors


def _run(
    command: Sequence[str | Path],
    uid: int | None = None,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> tuple[int, str, str]:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=2 * LIMIT_S,
        check=False,
        user=uid,
        group=uid,
        extra_groups=None if uid is None else [],
        env={**os.environ, **environment},
    )
    return done.returncode, done.stdout, done.stderr
