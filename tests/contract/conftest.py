"""One daemon on a private pcscd for the contract run of every client."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.daemon import RunningDaemon
from support.stack import Pcsc


@pytest.fixture
def daemon(pcsc: Pcsc) -> Iterator[RunningDaemon]:
    with RunningDaemon(pcsc.readers.socket, "[provisioning]\non_insert = false") as running:
        yield running
