"""Our daemon with a card that holds only a key, in a home network that it does not know."""

from __future__ import annotations

import pytest
from dmsd import ca
from softcard.stack import VirtualReaders
from support.system import CONFIRMED, open_site

from demo.system import BSF, DM_HOME
from foreign.dm_server import DmServer, Say, add, get
from foreign.gba_network import MANNERS, USUAL, HomeNetwork, Manner
from foreign.https import https_server
from foreign.ue import Usim

K = bytes.fromhex("404142434445464748494A4B4C4D4E4F")
OPC = bytes.fromhex("505152535455565758595A5B5C5D5E5F")
IMPI = "001010000000003@ims.mnc001.mcc001.3gppnetwork.org"


def run(
    readers: VirtualReaders, authority: ca.CaFiles, manner: Manner, *, falls_behind: bool = False
) -> HomeNetwork:
    """Provision from the card in this network; and again after it has lost count."""
    dm = DmServer(DM_HOME, ("", ""), ("", ""), b"", b"", auth="none", server_auth="none")
    home = HomeNetwork(Usim(K, OPC), IMPI, BSF, DM_HOME, dm, manner)
    folder = authority.directory
    ub = https_server(home.on_ub, folder / f"{BSF}.pem", folder / f"{BSF}-key.pem")
    name = folder / "dm.example.org.pem"
    ua = https_server(home.on_ua, name, folder / "dm.example.org-key.pem")
    with ub as bsf_at, ua as dm_at:
        hosts = {f"{BSF}:443": bsf_at, f"{DM_HOME}:443": dm_at}
        with open_site(readers, authority, hosts=hosts) as site:
            dm.scripts = [[Say((add("./A", "value"), get("./DevInfo/DevId")))]]
            result = site.inserted(site.card("key-only"))
            assert not home.problems, home.problems[0]
            assert not dm.problems, dm.problems[0]
            assert result.stage == CONFIRMED, result
            assert site.value("./A")[0] == "value"
            if falls_behind:
                home.sqn = 0
                dm.scripts = [[Say((add("./B", "value"),))]]
                assert site.provision().stage == CONFIRMED
                assert not home.problems, home.problems[0]
                assert site.value("./B")[0] == "value"
    return home


@pytest.mark.parametrize("manner", MANNERS, ids=lambda manner: manner.name)
def test_the_daemon_bootstraps_and_is_managed_however_the_network_writes(
    virtual_readers: VirtualReaders, authority: ca.CaFiles, manner: Manner
) -> None:
    run(virtual_readers, authority, manner)


def test_a_network_that_fell_behind_is_told_the_cards_number(
    virtual_readers: VirtualReaders, authority: ca.CaFiles
) -> None:
    """TS 33.102 §6.3.5, RFC 3310 §3.4: the card's own number comes with AUTS."""
    home = run(virtual_readers, authority, USUAL, falls_behind=True)
    assert home.resynchronised == 1
