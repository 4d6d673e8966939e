"""Word to the service manager, and when to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path

import pytest
from cardd.app.lifecycle import StopRequest, notify, watchdog


def manager(address: str, monkeypatch: pytest.MonkeyPatch) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listening.bind(address.replace("@", "\0", 1))
    listening.settimeout(60)
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    return listening


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_the_manager_hears_each_state_in_one_datagram(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool
) -> None:
    address = f"@cardea-notify-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with manager(address, monkeypatch) as listening:
        notify("READY=1", "STATUS=serving")
        assert listening.recv(100) == b"READY=1\nSTATUS=serving"


def test_without_a_manager_or_with_a_dead_one_nothing_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    notify("READY=1")


async def test_the_watchdog_speaks_twice_in_each_interval(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "100000")
    with manager(str(tmp_path / "notify"), monkeypatch) as listening:
        beat = asyncio.create_task(watchdog())
        for _ in range(3):
            assert await asyncio.to_thread(listening.recv, 100) == b"WATCHDOG=1"
        beat.cancel()


async def test_a_watchdog_of_another_process_is_not_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "100000")
    monkeypatch.setenv("WATCHDOG_PID", "1")
    await asyncio.wait_for(watchdog(), 60)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_is_noted_from_the_moment_of_making(number: signal.Signals) -> None:
    asked = StopRequest()
    os.kill(os.getpid(), number)
    await asyncio.sleep(0.01)
    await asyncio.wait_for(asked.wait(), 60)
