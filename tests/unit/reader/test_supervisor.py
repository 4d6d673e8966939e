"""Readers, cards and leases on a real pcscd with software cards."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from cardd.card.errors import CardLost
from cardd.card.provisioning_files import find
from cardd.reader.errors import (
    CardAbsent,
    CardBusy,
    CardNotFound,
    InvalidApdu,
    LeaseEnded,
    ReaderNotFound,
)
from cardd.reader.events import (
    CardReady,
    CardRemoved,
    PcscLost,
    ReaderAdded,
    ReaderEvent,
    ReaderState,
)
from cardd.reader.lease import Lease
from cardd.reader.supervisor import ReaderSupervisor
from cardd.sharing.ticket import EndReason
from support.client import LIMIT_S, eventually
from support.stack import Pcsc

from .conftest import LASTING, QUICK, Watched

SELECT_MF = bytes.fromhex("00A4000C023F00")
SELECT_ICCID = bytes.fromhex("00A4000C022FE2")
READ_ICCID = bytes.fromhex("00B000000A")
VERIFY_PIN1 = bytes.fromhex("002000010831323334FFFFFFFF")
USIM = bytes.fromhex("00A4040C07A0000000871002")
IMSI = bytes.fromhex("00A4000C026F07")
READ_IMSI = bytes.fromhex("00B0000009")
OK = b"\x90\x00"
NOT_SATISFIED = b"\x69\x82"


def imsi_status(lease: Lease) -> bytes:
    """Status of reading a file that needs PIN 1."""
    return [lease.transmit(command) for command in (USIM, IMSI, READ_IMSI)][-1][-2:]


def test_every_reader_is_reported_and_empty(watched: Watched, pcsc: Pcsc) -> None:
    eventually(lambda: len(watched.events) >= len(pcsc.names))
    added = [event.reader for event in watched.events if isinstance(event, ReaderAdded)]
    assert added == [status.name for status in watched.supervisor.readers()] == list(pcsc.names)
    assert {status.state for status in watched.supervisor.readers()} == {ReaderState.EMPTY}


def test_after_a_second_look_all_is_known_that_pcscd_knew(watched: Watched, pcsc: Pcsc) -> None:
    watched.supervisor.wait_scanned(LIMIT_S)
    for _ in range(5):
        pcsc.insert()  # returns when pcscd tells of it
        watched.supervisor.look_again()
        assert watched.supervisor.reader(pcsc.names[0]).state is not ReaderState.EMPTY
        pcsc.remove()
        watched.wait_state(pcsc.names[0], ReaderState.EMPTY)


def test_a_second_look_waits_for_no_pcscd(watched: Watched, pcsc: Pcsc) -> None:
    watched.supervisor.wait_scanned(LIMIT_S)
    pcsc.readers.kill_pcscd()
    watched.wait_for(PcscLost)
    watched.supervisor.look_again()
    assert not watched.supervisor.pcsc_available


def test_insertion_is_identified_and_removal_is_told(watched: Watched, pcsc: Pcsc) -> None:
    ready = watched.ready(pcsc)
    assert ready.identity.name == "8900101000000000019"
    assert watched.supervisor.find_card("8900101000000000019").name == pcsc.names[0]
    pcsc.remove()
    assert watched.wait_for(CardRemoved).insertion == ready.insertion
    with pytest.raises(CardNotFound):
        watched.supervisor.find_card("8900101000000000019")


def test_every_insertion_has_a_new_number(watched: Watched, pcsc: Pcsc) -> None:
    first = watched.ready(pcsc)
    pcsc.remove()
    watched.wait_for(CardRemoved)
    assert watched.ready(pcsc).insertion > first.insertion


def test_a_card_that_is_there_at_start_is_found(pcsc: Pcsc, watched: Watched) -> None:
    watched.ready(pcsc)
    late = Watched(QUICK)
    late.supervisor.start()
    try:
        assert late.wait_for(CardReady).identity.iccid
    finally:
        late.supervisor.stop()


def test_a_lease_reads_the_documents_and_counts(watched: Watched, pcsc: Pcsc) -> None:
    ready = watched.ready(pcsc)
    with watched.supervisor.lease(ready.reader, "me", "test", 10) as lease:
        files = find(lease.transmit, ready.identity.applications)
        assert files[0].content
        assert lease.apdus > 10
        assert 0 < lease.card_time_s < 5


def test_no_card_no_reader_no_lease(watched: Watched, pcsc: Pcsc) -> None:
    with pytest.raises(CardAbsent):
        watched.supervisor.lease(pcsc.names[0], "me", "test", 0)
    with pytest.raises(ReaderNotFound):
        watched.supervisor.lease("nothing", "me", "test", 0)


def test_a_lease_for_an_insertion_that_is_over_is_refused(watched: Watched, pcsc: Pcsc) -> None:
    ready = watched.ready(pcsc)
    with pytest.raises(CardLost):
        watched.supervisor.lease(ready.reader, "me", "test", 10, insertion=ready.insertion - 1)


@pytest.mark.parametrize("length", [0, 1, 3, 65_545])
def test_what_is_no_apdu_never_reaches_the_driver(
    watched: Watched, pcsc: Pcsc, length: int
) -> None:
    ready = watched.ready(pcsc)
    with watched.supervisor.lease(ready.reader, "me", "test", 10) as lease:
        with pytest.raises(InvalidApdu):
            lease.transmit(bytes(length))
        assert lease.transmit(SELECT_MF) == OK


def test_holder_and_waiters_are_listed_and_served_in_turn(watched: Watched, pcsc: Pcsc) -> None:
    reader = watched.ready(pcsc).reader
    submit = watched.supervisor.submit_lease
    held = submit(reader, "a", "first", 10).result(LIMIT_S)
    order = [submit(reader, caller, "next", 5) for caller in "bbc"]
    status = watched.supervisor.reader(reader)
    assert (status.holder, status.holder_purpose) == ("a", "first")
    assert (status.waiting, status.waiters) == (3, ("b", "c", "b"))
    held.end()
    for served, future in enumerate((order[0], order[2], order[1]), start=1):
        lease = future.result(LIMIT_S)
        assert sum(other.done() for other in order) == served
        lease.end()


@pytest.mark.parametrize("watched", [LASTING], indirect=True)
def test_a_wait_ends_at_its_maximum_and_names_the_holder(watched: Watched, pcsc: Pcsc) -> None:
    reader = watched.ready(pcsc).reader
    with watched.supervisor.lease(reader, "holder", "work", 10) as lease:
        started = time.monotonic()
        with pytest.raises(CardBusy) as caught:
            watched.supervisor.lease(reader, "waiter", "test", 0.2)
        assert caught.value.holder == "holder"
        assert time.monotonic() - started >= 0.2
        assert lease.transmit(SELECT_MF) == OK


def test_a_cancelled_wait_leaves_the_queue(watched: Watched, pcsc: Pcsc) -> None:
    reader = watched.ready(pcsc).reader
    with watched.supervisor.lease(reader, "a", "work", 10):
        future = watched.supervisor.submit_lease(reader, "b", "test", 5)
        assert future.cancel()
        assert watched.supervisor.reader(reader).waiting == 0


def test_an_idle_holder_loses_the_card_to_who_waits(watched: Watched, pcsc: Pcsc) -> None:
    reader = watched.ready(pcsc).reader
    idle = watched.supervisor.lease(reader, "idle", "work", 10)
    started = time.monotonic()
    with watched.supervisor.lease(reader, "next", "work", 5) as lease:
        assert time.monotonic() - started > 0.4
        with pytest.raises(LeaseEnded) as caught:
            idle.transmit(SELECT_MF)
        assert caught.value.reason is EndReason.IDLE
        assert isinstance(idle.over.result(0), LeaseEnded)
        assert lease.transmit(SELECT_MF) == OK


def test_a_busy_holder_loses_the_card_after_the_maximum(watched: Watched, pcsc: Pcsc) -> None:
    reader = watched.ready(pcsc).reader
    busy = watched.supervisor.lease(reader, "busy", "work", 10)
    started = time.monotonic()

    def work_on() -> None:
        while time.monotonic() - started < 6:
            busy.transmit(SELECT_MF)

    with pytest.raises(LeaseEnded) as caught:
        work_on()
    assert caught.value.reason is EndReason.MAX_HOLD


def test_selection_of_one_program_is_gone_for_the_next(watched: Watched, pcsc: Pcsc) -> None:
    reader = watched.ready(pcsc).reader
    with watched.supervisor.lease(reader, "a", "work", 10) as lease:
        lease.transmit(SELECT_ICCID)
        assert lease.transmit(READ_ICCID)[-2:] == OK
    with watched.supervisor.lease(reader, "b", "work", 10) as lease:
        assert lease.transmit(READ_ICCID)[-2:] != OK


def test_a_verified_pin_is_gone_for_the_next_also_after_an_abort(
    watched: Watched, pcsc: Pcsc
) -> None:
    reader = watched.ready(pcsc, "dialects").reader
    lease = watched.supervisor.lease(reader, "a", "work", 10)
    assert lease.transmit(VERIFY_PIN1) == OK
    assert imsi_status(lease) == OK
    lease.abort()
    with pytest.raises(LeaseEnded):
        lease.transmit(SELECT_MF)
    with watched.supervisor.lease(reader, "b", "work", 10) as lease:
        assert imsi_status(lease) == NOT_SATISFIED


def test_a_forgotten_channel_is_closed(watched: Watched, pcsc: Pcsc) -> None:
    reader = watched.ready(pcsc).reader
    for _ in range(5):
        with watched.supervisor.lease(reader, "a", "work", 10) as lease:
            assert lease.transmit(bytes.fromhex("0070000001")) == b"\x01" + OK


def test_commands_may_be_queued_and_are_answered_in_order(watched: Watched, pcsc: Pcsc) -> None:
    reader = watched.ready(pcsc).reader
    with watched.supervisor.lease(reader, "a", "work", 10) as lease:
        futures = [lease.submit(c) for c in (SELECT_ICCID, READ_ICCID, SELECT_MF)]
        answers = [future.result(LIMIT_S) for future in futures]
    assert [answer[-2:] for answer in answers] == [OK, OK, OK]
    assert len(answers[1]) == 12


async def test_event_loops_wait_without_threads(watched: Watched, pcsc: Pcsc) -> None:
    reader = (await asyncio.to_thread(watched.ready, pcsc)).reader
    lease = await asyncio.wrap_future(watched.supervisor.submit_lease(reader, "a", "work", 10))
    assert await asyncio.wrap_future(lease.submit(SELECT_MF)) == OK
    waiting = asyncio.wrap_future(watched.supervisor.submit_lease(reader, "b", "work", 5))
    waiting.cancel()
    await asyncio.sleep(0)
    assert watched.supervisor.reader(reader).waiting == 0
    lease.end()


def test_readers_work_side_by_side(watched: Watched, pcsc: Pcsc) -> None:
    first, second = watched.ready(pcsc, index=0), watched.ready(pcsc, "bare", index=1)
    held = watched.supervisor.lease(first.reader, "a", "work", 10)
    with watched.supervisor.lease(second.reader, "b", "work", 10) as lease:
        assert lease.transmit(SELECT_MF) == OK
    held.end()


def test_many_callers_each_get_the_card(watched: Watched, pcsc: Pcsc) -> None:
    reader = watched.ready(pcsc).reader
    served = dict.fromkeys("abcd", 0)

    def work(caller: str) -> None:
        while sum(served.values()) < 100:
            with watched.supervisor.lease(reader, caller, "work", 5) as lease:
                for _ in range(5):
                    lease.transmit(SELECT_MF)
            served[caller] += 1

    threads = [threading.Thread(target=work, args=(caller,)) for caller in served]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert min(served.values()) >= 0.8 * max(served.values()), served


def test_nothing_happens_while_nothing_happens(watched: Watched, pcsc: Pcsc) -> None:
    watched.ready(pcsc)
    time.sleep(0.8)  # the card's handle is given up
    seen = len(watched.events)
    busy = time.thread_time()
    time.sleep(0.5)
    assert len(watched.events) == seen
    assert time.thread_time() - busy < 0.1


def test_stopping_ends_leases_and_threads(watched: Watched, pcsc: Pcsc) -> None:
    reader = watched.ready(pcsc).reader
    lease = watched.supervisor.lease(reader, "a", "work", 10)
    watched.supervisor.stop()
    with pytest.raises(Exception, match="gone"):
        lease.transmit(SELECT_MF)
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith(("reader", "watchdog"))]


def test_a_callback_that_fails_still_gets_the_next_event(
    pcsc: Pcsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[ReaderEvent] = []
    failures: list[object] = []
    monkeypatch.setattr(threading, "excepthook", failures.append)

    def callback(event: ReaderEvent) -> None:
        told.append(event)
        raise RuntimeError

    supervisor = ReaderSupervisor(callback, QUICK)
    supervisor.start()
    eventually(lambda: len(told) >= len(pcsc.names))
    supervisor.stop()
    assert len(failures) == len(told)
