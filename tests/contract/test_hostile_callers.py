"""Callers that mean ill: bounded or refused with the right code, and the others are served."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cardea
import grpc
import pytest
from cardea.v1 import (
    admin_pb2,
    admin_pb2_grpc,
    cards_pb2,
    cards_pb2_grpc,
    readers_pb2,
    readers_pb2_grpc,
)
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from support.client import eventually
from support.daemon import RunningDaemon
from support.inserted import inserted
from support.stack import Pcsc

QUIET = "[provisioning]\non_insert = false\n"
SELECT_MF = bytes.fromhex("00A40004023F00")
STRANGER = 65534

# Opens so many watches as another user, says how many were refused and why, and holds the rest.
MANY_STREAMS = """
import os, sys
import grpc
from cardea.v1 import readers_pb2, readers_pb2_grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
import asyncio

async def main(socket, count, uid):
    channels = [
        grpc.aio.insecure_channel(f"unix:{socket}", options=[
            ("grpc.default_authority", "cardd"), ("grpc.use_local_subchannel_pool", 1)])
        for _ in range(10)
    ]
    if os.geteuid() == 0:
        os.setgroups([]); os.setresgid(uid, uid, uid); os.setresuid(uid, uid, uid)
    async def watch(n):
        stub = readers_pb2_grpc.ReaderServiceStub(channels[n % 10])
        call = stub.WatchReaders(readers_pb2.WatchReadersRequest())
        return call, await call.read()
    done = await asyncio.gather(*(asyncio.wait_for(watch(n), 30) for n in range(count)),
                                return_exceptions=True)
    held = [d for d in done if isinstance(d, tuple)]
    codes = {d.code().name for d in done if isinstance(d, grpc.RpcError)}
    print(len(held), ",".join(sorted(codes)), flush=True)
    sys.stdin.read()

asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
"""


def limited(most: int) -> str:
    """The slowest rate there is. A second message of ``most`` bytes is refused unless it comes so
    late that the first is worked off: in seconds, ``most`` divided by 64 KiB."""
    limits = f"[limits]\nbytes_per_second_per_user = 65536\nmax_message_bytes = {most}\n"
    return QUIET + limits


def reason_of(error: Any) -> tuple[str, dict[str, str], bool]:
    """Reason, facts, and whether it says when to try again."""
    status = rpc_status.from_call(error)
    assert status is not None
    info, again = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    retry = any(detail.Unpack(again) for detail in status.details)
    for detail in status.details:
        detail.Unpack(info)
    return info.reason, dict(info.metadata), retry


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a second user")
def test_a_thousand_streams_of_one_user_are_a_few_and_others_are_served(pcsc: Pcsc) -> None:
    pcsc.insert()
    row = '[[access.grant]]\neveryone = true\nrights = ["readers.list"]\n'
    with RunningDaemon(pcsc.readers.socket, QUIET + row) as daemon, daemon.client() as client:
        hostile = subprocess.Popen(
            [sys.executable, "-c", MANY_STREAMS, str(daemon.socket), "1000", str(STRANGER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert hostile.stdout is not None
            eventually(lambda: client.readers()[0].card != "")
            assert client.read("", "EF.ICCID").decoded
            held, _, codes = hostile.stdout.readline().strip().partition(" ")
            assert (int(held), codes) == (64, "RESOURCE_EXHAUSTED")
            assert client.read("", "USIM/EF.IMSI").decoded
        finally:
            hostile.kill()
            hostile.communicate()


def test_a_limit_says_which_it_is_and_when_to_try_again(pcsc: Pcsc) -> None:
    settings = QUIET + "[limits]\nwatches_per_user = 1\n"
    with (
        RunningDaemon(pcsc.readers.socket, settings) as daemon,
        grpc.insecure_channel(f"unix:{daemon.socket}") as channel,
    ):
        stub = readers_pb2_grpc.ReaderServiceStub(channel)
        first = stub.WatchReaders(readers_pb2.WatchReadersRequest())
        next(first)
        with pytest.raises(grpc.RpcError) as caught:
            next(stub.WatchReaders(readers_pb2.WatchReadersRequest()))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        reason, facts, retry = reason_of(caught.value)
        assert (reason, facts, retry) == (
            "LIMIT_REACHED",
            {"what": "watches", "limit": "1"},
            True,
        )
        first.cancel()


def test_a_session_whose_user_has_had_its_share_of_bytes_waits_and_goes_on(pcsc: Pcsc) -> None:
    settings = limited(131072) + "[sharing]\nidle_limit_s = 30.0\n"
    with (
        RunningDaemon(pcsc.readers.socket, settings) as daemon,
        grpc.insecure_channel(f"unix:{daemon.socket}") as channel,
        daemon.client() as client,
    ):
        inserted(pcsc, daemon, "operator")
        cards = cards_pb2_grpc.CardServiceStub(channel)
        with client.session() as session:
            before = session.transmit(SELECT_MF)
            refused = ""
            while refused != "RESOURCE_EXHAUSTED":
                with pytest.raises(grpc.RpcError) as caught:
                    cards.ReadFile(cards_pb2.ReadFileRequest(name="x" * 125_000))
                refused = caught.value.code().name
            assert session.transmit(SELECT_MF) == before


def test_bytes_of_calls_that_are_refused_count_too(pcsc: Pcsc) -> None:
    with (
        RunningDaemon(pcsc.readers.socket, limited(1 << 20)) as daemon,
        grpc.insecure_channel(f"unix:{daemon.socket}") as channel,
    ):
        admin = admin_pb2_grpc.AdminServiceStub(channel)  # which only the admin socket has
        codes = []
        for _ in range(3):
            with pytest.raises(grpc.RpcError) as caught:
                admin.ReleaseReader(admin_pb2.ReleaseReaderRequest(name="x" * 1_000_000))
            codes.append(caught.value.code().name)
        assert codes == ["PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "RESOURCE_EXHAUSTED"]


def test_bytes_beyond_a_users_share_are_refused_until_the_time_that_is_told(pcsc: Pcsc) -> None:
    large = cards_pb2.ReadFileRequest(name="x" * 190_000)
    with (
        RunningDaemon(pcsc.readers.socket, limited(196_608)) as daemon,
        grpc.insecure_channel(f"unix:{daemon.socket}") as channel,
    ):
        cards = cards_pb2_grpc.CardServiceStub(channel)
        codes = []
        for _ in range(2):
            with pytest.raises(grpc.RpcError) as caught:
                cards.ReadFile(large)
            codes.append(caught.value.code().name)
        assert codes == ["INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"]
        reason, facts, retry = reason_of(caught.value)
        assert (reason, facts["what"], retry) == ("LIMIT_REACHED", "bytes a second", True)
        readers = readers_pb2_grpc.ReaderServiceStub(channel)
        told = {reason}

        def served_again() -> bool:
            try:
                return bool(readers.ListReaders(readers_pb2.ListReadersRequest()).readers)
            except grpc.RpcError as error:
                told.add(reason_of(error)[0])
                return False

        eventually(served_again)
        assert told == {"LIMIT_REACHED"}


@pytest.mark.parametrize("command", [b"", b"\x00", b"\x00\xa4\x00", b"\x00" * 70_000])
def test_a_malformed_or_over_long_apdu_reaches_no_card(
    daemon: RunningDaemon, pcsc: Pcsc, command: bytes
) -> None:
    card = pcsc.insert()
    with daemon.client() as client:
        assert client.card().iccid
        before = card.apdu_count
        with pytest.raises(cardea.CardeaError) as caught:
            client.transmit("", command)
        assert caught.value.reason == "ARGUMENT_INVALID"
        assert card.apdu_count == before
        assert client.transmit("", SELECT_MF)[-2:]


def test_a_message_beyond_the_limit_is_refused_and_the_connection_goes_on(
    daemon: RunningDaemon, pcsc: Pcsc
) -> None:
    with grpc.insecure_channel(f"unix:{daemon.socket}") as channel:
        stub = cards_pb2_grpc.CardServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.Transmit(cards_pb2.TransmitRequest(command=bytes(5 << 20)))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        readers = readers_pb2_grpc.ReaderServiceStub(channel)
        assert readers.ListReaders(readers_pb2.ListReadersRequest()).readers


@pytest.mark.parametrize("path", ["Transmit", "ReadFile", "WriteCard", "Session"])
def test_bytes_that_are_no_message_are_refused(daemon: RunningDaemon, path: str) -> None:
    with grpc.insecure_channel(f"unix:{daemon.socket}") as channel:
        if path == "Session":
            call: Any = channel.stream_stream(f"/cardea.v1.CardService/{path}")
            with pytest.raises(grpc.RpcError):
                next(call(iter([b"\xff\xff\xff\xff"])))
        else:
            unary: Any = channel.unary_unary(f"/cardea.v1.CardService/{path}")
            with pytest.raises(grpc.RpcError):
                unary(b"\xff\xff\xff\xff")
    with daemon.client() as client:
        assert client.readers()


def test_who_never_reads_its_answers_loses_the_card_and_nobody_else_waits(pcsc: Pcsc) -> None:
    """Commands are sent as fast as they go, and no answer to them is taken: flow control stops the
    answers, and the idle limit ends the lease."""
    pcsc.insert()
    settings = QUIET + "[sharing]\nidle_limit_s = 0.5\nmax_hold_s = 3.0\n"
    with (
        RunningDaemon(pcsc.readers.socket, settings) as daemon,
        daemon.client() as client,
        grpc.insecure_channel(f"unix:{daemon.socket}") as channel,
    ):
        assert client.card().iccid

        def flood() -> Iterator[cards_pb2.SessionRequest]:
            yield cards_pb2.SessionRequest(open=cards_pb2.SessionOpen())
            while True:
                yield cards_pb2.SessionRequest(command=SELECT_MF)

        stream = cards_pb2_grpc.CardServiceStub(channel).Session(flood())
        assert next(stream).HasField("granted")
        assert client.transmit("", SELECT_MF)[-2:]
        stream.cancel()


def test_who_lies_about_its_name_is_known_by_the_kernels_word(
    daemon: RunningDaemon, pcsc: Pcsc
) -> None:
    lie = (
        "import ctypes, sys, grpc\n"
        "ctypes.CDLL(None).prctl(15, b'systemd', 0, 0, 0)\n"
        "from cardea.v1 import readers_pb2, readers_pb2_grpc\n"
        "channel = grpc.insecure_channel('unix:' + sys.argv[1], "
        "options=[('grpc.default_authority', 'uid-0'), ('grpc.primary_user_agent', 'root')])\n"
        "stub = readers_pb2_grpc.ReaderServiceStub(channel)\n"
        "watch = stub.WatchReaders(readers_pb2.WatchReadersRequest(), "
        "metadata=[('uid', '0'), ('x-forwarded-for', 'unix-abstract:cardea-0')])\n"
        "next(watch); print('ready', flush=True); sys.stdin.read()\n"
    )
    with ExitStack() as stack:
        liar = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-c", lie, str(daemon.socket)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        )
        assert liar.stdout is not None
        assert liar.stdout.readline() == b"ready\n"
        with daemon.admin() as admin:
            (known,) = admin.clients()
        liar.kill()
    assert known.comm == "systemd"
    assert (known.uid, known.pid) == (os.geteuid(), liar.pid)
    assert known.exe == str(Path(sys.executable).resolve())
