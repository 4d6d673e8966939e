"""The five scenes: what is done, and what has to hold afterwards.

Nothing is taken on trust: what the daemon says is held against the software card's own memory and
against the operator's records.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import cardea
from cardctl import screen
from cardea.v1 import provisioning_pb2 as pb
from cardea.v1.readers_pb2 import READER_STATE_CARD_READY
from rich.text import Text
from softcard import SoftCard

from .people import ALICE, BOB, CAROL, DAVE, DOCUMENT_OID, Person, parameters
from .system import DEVICE, DM_HOME, SERVER_ID, System

__all__ = ["SCENES", "Check", "Scene", "Stage"]

# As a real card answers; without it the figures would flatter.
APDU_DELAY_MS = 20
_READY_S = 30.0
_RUN_S = 60.0

# Instructions of a card: a key is presented; a message comes from the network.
_VERIFY, _ENVELOPE = 0x20, 0xC2

NEWS = "./Service/News/URL"
APN = "./NAP/1/Addr"
MMS = "./NAP/2/Addr"


@dataclass(frozen=True, slots=True)
class Check:
    """Something that has to hold, and whether it does."""

    holds: bool
    text: str


@dataclass(slots=True)
class Stage:
    """Where the scenes play: the system, its only reader, and what was measured."""

    system: System
    client: cardea.Client
    print: Callable[[Text], None]
    results: list[pb.ProvisioningResult] = field(default_factory=list)
    cards: dict[str, SoftCard] = field(default_factory=dict)
    _seen: dict[str, str] = field(default_factory=dict)

    def register(self) -> None:
        """What the operator knows beforehand: subscribers, cards, and this device's accounts."""
        accounts: list[dict[str, str]] = []
        for person in (ALICE, BOB, CAROL, DAVE):
            self.system.operator("subscriber", "add", "-", document=person.subscriber())
            accounts += [person.account(), {"impi": person.impi}]
        self.system.operator(
            "device", "add", "-", document={"device": DEVICE, "accounts": accounts}
        )

    # -- the card

    def insert(self, person: Person, document: bytes | None = None, **made: object) -> SoftCard:
        """Put the person's card into the reader. The first time it is made: from its profile,
        with the document on it, and with what else is to be different."""
        self.system.readers.remove(0)
        card = self.cards.get(person.iccid)
        if card is None:
            state = self.system.folder / f"card-{person.profile}.json"
            files = {} if document is None else {"files": {"Bootstrap": document}}
            card = SoftCard.from_profile(person.profile, state, files | made)
            card.faults.delay_ms = APDU_DELAY_MS
            self.cards[person.iccid] = card
        self._wait(lambda: not any(reader.card for reader in self.client.readers()))
        self.system.readers.insert(0, card)
        self._wait(
            lambda: any(
                reader.state == READER_STATE_CARD_READY and reader.card == person.card
                for reader in self.client.readers()
            )
        )
        return card

    def watch(self, person: Person) -> pb.ProvisioningResult:
        """Look on while the daemon, by itself, provisions from the card that was inserted."""
        began = time.monotonic()
        shown = pb.STAGE_UNSPECIFIED
        while True:
            status = self._status(person)
            over = status.last_result.name not in ("", self._seen.get(person.iccid))
            # A run that is over may stand among those under way for a moment more.
            stage = status.last_result.stage if over else status.stage
            if stage != shown and (over or stage < pb.STAGE_INSTALLED):
                shown = stage
                message = status.last_result.message if over else ""
                self.print(screen.stage_line(_step(stage, message, time.monotonic() - began)))
            if over:
                self._seen[person.iccid] = status.last_result.name
                self.results.append(status.last_result)
                return status.last_result
            if time.monotonic() - began > _RUN_S:
                raise TimeoutError("the daemon did not provision from the card in time")
            time.sleep(0.01)

    def provision(self) -> pb.ProvisioningResult:
        """Ask for a run, and show each step."""
        self.print(Text("$ cardctl provision", style="bold"))
        result = pb.ProvisioningResult()
        for progress in self.client.provision():
            self.print(screen.stage_line(progress))
            result = progress.result
        self.results.append(result)
        return result

    def cardctl(self, *arguments: str) -> None:
        """Run the command, and show what it prints."""
        self.print(Text(f"$ cardctl {' '.join(arguments)}", style="bold"))
        self.print(Text(self.system.cardctl(*arguments).rstrip()))

    # -- what there is to see

    def value(self, path: str) -> str:
        """The value in force, "" if there is none."""
        try:
            return self.client.node(path).value.decode()
        except cardea.CardeaError:
            return ""

    def source(self, path: str) -> str:
        """Which kind of source the value in force comes from."""
        try:
            kind = self.client.node(path).source.kind
        except cardea.CardeaError:
            return "nobody"
        return ("nobody", "device", "card", "server")[kind]

    def comes_from(self, source: str, path: str, value: str) -> Check:
        found, whose = self.value(path), self.source(path)
        return Check(found == value and whose == source, f"{path} is {found}, from the {whose}")

    def confirmed(self, result: pb.ProvisioningResult, trust: str) -> Iterator[Check]:
        yield Check(
            result.stage == pb.STAGE_CONFIRMED and list(result.trust) == [trust],
            f"trust by {', '.join(result.trust)}; installation confirmed by the server",
        )
        report = self.last_report()
        yield Check(
            report.get("data") == "200" and report.get("type") == "org.cardea.install",
            f"the operator has the report: Alert 1226 {report.get('type')} {report.get('data')}",
        )

    def last_result(self, person: Person) -> pb.ProvisioningResult:
        """How the last run for the person's card ended."""
        return self._status(person).last_result

    def last_report(self) -> dict[str, str]:
        reports = self.system.operator("reports", DEVICE)
        return dict(reports[0]) if reports else {}

    def last_order(self) -> dict[str, Any]:
        """What the server keeps of its last order to a card."""
        order: dict[str, Any] = self.system.operator("device", "show", DEVICE)["card_orders"][0]
        return order

    def desire(self, **document: object) -> None:
        """What the operator wants of this device from now on."""
        self.system.operator("desired", "set", DEVICE, "-", document=document)

    def _status(self, person: Person) -> pb.ProvisioningStatus:
        statuses = self.client.provisioning_status()
        mine = (each for each in statuses if each.card.endswith(person.iccid))
        return next(mine, pb.ProvisioningStatus())

    def _wait(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _READY_S
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError("the daemon did not notice the card in time")
            time.sleep(0.01)


@dataclass(frozen=True, slots=True)
class Scene:
    """One of the five. ``tells`` says what is about to happen; ``play`` returns what has to hold
    afterwards."""

    letter: str
    title: str
    tells: str
    play: Callable[[Stage], list[Check]]


def _parameters_and_key(stage: Stage) -> list[Check]:
    stage.desire(tree={NEWS: "https://news.example/v1"})
    document = parameters(ALICE, apn="internet.alice.example", mms_apn="mms.alice.example")
    stage.insert(ALICE, document)
    result = stage.watch(ALICE)
    return [
        *stage.confirmed(result, "HMAC"),
        stage.comes_from("card", APN, "internet.alice.example"),
        stage.comes_from("server", NEWS, "https://news.example/v1"),
    ]


def _only_a_key(stage: Stage) -> list[Check]:
    stage.desire(tree={NEWS: "https://news.example/v2"})
    stage.insert(BOB)
    result = stage.watch(BOB)
    return [
        *stage.confirmed(result, "GBA_ME"),
        Check(
            list(result.servers) == [DM_HOME],
            f"server found from the IMSI (TS 23.003): {', '.join(result.servers)}",
        ),
        stage.comes_from("server", NEWS, "https://news.example/v2"),
    ]


def _newer_parameters(stage: Stage) -> list[Check]:
    card = stage.insert(ALICE)
    stage.watch(ALICE)
    newer = parameters(ALICE, apn="internet2.alice.example", mms_apn="mms.alice.example")
    stage.desire(
        tree={NEWS: "https://news.example/v3"},
        card={DOCUMENT_OID: base64.b64encode(newer).decode()},
    )
    card.clear_trace()
    stage.cardctl("sync", SERVER_ID)
    stage.results.append(stage.last_result(ALICE))
    report = stage.last_report()
    order = stage.last_order()
    return [
        Check(
            card.read_file("Bootstrap").rstrip(b"\xff") == newer,
            "the card's file is the server's document, byte for byte",
        ),
        stage.comes_from("card", APN, "internet2.alice.example"),
        stage.comes_from("server", NEWS, "https://news.example/v3"),
        Check(
            report.get("data", "").startswith("200 ") and bool(report.get("correlator")),
            f"confirmed with the order's correlator {report.get('correlator')}",
        ),
        Check(
            order["state"] == "done" and order["packets"] > 0,
            f"the card itself has proved it to the server, packet by packet: {order['packets']}",
        ),
        Check(
            card.counts[_VERIFY] == 0 and card.counts[_ENVELOPE] > 0,
            f"no key of the card crossed the device: {card.counts[_ENVELOPE]} secured messages",
        ),
    ]


def _card_swapped(stage: Stage) -> list[Check]:
    stage.desire(tree={NEWS: "https://news.example/v3"})
    stage.insert(CAROL, parameters(CAROL, apn="internet.carol.example"))
    result = stage.watch(CAROL)
    return [
        *stage.confirmed(result, "MD5"),
        Check(stage.source(MMS) == "nobody", "what only the old card brought is gone"),
        stage.comes_from("card", APN, "internet.carol.example"),
        stage.comes_from("server", NEWS, "https://news.example/v3"),
    ]


def _bare_card(stage: Stage) -> list[Check]:
    revision = stage.client.nodes(".").revision
    card = stage.insert(DAVE, usim=None)
    bare = stage.watch(DAVE).reason
    as_it_was = stage.client.nodes(".").revision == revision
    document = parameters(DAVE, apn="internet.dave.example")
    (stage.system.folder / "adm.hex").write_text(DAVE.adm)
    (stage.system.folder / "dave.wbxml").write_bytes(document)
    stage.cardctl("write-card", "--file", f"{DOCUMENT_OID}=dave.wbxml", "--adm-file", "adm.hex")
    result = stage.provision()
    return [
        Check(
            bare == "NO_PROVISIONING_DATA" and as_it_was,
            f"before: {bare}, and the tree stays as it was",
        ),
        Check(
            card.read_file("Bootstrap").rstrip(b"\xff") == document,
            "the authority's document is on the card, byte for byte",
        ),
        *stage.confirmed(result, "MD5"),
        stage.comes_from("card", APN, "internet.dave.example"),
    ]


SCENES = (
    Scene(
        "a",
        "A card with parameters and a key",
        "The card brings access points and an account with the server, which adds a setting.",
        _parameters_and_key,
    ),
    Scene(
        "b",
        "A card with only a key",
        "Nothing is on it but a USIM: its key makes the trust (GBA), the server sends the rest.",
        _only_a_key,
    ),
    Scene(
        "c",
        "Newer data: device and card follow",
        "The first card is back. The operator orders newer settings, some of them on the card.",
        _newer_parameters,
    ),
    Scene(
        "d",
        "Another card: the old one's data goes",
        "Another subscriber's card. What only the old card brought goes; what servers set stays.",
        _card_swapped,
    ),
    Scene(
        "e",
        "An authority writes a bare card",
        "An empty card provisions nothing. Who holds its key writes a document; then it does.",
        _bare_card,
    ),
)


def _step(stage: pb.Stage.ValueType, message: str, elapsed_s: float) -> pb.ProvisionResponse:
    step = pb.ProvisionResponse(stage=stage, detail=message)
    step.elapsed.FromMilliseconds(round(elapsed_s * 1000))
    return step
