"""cardctl session, top and doctor: real processes against a real daemon and pcscd."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cardctl import doctor
from contract.test_cardctl import cardctl, document
from support.client import Client, eventually
from support.daemon import RunningDaemon
from support.stack import Pcsc

SELECT_ICCID = "00A40004022FE2"
NOT_THERE = "00A40004022F99"


def lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_session_from_a_pipe_keeps_the_selection_and_says_what_came(
    daemon: RunningDaemon, pcsc: Pcsc
) -> None:
    pcsc.insert()
    script = f"# the card's number\n{SELECT_ICCID}\n00 B0 00 00 0A\n{NOT_THERE}\nquit\n00\n"
    shown = cardctl(daemon, "session", given=script)
    assert shown.returncode == 0, shown.stderr
    assert "file descriptor: transparent" in shown.stdout
    assert "98 00 01 01 00 00 00 00 10 F9" in shown.stdout
    assert "6A82  file or application not found" in shown.stdout
    answers = lines(cardctl(daemon, "session", "--json", given=script).stdout)
    assert [answer["sw"] for answer in answers] == ["9000", "9000", "6A82"]
    assert answers[1]["data"] == "980001010000000010F9"
    assert "file identifier: 2FE2" in answers[0]["decoded"]


def test_a_session_fetches_what_waits_and_mends_a_wrong_length(
    daemon: RunningDaemon, pcsc: Pcsc
) -> None:
    """The operator card speaks T=0."""
    card = pcsc.insert()
    (select, read) = lines(
        cardctl(daemon, "session", "--json", given=f"{SELECT_ICCID}\n00B0000000\n").stdout
    )
    assert select["decoded"]
    assert (read["sw"], len(read["data"])) == ("9000", 20)
    assert card.counts[0xC0] > 0


def test_a_pin_typed_into_a_session_comes_back_nowhere(daemon: RunningDaemon, pcsc: Pcsc) -> None:
    pcsc.insert("dialects")
    verify = "002000010831323334FFFFFFFF"
    done = cardctl(daemon, "session", "--json", given=f"{verify}\n")
    assert lines(done.stdout)[0]["command"] == "00200001"
    assert "31323334" not in done.stdout + done.stderr + daemon.log()


@pytest.mark.parametrize("line", ["nonsense", "00A4", "help me"])
def test_a_script_that_is_wrong_ends(daemon: RunningDaemon, pcsc: Pcsc, line: str) -> None:
    pcsc.insert()
    assert cardctl(daemon, "session", given=f"{line}\n{SELECT_ICCID}\n").returncode == 2


def test_a_session_without_a_card_says_so(daemon: RunningDaemon) -> None:
    done = cardctl(daemon, "session", "--json", given=f"{SELECT_ICCID}\n")
    assert done.returncode == 5
    assert json.loads(done.stderr)["error"]["reason"] == "CARD_NOT_FOUND"


def test_top_tells_holder_queue_and_rates(daemon: RunningDaemon, pcsc: Pcsc) -> None:
    pcsc.insert()
    with daemon.client() as client:
        client.card()
        with client.session(purpose="holding") as session:
            once = [
                *(sys.executable, "-m", "cardctl", "--socket", str(daemon.socket)),
                *("top", "--once", "--json", "--interval", "0.5"),
            ]
            with subprocess.Popen(once, stdout=subprocess.PIPE, text=True) as running:
                while running.poll() is None:
                    session.transmit(bytes.fromhex("00A4000C023F00"))
                assert running.stdout is not None
                (used, *others) = json.load(running.stdout)["readers"]
            assert used["holder"]["purpose"] == "holding"
            assert used["per_second"]["apdus"] > 0
            assert used["per_second"]["leases"] == 0
            assert used["state"] == "card_ready"
            assert [other["state"] for other in others] == ["empty", "empty"]
            shown = cardctl(daemon, "top", "--once", "--interval", "0.1").stdout
    assert "holding" in shown
    assert pcsc.names[0] in shown


def test_top_goes_on_line_by_line_until_it_is_ended(daemon: RunningDaemon, pcsc: Pcsc) -> None:
    command = [
        *(sys.executable, "-m", "cardctl", "--socket", str(daemon.socket)),
        *("top", "--json", "--interval", "0.1"),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        looks = [json.loads(running.stdout.readline()) for _ in range(3)]
        running.terminate()
    assert all(len(look["readers"]) == len(pcsc.names) for look in looks)


def faults(found: Any) -> list[str]:
    return [finding["reason"] for finding in found["findings"] if finding["reason"]]


def examined(daemon: RunningDaemon) -> tuple[int, Any]:
    done = cardctl(daemon, "doctor", "--json")
    found = json.loads(done.stdout)
    assert all(f["remedy"] for f in found["findings"] if f["reason"])
    return done.returncode, found


def test_the_doctor_finds_nothing_where_all_is_well(daemon: RunningDaemon, pcsc: Pcsc) -> None:
    pcsc.insert()
    found = document(daemon, "doctor")
    assert found["well"]
    details = [finding["detail"] for finding in found["findings"]]
    assert "has cards/8900101000000000019, which answers" in details
    assert "is empty" in details
    assert "✓" in cardctl(daemon, "doctor").stdout


def test_the_doctor_misses_the_daemon(daemon: RunningDaemon) -> None:
    daemon.stop()
    status, found = examined(daemon)
    assert (status, faults(found)) == (3, ["DAEMON_UNREACHABLE"])
    assert "systemctl" in cardctl(daemon, "doctor").stdout


def test_the_doctor_knows_a_socket_that_nobody_listens_at(daemon: RunningDaemon) -> None:
    daemon.stop()
    with socket.socket(socket.AF_UNIX) as abandoned:
        daemon.socket.unlink(missing_ok=True)
        abandoned.bind(str(daemon.socket))
    status, found = examined(daemon)
    assert status == 3
    assert "crashed" in found["findings"][0]["detail"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_the_doctor_knows_a_socket_that_may_not_be_reached(daemon: RunningDaemon) -> None:
    daemon.socket.chmod(0o600)
    os.seteuid(65534)
    try:
        with daemon.client() as client:
            findings = list(doctor.examine(daemon.socket, client))
    finally:
        os.seteuid(0)
    assert [f.reason for f in findings if not f.well] == ["ACCESS_DENIED"]
    assert doctor.worst(findings) == 4


def test_the_doctor_misses_pcscd(daemon: RunningDaemon, pcsc: Pcsc) -> None:
    pcsc.readers.kill_pcscd()
    eventually(lambda: "PCSC_UNAVAILABLE" in faults(examined(daemon)[1]))
    status, found = examined(daemon)
    assert status == 5
    assert any("pcscd" in finding["what"] for finding in found["findings"] if finding["reason"])


def test_the_doctor_names_another_program_that_holds_the_card(
    daemon: RunningDaemon, pcsc: Pcsc
) -> None:
    pcsc.insert()
    with daemon.client() as client:
        client.card()
    holding = """
