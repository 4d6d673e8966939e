"""What a card brought goes when it carries it no more; what lay below is in force again (M12)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cardd.provisioning.progress import Stage
from cardd.tree import ManagementTree, Source, Verb, revoke
from omadm.builder import Credentials, dm_account
from omadm.clientprov import build_document
from omadm.nodes import interior, leaf
from softcard import SoftCard
from support.documents import account, network
from support.machine import DEVICE, DirectCard, DmNetwork, Machine, desired
from support.system import ACCOUNT, CARDS

OPERATOR = CARDS["operator"]["iccid"]
NEWS, ADDRESS, NAME = "./Service/News/URL", "./NAP/1/Addr", "./NAP/1/Name"
SERVER = ("server", "dm.example.org")
ONLY_AN_ACCOUNT: dict[str, Any] = {
    "server_id": "dm.example.org",
    "address": "https://dm.example.org/dm",
    "name": "Test Operator DM",
    "client": Credentials("device-0001", b"not-a-secret", b"Nonce", "DIGEST"),
    "server": Credentials("dm.example.org", b"no-secret-either", b"Nonce", "DIGEST"),
    "naps": (),
    "start_session": True,
}


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    network = DmNetwork()
    network.call("POST", "devices", body={"device": DEVICE, "accounts": [dict(ACCOUNT)]})
    network.call("POST", "cards", body=dict(CARDS["operator"]))
    desired(network, {NEWS: "https://news.example/1"})
    made = Machine(tmp_path / "state" / "store.sqlite", network)
    yield made
    made.close()


@pytest.fixture
def card(machine: Machine) -> SoftCard:
    """The operator's, provisioned from."""
    card = SoftCard.from_profile("operator")
    card.write_file("Bootstrap", account())
    assert machine.run(DirectCard(card)).stage is Stage.CONFIRMED
    return card


def said(machine: Machine, path: str) -> tuple[bytes | None, str, str] | None:
    return machine.content.get(path)


def written(card: SoftCard, content: bytes) -> None:
    """Somebody writes on the card while this machine does not look."""
    size = len(card.read_file("Bootstrap"))
    card.write_file("Bootstrap", content.ljust(size, b"\xff"))


def test_an_unchanged_card_is_not_adopted_anew(machine: Machine, card: SoftCard) -> None:
    before, revision = machine.tree, machine.revision
    result = machine.run(DirectCard(card))
    assert (result.stage, result.nodes_changed) == (Stage.CONFIRMED, 0)
    assert machine.revision == revision
    assert machine.tree.layer("card", OPERATOR) is before.layer("card", OPERATOR)


