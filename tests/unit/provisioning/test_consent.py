"""A card is adopted without a word, unless its data says that people are asked first (M10)."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from cardd.provisioning.progress import Stage
from omadm.document import parse_document, question_in
from omadm.errors import DocumentError
from omadm.interaction import Outcome, Question, Reply
from omadm.messages import Alert, Item
from omadm.status import AlertCode
from softcard import SoftCard
from support.documents import BOOTSTRAP, account, dm_bootstrap, network
from support.machine import DEVICE, DirectCard, DmNetwork, Machine, desired
from support.system import ACCOUNT, CARDS

OPERATOR = CARDS["operator"]["iccid"]
NEWS, ADDRESS = "./Service/News/URL", "./NAP/1/Addr"
FACTORY = (b"factory.example", "device", "local")
YES, NO = Reply(Outcome.ANSWERED), Reply(Outcome.DECLINED)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    net = DmNetwork()
    net.call("POST", "devices", body={"device": DEVICE, "accounts": [dict(ACCOUNT)]})
    net.call("POST", "cards", body=dict(CARDS["operator"]))
    desired(net, {NEWS: "https://news.example/1"})
    made = Machine(tmp_path / "state" / "store.sqlite", net)
    yield made
    made.close()


def card(confirm: str | None = "Use this?", **changes: str) -> SoftCard:
    made = SoftCard.from_profile("operator")
    made.write_file("Bootstrap", account(confirm=confirm, **changes))  # type: ignore[arg-type]
    return made


def reports(machine: Machine) -> list[str]:
    rows = machine.network.call("GET", "devices", DEVICE, "reports")
    return [row["data"] for row in rows]


def test_a_card_that_says_nothing_of_it_is_adopted_and_nobody_is_asked(machine: Machine) -> None:
    assert machine.run(DirectCard(card(None))).stage is Stage.CONFIRMED
    assert not machine.asked


def test_somebody_is_asked_before_anything_of_the_card_is_adopted(machine: Machine) -> None:
    machine.replies = [YES]
    result = machine.run(DirectCard(card()))
    assert result.stage is Stage.CONFIRMED
    (asked,) = machine.asked
    assert (asked.asker, asked.question.text) == (f"cards/{OPERATOR}", "Use this?")
    stages = list(dict.fromkeys(each.stage for each in machine.progress))
    assert stages[:3] == [Stage.READING_CARD, Stage.ASKING, Stage.ADOPTING]
    assert machine.content[ADDRESS][0] == b"internet.example"


def test_who_has_agreed_is_not_asked_again_about_the_same(machine: Machine) -> None:
    machine.replies = [YES]
    same = card()
    machine.run(DirectCard(same))
    machine.restart()
    assert machine.run(DirectCard(same)).stage is Stage.CONFIRMED
    assert len(machine.asked) == 1
    same.write_file("Bootstrap", account(confirm="Use this?", access_point="other.example"))
    machine.replies = [YES]
    assert machine.run(DirectCard(same)).stage is Stage.CONFIRMED
    assert len(machine.asked) == 2
    assert machine.content[ADDRESS][0] == b"other.example"


def test_what_was_declined_is_not_adopted_and_not_asked_again(machine: Machine) -> None:
    machine.replies = [NO]
    unwanted, before = card(), machine.content
    for _ in range(2):
        result = machine.run(DirectCard(unwanted))
        assert (result.stage, result.reason) == (Stage.FAILED, "CONFIRMATION_REFUSED")
        assert machine.content == before
        assert machine.content[ADDRESS] == FACTORY
        machine.restart()
    assert len(machine.asked) == 1
    # Its servers are nobody that this machine knows.
    assert not reports(machine)


def test_who_has_declined_is_asked_again_if_that_is_wanted(machine: Machine) -> None:
    machine.replies = [NO, YES]
    same = card()
    machine.run(DirectCard(same))
    assert machine.run(DirectCard(same), ask_again=True).stage is Stage.CONFIRMED
    assert machine.run(DirectCard(same)).stage is Stage.CONFIRMED
    assert len(machine.asked) == 2


def test_a_trusted_server_is_told_that_its_new_data_was_declined(machine: Machine) -> None:
    same = card(None)
    machine.run(DirectCard(same))
    before = machine.content
    same.write_file("Bootstrap", account(confirm="", access_point="other.example"))
    machine.replies = [NO]
    assert machine.run(DirectCard(same)).reason == "CONFIRMATION_REFUSED"
    assert machine.content == before
    assert reports(machine)[0] == "500 CONFIRMATION_REFUSED"
    # And once.
    machine.run(DirectCard(same))
    assert reports(machine).count("500 CONFIRMATION_REFUSED") == 1


@pytest.mark.parametrize("outcome", [Outcome.NOBODY, Outcome.CANCELLED, Outcome.WITHDRAWN])
def test_what_nobody_has_answered_is_asked_again(machine: Machine, outcome: Outcome) -> None:
    machine.replies = [Reply(outcome), YES]
    same, before = card(), machine.content
    result = machine.run(DirectCard(same))
    assert (result.stage, result.reason) == (Stage.FAILED, "CONFIRMATION_MISSING")
    assert machine.content == before
    assert machine.run(DirectCard(same)).stage is Stage.CONFIRMED


def test_a_session_is_not_about_what_the_card_brings(machine: Machine) -> None:
    same = card(None)
    machine.run(DirectCard(same))
    same.write_file("Bootstrap", account(confirm="", access_point="other.example"))
    result = machine.run(DirectCard(same), only_server="dm.example.org")
    assert result.stage is Stage.CONFIRMED
    assert not machine.asked
    assert machine.content[ADDRESS][0] == b"internet.example"


@pytest.mark.parametrize("reply", [YES, NO])
def test_somebody_is_asked_before_a_document_that_wants_it_is_written_on_the_card(
    machine: Machine, reply: Reply
) -> None:
    same = card(None)
    machine.run(DirectCard(same))
    before = same.read_file("Bootstrap")
    new = account(confirm="New settings?", access_point="new.example")
    desired(machine.network, {NEWS: "https://news.example/2"}, card={BOOTSTRAP: _base64(new)})
    machine.replies = [reply]
    result = machine.run(DirectCard(same))
    assert [each.question.text for each in machine.asked] == ["New settings?"]
    if reply is YES:
        assert result.stage is Stage.CONFIRMED
        assert same.read_file("Bootstrap").startswith(new)
        assert machine.content[ADDRESS][0] == b"new.example"
    else:
        assert result.reason == "CONFIRMATION_REFUSED"
        assert same.read_file("Bootstrap") == before
        assert reports(machine)[0] == "500 CONFIRMATION_REFUSED"
        # The server may order it again; nobody is asked again.
        desired(machine.network, {NEWS: "https://news.example/2"}, card={BOOTSTRAP: _base64(new)})
        assert machine.run(DirectCard(same)).reason == "CONFIRMATION_REFUSED"
        assert len(machine.asked) == 1


def test_client_provisioning_says_so_in_a_vendors_place() -> None:
    asking = parse_document(account(confirm="Sure?"))
    assert question_in([asking]) == Question(AlertCode.CONFIRM, "Sure?")
    worded = question_in([parse_document(account(confirm=""))])
    assert worded is not None
    assert worded.text
    both = [asking, parse_document(account()), asking]
    assert question_in(both) == Question(AlertCode.CONFIRM, "Sure?")
    assert question_in([parse_document(network("internet.example"))]) is None


def test_a_bootstrap_message_says_so_by_an_alert() -> None:
    items = (Item(), Item(data="Sure?"))
    asking = parse_document(dm_bootstrap(Alert(9, AlertCode.CONFIRM, items)))
    assert question_in([asking]) == Question(AlertCode.CONFIRM, "Sure?")
    assert question_in([parse_document(dm_bootstrap())]) is None
    shown = parse_document(dm_bootstrap(Alert(9, AlertCode.DISPLAY, items)))
    assert question_in([shown]) is None
    # What is taken of a card with both is the message.
    assert question_in([parse_document(account(confirm="x")), shown]) is None
    with pytest.raises(DocumentError, match="bad_question"):
        question_in([parse_document(dm_bootstrap(Alert(9, AlertCode.CONFIRM)))])


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
