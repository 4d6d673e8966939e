"""The contract of reading: from memory where nothing can have changed, and never what is not
for everybody; the card's traffic is counted on the card."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import cardea
import pytest
from cardea.v1 import cards_pb2 as pb
from softcard import SoftCard
from support.client import Client, ClientError, eventually
from support.daemon import RunningDaemon
from support.stack import Pcsc

QUIET = "[provisioning]\non_insert = false\n"
EXCLUSIVE = f'{QUIET}[[pcsc.reader]]\nname = "Virtual*"\nforeign = "exclusive"\n'
BOOTSTRAP = "2.23.43.5.1"
ADM = bytes.fromhex("4341524445413031")
ICCID = {"iccid": "8900101000000000019"}
SHARING_VIOLATION = 0x8010000B
SELECT_MF = bytes.fromhex("00A4000C023F00")


class Reading:
    """A client, and the card behind the daemon."""

    def __init__(self, client: cardea.Client, card: SoftCard) -> None:
        self.client = client
        self.card = card

    def commands(self, *files: str) -> int:
        """How many commands that read it takes to read these files."""
        before = self._reads
        self.client.read_many("", list(files))
        return self._reads - before

    @property
    def _reads(self) -> int:
        return self.card.counts[0xB0] + self.card.counts[0xB2]


@pytest.fixture(params=["polite", "shared", "exclusive"])
def reading(request: pytest.FixtureRequest, pcsc: Pcsc) -> Iterator[Reading]:
    """Under each policy; what is read is believed for as long as the test takes."""
    card = pcsc.insert()
    settings = (
        f'{QUIET}[sharing]\nbelieve_s = 600.0\n[[pcsc.reader]]\nforeign = "{request.param}"\n'
    )
    with RunningDaemon(pcsc.readers.socket, settings) as daemon, daemon.client() as client:
        client.card()
        yield Reading(client, card)


def test_what_was_read_is_not_read_again(reading: Reading) -> None:
    assert reading.client.read("", "EF.ICCID").decoded == ICCID
    assert reading.commands("EF.ICCID") == 0
    assert reading.client.read("", "EF.ICCID").decoded == ICCID
    assert reading.commands("EF.ICCID", "EF.DIR") > 0
    assert reading.commands("EF.DIR", "EF.ICCID") == 0
    assert reading.client.holders()[0].cached_reads >= 4


def test_a_name_and_the_path_it_stands_for_come_as_they_were_asked_for(reading: Reading) -> None:
    for _ in range(2):
        by_name, by_path = reading.client.read_many("", ["EF.ICCID", "3F00/2FE2"])
        assert isinstance(by_name, cardea.FileData)
        assert isinstance(by_path, cardea.FileData)
        assert (by_name.name, by_path.name) == ("EF.ICCID", "3F00/2FE2")
        assert by_name.data == by_path.data


def test_what_a_pin_protects_is_never_kept(reading: Reading) -> None:
    """The operator card's PIN is off: its IMSI reads, but is not for everybody."""
    assert reading.client.read("", "USIM/EF.IMSI").decoded
    assert reading.commands("USIM/EF.IMSI") > 0


def test_a_write_through_the_daemon_ends_belief(reading: Reading) -> None:
    reading.commands("EF.ICCID")
    done = reading.client.write_card("", ADM, [(BOOTSTRAP, b"new")])
    assert done.sha256 == [hashlib.sha256(b"new").digest()]
    assert reading.commands("EF.ICCID") > 0


def test_a_write_in_a_session_is_seen_by_the_next_read(reading: Reading) -> None:
    """EF.PL of the operator card is written by whoever has verified PIN 1, which is off."""
    old = reading.client.read("", "EF.PL").data
    assert reading.commands("EF.PL") == 0
    new = b"fr" + old[2:]
    with reading.client.session() as session:
        for command in (SELECT_MF, bytes.fromhex("00A4000C022F05")):
            assert session.transmit(command)[-2:].hex() == "9000"
        update = bytes.fromhex("00D60000") + bytes([len(new)]) + new
        assert session.transmit(update)[-2:].hex() in ("9000", "6982")
    reading.card.write_file("3F00/2F05", new)  # had the card refused the session's
    assert reading.client.read("", "EF.PL").data == new


def test_reading_with_a_session_leaves_belief_alone(reading: Reading) -> None:
    reading.commands("EF.ICCID")
    with reading.client.session() as session:
        session.transmit(SELECT_MF)
    assert reading.commands("EF.ICCID") == 0


def test_another_card_is_another_content(reading: Reading, pcsc: Pcsc) -> None:
    assert reading.client.read("", "EF.ICCID").decoded == ICCID
    pcsc.remove()
    eventually(lambda: not reading.client.readers()[0].card)
    pcsc.insert("second-operator")
    eventually(lambda: bool(reading.client.readers()[0].card))
    assert reading.client.read("", "EF.ICCID").decoded == {"iccid": "8900101000000000027"}


