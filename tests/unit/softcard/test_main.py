"""The command `softcard`, as a user runs it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from softcard import SoftCard, profile_names
from softcard.main import main
from support.client import Client
from support.stack import Pcsc


@contextmanager
def _running(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "softcard.main", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)),
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        if process.stdout is not None:
            process.stdout.close()


def _line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_profiles_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profiles"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(profile_names())
    assert main(["profiles", "--json"]) == 0
    assert {one["name"] for one in json.loads(capsys.readouterr().out)} == set(profile_names())


@pytest.mark.parametrize("name", profile_names())
def test_new_profile_is_a_copy_with_the_documents_inside(name: str, tmp_path: Path) -> None:
    out = tmp_path / "mine.toml"
    assert main(["new", name, str(out)]) == 0
    copy, original = SoftCard.from_profile(out), SoftCard.from_profile(name)
    assert copy.profile.serial == original.profile.serial
    document = "Certificate RSA key" if name == "keys" else "Bootstrap"
    if name not in ("key-only", "bare", "ruled"):
        assert copy.read_file(document) == original.read_file(document)


def test_new_profile_overwrites_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "mine.toml"
    out.write_text("precious")
    assert main(["new", "operator", str(out)]) == 1
    assert "File exists" in capsys.readouterr().err
    assert out.read_text() == "precious"


def test_errors_are_one_line_that_names_the_cause(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--profile", "nothing"]) == 1
    assert capsys.readouterr().err.startswith("softcard: nothing: no such file")
    assert main(["run", "--profile", "operator", "--port", "1"]) == 1
    assert "no virtual reader at 127.0.0.1:1" in capsys.readouterr().err


@pytest.mark.parametrize("bad", [["--port", "0"], ["--port", "x"], ["--delay-ms", "-1"]])
def test_senseless_options_are_refused(bad: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["run", "--profile", "operator", *bad])
    assert caught.value.code == 2


def test_run_puts_a_card_in_shows_what_happens_and_hides_pins(pcsc: Pcsc, tmp_path: Path) -> None:
    state = tmp_path / "card.json"
    port = str(pcsc.readers.port(0))
    with _running(
        "run", "--profile", "operator", "--state", str(state), "--port", port, "--trace"
    ) as process:
        assert _line(process) == (f"card 8900101000000000019 is in the reader at 127.0.0.1:{port}")
        with Client() as client, client.connection(pcsc.names[0]) as send:
            assert send("0020000A084341524445413031") == "9000"
        assert _line(process) == "> 0020000A08…"
        assert _line(process) == "< 9000"
    assert state.exists()


def test_run_waits_for_a_reader_that_comes_back(pcsc: Pcsc) -> None:
    port = str(pcsc.readers.port(0))
    with _running("run", "--profile", "operator", "--port", port) as process:
        assert "is in the reader" in _line(process)
        pcsc.readers.kill_pcscd()
        assert "waiting" in _line(process)
        pcsc.readers.restart_pcscd()
        assert "is in the reader" in _line(process)


def test_stack_runs_readers_until_it_is_told_to_stop(tmp_path: Path) -> None:
    with _running("stack", str(tmp_path), "--readers", "2") as process:
        assert _line(process) == f"export PCSCLITE_CSOCK_NAME={tmp_path}/pcscd.comm"
        assert _line(process).startswith("# Virtual PCD A 00 00: softcard run --port ")
        assert _line(process).startswith("# Virtual PCD B 00 00: softcard run --port ")
    assert not (tmp_path / "pcscd.comm").exists()
