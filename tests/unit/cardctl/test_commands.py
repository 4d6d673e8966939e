"""Every command: help, --json, exit codes, and errors that name cause and remedy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from cardctl.cli import LINE, SECTIONS
from cardctl.context import EXIT_CODES, exit_code
from cardctl.main import cli
from cardea.errors import REMEDIES
from click.testing import CliRunner, Result

COMMANDS = {
    "accounts", "acl", "admin", "card", "certificate", "decrypt", "delegations", "delete",
    "diff", "doctor", "explain", "export", "history", "keys", "notify", "pin", "preview",
    "provision", "public-key", "question", "read", "readers", "report", "revoke", "rollback",
    "session", "set", "sign", "sources", "status", "sync", "top", "transmit", "tree", "watch",
    "write-card",
}  # fmt: skip


def run(socket: Path, *arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(cli, ["--socket", str(socket), *arguments], input=given)


def test_the_commands_are_those_that_are_documented() -> None:
    assert set(cli.commands) == COMMANDS


def test_the_help_lists_every_command_once() -> None:
    assert sorted(name for names in SECTIONS.values() for name in names) == sorted(COMMANDS)


def test_no_line_of_the_help_is_cut_short() -> None:
    for command in (*cli.commands.values(), *commands(cli).values()):
        assert not command.get_short_help_str(LINE).endswith("..."), command.name


def commands(group: click.Group, *above: str) -> dict[tuple[str, ...], click.Command]:
    """Every command by its words, those of groups within groups too."""
    found: dict[tuple[str, ...], click.Command] = {}
    for name, command in group.commands.items():
        below = commands(command, *above, name) if isinstance(command, click.Group) else {}
        found |= below or {(*above, name): command}
    return found


def test_the_commands_for_administrators_are_those_that_are_documented() -> None:
    names = {words[1] for words in commands(cli) if words[0] == "admin"}
    assert names == {"clients", "diagnose", "quarantine", "reload", "status"}


@pytest.mark.parametrize("words", sorted(commands(cli)), ids=" ".join)
def test_every_command_has_help_and_json(words: tuple[str, ...]) -> None:
    command = commands(cli)[words]
    assert command.help
    assert any(isinstance(p, click.Option) and "--json" in p.opts for p in command.params)
    shown = CliRunner().invoke(cli, [*words, "--help"])
    assert shown.exit_code == 0
    assert "Output for programs" in shown.output


def test_no_command_takes_a_secret_from_its_arguments() -> None:
    secret_words = ("adm", "pin", "key", "password", "secret")
    for command in commands(cli).values():
        for parameter in command.params:
            if any(word in (parameter.name or "") for word in secret_words):
                assert (parameter.name or "").endswith("_file")


def test_every_exit_code_that_can_come_is_explained_in_the_help() -> None:
    shown = CliRunner().invoke(cli, ["--help"]).output
    for code, meaning in EXIT_CODES.items():
        assert f"{code}  {meaning}"[:40] in shown
    assert {exit_code(reason) for reason in REMEDIES} <= set(EXIT_CODES)


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("ACCESS_DENIED", 4), ("CARD_ACCESS_DENIED", 4), ("CARD_LOST", 5), ("PCSC_UNAVAILABLE", 5),
        ("NODE_FORBIDDEN", 4), ("SERVER_UNREACHABLE", 6), ("DAEMON_UNREACHABLE", 3),
        ("INTERNAL", 1),
    ],
)  # fmt: skip
def test_the_exit_code_tells_where_the_trouble_is(reason: str, code: int) -> None:
    assert exit_code(reason) == code


@pytest.mark.parametrize(
    "arguments",
    [
        ("accounts",), ("acl", "."), ("acl", ".", ""), ("card",), ("delegations",),
        ("delete", "./x"), ("diff", "1"), ("explain", "."), ("export",), ("history",), ("preview",),
        ("report",), ("revoke", "a"), ("set", "./x", "y"), ("sources",),
        ("provision",), ("read", "EF.ICCID"), ("readers",), ("rollback", "1"), ("status",),
        ("notify", os.devnull), ("sync", "x"), ("transmit", "00A40000"), ("tree",), ("watch",),
    ],
    ids=lambda a: a[0],
)  # fmt: skip
def test_without_a_daemon_each_command_says_so_and_what_to_do(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    shown = run(tmp_path / "none.sock", *arguments)
    assert shown.exit_code == 3
    assert not shown.stdout
    assert "no answer from cardd" in shown.stderr
    assert "systemctl start cardd" in shown.stderr
    error = json.loads(run(tmp_path / "none.sock", *arguments, "--json").stderr)["error"]
    assert error["reason"] == "DAEMON_UNREACHABLE"
    assert error["remedy"]


def test_a_run_is_told_stage_by_stage_and_as_json_lines(scripted: Path) -> None:
    shown = run(scripted, "provision")
    assert shown.exit_code == 0
    for part in ("Reading the card", "3/3", "Adopting", "dm.example", "Confirmed"):
        assert part in shown.stdout
    lines = [json.loads(line) for line in run(scripted, "provision", "--json").stdout.splitlines()]
    assert [line["stage"] for line in lines] == [
        "reading_card", "reading_card", "adopting", "managing", "confirmed",
    ]  # fmt: skip
    assert lines[-1]["result"]["nodes_changed"] == 12


def test_a_failed_run_shows_its_last_stage_and_then_cause_and_remedy(scripted: Path) -> None:
    shown = run(scripted, "provision", "cards/bad")
    assert shown.exit_code == 6
    assert "Failed" in shown.stdout
    assert "[SERVER_CERTIFICATE_INVALID] expired" in shown.stderr
    assert "remedy" in shown.stderr


def test_a_daemon_that_does_not_know_the_call_is_said_to_be_older(scripted: Path) -> None:
    shown = run(scripted, "readers")
    assert shown.exit_code == 1
    assert "older than this client" in shown.stderr


def test_output_that_cannot_be_written_is_said_in_a_line(scripted: Path) -> None:
    with open("/dev/full", "w") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "cardctl", "--socket", str(scripted), "status"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ran.returncode == 1
    assert ran.stderr.splitlines()[0] == "Error: cannot write: No space left on device"
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("given", ["nonsense\n", "0011\n", "00" * 17 + "\n"])
def test_a_key_that_is_none_is_refused_without_being_shown(tmp_path: Path, given: str) -> None:
    content = tmp_path / "content"
    content.write_bytes(b"x")
    shown = run(tmp_path / "s", "write-card", "--file", f"1.2={content}", given=given)
    assert shown.exit_code == 2
    assert given.strip() not in shown.output


@pytest.mark.parametrize(
    "arguments", [("transmit", "0G"), ("read", "6F07", "--aid", "x"), ("read",)]
)
def test_bad_arguments_are_usage_errors(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert run(tmp_path / "s", *arguments).exit_code == 2


def test_hexadecimal_may_have_blanks_and_colons(tmp_path: Path) -> None:
    assert run(tmp_path / "none", "transmit", "00 A4:00 00").exit_code == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ("history", "--limit", "-1"),
        ("history", "--limit", str(1 << 32)),
        ("diff", str(1 << 64)),
        ("rollback", str(1 << 64)),
        ("watch", "tree", "--after", "-1"),
        ("watch", "--count", "-1"),
        ("report", "--limit", "-1"),
        ("report", "--before", str(1 << 64)),
    ],
    ids=" ".join,
)
def test_a_number_that_no_request_has_room_for_is_wrong_usage(
    scripted: Path, arguments: tuple[str, ...]
) -> None:
    shown = run(scripted, *arguments)
    assert shown.exit_code == 2
    assert shown.stderr.splitlines()[-1].startswith("Error: Invalid value")


def test_a_path_that_is_not_utf8_is_an_invalid_argument(scripted: Path) -> None:
    shown = run(scripted, "explain", "./\udcff")
    assert shown.exit_code == 1
    assert shown.stderr.startswith("error [ARGUMENT_INVALID] a text is not UTF-8")
