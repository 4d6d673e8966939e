"""The process: one daemon a socket, activation, an orderly end, word to the service manager."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import cardea
import pytest
from support.client import LIMIT_S
from support.daemon import RunningDaemon
from support.stack import Pcsc

RUN = [sys.executable, "-m", "cardd.app.main", "run", "--config"]


def test_a_second_daemon_on_the_same_socket_refuses_and_the_first_serves_on(
    daemon: RunningDaemon,
) -> None:
    second = subprocess.run([*RUN, daemon.config_path], capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert "served by another process" in second.stderr
    with daemon.client() as client:
        assert client.readers()


def test_sigterm_ends_calls_and_process_and_removes_the_socket(daemon: RunningDaemon) -> None:
    with daemon.client() as client:
        watch = client.watch_readers()
        next(watch)
        assert daemon.stop(signal.SIGTERM) == 0
        with pytest.raises(cardea.CardeaError) as caught:
            next(watch)
        # It was told so, and not cut off when the time for calls to end was up.
        assert caught.value.facts["detail"] == "the daemon stops"
    assert not daemon.socket.exists()
    assert not list(daemon.folder.glob("rpc-*"))


def test_a_crash_writes_no_core_file_that_would_hold_keys(daemon: RunningDaemon) -> None:
    limits = Path(f"/proc/{daemon.pid}/limits").read_text().splitlines()
    (core,) = [line.split() for line in limits if line.startswith("Max core file size")]
    assert core[4:6] == ["0", "0"]


def test_a_crash_leaves_a_socket_that_the_next_daemon_replaces(daemon: RunningDaemon) -> None:
    daemon.stop(signal.SIGKILL)
    assert daemon.socket.exists()
    daemon.start()
    with daemon.client() as client:
        assert client.readers()


def test_the_socket_has_the_configured_mode(pcsc: Pcsc) -> None:
    daemon = RunningDaemon(pcsc.readers.socket)
    with daemon:
        assert stat.S_IMODE(daemon.socket.stat().st_mode) == 0o666
        private = next(daemon.folder.glob("rpc-*"))
        assert stat.S_IMODE(private.stat().st_mode) == 0o700


def test_an_activated_socket_is_served_and_left_in_place(tmp_path: Path, pcsc: Pcsc) -> None:
    """As systemd hands it over: descriptor 3, LISTEN_PID, LISTEN_FDS."""
    path = tmp_path / "activated.sock"
    config = tmp_path / "cardd.toml"
    config.write_text(
        f'[socket]\npath = "{tmp_path}/unused.sock"\nruntime_directory = "{tmp_path}"\n'
        f'[pcsc]\nsocket = "{pcsc.readers.socket}"\n[store]\npath = "{tmp_path}/s.sqlite"\n'
    )
    code = (
        "import os, sys\n"
        "os.dup2(int(sys.argv[1]), 3)\n"
        "os.environ |= {'LISTEN_FDS': '1', 'LISTEN_PID': str(os.getpid())}\n"
        "os.execv(sys.executable, [sys.executable, *sys.argv[2:]])\n"
    )
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        number = listener.fileno()
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(number), *RUN[1:], str(config)], pass_fds=[number]
        )
        try:
            # The connection waits in the backlog until the daemon is there: that is the point.
            with cardea.Client(str(path), timeout_s=LIMIT_S) as client:
                assert client.readers()
        finally:
            process.terminate()
            assert process.wait(LIMIT_S) == 0
    assert path.exists()
    assert not (tmp_path / "unused.sock").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[sockets]\n", "did you mean socket?"),
        ("[socket]\nmode = 'rw'\n", "socket.mode"),
        ("not toml", "not TOML"),
        ("[[access.grant]]\nusers = ['no-such-user']\n", "no-such-user"),
        ("[device.tree]\n'./a/../b' = 'x'\n", "is not a node path"),
        ("[device.acl]\n'./Card' = 'Fly=me'\n", "ACL"),
    ],
)
def test_an_unusable_configuration_is_refused_with_its_place(
    tmp_path: Path, text: str, said: str
) -> None:
    config = tmp_path / "cardd.toml"
    config.write_text(text)
    for command in ([*RUN, str(config)], [*RUN[:-2], "check-config", str(config)]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == os.EX_CONFIG
        assert said in done.stderr
        assert "Traceback" not in done.stderr


def test_a_configuration_that_was_named_must_be_there(tmp_path: Path) -> None:
    done = subprocess.run(
        [*RUN, str(tmp_path / "none.toml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == os.EX_CONFIG
    assert "No such file" in done.stderr


def test_a_store_that_cannot_be_had_is_one_clear_line(tmp_path: Path, pcsc: Pcsc) -> None:
    (tmp_path / "file").write_text("not a directory")
    config = tmp_path / "cardd.toml"
    config.write_text(
        f'[socket]\npath = "{tmp_path}/s.sock"\nruntime_directory = "{tmp_path}"\n'
        f'[pcsc]\nsocket = "{pcsc.readers.socket}"\n[store]\npath = "{tmp_path}/file/s.sqlite"\n'
    )
    done = subprocess.run([*RUN, str(config)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "s.sock").exists()
