"""Our programs under foreign ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from dmsd import ca

from foreign.servers import Dmsd, running_dmsd


@pytest.fixture(scope="module")
def dmsd(authority: ca.CaFiles) -> Iterator[Dmsd]:
    """Our DM and bootstrapping server."""
    with running_dmsd(authority.directory) as running:
        yield running
