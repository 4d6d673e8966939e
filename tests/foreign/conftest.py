"""Our programs under foreign ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from dmsd import ca
from softcard.stack import VirtualReaders

from foreign.bench import Bench, Tell, bench
from foreign.servers import Dmsd, running_dmsd


@pytest.fixture(scope="module")
def dmsd(authority: ca.CaFiles) -> Iterator[Dmsd]:
    """Our DM and bootstrapping server."""
    with running_dmsd(authority.directory) as running:
        yield running


@pytest.fixture(scope="module")
def there(virtual_readers: VirtualReaders, authority: ca.CaFiles) -> Iterator[Bench]:
    with bench(virtual_readers, authority) as made:
        yield made


@pytest.fixture
def tell(there: Bench) -> Tell:
    return there.session
