"""Cards pulled, mute, reset by others; pcscd killed; readers unplugged: all of it heals."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from cardd.card.errors import CardError, CardLost, CardMute
from cardd.card.provisioning_files import find
from cardd.reader.errors import CardBusy, LeaseEnded, PcscUnavailable, ReaderUnavailable
from cardd.reader.events import (
    CardInserted,
    CardReady,
    CardRemoved,
    PcscBack,
    PcscLost,
    ReaderBack,
    ReaderState,
    ReaderStopped,
)
from cardd.reader.lease import Lease
from cardd.sharing.ticket import EndReason
from support.client import LIMIT_S, eventually
from support.stack import Pcsc

from .conftest import LASTING, QUICK, Watched

SELECT_MF = bytes.fromhex("00A4000C023F00")
VERIFY_PIN1 = bytes.fromhex("002000010831323334FFFFFFFF")
USIM = bytes.fromhex("00A4040C07A0000000871002")
IMSI = bytes.fromhex("00A4000C026F07")
READ_IMSI = bytes.fromhex("00B0000009")
OK = b"\x90\x00"
NOT_SATISFIED = b"\x69\x82"


def imsi_status(lease: Lease) -> bytes:
    """Status of reading a file that needs PIN 1."""
    return [lease.transmit(command) for command in (USIM, IMSI, READ_IMSI)][-1][-2:]


# Another PC/SC program. It says "ready", then follows its orders.
FOREIGN = """
import sys, time
from smartcard.scard import *
def check(result):
    code = result[0] if isinstance(result, (list, tuple)) else result
    assert code == 0, hex(code)
    return result
context = check(SCardEstablishContext(SCARD_SCOPE_SYSTEM))[1]
handle = check(SCardConnect(context, sys.argv[1], SCARD_SHARE_SHARED, 3))[1]
for order in sys.stdin:
    if order == "reset\\n":
        check(SCardReconnect(handle, SCARD_SHARE_SHARED, 3, SCARD_RESET_CARD))
    elif order == "begin\\n":
        while (result := SCardBeginTransaction(handle)) == SCARD_W_RESET_CARD:
            SCardReconnect(handle, SCARD_SHARE_SHARED, 3, SCARD_LEAVE_CARD)
            time.sleep(0.01)
        check(result)
    elif order == "end\\n":
        check(SCardEndTransaction(handle, SCARD_LEAVE_CARD))
    print("done", flush=True)
"""


class Foreign:
    """Another program with the same card."""

    def __init__(self, reader: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", FOREIGN, reader],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ.copy(),
        )
        self.order("hello")

    def order(self, text: str) -> None:
        self.begin(text)
        self.await_done()

    def begin(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text + "\n")
        self._process.stdin.flush()

    def await_done(self) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "done\n"

    def done_within(self, seconds: float) -> bool:
        assert self._process.stdout is not None
        return bool(select.select([self._process.stdout], [], [], seconds)[0])

    def __enter__(self) -> Foreign:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.communicate()


def test_a_card_pulled_in_mid_command_is_lost_and_may_come_back(
    watched: Watched, pcsc: Pcsc
) -> None:
    ready = watched.ready(pcsc)
    card = pcsc.readers.card(0)
    assert card is not None
    card.faults.pull_before()
    lease = watched.supervisor.lease(ready.reader, "a", "work", 10)
    with pytest.raises(CardLost):
        lease.transmit(SELECT_MF)
    with pytest.raises(CardLost):
        lease.transmit(SELECT_MF)
    assert watched.wait_for(CardRemoved).insertion == ready.insertion
    seen = len(watched.events)
    pcsc.readers.insert(0, card)
    assert watched.wait_for(CardReady, seen).insertion > ready.insertion


def test_a_card_pulled_at_any_command_leaves_the_reader_usable(
    watched: Watched, pcsc: Pcsc
) -> None:
    card = pcsc.card()
    index = 0
    while True:
        seen = len(watched.events)
        index += 1
        pcsc.readers.insert(0, card)
        ready = watched.wait_for(CardReady, seen)
        card.faults.pull_before(index)
        try:
            with watched.supervisor.lease(ready.reader, "a", "work", 10) as lease:
                files = find(lease.transmit)
        except CardLost:
            watched.wait_for(CardRemoved, seen)
            watched.wait_state(ready.reader, ReaderState.EMPTY)
            assert card.wait_removed(LIMIT_S)
            continue
        assert files[0].content
        break
    assert index > 15


def test_a_swap_that_pcscd_does_not_see_is_a_new_insertion(watched: Watched, pcsc: Pcsc) -> None:
    """With polls as slow as pcscd's own, a quick pull and return goes unreported."""
    ready = watched.ready(pcsc)
    card = pcsc.readers.card(0)
    assert card is not None
    card.faults.pull_before()
    seen = len(watched.events)
    with pytest.raises(CardLost):
        watched.supervisor.lease(ready.reader, "a", "work", 10).transmit(SELECT_MF)
    card.insert("127.0.0.1", pcsc.readers.port(0), poll_s=0)
    again = watched.wait_for(CardReady, seen)
    assert again.insertion > ready.insertion
    story = [type(event) for event in watched.events[seen:]]
    assert story == [CardRemoved, CardInserted, CardReady]


