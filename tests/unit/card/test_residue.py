"""What a program leaves behind, judged from its commands."""

import pytest
from cardd.card.residue import Cleaning, Residue


def after(*exchanges: str) -> Residue:
    residue = Residue()
    for exchange in exchanges:
        command, response = exchange.split("->")
        residue.note(bytes.fromhex(command), bytes.fromhex(response))
    return residue


@pytest.mark.parametrize(
    ("exchanges", "cleaning"),
    [
        ((), Cleaning.NOTHING),
        (("00B000000A -> 9000",), Cleaning.NOTHING),
        (("80F2000000 -> 9000",), Cleaning.NOTHING),
        (("00A4000C022F00 -> 9000",), Cleaning.RESELECT),
        (("00B082000A -> 9000",), Cleaning.RESELECT),
        (("00B201F400 -> 9000",), Cleaning.RESELECT),
        (("01A4000C022F00 -> 9000",), Cleaning.NOTHING),
        (("0070000001 -> 01 9000",), Cleaning.RESELECT),
        (("0070000001 -> 01 9000", "00708001 -> 9000"), Cleaning.NOTHING),
        (("0070000200 -> 9000", "02708000 -> 9000"), Cleaning.NOTHING),
        (("0070000001 -> 6A81",), Cleaning.NOTHING),
        (("0070000001 ->",), Cleaning.RESET),
        (("00200001 -> 63C3",), Cleaning.NOTHING),
        (("0020000108 31323334FFFFFFFF -> 63C2",), Cleaning.NOTHING),
        (("0020000108 31323334FFFFFFFF -> 9000",), Cleaning.RESET),
        (("0020000108 31323334FFFFFFFF ->",), Cleaning.RESET),
        (("0088008122 00 -> 6110",), Cleaning.NOTHING),
        (("0082000010 00 -> 9000",), Cleaning.RESET),
        (("8050000008 00 -> 9000",), Cleaning.RESET),
        (("00E0000000 -> 9000",), Cleaning.RESET),
    ],
)
def test_cleaning_fits_what_was_done(exchanges: tuple[str, ...], cleaning: Cleaning) -> None:
    assert after(*exchanges).cleaning is cleaning


def test_forgotten_channels_are_closed_and_the_mf_selected() -> None:
    residue = after("0070000001 -> 02 9000", "0070000001 -> 01 9000", "00A4000C022F00 -> 9000")
    commands = [command.hex() for command in residue.reselect_commands()]
    assert commands == ["00708001", "00708002", "00a4000c023f00"]