def test_equal_reads_at_the_same_time_are_one(pcsc: Pcsc) -> None:
    card = pcsc.insert()
    settings = f"{QUIET}[sharing]\nbelieve_s = 0.0\nidle_limit_s = 30.0\n"
    with (
        RunningDaemon(pcsc.readers.socket, settings) as daemon,
        daemon.client() as client,
        daemon.admin() as admin,
        ThreadPoolExecutor(16) as pool,
    ):
        client.read("", "EF.ICCID")
        before = card.apdu_count
        client.read("", "EF.ICCID")
        alone = card.apdu_count - before
        before = card.apdu_count
        with client.session():  # so that they gather
            reads = [pool.submit(client.read, "", "EF.ICCID", max_wait_s=30) for _ in range(16)]
            # With the session, and the call that asks.
            eventually(lambda: admin.status().calls.under_way == 16 + 2)
            eventually(lambda: len(client.holders()[0].waiting) == 1)
        assert {str(read.result().decoded) for read in reads} == {str(ICCID)}
        # One for all; who came only after it was done made at most another.
        assert card.apdu_count - before <= 16 * alone // 4


def test_a_reader_that_leaves_does_not_take_the_others_answer_along(
    daemon: RunningDaemon, pcsc: Pcsc
) -> None:
    pcsc.insert()
    with daemon.client() as client, daemon.client() as leaver, ThreadPoolExecutor(2) as pool:
        client.card()
        with client.session():
            first = leaver._cards.ReadFile.future(
                pb.ReadFileRequest(file=pb.FileRef(known="EF.ICCID"))
            )
            eventually(lambda: len(client.holders()[0].waiting) == 1)
            second = pool.submit(client.read, "", "EF.ICCID")
            first.cancel()
        assert second.result().decoded == ICCID


def test_who_has_less_patience_than_the_reading_under_way_is_told_in_time(
    daemon: RunningDaemon, pcsc: Pcsc
) -> None:
    pcsc.insert()
    with daemon.client() as client, ThreadPoolExecutor(2) as pool:
        client.card()
        with client.session():
            patient = pool.submit(client.read, "", "EF.ICCID", max_wait_s=20)
            eventually(lambda: len(client.holders()[0].waiting) == 1)
            with pytest.raises(cardea.CardeaError) as caught:
                client.read("", "EF.ICCID", max_wait_s=0.05)
            assert caught.value.reason == "CARD_BUSY"
            assert not patient.done()
        assert patient.result().decoded == ICCID


def test_a_reset_by_another_program_ends_belief(pcsc: Pcsc) -> None:
    card = pcsc.insert()
    settings = f'{QUIET}[[pcsc.reader]]\nforeign = "shared"\n[sharing]\nbelieve_s = 600.0\n'
    with RunningDaemon(pcsc.readers.socket, settings) as daemon, daemon.client() as client:
        there = Reading(client, card)
        there.commands("EF.ICCID")
        assert there.commands("EF.ICCID") == 0
        with Client() as other, other.connection(pcsc.names[0]) as send:
            send("00A4000C023F00")
        # Seen with the next use of the card.
        there.commands("USIM/EF.IMSI")
        assert there.commands("EF.ICCID") > 0


def test_another_program_that_is_there_ends_belief(pcsc: Pcsc) -> None:
    card = pcsc.insert()
    settings = f"{QUIET}[sharing]\nbelieve_s = 600.0\n"
    with RunningDaemon(pcsc.readers.socket, settings) as daemon, daemon.client() as client:
        there = Reading(client, card)
        there.commands("EF.ICCID")
        with Client() as other, other.connection(pcsc.names[0]):
            there.commands("USIM/EF.IMSI")
            assert there.commands("EF.ICCID") > 0


def test_what_another_program_wrote_unseen_is_known_when_belief_ends(pcsc: Pcsc) -> None:
    card = pcsc.insert()
    settings = f"{QUIET}[sharing]\nbelieve_s = 0.3\n"
    with RunningDaemon(pcsc.readers.socket, settings) as daemon, daemon.client() as client:
        old = client.read("", "EF.PL").data
        new = b"fr" + old[2:]
        card.write_file("3F00/2F05", new)
        eventually(lambda: client.read("", "EF.PL").data == new)


def test_an_exclusive_reader_keeps_other_programs_out(pcsc: Pcsc) -> None:
    pcsc.insert()
    with RunningDaemon(pcsc.readers.socket, EXCLUSIVE) as daemon, daemon.client() as client:
        client.read("", "EF.ICCID")
        with Client() as other:
            with pytest.raises(ClientError) as caught:
                other.connection(pcsc.names[0]).__enter__()
            assert caught.value.code == SHARING_VIOLATION
            pcsc.remove()
            eventually(lambda: not client.readers()[0].card)


def test_a_polite_daemon_that_is_idle_is_not_there(pcsc: Pcsc) -> None:
    """Nobody is connected: the reader is as if there were no daemon."""
    pcsc.insert()
    with RunningDaemon(pcsc.readers.socket, QUIET) as daemon, daemon.client() as client:
        client.transmit("", SELECT_MF)
        with Client() as other:
            in_use = 0x100  # SCARD_STATE_INUSE
            eventually(lambda: not other.state(pcsc.names[0])[0] & in_use)