def test_a_mute_card_quarantines_its_reader_and_no_other(watched: Watched, pcsc: Pcsc) -> None:
    ready, other = watched.ready(pcsc, index=0), watched.ready(pcsc, "bare", index=1)
    card = pcsc.readers.card(0)
    assert card is not None
    card.faults.mute()
    lease = watched.supervisor.lease(ready.reader, "a", "work", 10)
    waiter = watched.supervisor.submit_lease(ready.reader, "b", "work", 30)
    with pytest.raises(CardMute):
        lease.transmit(SELECT_MF)
    with pytest.raises(CardMute):
        waiter.result(LIMIT_S)
    with pytest.raises(CardMute):
        watched.supervisor.lease(ready.reader, "c", "work", 10)
    assert watched.supervisor.reader(ready.reader).state is ReaderState.UNAVAILABLE
    with watched.supervisor.lease(other.reader, "a", "work", 10) as lease:
        assert lease.transmit(SELECT_MF) == OK
    seen = len(watched.events)
    pcsc.remove(0)
    watched.wait_for(ReaderBack, seen)
    assert watched.ready(pcsc).insertion > other.insertion


@pytest.mark.parametrize("watched", [replace(QUICK, call_limit_s=3.0)], indirect=True)
def test_a_command_that_hangs_is_answered_also_when_its_lease_has_ended_before(
    watched: Watched, pcsc: Pcsc
) -> None:
    ready = watched.ready(pcsc)
    card = pcsc.readers.card(0)
    assert card is not None
    lease = watched.supervisor.lease(ready.reader, "a", "work", 10)
    began = time.monotonic()
    while time.monotonic() - began < QUICK.max_hold_s - 1.0:
        lease.transmit(SELECT_MF)
        time.sleep(0.1)
    card.faults.mute()
    answer = lease.submit(SELECT_MF)
    assert isinstance(lease.over.result(LIMIT_S), LeaseEnded)
    assert not answer.done()
    with pytest.raises(CardMute):
        answer.result(LIMIT_S)


def test_a_card_that_does_not_power_up_is_mute(watched: Watched, pcsc: Pcsc) -> None:
    ready = watched.ready(pcsc)
    card = pcsc.readers.card(0)
    assert card is not None
    time.sleep(0.3 + 0.5 + 0.6)  # the handle is given up, then pcscd takes the power away
    card.faults.mute_at_reset = True
    with pytest.raises((CardMute, CardLost)):
        watched.supervisor.lease(ready.reader, "a", "work", 10)
    eventually(lambda: watched.supervisor.reader(ready.reader).state is not ReaderState.CARD_READY)


