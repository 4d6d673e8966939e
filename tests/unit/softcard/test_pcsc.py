"""The card in a real pcscd, seen through the PC/SC library."""

import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from smartcard import scard
from softcard import Faults, LinkError, SoftCard
from support.client import LIMIT_S, Client, ClientError, eventually
from support.stack import Pcsc

SELECT_ICCID = "00A4080C022FE2"
SELECT_BOOTSTRAP = "00A4080C047F506431"
ADM = "0020000A084341524445413031"


def test_card_answers_through_pcscd(pcsc: Pcsc) -> None:
    card = pcsc.insert("operator")
    with Client() as client, client.connection(pcsc.names[0]) as send:
        assert client.state(pcsc.names[0])[1] == card.atr
        assert send(SELECT_ICCID) == "9000"
        assert send("00B000000A") == card.read_file("EF.ICCID").hex().upper() + "9000"
        assert send("00A40004023F00").startswith("61")


def test_t1_card_gives_extended_answers(pcsc: Pcsc) -> None:
    card = pcsc.insert("token")
    with Client() as client, client.connection(pcsc.names[0]) as send:
        assert send("00A4040C0CA000000063504B43532D3135") == "9000"
        assert send("00A4000C026431") == "9000"
        assert send("00B00000000000") == card.read_file("Bootstrap").hex().upper() + "9000"


def test_cards_in_several_readers_do_not_meet(pcsc: Pcsc) -> None:
    cards = [pcsc.insert(name, index) for index, name in enumerate(("operator", "bare"))]
    with Client() as client:
        for index, card in enumerate(cards):
            with client.connection(pcsc.names[index]) as send:
                assert send(SELECT_ICCID) == "9000"
                assert send("00B000000A")[:-4] == card.read_file("EF.ICCID").hex().upper()


def test_one_card_is_in_one_reader(pcsc: Pcsc) -> None:
    card = pcsc.insert("operator")
    with pytest.raises(LinkError, match="in a reader already"):
        card.insert("127.0.0.1", pcsc.readers.port(1))


def test_removal_and_insertion_are_noticed_every_time(pcsc: Pcsc) -> None:
    name = pcsc.names[0]
    with Client() as client:
        for _ in range(10):
            card = pcsc.insert("operator")
            assert client.state(name)[0] & scard.SCARD_STATE_PRESENT
            pcsc.remove()
            assert not card.inserted
            eventually(lambda: bool(client.state(name)[0] & scard.SCARD_STATE_EMPTY))
        # The upper half counts events: none was lost.
        assert client.state(name)[0] >> 16 >= 20


def test_card_swapped_under_a_client_is_noticed(pcsc: Pcsc) -> None:
    """An exchange between two polls would go unseen: the new card stays out for two of them."""
    pcsc.insert("operator")
    with Client() as client, client.connection(pcsc.names[0]) as send:
        assert send(SELECT_ICCID) == "9000"
        pcsc.remove()
        pcsc.insert("bare")
        with pytest.raises(ClientError) as caught:
            send("00B000000A")
        assert caught.value.code in (
            scard.SCARD_W_REMOVED_CARD & 0xFFFFFFFF,
            scard.SCARD_W_RESET_CARD & 0xFFFFFFFF,
        )


def test_warm_reset_forgets_the_selection(pcsc: Pcsc) -> None:
    pcsc.insert("operator")
    with Client() as client:
        with client.connection(pcsc.names[0]) as send:
            assert send(SELECT_ICCID) == "9000"
        # The connection above ended with a reset.
        with client.connection(pcsc.names[0]) as send:
            assert send("00B0000001") == "6986"


def test_answers_take_no_forty_milliseconds(pcsc: Pcsc) -> None:
    """Without TCP_QUICKACK every command waits 44 ms for an acknowledgement."""
    pcsc.insert("operator")
    with Client() as client, client.connection(pcsc.names[0]) as send:
        send(SELECT_ICCID)
        took = []
        for _ in range(50):
            before = time.monotonic()
            send("00B000000A")
            took.append(time.monotonic() - before)
        assert min(took) < 0.04


def test_mute_card_is_present_and_mute(pcsc: Pcsc) -> None:
    card = pcsc.card("operator")
    card.faults.mute_at_reset = True
    pcsc.readers.insert(0, card)
    with Client() as client:
        assert client.state(pcsc.names[0])[0] & scard.SCARD_STATE_MUTE
        with pytest.raises(ClientError) as caught, client.connection(pcsc.names[0]):
            pass
        assert caught.value.code == scard.SCARD_W_UNPOWERED_CARD & 0xFFFFFFFF


