"""The contract of readers and cards, over a real daemon, a real pcscd and a card in software."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import cardea
import pytest
from cardea.v1 import cards_pb2, readers_pb2
from support.client import eventually
from support.daemon import RunningDaemon
from support.stack import READERS, Pcsc

ICCID = "8900101000000000019"


def reader_resource(pcsc: Pcsc, index: int = 0) -> str:
    return "readers/" + quote(pcsc.names[index], safe="")


def error_of(call: Callable[[], object]) -> cardea.CardeaError | None:
    try:
        call()
    except cardea.CardeaError as error:
        return error
    return None


def test_list_names_every_reader_and_the_card_in_it(daemon: RunningDaemon, pcsc: Pcsc) -> None:
    pcsc.insert(index=1)
    with daemon.client() as client:
        client.card()  # waits until it is identified
        readers = client.readers()
    assert [r.pcsc_name for r in readers] == list(pcsc.names)
    assert len(readers) == READERS
    assert [r.state for r in readers] == [
        readers_pb2.READER_STATE_EMPTY,
        readers_pb2.READER_STATE_CARD_READY,
        readers_pb2.READER_STATE_EMPTY,
    ]
    assert readers[1].card == f"cards/{ICCID}"
    assert readers[1].name == reader_resource(pcsc, 1)


def test_a_file_comes_raw_and_decoded(daemon: RunningDaemon, pcsc: Pcsc) -> None:
    pcsc.insert()
    with daemon.client() as client:
        file = client.read("", "EF.ICCID")
        by_path = client.read(f"cards/{ICCID}", "3F00/2FE2")
        records = client.read(reader_resource(pcsc), "EF.DIR")
    assert file.decoded == {"iccid": ICCID}
    assert by_path.data == file.data == bytes.fromhex("980001010000000010F9")
    assert by_path.decoded == file.decoded
    assert len(records.records) == 2


def test_a_batch_has_each_error_beside_its_file(daemon: RunningDaemon, pcsc: Pcsc) -> None:
    pcsc.insert()
    with daemon.client() as client:
        good, bad, unknown, last = client.read_many(
            "", ["EF.ICCID", "3F00/2F99", "EF.NOSUCH", "USIM/EF.IMSI"]
        )
    assert isinstance(good, cardea.FileData)
    assert isinstance(bad, cards_pb2.FileError)
    assert bad.reason == "CARD_FILE_NOT_FOUND"
    assert isinstance(unknown, cards_pb2.FileError)
    assert unknown.reason == "ARGUMENT_INVALID"
    assert isinstance(last, cardea.FileData)
    assert last.decoded == {"imsi": "001010000000001"}


def test_watch_tells_an_insertion_and_a_removal_in_order(daemon: RunningDaemon, pcsc: Pcsc) -> None:
    with daemon.client() as client:
        watch = client.watch_readers()
        first = next(watch)
        assert len(first.snapshot.readers) == READERS
        pcsc.insert()
        states: list[readers_pb2.ReaderState.ValueType] = []
        sequences = [first.sequence]
        while states[-1:] != [readers_pb2.READER_STATE_CARD_READY]:
            event = next(watch)
            states.append(event.changed.state)
            sequences.append(event.sequence)
        pcsc.remove()
        while states[-1:] != [readers_pb2.READER_STATE_EMPTY]:
            event = next(watch)
            states.append(event.changed.state)
            sequences.append(event.sequence)
    assert readers_pb2.READER_STATE_CARD_READY in states
    assert sequences == list(range(first.sequence, first.sequence + len(sequences)))


def test_a_watcher_resumes_and_never_gets_events_of_another_life(
    daemon: RunningDaemon, pcsc: Pcsc
) -> None:
    with daemon.client() as client:
        seen = next(client.watch_readers()).sequence
        pcsc.insert()
        client.card()
        assert next(client.watch_readers(seen)).sequence == seen + 1
    daemon.stop()
    daemon.start()
    with daemon.client() as client, pytest.raises(cardea.CardeaError) as caught:
        next(client.watch_readers(seen))
    assert caught.value.reason == "EVENTS_GONE"


def test_an_empty_reader_and_a_missing_one_are_told_apart(
    daemon: RunningDaemon, pcsc: Pcsc
) -> None:
    with daemon.client() as client:
        for name, reason in (
            (reader_resource(pcsc), "CARD_ABSENT"),
            ("readers/none", "READER_NOT_FOUND"),
            ("cards/none", "CARD_NOT_FOUND"),
            ("", "CARD_NOT_FOUND"),
            ("nonsense", "ARGUMENT_INVALID"),
        ):
            with pytest.raises(cardea.CardeaError) as caught:
                client.read(name, "EF.ICCID")
            assert caught.value.reason == reason
            assert caught.value.remedy


def test_the_only_card_must_be_the_only_one(daemon: RunningDaemon, pcsc: Pcsc) -> None:
    pcsc.insert(index=0)
    pcsc.insert("second-operator", index=1)
    with daemon.client() as client:
        cards = [client.card(reader_resource(pcsc, index)).name for index in range(2)]
        with pytest.raises(cardea.CardeaError) as caught:
            client.read("", "EF.ICCID")
        # As a person reads them, and as the next call takes them.
        found = ", ".join(f"{card} in {pcsc.names[index]}" for index, card in enumerate(cards))
        assert caught.value.message == f"more than one card is inserted, name one of them: {found}"


def test_a_status_word_is_data_and_a_short_apdu_is_refused(
    daemon: RunningDaemon, pcsc: Pcsc
) -> None:
    pcsc.insert()
    with daemon.client() as client:
        assert client.transmit("", bytes.fromhex("00A40004022F99")) == bytes.fromhex("6A82")
        with pytest.raises(cardea.CardeaError) as caught:
            client.transmit("", b"\x00\xa4")
    assert caught.value.reason == "ARGUMENT_INVALID"


def test_pcscd_gone_is_an_error_with_a_remedy_and_heals_by_itself(
    daemon: RunningDaemon, pcsc: Pcsc
) -> None:
    pcsc.insert()
    with daemon.client() as client:
        client.card()
        pcsc.readers.kill_pcscd()
        error = eventually(lambda: error_of(client.readers))
        assert error is not None
        assert error.reason == "PCSC_UNAVAILABLE"
        assert error.retry_after_s
        pcsc.readers.restart_pcscd()
        eventually(lambda: error_of(client.card) is None)
        assert client.read("", "EF.ICCID").decoded == {"iccid": ICCID}