@pytest.mark.parametrize("watched", [LASTING], indirect=True)
def test_pcscd_killed_and_restarted(watched: Watched, pcsc: Pcsc) -> None:
    ready = watched.ready(pcsc)
    lease = watched.supervisor.lease(ready.reader, "a", "work", 10)
    seen = len(watched.events)
    pcsc.readers.kill_pcscd()
    watched.wait_for(PcscLost, seen)
    assert isinstance(lease.over.result(LIMIT_S), CardLost)
    with pytest.raises(CardLost):
        lease.transmit(SELECT_MF)
    with pytest.raises(PcscUnavailable):
        watched.supervisor.lease(ready.reader, "a", "work", 10)
    assert not watched.supervisor.pcsc_available
    pcsc.readers.restart_pcscd()
    again = watched.wait_for(CardReady, seen)
    assert again.insertion > ready.insertion
    story = [type(event) for event in watched.events[seen:]]
    assert story == [CardRemoved, PcscLost, PcscBack, CardInserted, CardReady]
    with watched.supervisor.lease(ready.reader, "a", "work", 10) as lease:
        assert lease.transmit(SELECT_MF) == OK


def test_pcscd_killed_in_mid_command(watched: Watched, pcsc: Pcsc) -> None:
    ready = watched.ready(pcsc)
    card = pcsc.readers.card(0)
    assert card is not None
    card.faults.delay_ms = 1500
    lease = watched.supervisor.lease(ready.reader, "a", "work", 10)
    answer = lease.submit(SELECT_MF)
    time.sleep(0.1)
    pcsc.readers.kill_pcscd()
    with pytest.raises(CardLost):
        answer.result(LIMIT_S)


def test_a_quarantined_reader_heals_with_pcscd(watched: Watched, pcsc: Pcsc) -> None:
    ready = watched.ready(pcsc)
    card = pcsc.readers.card(0)
    assert card is not None
    card.faults.mute()
    with pytest.raises(CardMute):
        watched.supervisor.lease(ready.reader, "a", "work", 10).transmit(SELECT_MF)
    seen = len(watched.events)
    card.faults.clear()
    pcsc.readers.restart_pcscd()
    assert watched.wait_for(CardReady, seen).insertion > ready.insertion
    with watched.supervisor.lease(ready.reader, "a", "work", 10) as lease:
        assert lease.transmit(SELECT_MF) == OK


@pytest.mark.parametrize("watched", [LASTING], indirect=True)
def test_a_reset_by_another_program_ends_the_lease_cleanly(watched: Watched, pcsc: Pcsc) -> None:
    reader = watched.ready(pcsc, "dialects").reader
    with Foreign(reader) as foreign:
        lease = watched.supervisor.lease(reader, "a", "work", 10)
        assert lease.transmit(SELECT_MF) == OK
        time.sleep(0.2)  # the transaction is let go
        foreign.order("reset")
        with pytest.raises(CardLost) as caught:
            lease.transmit(READ_IMSI)
        assert caught.value.cause == "reset by another program"
        with pytest.raises(CardLost):
            lease.transmit(READ_IMSI)
        with watched.supervisor.lease(reader, "b", "work", 10) as lease:
            assert imsi_status(lease) == NOT_SATISFIED
    assert not [event for event in watched.events if isinstance(event, CardRemoved)]


@pytest.mark.parametrize("watched", [LASTING], indirect=True)
def test_a_verified_pin_is_not_lent_to_another_program(watched: Watched, pcsc: Pcsc) -> None:
    reader = watched.ready(pcsc, "dialects").reader
    with Foreign(reader) as foreign, watched.supervisor.lease(reader, "a", "work", 10) as lease:
        assert lease.transmit(VERIFY_PIN1) == OK
        time.sleep(0.2)  # longer than an idle lease keeps the transaction otherwise
        foreign.begin("begin")
        assert not foreign.done_within(0.2)


@pytest.mark.parametrize("watched", [LASTING], indirect=True)
def test_what_a_lease_goes_by_is_not_changed_by_another_program(
    watched: Watched, pcsc: Pcsc
) -> None:
    reader = watched.ready(pcsc).reader
    with Foreign(reader) as foreign, watched.supervisor.lease(reader, "a", "work", 10) as lease:
        lease.reset().result(LIMIT_S)
        assert lease.transmit(SELECT_MF) == OK
        time.sleep(0.2)  # longer than an idle lease keeps the transaction otherwise
        foreign.begin("begin")
        assert not foreign.done_within(0.2)


