"""The contract of leases: who holds the card, how a lease ends, and what the next one finds."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import cardea
import grpc
import pytest
from cardea.v1 import cards_pb2 as pb
from cardea.v1 import cards_pb2_grpc as pb_grpc
from support.client import eventually
from support.daemon import RunningDaemon
from support.stack import Pcsc

SELECT_ICCID = bytes.fromhex("00A4000C022FE2")
READ_TEN = bytes.fromhex("00B000000A")
NO_FILE_SELECTED = "6986"

KILLED_CLIENT = """
import sys, time, cardea
session = cardea.Client(sys.argv[1]).session(purpose="to be killed").__enter__()
session.transmit(bytes.fromhex("00A4000C022FE2"))
print("held", flush=True)
time.sleep(60)
"""


def open_message() -> pb.SessionRequest:
    return pb.SessionRequest(open=pb.SessionOpen(purpose="test"))


async def answer_of(
    stream: grpc.aio.StreamStreamCall[pb.SessionRequest, pb.SessionResponse],
) -> pb.SessionResponse:
    answer = await stream.read()
    assert isinstance(answer, pb.SessionResponse)
    return answer


def how_it_ends(
    client: cardea.Client,
    apdus: int,
    *,
    pause_s: float,
    meanwhile: Callable[[], object] = lambda: None,
) -> cardea.CardeaError:
    """The error by which a session of so many APDUs breaks; ``meanwhile`` after the first."""
    try:
        with client.session() as session:
            for number in range(apdus):
                session.transmit(SELECT_ICCID)
                if number == 0:
                    meanwhile()
                time.sleep(pause_s)
    except cardea.CardeaError as error:
        return error
    raise AssertionError("the session did not break")


def test_apdus_of_a_session_see_each_others_selection(daemon: RunningDaemon, pcsc: Pcsc) -> None:
    pcsc.insert()
    with daemon.client() as client, client.session(purpose="reading") as session:
        assert session.granted.card.iccid
        assert session.granted.idle_limit.seconds == 30
        assert session.transmit(SELECT_ICCID).hex() == "9000"
        assert session.transmit(READ_TEN)[-2:].hex() == "9000"


def test_the_holder_is_named_and_the_waiters_are_counted(daemon: RunningDaemon, pcsc: Pcsc) -> None:
    pcsc.insert()
    with daemon.client() as client:
        with client.session(purpose="holding"):
            reader = client.readers()[0]
            assert reader.holder.startswith("uid ")
            with pytest.raises(cardea.CardeaError) as caught:
                client.read("", "EF.ICCID", max_wait_s=0.05)
        assert caught.value.reason == "CARD_BUSY"
        assert caught.value.facts["holder"] == reader.holder
        assert caught.value.retry_after_s
        assert client.readers()[0].holder == ""


def test_the_next_session_finds_no_selection_of_the_last(daemon: RunningDaemon, pcsc: Pcsc) -> None:
    pcsc.insert()
    with daemon.client() as client:
        with client.session() as session:
            session.transmit(SELECT_ICCID)
        with client.session() as session:
            assert session.transmit(READ_TEN).hex() == NO_FILE_SELECTED


async def test_a_stream_that_ends_without_end_is_an_abort(
    daemon: RunningDaemon, pcsc: Pcsc
) -> None:
    pcsc.insert()
    async with grpc.aio.insecure_channel(f"unix:{daemon.socket}") as channel:
        stub = pb_grpc.CardServiceStub(channel)
        stream = stub.Session()
        await stream.write(open_message())
        assert (await answer_of(stream)).HasField("granted")
        await stream.write(pb.SessionRequest(command=SELECT_ICCID))
        assert (await answer_of(stream)).response.hex() == "9000"
        await stream.done_writing()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stream.read()
    assert caught.value.code() is grpc.StatusCode.ABORTED
    with daemon.client() as client:
        assert client.transmit("", READ_TEN).hex() == NO_FILE_SELECTED


async def test_end_is_answered_and_closes_the_stream_well(
    daemon: RunningDaemon, pcsc: Pcsc
) -> None:
    pcsc.insert()
    async with grpc.aio.insecure_channel(f"unix:{daemon.socket}") as channel:
        stream = pb_grpc.CardServiceStub(channel).Session()
        await stream.write(open_message())
        await stream.read()
        await stream.write(pb.SessionRequest(end=pb.SessionEnd()))
        assert (await answer_of(stream)).HasField("ended")
        assert await stream.code() is grpc.StatusCode.OK


@pytest.mark.parametrize(
    "first", [pb.SessionRequest(command=SELECT_ICCID), pb.SessionRequest(end=pb.SessionEnd())]
)
async def test_a_session_begins_with_open(
    daemon: RunningDaemon, pcsc: Pcsc, first: pb.SessionRequest
) -> None:
    pcsc.insert()
    async with grpc.aio.insecure_channel(f"unix:{daemon.socket}") as channel:
        stream = pb_grpc.CardServiceStub(channel).Session()
        await stream.write(first)
        assert await stream.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_killed_holder_frees_the_card_long_before_its_limits_and_leaves_nothing(
    daemon: RunningDaemon, pcsc: Pcsc
) -> None:
    pcsc.insert()
    with daemon.client() as client:
        client.card()
        holder = subprocess.Popen(
            [sys.executable, "-c", KILLED_CLIENT, str(daemon.socket)], stdout=subprocess.PIPE
        )
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        holder.kill()
        assert client.transmit("", READ_TEN, max_wait_s=20).hex() == NO_FILE_SELECTED
        holder.wait()
        holder.stdout.close()


def test_an_idle_lease_ends_and_says_why(pcsc: Pcsc) -> None:
    pcsc.insert()
    settings = "[sharing]\nidle_limit_s = 0.2\n[provisioning]\non_insert = false"
    with RunningDaemon(pcsc.readers.socket, settings) as daemon, daemon.client() as client:
        error = how_it_ends(client, 2, pause_s=0.5)
    assert error.reason == "LEASE_ENDED"
    assert error.facts["because"] == "idle limit"


def test_a_lease_ends_after_its_maximum_hold_however_busy(pcsc: Pcsc) -> None:
    pcsc.insert()
    settings = "[sharing]\nidle_limit_s = 0.5\nmax_hold_s = 0.5\n[provisioning]\non_insert = false"
    with RunningDaemon(pcsc.readers.socket, settings) as daemon, daemon.client() as client:
        error = how_it_ends(client, 400, pause_s=0.005)
        assert error.facts["because"] == "maximum hold"
        assert client.read("", "EF.ICCID").decoded


def test_a_card_that_is_pulled_ends_the_session_as_lost(daemon: RunningDaemon, pcsc: Pcsc) -> None:
    pcsc.insert()
    with daemon.client() as client:
        error = how_it_ends(client, 100, pause_s=0.02, meanwhile=pcsc.remove)
    assert error.reason == "CARD_LOST"


async def test_a_holder_that_asks_for_it_is_told_once_that_others_wait(pcsc: Pcsc) -> None:
    pcsc.insert()
    settings = "[sharing]\nslice_s = 0.0\n[provisioning]\non_insert = false"
    with RunningDaemon(pcsc.readers.socket, settings) as daemon:
        async with grpc.aio.insecure_channel(f"unix:{daemon.socket}") as channel:
            stub = pb_grpc.CardServiceStub(channel)
            holder, silent = stub.Session(), stub.Session()
            opening = pb.SessionOpen(purpose="holding", notices=True)
            await holder.write(pb.SessionRequest(open=opening))
            assert (await answer_of(holder)).HasField("granted")
            await silent.write(open_message())
            notice = await answer_of(holder)
            assert notice.notice.waiting == 1
            # The lease goes on as before, and nothing more is said.
            for _ in range(3):
                await holder.write(pb.SessionRequest(command=SELECT_ICCID))
                assert (await answer_of(holder)).response.hex() == "9000"
            await holder.write(pb.SessionRequest(end=pb.SessionEnd()))
            assert (await answer_of(holder)).HasField("ended")
            assert (await answer_of(silent)).HasField("granted")
            third = stub.Session()
            await third.write(open_message())
            # Who has not asked for notices gets none.
            await silent.write(pb.SessionRequest(command=SELECT_ICCID))
            assert (await answer_of(silent)).response.hex() == "9000"
            await silent.write(pb.SessionRequest(end=pb.SessionEnd()))
            assert (await answer_of(silent)).HasField("ended")
            third.cancel()


def test_who_holds_the_card_and_who_waits_is_told_in_the_order_of_service(
    daemon: RunningDaemon, pcsc: Pcsc
) -> None:
    pcsc.insert()
    with daemon.client() as client, ThreadPoolExecutor(2) as pool:
        client.card()
        (free, *_) = client.holders()
        assert not free.HasField("holder")
        assert not free.waiting
        with client.session(purpose="holding") as session:
            session.transmit(SELECT_ICCID)
            waiting = pool.submit(client.transmit, "", READ_TEN, max_wait_s=20)
            eventually(lambda: len(client.holders()[0].waiting) == 1)
            (queue,) = client.holders(client.readers()[0].name)
            assert queue.holder.purpose == "holding"
            assert queue.holder.caller.startswith("uid ")
            assert queue.holder.priority == pb.QUEUE_PRIORITY_NORMAL
            assert 0 < queue.holder.left.ToTimedelta().total_seconds() < 30
            (waiter,) = queue.waiting
            assert waiter.purpose == "Transmit"
            assert 10 < waiter.left.ToTimedelta().total_seconds() <= 20
        assert waiting.result().hex() == NO_FILE_SELECTED
        after = client.holders()[0]
    assert after.leases == free.leases + 2
    assert after.apdus > free.apdus
    assert not after.HasField("holder")
