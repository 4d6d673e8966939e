"""A whole system for a test: real pcscd, dmsd and cardd processes, TLS; software cards.

`site` is a system of the test's own. Its certificates are made once for all tests.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import cardea
import pytest
from cardea.v1 import provisioning_pb2 as pb
from cardea.v1 import tree_pb2
from dmsd import ca
from dmsd.config import load
from dmsd.operator_client import OperatorClient
from softcard import SoftCard
from softcard.stack import VirtualReaders

from demo.system import BSF, DEVICE, DM_HOME, DM_OPERATOR, SERVER_ID, System
from support.client import LIMIT_S, eventually

__all__ = [
    "ACCOUNT",
    "CARDS",
    "CONFIRMED",
    "DEVICE",
    "FAILED",
    "INSTALLED",
    "OTA",
    "SECRETS",
    "SERVER_ID",
    "MakeSite",
    "Site",
    "authority",
    "failure",
    "make_site",
    "open_site",
    "site",
]

CONFIRMED, INSTALLED, FAILED = pb.STAGE_CONFIRMED, pb.STAGE_INSTALLED, pb.STAGE_FAILED

# What the server knows of the profile cards: as in daemon/softcard/profiles.
ACCOUNT: Mapping[str, str] = {
    "user": "device-0001",
    "client_secret": "not-a-secret",
    "client_nonce": "Tm9uY2U=",
    "server_secret": "no-secret-either",
    "server_nonce": "Tm9uY2U=",
}
CARDS: Mapping[str, Mapping[str, str]] = {
    "operator": {"iccid": "8900101000000000019", "adm1": "4341524445413031"},
    "second-operator": {"iccid": "8900101000000000027", "adm1": "4341524445413032"},
    "key-only": {"iccid": "8900101000000000035", "adm1": "4341524445413033"},
    "bare": {"iccid": "8900101000000000043", "adm1": "4341524445413034"},
}
# The same card for a server that writes it by secured packets, and has no ADM1.
OTA: Mapping[str, Any] = {
    "iccid": CARDS["operator"]["iccid"],
    "ota": {
        "tar": "B00010",
        "kic": "4F54412D4B49432D3030303030303031",
        "kid": "4F54412D4B49442D3030303030303031",
    },
}
SUBSCRIBER: Mapping[str, str] = {
    "imsi": "001010000000003",
    "k": "404142434445464748494A4B4C4D4E4F",
    "opc": "505152535455565758595A5B5C5D5E5F",
    **CARDS["key-only"],
}
IMPI = "001010000000003@ims.mnc001.mcc001.3gppnetwork.org"
SOURCES = {
    tree_pb2.SOURCE_KIND_DEVICE: "device",
    tree_pb2.SOURCE_KIND_CARD: "card",
    tree_pb2.SOURCE_KIND_SERVER: "server",
}
# Card, digest and transport secrets that must not be found in any log.
SECRETS = (
    *("not-a-secret", "no-secret-either", "4341524445413031", "CARDEA01"),
    *(OTA["ota"]["kic"], OTA["ota"]["kid"], "OTA-KIC", "OTA-KID"),
)


class Site:
    """A running system, with what tests ask of it."""

    def __init__(self, system: System, folder: Path) -> None:
        self.system = system
        self.client = cardea.Client(str(system.socket), timeout_s=LIMIT_S)
        self._folder = folder
        self._cards = 0
        config = load(system.folder / "dmsd.toml")
        self._operator = OperatorClient(config, now_ms=lambda: time.time_ns() // 1_000_000)

    # -- the operator's side

    def ready(self) -> dict[str, str]:
        """Where dmsd's parts listen: "dm" and "bsf"."""
        told = json.loads(self.system.dmsd_ready.read_text())
        return {part: f"{told[part]['address']}:{told[part]['port']}" for part in ("dm", "bsf")}

    def call(self, method: str, *segments: str, body: Any = None) -> Any:
        """A call of the operator API."""
        return self._operator.call(method, *segments, body=body)

    def know(self, *cards: str, **changes: str | None) -> None:
        """Register the device with the account of the operator's card, and these cards' keys.

        `changes` to the account; None leaves a member out.
        """
        account = {k: v for k, v in {**ACCOUNT, **changes}.items() if v is not None}
        self.call("POST", "devices", body={"device": DEVICE, "accounts": [account, {"impi": IMPI}]})
        for card in cards:
            self.call("POST", "cards", body=dict(CARDS[card]))

    def know_subscriber(self, **changes: str) -> None:
        """Register the key of the card "key-only" with the bootstrapping server."""
        self.call("POST", "subscribers", body={**SUBSCRIBER, **changes})

    def desire(self, tree: Mapping[str, Any] | None = None, **document: Any) -> None:
        """What the server wants of the device."""
        self.call("PUT", "devices", DEVICE, "desired", body={"tree": dict(tree or {}), **document})

    def reports(self) -> list[dict[str, Any]]:
        """Installation reports, newest first."""
        found: list[dict[str, Any]] = self.call("GET", "devices", DEVICE, "reports")
        return found

    def commands(self) -> list[tuple[str, str, int]]:
        """Command, path and status of all that the server has ordered, in order."""
        rows = self.call("GET", "devices", DEVICE, "commands")
        return [(row["command"], row["path"], row["status"]) for row in rows]

    # -- the card

    def card(self, profile: str = "operator", **overrides: Any) -> SoftCard:
        """A new card."""
        self._cards += 1
        state = self._folder / f"card-{self._cards}.json"
        return SoftCard.from_profile(profile, state, overrides)

    def insert(self, card: SoftCard, index: int = 0) -> None:
        self.system.readers.insert(index, card)

    def remove(self, index: int = 0) -> None:
        """Pull the card out and wait until cardd knows."""
        self.system.readers.remove(index)
        name = self.system.readers.reader_names[index]
        eventually(lambda: not self.reader(name).card)

    def reader(self, name: str) -> Any:
        return next(r for r in self.client.readers() if unquote(r.name) == f"readers/{name}")

    def inserted(self, card: SoftCard, index: int = 0) -> pb.ProvisioningResult:
        """Put a card in, and wait for the end of what cardd then does by itself."""
        before = self.last(card.profile.serial)
        self.insert(card, index)
        return self.ended(card.profile.serial, before)

    def ended(
        self, card: str, before: pb.ProvisioningResult | None = None
    ) -> pb.ProvisioningResult:
        """Wait for the end of another run for the card than `before`."""
        seen = before.name if before is not None else ""
        deadline = time.monotonic() + LIMIT_S
        while (last := self.last(card)) is None or last.name == seen:
            if time.monotonic() >= deadline:
                raise AssertionError(f"no run has ended: {self.client.readers()}\n{self.log()}")
            time.sleep(0.02)
        return last

    def last(self, card: str) -> pb.ProvisioningResult | None:
        """The last result for a card."""
        for status in self.client.provisioning_status():
            if status.card.removeprefix("cards/") == card and status.HasField("last_result"):
                return status.last_result
        return None

    # -- the daemon

    def provision(self, name: str = "") -> pb.ProvisioningResult:
        """Run to the end. Raises CardeaError if it fails."""
        *_, last = self.client.provision(name)
        return last.result

    def tree(self) -> dict[str, tuple[bytes | None, str]]:
        """Every node: value (None for an interior one) and source."""
        nodes = self.client.nodes().nodes
        return {node.path: (None if node.interior else node.value, source(node)) for node in nodes}

    def value(self, path: str) -> tuple[str, str]:
        """A leaf's value as text, and its source."""
        node = self.client.node(path)
        return node.value.decode(), source(node)

    def revision(self) -> int:
        return int(self.client.nodes().revision)

    def restart_cardd(self, *, kill: bool = False) -> None:
        """Stop the daemon (or kill it) and start it again on what it has left."""
        self.system.cardd.stop(9 if kill else 15)
        self.client.close()
        self.system.start_cardd()
        self.client = cardea.Client(str(self.system.socket), timeout_s=LIMIT_S)

    def log(self) -> str:
        return self.system.cardd.log()

    def close(self) -> None:
        self.client.close()
        self._operator.__exit__(None, None, None)