def test_a_reset_between_leases_costs_nothing(watched: Watched, pcsc: Pcsc) -> None:
    reader = watched.ready(pcsc).reader
    with Foreign(reader) as foreign:
        foreign.order("reset")
        with watched.supervisor.lease(reader, "a", "work", 10) as lease:
            assert lease.transmit(SELECT_MF) == OK


def test_another_programs_transaction_is_waited_for_and_named(watched: Watched, pcsc: Pcsc) -> None:
    reader = watched.ready(pcsc).reader
    with Foreign(reader) as foreign:
        with watched.supervisor.lease(reader, "a", "work", 10):
            pass
        foreign.order("begin")
        with pytest.raises(CardBusy) as caught:
            watched.supervisor.lease(reader, "a", "work", 0.2)
        assert caught.value.holder == "another PC/SC program"
        time.sleep(1.2)  # longer than a call may take: still no reason to set the reader aside
        assert watched.supervisor.reader(reader).state is ReaderState.CARD_READY
        foreign.order("end")
        with watched.supervisor.lease(reader, "a", "work", 5) as lease:
            assert lease.transmit(SELECT_MF) == OK


def test_what_another_program_keeps_out_ends_with_its_lease_and_is_not_done_later(
    watched: Watched, pcsc: Pcsc
) -> None:
    reader = watched.ready(pcsc).reader
    with Foreign(reader) as foreign:
        lease = watched.supervisor.lease(reader, "a", "work", 10)
        foreign.order("begin")  # the lease is idle
        done = watched.supervisor.queue(reader).apdus
        answers = [lease.submit(SELECT_MF), lease.submit(SELECT_MF)]
        for answer in answers:
            with pytest.raises(LeaseEnded) as caught:
                answer.result(3 * QUICK.max_hold_s)
            assert caught.value.reason is EndReason.MAX_HOLD
        foreign.order("end")
        with watched.supervisor.lease(reader, "b", "work", 5):
            assert watched.supervisor.queue(reader).apdus == done


@pytest.mark.parametrize("watched", [LASTING], indirect=True)
def test_an_idle_lease_lets_other_programs_in(watched: Watched, pcsc: Pcsc) -> None:
    reader = watched.ready(pcsc).reader
    with watched.supervisor.lease(reader, "a", "work", 10) as lease, Foreign(reader) as foreign:
        lease.transmit(SELECT_MF)
        foreign.order("begin")
        foreign.order("end")
        assert lease.transmit(SELECT_MF) == OK


def test_a_reader_that_is_unplugged_is_stopped(watched: Watched, pcsc: Pcsc) -> None:
    ready = watched.ready(pcsc)
    try:
        pcsc.readers.unplug(0)
        assert watched.wait_for(ReaderStopped).reader == ready.reader
        with pytest.raises(ReaderUnavailable):
            watched.supervisor.lease(ready.reader, "a", "work", 10)
    finally:
        pcsc.readers.plug(0)
        pcsc.readers.restart_pcscd()
    seen = len(watched.events)
    watched.wait_state(ready.reader, ReaderState.EMPTY)
    pcsc.insert()
    watched.wait_for(CardReady, seen)


def test_fifty_pulls_tell_a_story_without_a_gap(watched: Watched, pcsc: Pcsc) -> None:
    card = pcsc.card()
    for turn in range(50):
        seen = len(watched.events)
        pcsc.readers.insert(0, card)
        ready = watched.wait_for(CardReady, seen)
        if turn % 2:
            card.faults.pull_after(1 + turn % 7)
            try:
                with watched.supervisor.lease(ready.reader, "a", "work", 10) as lease:
                    find(lease.transmit)
            except CardError:
                pass
        pcsc.readers.remove(0)
        watched.wait_for(CardRemoved, seen)
        watched.wait_state(ready.reader, ReaderState.EMPTY)
    kinds = [type(e) for e in watched.events if isinstance(e, (CardInserted, CardRemoved))]
    assert kinds == [CardInserted, CardRemoved] * 50
