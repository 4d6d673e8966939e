"""F7: how many DM sessions a server holds, as one node and as two, and what it grows by.

Each core has a node and the devices that call it; PostgreSQL has the cores of the nodes that are
called. So two cores do twice of everything: what is measured is whether nodes get into each other's
way.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from dmsd import ca
from dmsd.operator import Operator, dispatch
from dmsd.registry import Registry
from dmsd.registry.postgres import PostgresDatabase
from support.postgres import Postgres

from bench.chaos.devices import DESIRED, HOST, account, device_name
from bench.chaos.figure import Figure, at_least, at_most, stated
from bench.chaos.stage import SHORT, Program
from demo.system import Program as Server

TITLE = "DM sessions of three messages, each with TLS and MD5, on PostgreSQL"

_CORES = sorted(os.sched_getaffinity(0))[:2]
_DEVICES, _THREADS = 256, 8
"""For each node."""

_ROUNDS = 1 if SHORT else 5
_ROUND_S = 1.0 if SHORT else 4.0
_LONGEST_S = 3600.0
# By then a node keeps as many sessions that have ended as it ever does, for answers that got lost.
_EARLY, _LATE = (200, 400) if SHORT else (20_000, 100_000)
_LEAST_GAIN = 1.8
_MOST_GROWTH = 1.1


@dataclass
class _Node:
    """A node and its devices, on one core."""

    core: int
    server: Server
    devices: Program
    held: int = 0


class _Farm:
    """The nodes, and the PostgreSQL that they share."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.postgres = stack.enter_context(Postgres())
        url = self.postgres.create()
        files = ca.init_ca(folder / "ca")
        ca.issue(files, HOST, [HOST])
        self.registry = Registry(PostgresDatabase(url, node="bench"))
        stack.callback(self.registry.close)
        self._register()
        self.nodes = []
        for index, core in enumerate(_CORES):
            with _on({core}):
                server = _server(folder, f"node{index}", url, files)
                stack.callback(server.stop)
                ready = json.loads((folder / f"node{index}.ready").read_text())["dm"]
                words = [f"127.0.0.1:{ready['port']}", str(index * _DEVICES), str(_DEVICES)]
                devices = Program([*words, str(_THREADS)], module="bench.chaos.devices")
                stack.callback(devices.end)
                devices.hear()
            self.nodes.append(_Node(core, server, devices))

    def run(self, nodes: Sequence[_Node], word: str, amount: float) -> int:
        """Let the devices of these nodes hold sessions at the same time; how many they held."""
        for pid in _processes(self.postgres.pid):
            os.sched_setaffinity(pid, {node.core for node in nodes})
        for node in nodes:
            node.devices.tell(f"{word} {amount}")
        held = [int(node.devices.hear(_LONGEST_S)) for node in nodes]
        for node, sessions in zip(nodes, held, strict=True):
            node.held += sessions
        return sum(held)

    def rate(self, nodes: Sequence[_Node]) -> float:
        """Sessions a second of these nodes together."""
        before = time.monotonic()
        held = self.run(nodes, "run", _ROUND_S)
        return held / (time.monotonic() - before)

    def check(self) -> None:
        """Every session has come to its end, and every setting was replaced in it."""
        held = sum(node.held for node in self.nodes)
        for table, what in (("sessions", "outcome = 'converged'"), ("commands", "status = 200")):
            row = self.registry.database.row(f"SELECT count(*) AS n FROM {table} WHERE {what}")  # noqa: S608
            wanted = held if table == "sessions" else held * (len(DESIRED) + 1)
            if row is None or row["n"] != wanted:
                raise AssertionError(f"{table}: {row}, and not {wanted}")

    def _register(self) -> None:
        operator = Operator(self.registry, server_id=HOST, now_ms=lambda: 1)
        with self.registry.database.transaction():
            for number in range(len(_CORES) * _DEVICES):
                device = device_name(number)
                body = {"device": device, "accounts": [account()]}
                assert dispatch(operator, "POST", ("devices",), body)[0] == 201
                desired = ("devices", device, "desired")
                assert dispatch(operator, "PUT", desired, {"tree": DESIRED})[0] == 200


def rows() -> Iterator[Figure]:
    """Every session is looked up in the registry before any figure is given."""
    if len(_CORES) < 2:
        raise AssertionError("two nodes on two cores need two cores")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cardea-f7-")))
        farm = _Farm(folder, stack)
        # Statements are prepared, and everything is loaded.
        farm.run(farm.nodes, "run", _ROUND_S / 2)
        yield from _speed(farm)
        yield from _memory(farm)
        farm.check()


def _speed(farm: _Farm) -> Iterator[Figure]:
    alone, together = [], []
    spent = [_Spent.now(farm)]
    for _ in range(_ROUNDS):
        alone.append(sum(farm.rate([node]) for node in farm.nodes) / len(farm.nodes))
        together.append(farm.rate(farm.nodes))
    spent.append(_Spent.now(farm))
    farm.check()
    first, last = spent
    sessions = last.sessions - first.sessions
    node_ms, postgres_ms = (
        1000 * (after - before) / sessions
        for before, after in ((first.nodes_s, last.nodes_s), (first.postgres_s, last.postgres_s))
    )
    one = median(alone)
    yield stated("one node on one core, with its devices and PostgreSQL on it", one, "1/s")
    yield at_least(
        _LEAST_GAIN,
        "two nodes on two cores, as many times as many",
        median(both / single for both, single in zip(together, alone, strict=True)),
        "x",
        "twice as many",
        2,
    )
    yield stated(
        "processor time of a session in the node", node_ms, "ms", "in PostgreSQL", postgres_ms
    )
    yield stated("by that, a node with a core of its own", 1000 / node_ms, "1/s")


def _memory(farm: _Farm) -> Iterator[Figure]:
    def after(sessions: int) -> float:
        farm.run(farm.nodes, "count", sessions // len(farm.nodes))
        return max(_rss_mb(node.server.pid) for node in farm.nodes)

    early, late = after(_EARLY), after(_LATE - _EARLY)
    yield at_most(
        _MOST_GROWTH * early,
        f"memory of a node after {_LATE:,} sessions of two",
        late,
        "MB",
        f"after {_EARLY:,}",
        early,
    )


@dataclass
class _Spent:
    """Processor time so far, and sessions."""

    nodes_s: float
    postgres_s: float
    sessions: int

    @classmethod
    def now(cls, farm: _Farm) -> _Spent:
        return cls(
            sum(_cpu_s(node.server.pid) for node in farm.nodes),
            sum(_cpu_s(pid) for pid in _processes(farm.postgres.pid)),
            sum(node.held for node in farm.nodes),
        )


def _server(folder: Path, name: str, url: str, files: ca.CaFiles) -> Server:
    config = folder / f"{name}.toml"
    config.write_text(f"""
[server]
id = "{HOST}"
node = "{name}"
[registry]
url = "{url}"
[operator]
socket = "{folder / f"{name}.sock"}"
[dm]
host = "{HOST}"
listen = "127.0.0.1:0"
certificate = "{files.server_certificate(HOST)}"
key = "{files.server_key(HOST)}"
""")
    ready = folder / f"{name}.ready"
    words = ["dmsd.main", "run", "--config", str(config), "--ready-file", str(ready)]
    server = Server(name, folder, words)
    server.start(ready)
    return server


@contextmanager
def _on(cores: set[int]) -> Iterator[None]:
    """What is started meanwhile stays on these."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _processes(parent: int) -> list[int]:
    """A process and its children."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [parent, *map(int, children)]


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _rss_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
