"""What the doctor finds where the daemon answers and does not reach pcscd."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import cardea
import pytest
from cardctl import doctor


class NoPcsc(cardea.Client):
    """A daemon that has lost pcscd."""

    def __init__(self) -> None:
        """No connection: what is asked is answered here."""

    def readers(self) -> list[object]:  # type: ignore[override]
        raise cardea.CardeaError("PCSC_UNAVAILABLE", "pcscd is not running or not reachable")


@pytest.fixture
def sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, Path]]:
    """Where the daemon and pcscd listen."""
    paths = tmp_path / "cardd.sock", tmp_path / "pcscd.comm"
    listeners = []
    for path in paths:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen()
        listeners.append(listener)
    monkeypatch.setenv("PCSCLITE_CSOCK_NAME", str(paths[1]))
    yield paths
    for listener in listeners:
        listener.close()


def faults(daemon: Path) -> list[doctor.Finding]:
    return [each for each in doctor.examine(daemon, NoPcsc()) if not each.well]


def test_a_pcscd_that_runs_and_lets_nobody_in_is_polkits_doing(
    sockets: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = tmp_path / "org.debian.pcsc-lite.policy"
    policy.touch()
    monkeypatch.setattr(doctor, "POLKIT_POLICY", policy)
    unreached, polkit = faults(sockets[0])
    assert (unreached.what, unreached.reason) == ("cardd", "PCSC_UNAVAILABLE")
    assert (polkit.what, polkit.reason) == ("polkit", "PCSC_UNAVAILABLE")
    assert "user cardea" in polkit.remedy


def test_without_polkit_the_daemon_looks_elsewhere(
    sockets: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "POLKIT_POLICY", tmp_path / "none")
    _, elsewhere = faults(sockets[0])
    assert elsewhere.what == "cardd"
    assert "another socket" in elsewhere.detail


def test_a_socket_of_pcscd_without_pcscd_is_a_crash(
    sockets: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = tmp_path / "left.comm"
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(left))
    monkeypatch.setenv("PCSCLITE_CSOCK_NAME", str(left))
    assert "crashed" in faults(sockets[0])[1].detail