def test_the_digest_of_the_files_decides_whether_a_card_is_taken_in(
    machine: Machine, card: SoftCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken_in: list[str] = []
    adopt = ManagementTree.adopt

    def counted(tree: ManagementTree, kind: Any, id: str, *args: Any, **kwargs: Any) -> None:
        taken_in.append(id)
        adopt(tree, kind, id, *args, **kwargs)

    monkeypatch.setattr(ManagementTree, "adopt", counted)
    machine.restart()
    machine.run(DirectCard(card))
    machine.run(DirectCard(card), only_server="dm.example.org")
    assert taken_in == []

    written(card, account(access_point="rewritten.example"))
    machine.run(DirectCard(card))
    machine.run(DirectCard(card))
    assert taken_in == [OPERATOR]


def test_a_newer_program_reads_the_same_files_anew(machine: Machine, card: SoftCard) -> None:
    digest = machine.tree.digests()[Source("card", OPERATOR)]
    machine.settings = replace(machine.settings, version="next")
    assert machine.run(DirectCard(card)).nodes_changed == 0
    assert machine.tree.digests()[Source("card", OPERATOR)] != digest


def test_a_right_that_a_card_gave_and_that_was_revoked_is_not_given_by_the_same_files_again(
    machine: Machine, card: SoftCard
) -> None:
    machine.tree = machine.tree.fork()
    assert revoke(machine.tree, "dm.example.org", path="./NAP/1")
    machine.store.commit(machine.tree, 1)

    machine.run(DirectCard(card))
    assert not machine.tree.allows("dm.example.org", Verb.REPLACE, "./NAP/1")

    written(card, account(access_point="rewritten.example"))
    machine.run(DirectCard(card))
    assert machine.tree.allows("dm.example.org", Verb.REPLACE, "./NAP/1")


def test_an_object_that_has_to_make_way_is_moved_though_the_files_are_the_same(
    machine: Machine, card: SoftCard
) -> None:
    machine.tree = machine.tree.fork()
    other = [interior("./DMAcc/1"), leaf("./DMAcc/1/ServerID", "other.example")]
    machine.tree.adopt("device", "local", other, 1)
    machine.store.commit(machine.tree, 1)
    machine.run(DirectCard(card))
    assert said(machine, "./DMAcc/1/ServerID") == (b"other.example", "device", "local")
    assert said(machine, "./DMAcc/2/ServerID") == (b"dm.example.org", "card", OPERATOR)


def test_what_a_card_carries_no_more_goes_and_the_devices_own_is_in_force_again(
    machine: Machine, card: SoftCard
) -> None:
    assert said(machine, ADDRESS) == (b"internet.example", "card", OPERATOR)
    written(card, network("other.example", "other"))
    machine.run(DirectCard(card))
    assert said(machine, ADDRESS) == (b"other.example", "card", OPERATOR)
    assert not [path for path in machine.content if path.startswith("./DMAcc/")]

    written(card, build_document(dm_account(**ONLY_AN_ACCOUNT)))
    assert machine.run(DirectCard(card)).stage is Stage.CONFIRMED

    assert said(machine, ADDRESS) == (b"factory.example", "device", "local")
    assert said(machine, NAME) is None
    assert said(machine, NEWS) == (b"https://news.example/1", *SERVER)


def test_a_servers_own_value_stays_when_the_card_below_it_says_nothing_more(
    machine: Machine, card: SoftCard
) -> None:
    desired(machine.network, {NEWS: "https://news.example/1", NAME: "The server's name"})
    assert machine.run(DirectCard(card)).stage is Stage.CONFIRMED
    assert said(machine, NAME) == (b"The server's name", *SERVER)
    written(card, network("other.example", "other"))
    machine.run(DirectCard(card))
    assert said(machine, NAME) == (b"The server's name", *SERVER)


def test_what_a_card_brought_goes_when_it_is_erased(machine: Machine) -> None:
    card = DirectCard(SoftCard.from_profile("token"))
    name = card.identity.name
    card.card.write_file("Bootstrap", network("internet.example"))
    assert machine.run(card).stage is Stage.INSTALLED
    assert said(machine, ADDRESS) == (b"internet.example", "card", name)
    written(card.card, b"")

    assert machine.run(card).stage is Stage.INSTALLED

    assert said(machine, ADDRESS) == (b"factory.example", "device", "local")
    assert {id for _, kind, id in machine.content.values() if kind == "card"} == {name}


def test_a_card_that_never_brought_anything_is_still_told_to_carry_nothing(
    machine: Machine,
) -> None:
    card = SoftCard.from_profile("token")
    written(card, b"")
    result = machine.run(DirectCard(card))
    assert result.reason == "NO_PROVISIONING_DATA"
    # It is there for other things: nothing has failed.
    assert result.stage is Stage.NOTHING_TO_PROVISION


def test_a_session_begins_with_what_the_card_carries_now(machine: Machine, card: SoftCard) -> None:
    written(card, account(access_point="rewritten.example"))
    result = machine.run(DirectCard(card), only_server="dm.example.org")
    assert result.stage is Stage.CONFIRMED
    assert said(machine, ADDRESS) == (b"rewritten.example", "card", OPERATOR)


def test_a_session_whose_account_the_card_carries_no_more_is_not_held(
    machine: Machine, card: SoftCard
) -> None:
    written(card, network("internet.example"))
    result = machine.run(DirectCard(card), only_server="dm.example.org")
    assert result.reason == "ACCOUNT_NOT_FOUND"


def test_an_unchanged_cards_objects_stay_in_their_places_when_another_card_goes(
    machine: Machine, card: SoftCard
) -> None:
    second = SoftCard.from_profile("second-operator")
    second.write_file("Bootstrap", network("second.example", "second"))
    machine.run(DirectCard(second), present={OPERATOR})
    at = ("./NAP/2/Addr", (b"second.example", "card", second.profile.serial))
    assert said(machine, at[0]) == at[1]

    machine.run(DirectCard(second))

    assert said(machine, at[0]) == at[1]
    assert said(machine, ADDRESS) == (b"factory.example", "device", "local")