def source(node: tree_pb2.Node) -> str:
    """A node's source as `kind` or `kind id`."""
    kind = SOURCES[node.source.kind]
    return kind if kind == "device" else f"{kind} {node.source.id}"


def failure(call: Callable[[], object]) -> cardea.CardeaError | None:
    """How a call fails, where it may."""
    try:
        call()
    except cardea.CardeaError as error:
        return error
    return None


MakeSite = Callable[..., Site]


@pytest.fixture(scope="session")
def authority() -> Iterator[ca.CaFiles]:
    """The certificate authority of the test session, with the servers' certificates."""
    folder = Path(tempfile.mkdtemp(prefix="cardea-ca-"))
    files = ca.init_ca(folder / "ca")
    ca.issue(files, DM_OPERATOR, [DM_OPERATOR, DM_HOME])
    ca.issue(files, BSF, [BSF])
    yield files
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def open_site(
    readers: VirtualReaders,
    authority: ca.CaFiles,
    *,
    settings: str = "",
    network: str = "",
    hosts: Mapping[str, str] | None = None,
    registry: str = "",
) -> Iterator[Site]:
    """A system on these readers; afterwards they are empty."""
    if not readers.pid:
        readers.restart_pcscd()
    # Sockets lie in it: pytest's own folders have paths that are too long.
    folder = Path(tempfile.mkdtemp(prefix="cardea-"))
    try:
        shutil.copytree(authority.directory, folder / "ca")
        system = System(folder, readers, settings, network, registry)
        system.hosts.update(hosts or {})
        with system:
            made = Site(system, folder)
            try:
                yield made
            finally:
                made.close()
                for index in range(len(readers.reader_names)):
                    readers.remove(index)
        for log in sorted(folder.glob("*.log")):
            lines = log.read_text().splitlines()
            kept = [each for each in lines if '"outcome": "OK"' not in each]
            print(f"--- {log.name}", *kept, sep="\n")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def make_site(virtual_readers: VirtualReaders, authority: ca.CaFiles) -> Iterator[MakeSite]:
    """Makes systems: `make_site(settings="", network="", hosts={}, registry="")`."""
    with ExitStack() as stack:

        def make(**options: Any) -> Site:
            return stack.enter_context(open_site(virtual_readers, authority, **options))

        yield make


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    """A system that knows the operator's card."""
    made = make_site()
    made.know("operator", "second-operator", "bare")
    return made
