"""A system whose servers are reached through gates, shared by tests that leave no trace."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cardea
import pytest
from dmsd import ca
from softcard import SoftCard
from softcard.stack import VirtualReaders

from demo.system import BSF, DM_HOME, DM_OPERATOR
from support.gate import Gate
from support.system import CONFIRMED, SECRETS, SERVER_ID, Site, open_site

__all__ = ["NEWS", "Gated", "gated", "shared_gated"]

NEWS = "./Service/News/URL"
# One of these takes a twentieth of it, if the machine has nothing else to do.
_EXCHANGE_S = 4.0


@dataclass
class Gated:
    """A provisioned system whose servers are reached through gates."""

    site: Site
    dm: Gate
    bsf: Gate
    card: SoftCard
    wanted: int = 1

    def refused(self, reason: str) -> cardea.CardeaError:
        """A run fails for this reason; nothing has changed; the next one goes well."""
        site = self.site
        self.wanted += 1
        site.desire({NEWS: f"https://news.example/{self.wanted}"})
        before, revision = site.tree(), site.revision()
        with pytest.raises(cardea.CardeaError) as caught:
            site.provision()
        assert caught.value.reason == reason, caught.value
        assert (site.tree(), site.revision()) == (before, revision)
        self.dm.rule = self.bsf.rule = lambda _: None
        return caught.value

    def recovers(self) -> None:
        """The next run brings what was wanted; nothing secret was logged meanwhile."""
        assert self.site.provision().stage == CONFIRMED
        assert self.site.value(NEWS)[0] == f"https://news.example/{self.wanted}"
        log = self.site.log()
        assert not [each for each in (*SECRETS, '"INTERNAL"', "Traceback") if each in log]


@pytest.fixture(scope="module")
def shared_gated(virtual_readers: VirtualReaders, authority: ca.CaFiles) -> Iterator[Gated]:
    """One for all tests of this module: none of them is to leave a trace."""
    dm_files = authority.server_certificate(SERVER_ID), authority.server_key(SERVER_ID)
    bsf_files = authority.server_certificate(BSF), authority.server_key(BSF)
    with Gate(*dm_files) as dm, Gate(*bsf_files) as bsf:
        hosts = {
            f"{DM_OPERATOR}:443": dm.address,
            f"{DM_HOME}:443": dm.address,
            f"{BSF}:443": bsf.address,
        }
        network = f"exchange_timeout_s = {_EXCHANGE_S}\nmax_response_bytes = 65536"
        with open_site(virtual_readers, authority, network=network, hosts=hosts) as site:
            ready = site.ready()
            dm.upstream, bsf.upstream = ready["dm"], ready["bsf"]
            site.know("operator")
            site.know_subscriber()
            site.desire({NEWS: "https://news.example/1"})
            card = site.card()
            assert site.inserted(card).stage == CONFIRMED
            yield Gated(site, dm, bsf, card)


@pytest.fixture
def gated(shared_gated: Gated) -> Gated:
    """The servers answer as they are, until the test says otherwise."""
    shared_gated.dm.rule = shared_gated.bsf.rule = lambda _: None
    return shared_gated
