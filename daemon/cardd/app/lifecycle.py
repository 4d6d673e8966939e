"""Birth and death of the process: signals, word to systemd, an orderly end."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from contextlib import suppress

import structlog

__all__ = ["notify", "until_asked_to_stop", "watchdog"]

_log = structlog.get_logger("cardd.lifecycle")


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


async def until_asked_to_stop() -> None:
    """Wait for SIGTERM or SIGINT. A second one ends the process as if it were not handled."""
    loop = asyncio.get_running_loop()
    asked: asyncio.Future[str] = loop.create_future()

    def ask(name: str) -> None:
        if not asked.done():
            asked.set_result(name)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask, number.name)
    name = await asked
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.remove_signal_handler(number)
    _log.info("daemon.stopping", signal=name)