import sys
from smartcard.scard import *
context = SCardEstablishContext(SCARD_SCOPE_USER)[1]
handle = SCardConnect(context, sys.argv[1], SCARD_SHARE_SHARED, 3)[1]
assert SCardBeginTransaction(handle) == 0
print("held", flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", holding, pcsc.names[0]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        status, found = examined(daemon)
        other.kill()
    assert (status, faults(found)) == (5, ["CARD_BUSY"])
    (detail,) = [f["detail"] for f in found["findings"] if f["reason"]]
    assert "another PC/SC program" in detail
    assert f"pid {other.pid}" in detail


def test_the_doctor_knows_a_mute_card(daemon: RunningDaemon, pcsc: Pcsc) -> None:
    card = pcsc.card()
    card.faults.mute_at_reset = True
    pcsc.readers.insert(0, card)
    eventually(lambda: faults(examined(daemon)[1]) == ["CARD_MUTE"])


@pytest.mark.parametrize(("drivers", "helps"), [(["ccid.bundle"], "lsusb"), ([], "libccid")])
def test_the_doctor_tells_a_missing_reader_from_a_missing_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drivers: list[str], helps: str
) -> None:
    for name in drivers:
        (tmp_path / name).mkdir()
    monkeypatch.setattr(doctor, "DRIVERS", tmp_path)
    assert helps in doctor._no_reader().remedy


def test_a_polite_daemon_is_no_fault(daemon: RunningDaemon, pcsc: Pcsc) -> None:
    """Another program that is only connected keeps nobody out."""
    pcsc.insert()
    with Client() as other, other.connection(pcsc.names[0]):
        assert document(daemon, "doctor")["well"]
