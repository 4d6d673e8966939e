"""What servers are told of an installation (M5): generic alert 1226."""

from __future__ import annotations

import pytest
from cardd.provisioning import confirmation
from cardd.provisioning.dialogue import Conversation
from cardd.provisioning.records import NewConfirmation, PendingConfirmation
from cardd.tree.authority import ExecOrder
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
    (made,) = confirmation.installed([talk(execs=(EXEC,))], "8900")
    assert made == NewConfirmation("s", "8900", "200", "correlator")


def test_what_was_refused_is_not_called_installed() -> None:
    (made,) = confirmation.installed([talk(refused=frozenset({"./A"}))], "")
    assert made.payload == "500 PARTLY_INSTALLED"


def test_a_failure_is_told_with_its_reason_to_those_that_ordered_something() -> None:
    idle = Conversation("t", "1", "MD5", frozenset(), frozenset(), (), True)
    made = confirmation.failed([talk(execs=(EXEC,)), idle], "CARD_LOST")
    assert made == (NewConfirmation("s", "8900", "500 CARD_LOST", "correlator"),)


def test_what_the_card_has_answered_goes_to_the_server_whose_packets_they_were() -> None:
    receipts = {"s": [b"one", b"two"], "t": []}
    made = confirmation.installed([talk("s"), talk("t"), talk("u")], "8900", receipts)
    assert [each.payload for each in made] == ["200 b25l dHdv", "200", "200"]
    (told,) = confirmation.failed([talk("s")], "READ_BACK_DIFFERS", receipts)
    assert told.payload == "500 READ_BACK_DIFFERS b25l dHdv"


def test_a_card_that_babbles_makes_no_report_that_fits_no_message() -> None:
    receipts = {"s": [bytes(30), bytes(60_000), bytes(30)]}
    (told,) = confirmation.installed([talk("s")], "8900", receipts)
    assert told.payload == f"200 {'A' * 40}"
    (told,) = confirmation.installed([talk("s")], "8900", {"s": [bytes(41)] * 500})
    assert 2900 < len(told.payload) < 3072


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
    report = confirmation.report_of(PendingConfirmation(1, "s", "", payload, None, 1))
    assert (report.data, report.mark) == (payload, mark)


def test_the_report_names_the_device_and_the_card_that_was_concerned() -> None:
    device = confirmation.report_of(PendingConfirmation(1, "s", "", "200", None, 1))
    card = confirmation.report_of(PendingConfirmation(1, "s", "8900", "200", "c", 1))
    assert device.sources == (".",)
    assert card.sources == (".", "./Card/8900")
    assert (device.correlator, card.correlator) == (None, "c")
