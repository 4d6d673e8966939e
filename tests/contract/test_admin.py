"""The admin socket: what it answers, to whom, and that nothing of it is answered elsewhere."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cardea
import grpc
import pytest
from cardea.v1 import admin_pb2, admin_pb2_grpc
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from support.client import eventually
from support.daemon import RunningDaemon
from support.logs import events
from support.stack import Pcsc

QUIET = "[provisioning]\non_insert = false\n"
ME = os.geteuid()
CANARY = "c4n4ry-53cr37"


def row(*rights: str, of: int = ME) -> str:
    return f"[[access.grant]]\nuids = [{of}]\nrights = {list(rights)}\n"


def rewrite(daemon: RunningDaemon, old: str, new: str) -> None:
    text = daemon.config_path.read_text()
    assert old in text
    daemon.config_path.write_text(text.replace(old, new))


def audit(daemon: RunningDaemon, event: str) -> list[dict[str, Any]]:
    return [one for one in events(daemon.log()) if one["event"] == event]


def test_status_and_clients_tell_who_is_connected_and_what_each_does(
    daemon: RunningDaemon, pcsc: Pcsc
) -> None:
    with daemon.client() as client, daemon.admin() as admin:
        watch = client.watch_readers()
        next(watch)
        status = admin.status()
        assert (status.pid, status.pcsc_available) == (daemon.pid, True)
        assert (status.readers, status.quarantined) == (len(pcsc.names), 0)
        assert (status.connections.open, status.calls.under_way) == (1, 2)
        assert status.policy.source == str(daemon.config_path)
        (known,) = admin.clients()
        assert (known.uid, known.gid, known.pid) == (ME, os.getegid(), os.getpid())
        assert known.exe == str(Path(sys.executable).resolve())
        assert [c.method for c in known.calls] == ["/cardea.v1.ReaderService/WatchReaders"]


def test_nothing_of_it_is_answered_on_the_socket_of_programs(daemon: RunningDaemon) -> None:
    """Not even to whoever has every right."""
    with grpc.insecure_channel(f"unix:{daemon.socket}") as channel:
        admin = admin_pb2_grpc.AdminServiceStub(channel)
        reflection: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
        channelz: Any = channelz_pb2_grpc.ChannelzStub(channel)
        question = reflection_pb2.ServerReflectionRequest(list_services="")
        calls: list[Callable[[], object]] = [
            lambda: admin.GetStatus(admin_pb2.GetStatusRequest()),
            lambda: admin.ListClients(admin_pb2.ListClientsRequest()),
            lambda: admin.ListQuarantine(admin_pb2.ListQuarantineRequest()),
            lambda: admin.ReleaseReader(admin_pb2.ReleaseReaderRequest(name="readers/x")),
            lambda: admin.ReloadPolicy(admin_pb2.ReloadPolicyRequest()),
            lambda: admin.Diagnose(admin_pb2.DiagnoseRequest()),
            lambda: next(reflection.ServerReflectionInfo(iter([question]))),
            lambda: channelz.GetServers(channelz_pb2.GetServersRequest()),
        ]
        for call in calls:
            with pytest.raises(grpc.RpcError) as caught:
                call()
            assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
    eventually(lambda: len(audit(daemon, "access.denied")) == len(calls))


def test_reflection_and_channelz_answer_on_the_admin_socket(daemon: RunningDaemon) -> None:
    with grpc.insecure_channel(f"unix:{daemon.admin_socket}") as channel:
        reflection: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
        question = reflection_pb2.ServerReflectionRequest(list_services="")
        info = next(reflection.ServerReflectionInfo(iter([question])))
        names = {service.name for service in info.list_services_response.service}
        assert {"cardea.v1.AdminService", "grpc.channelz.v1.Channelz"} <= names
        channelz: Any = channelz_pb2_grpc.ChannelzStub(channel)
        (server,) = channelz.GetServers(channelz_pb2.GetServersRequest()).server
        assert server.data.calls_started >= 1


def test_the_admin_socket_is_closed_to_others(daemon: RunningDaemon) -> None:
    mode = stat.S_IMODE(daemon.admin_socket.stat().st_mode)
    assert mode & stat.S_IRWXO == 0


def test_an_admin_right_is_needed_on_the_admin_socket_too(pcsc: Pcsc) -> None:
    settings = QUIET + "[access]\nbuiltin = false\n" + row("admin.status")
    with RunningDaemon(pcsc.readers.socket, settings) as daemon, daemon.admin() as admin:
        assert admin.status().pid == daemon.pid
        with pytest.raises(cardea.CardeaError) as caught:
            admin.clients()
        assert caught.value.reason == "ACCESS_DENIED"


@pytest.mark.parametrize("way", ["call", "signal"])
def test_a_new_policy_holds_at_once_and_ends_watches_that_it_does_not_allow(
    pcsc: Pcsc, way: str
) -> None:
    rights = row("readers.list", "admin.*")
    settings = QUIET + "[access]\nbuiltin = false\n" + rights
    with (
        RunningDaemon(pcsc.readers.socket, settings) as daemon,
        daemon.client() as client,
        daemon.admin() as admin,
    ):
        watch = client.watch_readers()
        next(watch)
        rewrite(daemon, rights, row("tree.read", "admin.*"))
        if way == "call":
            assert admin.reload().rows == 1
        else:
            os.kill(daemon.pid, signal.SIGHUP)
        with pytest.raises(cardea.CardeaError) as caught:
            next(watch)
        assert caught.value.reason == "ACCESS_DENIED"
        assert client.nodes(".").nodes
        with pytest.raises(cardea.CardeaError) as caught:
            client.readers()
        assert caught.value.reason == "ACCESS_DENIED"


def test_a_bad_policy_is_refused_with_its_line_and_the_old_one_stays(pcsc: Pcsc) -> None:
    rights = row("readers.list", "admin.*")
    settings = QUIET + "[access]\nbuiltin = false\n" + rights
    with (
        RunningDaemon(pcsc.readers.socket, settings) as daemon,
        daemon.client() as client,
        daemon.admin() as admin,
    ):
        rewrite(daemon, rights, row("readers.lsit"))
        with pytest.raises(cardea.CardeaError) as caught:
            admin.reload()
        assert caught.value.reason == "POLICY_INVALID"
        assert f"{daemon.config_path}:" in caught.value.facts["where"]
        assert "did you mean readers.list?" in caught.value.message
        os.kill(daemon.pid, signal.SIGHUP)
        eventually(lambda: len(audit(daemon, "policy.refused")) == 2)
        assert client.readers()
        assert "readers.lsit" in admin.status().policy.last_error


def test_a_reader_that_is_not_in_quarantine_cannot_be_released(
    daemon: RunningDaemon, pcsc: Pcsc
) -> None:
    with daemon.admin() as admin:
        assert not admin.quarantine()
        for name, reason in (
            (f"readers/{pcsc.names[0]}", "READER_NOT_QUARANTINED"),
            ("readers/none", "READER_NOT_FOUND"),
            ("none", "ARGUMENT_INVALID"),
        ):
            with pytest.raises(cardea.CardeaError) as caught:
                admin.release(name)
            assert caught.value.reason == reason


def test_a_reader_in_quarantine_is_listed_and_released_without_waiting_for_its_driver(
    pcsc: Pcsc,
) -> None:
    card = pcsc.insert()
    with RunningDaemon(pcsc.readers.socket, QUIET) as daemon:
        daemon.stop()
        rewrite(daemon, "[pcsc]\n", "[pcsc]\napdu_deadline_s = 2.0\n")
        daemon.start()
        with daemon.client() as client, daemon.admin() as admin:
            assert client.card().iccid
            card.faults.mute()
            with pytest.raises(cardea.CardeaError):
                client.read("", "EF.ICCID")
            (reader,) = admin.quarantine()
            assert "2 s" in reader.cause
            assert admin.status().quarantined == 1
            admin.release(reader.name)
            # The call that hung comes back only now, to nobody.
            pcsc.remove()
            pcsc.insert()
            eventually(lambda: client.readers()[0].card != "")
            assert client.read("", "EF.ICCID").decoded
            assert not admin.quarantine()
            told = audit(daemon, "access.granted")
            assert [one["reader"] for one in told if one["right"] == "admin.release"] == [
                pcsc.names[0]
            ]


def test_a_diagnosis_holds_no_secret_and_names_no_subscriber(pcsc: Pcsc, tmp_path: Path) -> None:
    pcsc.insert()
    settings = QUIET + f'[device.tree]\n"./NAP/1/AuthInfo/1/AuthSecret" = "{CANARY}"\n'
    with RunningDaemon(pcsc.readers.socket, settings) as daemon, daemon.client() as client:
        client.read("", "USIM/EF.IMSI")
        with pytest.raises(cardea.CardeaError):
            client.write_card("", bytes.fromhex("5731524F4E474B45"), [("2.23.43.5.1", b"x")])
        bundle = tmp_path / "bundle.json"
        command = [sys.executable, "-m", "cardctl", "--socket", str(daemon.socket), "admin"]
        subprocess.run([*command, "diagnose", "--file", str(bundle)], check=True)
        text = bundle.read_text()
        assert stat.S_IMODE(bundle.stat().st_mode) == 0o600
        again = subprocess.run([*command, "diagnose", "--file", str(bundle)], check=False)
        assert again.returncode != 0
    sections = json.loads(text)
    assert {"versions", "configuration", "policy", "readers", "events"} <= set(sections)
    assert any(event["event"] == "rpc.done" for event in sections["events"])
    for secret in (CANARY, "8900101000000000019", "001010000000001", "5731524F4E474B45"):
        assert secret.lower() not in text.lower()


def test_what_is_refused_and_what_is_granted_is_told_with_caller_row_and_outcome(
    pcsc: Pcsc,
) -> None:
    pcsc.insert()
    settings = QUIET + "[access]\nbuiltin = false\n" + row("cards.transmit", "cards.get")
    with RunningDaemon(pcsc.readers.socket, settings) as daemon, daemon.client() as client:
        client.card()
        client.transmit("", bytes.fromhex("00A40004023F00"))
        with pytest.raises(cardea.CardeaError):
            client.read("", "EF.ICCID")
        eventually(lambda: len(audit(daemon, "access.denied")) == 1)
        (denied,) = audit(daemon, "access.denied")
        (granted,) = audit(daemon, "access.granted")
    for event in (denied, granted):
        assert (event["uid"], event["pid"]) == (ME, os.getpid())
        assert event["exe"] == str(Path(sys.executable).resolve())
    assert (denied["right"], denied["level"]) == ("cards.read", "warning")
    assert granted["method"] == "/cardea.v1.CardService/Transmit"
    assert (granted["row"], granted["outcome"]) == ("access.grant[0]", "OK")
    assert granted["reader"] == pcsc.names[0]


def test_refusals_in_a_loop_do_not_fill_the_log(pcsc: Pcsc) -> None:
    settings = QUIET + "[access]\nbuiltin = false\n" + row("tree.read")
    with RunningDaemon(pcsc.readers.socket, settings) as daemon, daemon.client() as client:
        for _ in range(64):
            with pytest.raises(cardea.CardeaError):
                client.readers()
        told = audit(daemon, "access.denied")
    assert 32 <= len(told) < 64
