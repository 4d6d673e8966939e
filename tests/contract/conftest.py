"""One daemon on a private pcscd for the contract run of every client."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.daemon import RunningDaemon
from support.stack import Pcsc

# Whoever holds a card while other programs start on a busy machine is not idle.
PATIENT = "[sharing]\nidle_limit_s = 30.0\n"


@pytest.fixture
def daemon(pcsc: Pcsc) -> Iterator[RunningDaemon]:
    settings = f"[provisioning]\non_insert = false\n{PATIENT}"
    with RunningDaemon(pcsc.readers.socket, settings) as running:
        yield running
