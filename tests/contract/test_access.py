"""Who may call: the kernel names the caller, the policy decides, the error says what is missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import cardea
import grpc
import pytest
from cardea.v1 import readers_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from support.daemon import RunningDaemon
from support.stack import Pcsc

STRANGER = 65534

AS_STRANGER = """
import json, os, sys
import cardea
from google.rpc import error_details_pb2
from grpc_status import rpc_status
client = cardea.Client(sys.argv[1], timeout_s=60)
if os.geteuid() == 0:
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
results = {}
for name, call in {
    "ListReaders": client.readers,
    "WatchReaders": lambda: next(client.watch_readers()),
    "GetCard": client.card,
    "ReadFile": lambda: client.read("", "EF.ICCID"),
    "Transmit": lambda: client.transmit("", bytes.fromhex("00A40004023F00")),
    "Session": lambda: client.session().__enter__(),
    "WriteCard": lambda: client.write_card("", bytes(8), [("2.23.43.5.1", b"")]),
    "ListNodes": client.nodes,
    "ExplainNode": lambda: client.explain("."),
}.items():
    try:
        call()
        results[name] = "let in"
    except cardea.CardeaError as error:
        results[name] = {"reason": error.reason, "facts": error.facts, "remedy": error.remedy}
print(json.dumps(results))
"""

NOBODY_BUT_ROOT = "[provisioning]\non_insert = false\n"
NOBODY_AT_ALL = NOBODY_BUT_ROOT + "[access]\nbuiltin = false\n"


def test_a_second_local_user_without_rights_is_denied_every_call(pcsc: Pcsc) -> None:
    pcsc.insert()
    # Without root there is no second user to become: then nobody has rights.
    settings = NOBODY_BUT_ROOT if os.geteuid() == 0 else NOBODY_AT_ALL
    with RunningDaemon(pcsc.readers.socket, settings) as daemon:
        stranger = subprocess.run(
            [sys.executable, "-c", AS_STRANGER, str(daemon.socket)],
            capture_output=True,
            check=True,
        )
    uid = STRANGER if os.geteuid() == 0 else os.geteuid()
    results = json.loads(stranger.stdout)
    assert len(results) == 9
    for result in results.values():
        assert result["reason"] == "ACCESS_DENIED"
        assert result["facts"]["caller"].startswith(f"uid {uid}, pid ")
        assert result["facts"]["right"]
        assert result["remedy"]


def test_a_grant_gives_one_right_and_no_other(pcsc: Pcsc) -> None:
    pcsc.insert()
    row = f'[[access.grant]]\nuids = [{os.geteuid()}]\nrights = ["readers.list"]\n'
    with RunningDaemon(pcsc.readers.socket, NOBODY_AT_ALL + row) as daemon, daemon.client() as c:
        assert c.readers()[0].state != readers_pb2.READER_STATE_UNSPECIFIED
        with pytest.raises(cardea.CardeaError) as caught:
            c.read("", "EF.ICCID")
    assert caught.value.reason == "ACCESS_DENIED"


def test_a_grant_for_an_application_opens_no_other_file_and_no_apdu(pcsc: Pcsc) -> None:
    pcsc.insert()
    row = f'[[access.grant]]\nuids = [{os.geteuid()}]\nrights = ["*"]\napplications = ["mf"]\n'
    with RunningDaemon(pcsc.readers.socket, NOBODY_AT_ALL + row) as daemon, daemon.client() as c:
        assert c.read("", "EF.ICCID").decoded
        for call in (
            lambda: c.read("", "USIM/EF.IMSI"),
            lambda: c.read("", "7F50/6430"),
            lambda: c.read("", "6F07", aid=bytes.fromhex("A0000000871002")),
            lambda: c.transmit("", bytes.fromhex("00A40004023F00")),
            lambda: c.session().__enter__(),
        ):
            with pytest.raises(cardea.CardeaError) as caught:
                call()
            assert caught.value.reason == "ACCESS_DENIED"


def test_a_grant_for_a_file_is_for_it_by_any_name_and_for_no_other(pcsc: Pcsc) -> None:
    pcsc.insert()
    row = (
        f'[[access.grant]]\nuids = [{os.geteuid()}]\nrights = ["*"]\n'
        'files = ["USIM/EF.SPN", "mf/2F08"]\n'
    )
    usim = bytes.fromhex("A0000000871002FFFFFFFF8900000100")
    with RunningDaemon(pcsc.readers.socket, NOBODY_AT_ALL + row) as daemon, daemon.client() as c:
        for file, aid in (("USIM/EF.SPN", b""), ("6F46", usim), ("7FFF/6F46", usim)):
            assert c.read("", file, aid=aid).decoded
        for file, aid in (("EF.ICCID", b""), ("2FE2", b""), ("3F00/2FE2", b""), ("6F07", usim)):
            with pytest.raises(cardea.CardeaError) as caught:
                c.read("", file, aid=aid)
            assert caught.value.reason == "ACCESS_DENIED"
            assert caught.value.facts["file"]
        for call in (
            lambda: c.transmit("", bytes.fromhex("00A40004023F00")),
            lambda: c.session().__enter__(),
        ):
            with pytest.raises(cardea.CardeaError) as caught:
                call()
            assert caught.value.reason == "ACCESS_DENIED"


def test_a_grant_for_one_reader_hides_the_others(pcsc: Pcsc) -> None:
    pcsc.insert(index=0)
    row = (
        f'[[access.grant]]\nuids = [{os.geteuid()}]\nrights = ["*"]\n'
        f'readers = ["{pcsc.names[1]}"]\n'
    )
    with RunningDaemon(pcsc.readers.socket, NOBODY_AT_ALL + row) as daemon, daemon.client() as c:
        assert [r.pcsc_name for r in c.readers()] == [pcsc.names[1]]
        snapshot = next(c.watch_readers()).snapshot
        assert [r.pcsc_name for r in snapshot.readers] == [pcsc.names[1]]
        with pytest.raises(cardea.CardeaError) as caught:
            c.read("", "EF.ICCID")
        assert caught.value.reason == "CARD_NOT_FOUND"


def test_streams_of_one_user_are_limited(pcsc: Pcsc) -> None:
    settings = NOBODY_BUT_ROOT + "[limits]\nwatches_per_user = 2\n"
    with RunningDaemon(pcsc.readers.socket, settings) as daemon, daemon.client() as client:
        watches = [client.watch_readers() for _ in range(2)]
        for watch in watches:
            next(watch)
        with pytest.raises(cardea.CardeaError) as caught:
            next(client.watch_readers())
        assert caught.value.reason == "LIMIT_REACHED"
        assert client.readers()


def test_health_answers_for_every_service(daemon: RunningDaemon) -> None:
    with grpc.insecure_channel(f"unix:{daemon.socket}") as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        for name in ("Reader", "Card", "Tree", "Provisioning", "Management", "Admin"):
            request = health_pb2.HealthCheckRequest(service=f"cardea.v1.{name}Service")
            assert health.Check(request).status == health_pb2.HealthCheckResponse.SERVING


def test_health_can_be_watched(daemon: RunningDaemon) -> None:
    with grpc.insecure_channel(f"unix:{daemon.socket}") as channel:
        request = health_pb2.HealthCheckRequest(service="cardea.v1.CardService")
        health: Any = health_pb2_grpc.HealthStub(channel)
        watch = health.Watch(request)
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        watch.cancel()


def test_whoever_goes_around_the_acceptor_is_nobody(daemon: RunningDaemon) -> None:
    """Only root and the daemon's own user can reach the private socket; and it serves neither."""
    (private,) = daemon.folder.glob("rpc-*/grpc.sock")
    with cardea.Client(str(private)) as client, pytest.raises(cardea.CardeaError) as caught:
        client.readers()
    assert caught.value.reason == "CALLER_UNKNOWN"


def test_health_says_that_cards_cannot_be_served_without_pcscd(
    daemon: RunningDaemon, pcsc: Pcsc
) -> None:
    with grpc.insecure_channel(f"unix:{daemon.socket}") as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        watch = health.Watch(health_pb2.HealthCheckRequest(service="cardea.v1.CardService"))
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        pcsc.readers.kill_pcscd()
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        pcsc.readers.restart_pcscd()
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        watch.cancel()