@pytest.mark.parametrize("executed", [False, True])
def test_card_pulled_in_the_middle_of_an_update_has_done_all_or_nothing(
    pcsc: Pcsc, executed: bool
) -> None:
    card = pcsc.insert("operator")
    if executed:
        card.faults.pull_after(1, ins=0xD6)
    else:
        card.faults.pull_before(1, ins=0xD6)
    with Client() as client, client.connection(pcsc.names[0]) as send:
        assert send(ADM) == "9000"
        assert send(SELECT_BOOTSTRAP) == "9000"
        # pcscd says success with no bytes at all, or that the card is gone.
        with suppress(ClientError):
            assert send("00D6000004DEADBEEF") == ""
    assert card.wait_removed(LIMIT_S)
    # Put back, it has its content; a second card from the same state file agrees.
    pcsc.readers.insert(0, card)
    expected = "DEADBEEF" if executed else "030B6A2F"
    with Client() as client, client.connection(pcsc.names[0]) as send:
        assert send(SELECT_BOOTSTRAP) == "9000"
        assert send("00B0000004") == expected + "9000"


def test_faults_strike_the_command_they_were_armed_for(pcsc: Pcsc) -> None:
    card = pcsc.insert("operator")
    card.faults.answer(bytes.fromhex("6F00"), 2)
    card.faults.distort(bytes.fromhex("DEADBEEF9000"), 1, ins=0xB0)
    with Client() as client, client.connection(pcsc.names[0]) as send:
        assert send(SELECT_ICCID) == "9000"
        assert send(SELECT_BOOTSTRAP) == "6F00"
        assert send("00B000000A") == "DEADBEEF9000"
        assert send("00B0000002") == "98009000"
    assert card.counts == {0xA4: 2, 0xB0: 2}
    assert card.apdu_count == 4
    assert card.trace[1] == (bytes.fromhex(SELECT_BOOTSTRAP), b"\x6f\x00")
    card.clear_trace()
    assert card.apdu_count == 0


def test_fault_strikes_as_often_as_it_was_told() -> None:
    faults = Faults()
    faults.answer(b"\x61\x00", 2, ins=0xC0, times=3)
    struck = [faults.next(b"\x00\xc0\x00\x00\x00") is not None for _ in range(6)]
    assert struck == [False, True, True, True, False, False]
    faults.pull_before()
    faults.clear()
    assert faults.next(b"\x00\xc0\x00\x00") is None
    for wrong in (0, -1):
        with pytest.raises(ValueError, match="count from 1"):
            faults.mute(wrong)


def test_slow_card_takes_its_time(pcsc: Pcsc) -> None:
    card = pcsc.insert("operator")
    card.faults.delay_ms = 60
    with Client() as client, client.connection(pcsc.names[0]) as send:
        before = time.monotonic()
        send(SELECT_ICCID)
        assert time.monotonic() - before >= 0.06
        card.faults.clear()


def test_silent_card_blocks_its_command_until_it_is_pulled(pcsc: Pcsc) -> None:
    card = pcsc.insert("operator")
    card.faults.mute()
    outcome: list[str] = []

    def ask() -> None:
        with Client() as client, client.connection(pcsc.names[0]) as send:
            try:
                outcome.append(send(SELECT_ICCID))
            except ClientError as error:
                outcome.append(str(error))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join(0.2)
    assert thread.is_alive()
    # The other readers do not care.
    pcsc.insert("bare", 1)
    with Client() as client, client.connection(pcsc.names[1]) as send:
        assert send(SELECT_ICCID) == "9000"
    pcsc.remove(0)
    thread.join(LIMIT_S)
    assert outcome
    assert outcome[0] != "9000"


def test_state_moves_with_the_card(pcsc: Pcsc, tmp_path: Path) -> None:
    state = tmp_path / "moved.json"
    pcsc.readers.insert(0, SoftCard.from_profile("operator", state))
    with Client() as client, client.connection(pcsc.names[0]) as send:
        assert send(ADM) == "9000"
        assert send(SELECT_BOOTSTRAP) == "9000"
        assert send("00D6000001AA") == "9000"
    pcsc.remove(0)
    again = SoftCard.from_profile("operator", state)
    pcsc.readers.insert(1, again)
    assert again.read_file("Bootstrap")[0] == 0xAA


def test_nobody_listens_is_an_error(pcsc: Pcsc) -> None:
    card = pcsc.card()
    with pytest.raises(LinkError, match=r"no virtual reader at 127\.0\.0\.1:1"):
        card.insert("127.0.0.1", 1)
    assert not card.inserted
    pcsc.readers.insert(0, card)
    assert card.inserted
