"""Birth and death of the process: signals, word to systemd, an orderly end."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress

import structlog

__all__ = ["StopRequest", "notify", "on_reload", "watchdog"]

_log = structlog.get_logger("cardd.lifecycle")

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def notify(*states: str) -> None:
    """Tell the service manager (sd_notify(3)); nothing if there is none."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    # A leading @ means the abstract namespace.
    target = f"\0{address[1:]}" if address.startswith("@") else address
    link = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    with link, suppress(OSError):
        link.sendto("\n".join(states).encode(), target)


async def watchdog() -> None:
    """Say "alive" twice as often as the manager wants to hear it; from the event loop, so that a
    loop that hangs falls silent. Returns at once if no watchdog is set."""
    interval_us = int(os.environ.get("WATCHDOG_USEC", "0"))
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()) or not interval_us:
        return
    while True:
        notify("WATCHDOG=1")
        await asyncio.sleep(interval_us / 2e6)


def on_reload(act: Callable[[], None]) -> None:
    """Do that at every SIGHUP; the service manager is told when it begins and when it is done."""

    def reload() -> None:
        now_us = time.monotonic_ns() // 1000  # the clock that sd_notify(3) asks for
        notify("RELOADING=1", f"MONOTONIC_USEC={now_us}")
        act()
        notify("READY=1")

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload)


class StopRequest:
    """SIGTERM or SIGINT, noted from the moment this is made, also while the daemon still starts.

    A second signal ends the process as if it were not handled.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._asked: asyncio.Future[str] = self._loop.create_future()
        for number in _SIGNALS:
            self._loop.add_signal_handler(number, self._ask, number.name)

    async def wait(self) -> None:
        """Until the process is asked to stop."""
        _log.info("daemon.stopping", signal=await self._asked)

    def _ask(self, name: str) -> None:
        for number in _SIGNALS:
            self._loop.remove_signal_handler(number)
        self._asked.set_result(name)
