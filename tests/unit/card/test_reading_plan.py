"""Several files: each as it reads alone, all of them with the fewest commands."""

from __future__ import annotations

from itertools import permutations

import pytest
from cardd.card.access_rules import AccessRules
from cardd.card.channel import Channel, working_channel
from cardd.card.directory import Application, read_directory
from cardd.card.errors import CardError, CardLost, NoSuchApplication
from cardd.card.files import locate, read_path
from cardd.card.reading_plan import FileKey, Reading, read_all
from cardd.card.status import NotFoundOnCard
from cardd.card.uicc import FilePath, FileSystem
from softcard import SoftCard

USIM = bytes.fromhex("A0000000871002FFFFFFFF8900000100")
NAMES = ("EF.ICCID", "USIM/EF.IMSI", "PKCS15/EF.ODF", "EF.DIR", "USIM/EF.AD")


@pytest.fixture
def card() -> SoftCard:
    return SoftCard.from_profile("operator")


def applications(card: SoftCard) -> tuple[Application, ...]:
    with working_channel(card.transmit) as channel:
        return read_directory(FileSystem(channel))


def read(
    card: SoftCard, wanted: tuple[FileKey, ...], rules: AccessRules | None = None
) -> tuple[dict[FileKey, Reading | CardError], int]:
    """The files, and how many commands they took."""
    listed = applications(card)
    with working_channel(card.transmit) as channel:
        before = card.apdu_count
        found = read_all(FileSystem(channel), wanted, listed, rules or AccessRules())
        return found, card.apdu_count - before


def test_each_file_is_what_it_is_alone(card: SoftCard) -> None:
    found, _ = read(card, NAMES)
    listed = applications(card)
    for name in NAMES:
        with working_channel(card.transmit) as channel:
            files = FileSystem(channel)
            alone = read_path(files, locate(files, name, listed))
        reading = found[name]
        assert isinstance(reading, Reading)
        assert reading.content == alone


def test_the_order_of_the_wishes_costs_nothing(card: SoftCard) -> None:
    costs = {read(card, order)[1] for order in permutations(NAMES)}
    assert len(costs) == 1


def test_an_application_is_selected_once(card: SoftCard) -> None:
    card.clear_trace()
    read(card, ("USIM/EF.AD", "PKCS15/EF.ODF", "USIM/EF.IMSI", "PKCS15/EF.TokenInfo"))
    by_name = [e.command for e in card.trace if e.command[1] == 0xA4 and e.command[2] == 0x04]
    assert len(by_name) == len(set(by_name)) == 2


def test_a_plan_takes_no_more_commands_than_its_parts_need(card: SoftCard) -> None:
    """With the rules known: the parameters and the content of each file, an application once."""
    rules = AccessRules()
    read(card, NAMES, rules)
    _, together = read(card, NAMES, rules)
    alone = sum(read(card, (name,), rules)[1] for name in NAMES)
    twice_selected = 1  # the USIM has two of the files
    assert together == alone - twice_selected


def test_a_file_that_is_wanted_twice_is_read_once(card: SoftCard) -> None:
    rules = AccessRules()
    once = read(card, ("EF.ICCID",), rules)[1], read(card, ("EF.ICCID",), rules)[1]
    assert read(card, ("EF.ICCID", "EF.ICCID"), rules)[1] == once[1]


def test_what_cannot_be_read_does_not_fail_the_others(card: SoftCard) -> None:
    missing = FilePath((0x2F99,))
    found, _ = read(card, (missing, "EF.ICCID"))
    assert isinstance(found[missing], NotFoundOnCard)
    assert isinstance(found["EF.ICCID"], Reading)


def test_an_application_that_is_not_there_does_not_fail_the_others() -> None:
    found, _ = read(SoftCard.from_profile("token"), ("USIM/EF.IMSI", "PKCS15/EF.ODF"))
    assert isinstance(found["USIM/EF.IMSI"], NoSuchApplication)
    assert isinstance(found["PKCS15/EF.ODF"], Reading)


def test_a_card_that_is_gone_ends_the_plan(card: SoftCard) -> None:
    def gone(command: bytes) -> bytes:
        raise CardLost("removed")

    with pytest.raises(CardLost):
        read_all(FileSystem(Channel(gone)), NAMES, applications(card), AccessRules())


@pytest.mark.parametrize(
    "footholds",
    [
        (FilePath((0x7F50,), USIM),),
        (FilePath((), USIM), FilePath((0x7F50,), USIM)),
        (FilePath((0x6F07,), USIM), FilePath((0x7F50,), USIM)),
    ],
    ids=str,
)
def test_no_directory_beside_the_path_is_entered_on_the_way(
    card: SoftCard, footholds: tuple[FilePath, ...]
) -> None:
    """SELECT by identifier finds siblings and what is above too; access rules go by the path."""
    elsewhere = footholds[-1].below(0x5031)
    found, _ = read(card, (*footholds, elsewhere))
    assert isinstance(found[elsewhere], NotFoundOnCard)
    assert isinstance(read(card, ("PKCS15/EF.ODF",))[0]["PKCS15/EF.ODF"], Reading)


def test_no_file_of_the_mf_is_read_as_one_of_an_application(card: SoftCard) -> None:
    elsewhere = FilePath((0x2FE2,), USIM)
    found, _ = read(card, (FilePath((), USIM), elsewhere))
    assert isinstance(found[elsewhere], NotFoundOnCard)


def test_only_what_everybody_may_read_is_open_to_all(card: SoftCard) -> None:
    """The operator card's PIN is off, so that its IMSI reads; but that may change."""
    found, _ = read(card, ("EF.ICCID", "USIM/EF.IMSI"))
    iccid, imsi = found["EF.ICCID"], found["USIM/EF.IMSI"]
    assert isinstance(iccid, Reading)
    assert isinstance(imsi, Reading)
    assert (iccid.open_to_all, imsi.open_to_all) == (True, False)
