"""What servers are told of an installation (M5): generic alert 1226."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cardd.dm.events import Said
from cardd.provisioning import confirmation
from cardd.provisioning.dialogue import Conversation
from cardd.provisioning.records import NewConfirmation, PendingConfirmation
from cardd.tree.authority import ExecOrder
from omadm.downloads import MOST_PROOF_CHARACTERS
from omadm.status import Mark


def talk(
    server: str = "s", *, refused: frozenset[str] = frozenset(), execs: tuple[ExecOrder, ...] = ()
) -> Conversation:
    return Conversation(
        server_id=server,
        session_id="1",
        trust="MD5",
        ordered=frozenset({"./A"}),
        refused=refused,
        execs=execs,
        confirmed=True,
    )


EXEC = ExecOrder("./Card/8900/Update", "s", None, "correlator")


def test_each_server_that_was_talked_to_hears_of_the_installation() -> None:
    made = confirmation.installed([talk("s"), talk("t")], "")
    assert made == (NewConfirmation("s", "", "200"), NewConfirmation("t", "", "200"))


def test_an_order_is_answered_with_its_card_and_correlator() -> None:
    (made,) = confirmation.installed([talk(execs=(EXEC,))], "8900", [EXEC])
    assert made == NewConfirmation("s", "8900", "200", "correlator", "200")


def test_each_order_of_a_server_is_answered_by_itself() -> None:
    """Also one that is equal to another, and was not the one that the card was written by."""
    first, second = replace(EXEC, correlator="1"), replace(EXEC, correlator="2")
    made = confirmation.installed(
        [talk(execs=(first, second, replace(second)))], "8900", [second], {"s": [b"one"]}
    )
    assert [(each.correlator, each.card_payload) for each in made] == [
        ("1", "500 NOT_IN_FORCE"),
        ("2", "200 b25l"),
        ("2", "500 NOT_IN_FORCE"),
    ]


def test_what_was_refused_is_not_called_installed_and_the_card_is_told_apart() -> None:
    refused = frozenset({"./A"})
    (made,) = confirmation.installed([talk(refused=refused)], "")
    assert made.payload == "500 PARTLY_INSTALLED"
    (made,) = confirmation.installed(
        [talk(refused=refused, execs=(EXEC,))], "8900", [EXEC], {"s": [b"one"]}
    )
    assert (made.payload, made.card_payload) == ("500 PARTLY_INSTALLED", "200 b25l")


def test_a_failure_is_told_with_its_reason_to_those_that_ordered_something() -> None:
    idle = Conversation("t", "1", "MD5", frozenset(), frozenset(), (), True)
    made = confirmation.failed([talk(execs=(EXEC,)), idle], "CARD_LOST", [EXEC])
    assert made == (NewConfirmation("s", "8900", "500 CARD_LOST", "correlator", "500 CARD_LOST"),)


def test_what_the_card_has_answered_goes_to_the_server_whose_packets_they_were() -> None:
    other = replace(EXEC, server_id="t")
    receipts = {"s": [b"one", b"two"], "t": []}
    talks = [talk("s", execs=(EXEC,)), talk("t", execs=(other,)), talk("u")]
    made = confirmation.installed(talks, "8900", [EXEC, other], receipts)
    assert [each.card_payload for each in made] == ["200 b25l dHdv", "200", "200"]
    assert {each.payload for each in made} == {"200"}
    (told,) = confirmation.failed([talks[0]], "READ_BACK_DIFFERS", [EXEC], receipts)
    assert told.card_payload == "500 READ_BACK_DIFFERS b25l dHdv"
    assert told.payload == "500 READ_BACK_DIFFERS"


def test_a_card_that_babbles_makes_no_report_that_fits_no_message() -> None:
    for answers in ([bytes(30), bytes(60_000), bytes(30)], [bytes(41)] * 5000):
        (told,) = confirmation.installed([talk(execs=(EXEC,))], "", [EXEC], {"s": answers})
        assert len(told.card_payload) <= len("200") + MOST_PROOF_CHARACTERS
    (told,) = confirmation.installed([talk(execs=(EXEC,))], "", [EXEC], {"s": [bytes(41)] * 220})
    assert told.card_payload.count(" ") == 220


@pytest.mark.parametrize(
    ("payload", "mark"),
    [
        ("200", Mark.INFORMATIONAL),
        ("200 b25l", Mark.INFORMATIONAL),
        ("500 PARTLY_INSTALLED", Mark.CRITICAL),
        ("500 CARD_LOST", Mark.CRITICAL),
    ],
)
def test_only_success_is_merely_informational(payload: str, mark: Mark) -> None:
    (said,) = confirmation.report_of(PendingConfirmation(1, "s", "", payload, None, 1)).said
    assert said == Said(".", payload, mark)


def test_the_report_tells_of_the_device_and_of_the_card_that_was_concerned() -> None:
    device = confirmation.report_of(PendingConfirmation(1, "s", "", "200", None, 1))
    card = confirmation.report_of(PendingConfirmation(1, "s", "8900", "500 X", "c", 1, "200 AA"))
    assert device.said == (Said(".", "200"),)
    assert card.said == (Said(".", "500 X", Mark.CRITICAL), Said("./Card/8900", "200 AA"))
    assert (device.correlator, card.correlator) == (None, "c")


def test_what_an_earlier_version_has_left_is_told_of_both() -> None:
    left = confirmation.report_of(PendingConfirmation(1, "s", "8900", "200 AA", "c", 1))
    assert [each.data for each in left.said] == ["200 AA", "200 AA"]
