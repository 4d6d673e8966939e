"""Several nodes over one PostgreSQL, with real parts (S4): devices meet now one, now another."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest
from dmsd import ca
from dmsd.config import load
from dmsd.operator_client import OperatorClient
from support.gate import Answer, Gate, Raw, Request, break_off, is_report
from support.system import CONFIRMED, DEVICE, SERVER_ID, MakeSite, Site, failure

from demo.system import BSF, DM_HOME, DM_OPERATOR, Program

NEWS = "./Service/News/URL"
OWN = {"b": f"{DM_OPERATOR}:8442", "c": f"{DM_OPERATOR}:8443"}


@dataclass
class Network:
    """A device, and the nodes "b" and "c"; `way_in` and `bsf` lead to either, `own` to each."""

    site: Site
    way_in: Gate
    bsf: Gate
    own: dict[str, Gate]
    nodes: dict[str, Program]

    def lead_to(self, node: str) -> None:
        """Whoever comes by the common name meets this node."""
        self.way_in.upstream = self._ready(node, "dm")

    def bootstrap_at(self, node: str) -> None:
        self.bsf.upstream = self._ready(node, "bsf")

    def start(self, node: str) -> None:
        """Start a node that has ended."""
        self.nodes[node].start(self.site.system.folder / f"{node}.ready")
        self.own[node].upstream = self._ready(node, "dm")

    def sessions(self) -> list[tuple[str, str]]:
        """Node and outcome of every session, the oldest first."""
        rows = self.site.call("GET", "devices", DEVICE, "sessions")
        return [(row["node"], row["outcome"]) for row in reversed(rows)]

    def _ready(self, node: str, part: str) -> str:
        told = json.loads((self.site.system.folder / f"{node}.ready").read_text())[part]
        return f"{told['address']}:{told['port']}"


@pytest.fixture
def network(make_site: MakeSite, authority: ca.CaFiles, database_url: str) -> Iterator[Network]:
    with ExitStack() as stack:
        yield stack.enter_context(opened(make_site, authority, database_url))


@contextmanager
def opened(make_site: MakeSite, authority: ca.CaFiles, url: str) -> Iterator[Network]:
    def gate(name: str) -> Gate:
        files = authority.server_certificate(name), authority.server_key(name)
        return stack.enter_context(Gate(*files))

    with ExitStack() as stack:
        way_in, bsf, own = gate(SERVER_ID), gate(BSF), {name: gate(SERVER_ID) for name in OWN}
        hosts = {OWN[name]: own[name].address for name in OWN}
        hosts |= {f"{name}:443": way_in.address for name in (DM_OPERATOR, DM_HOME)}
        hosts[f"{BSF}:443"] = bsf.address
        site = make_site(hosts=hosts, registry=f'url = "{url}"')
        nodes = {
            name: stack.enter_context(site.system.another_node(name, f"https://{OWN[name]}/dm"))
            for name in OWN
        }
        made = Network(site, way_in, bsf, own, nodes)
        for name in OWN:
            own[name].upstream = made._ready(name, "dm")
        yield made


def test_keys_agreed_on_with_one_node_serve_at_another_and_sessions_stay_where_they_began(
    network: Network,
) -> None:
    site = network.site
    site.know()
    site.know_subscriber()
    site.desire({NEWS: "https://news.example/1"})
    network.bootstrap_at("b")
    network.lead_to("c")
    result = site.inserted(site.card("key-only"))
    assert result.stage == CONFIRMED
    assert list(result.trust) == ["GBA_ME"]
    assert set(network.sessions()) == {("c", "converged")}
    # By the common name a session begins, by the node's own it goes on.
    assert network.own["c"].requests
    assert not network.own["b"].requests
    assert all("?s=" not in request.path for request in network.way_in.requests)
    assert all("?s=c." in request.path for request in network.own["c"].requests)
    # The operator of a node that has never met the device sees what it has done.
    config = load(site.system.folder / "b.toml")
    with OperatorClient(config, now_ms=lambda: time.time_ns() // 1_000_000) as operator:
        (report,) = operator.call("GET", "devices", DEVICE, "reports")
        assert report["data"] == "200"
        assert operator.call("GET", "status")["devices"] == 1


def test_when_a_node_dies_in_a_session_another_takes_the_next_and_nothing_is_lost_or_done_twice(
    network: Network,
) -> None:
    site = network.site
    site.know("operator")
    network.lead_to("c")
    site.inserted(site.card())

    def before(request: Request) -> Answer | Raw:
        """Killed before it has the message."""
        die()
        return break_off

    def after(request: Request) -> Answer | Raw:
        """Killed when it has done what the message says, before anybody hears of that."""
        network.own["b"].forward(request)
        die()
        return break_off

    def with_the_report(request: Request) -> Answer | Raw | None:
        if not is_report(request):
            return None
        network.way_in.forward(request)
        die()
        return break_off

    def die() -> None:
        os.kill(network.nodes["b"].pid, signal.SIGKILL)
        network.nodes["b"].stop()

    for number, (gate, rule) in enumerate(
        ((network.own["b"], before), (network.own["b"], after), (network.way_in, with_the_report))
    ):
        wanted = f"https://news.example/{number}"
        site.desire({NEWS: wanted})
        before_it = len(site.reports())
        network.lead_to("b")
        gate.rule = rule
        error = failure(site.provision)
        gate.rule = lambda _: None
        installed = rule is with_the_report
        # What was installed before the node died stays; else the device is as it was.
        assert (error.reason if error else "") == ("" if installed else "SERVER_UNREACHABLE")
        assert (site.value(NEWS)[0] == wanted) == installed
        network.lead_to("c")
        assert site.provision().stage == CONFIRMED
        assert site.value(NEWS)[0] == wanted
        reports = [row["data"] for row in site.reports()][: len(site.reports()) - before_it]
        # A report that was taken, but whose answer was lost, comes once more with the same words.
        assert reports.count("200") == (2 if installed else 1)
        network.start("b")
    outcomes = network.sessions()
    # Nothing of the dead node's is left open, by the device's next session if not by its start.
    assert {outcome for _, outcome in outcomes} <= {"converged", "superseded"}
    assert ("b", "superseded") in outcomes
    assert ("c", "converged") in outcomes
    assert site.call("GET", "devices", DEVICE)["card_orders"] == []


def test_a_node_that_is_stopped_ends_its_sessions_first(network: Network) -> None:
    site = network.site
    site.know("operator")
    site.desire({NEWS: "https://news.example/1"})
    network.lead_to("b")

    def stop(request: Request) -> None:
        """In the middle of the first session; whoever comes then is led to the other node."""
        network.own["b"].rule = lambda _: None
        network.lead_to("c")
        os.kill(network.nodes["b"].pid, signal.SIGTERM)

    network.own["b"].rule = stop
    assert site.inserted(site.card()).stage == CONFIRMED
    assert network.sessions() == [("b", "converged"), ("c", "converged")]
