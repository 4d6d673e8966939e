"""The command `dmsd`, run as a process: ready line, clean end, and the operator's commands."""

import json
import os
import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from .conftest import ACCOUNT, DEVICE
from .test_http import write_config
from .usim import OPC, SUBSCRIBER, K

WAIT_S = 60
# As its systemd unit starts it: with no more system calls than that leaves it.
TESTS = Path(__file__).parents[2]
UNIT = TESTS.parent / "packaging" / "systemd" / "dmsd.service"
UNDER_FILTER = (sys.executable, str(TESTS / "support" / "sandbox.py"), str(UNIT))


def dmsd(directory: Path, *arguments: str, given: Any = None) -> subprocess.CompletedProcess[str]:
    command, *rest = arguments
    return subprocess.run(
        [sys.executable, "-m", "dmsd.main", command, *rest],
        cwd=directory,
        input=None if given is None else json.dumps(given),
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write_config(tmp_path)
    return tmp_path


@pytest.fixture
def running(place: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    process = subprocess.Popen(
        [*UNDER_FILTER, sys.executable, "-m", "dmsd.main", "run", "--config", "dmsd.toml",
         "--ready-file", "ready.json"],
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert process.stdout is not None
    yield process, json.loads(process.stdout.readline())
    if process.poll() is None:
        process.kill()
    process.communicate(timeout=WAIT_S)


CONFIG = ("--config", "dmsd.toml")


def test_the_ready_line_tells_the_ports_that_answer(
    running: tuple[subprocess.Popen[str], dict[str, Any]], place: Path
) -> None:
    process, ready = running
    assert ready["pid"] == process.pid
    assert json.loads((place / "ready.json").read_text()) == ready
    context = ssl.create_default_context(cafile=str(place / "ca" / "ca.pem"))
    with httpx.Client(verify=context, timeout=60) as client:
        assert client.get(f"https://127.0.0.1:{ready['bsf']['port']}/").status_code == 400
        assert client.post(f"https://127.0.0.1:{ready['dm']['port']}/dm").status_code == 415


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(
    running: tuple[subprocess.Popen[str], dict[str, Any]], place: Path, number: signal.Signals
) -> None:
    process, _ = running
    process.send_signal(number)
    _, errors = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0
    assert "Traceback" not in errors
    assert not (place / "operator.sock").exists()


def test_the_ready_line_can_go_to_a_descriptor(place: Path) -> None:
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "dmsd.main", "run", *CONFIG, "--ready-fd", str(writing)],
        cwd=place,
        pass_fds=(writing,),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    try:
        with os.fdopen(reading, encoding="utf-8") as stream:
            assert json.loads(stream.read())["ready"] is True
    finally:
        process.terminate()
        assert process.wait(WAIT_S) == 0


@pytest.mark.parametrize("live", [False, True])
def test_the_operator_fills_the_registry_with_and_without_a_server(
    place: Path, live: bool, request: pytest.FixtureRequest
) -> None:
    if live:
        request.getfixturevalue("running")
    card = {"iccid": "8949000000000000017", "adm1": "3132333435363738"}
    added = dmsd(place, "subscriber", "add", *CONFIG, "-", given={**SUBSCRIBER, **card})
    assert added.returncode == 0, added.stderr
    device = {"device": DEVICE, "accounts": [ACCOUNT]}
    assert dmsd(place, "device", "add", *CONFIG, "-", given=device).returncode == 0
    (place / "desired.json").write_text(json.dumps({"tree": {"./A": "1"}}))
    done = dmsd(place, "desired", "set", *CONFIG, "--json", DEVICE, "desired.json")
    assert json.loads(done.stdout) == {"device": DEVICE, "revision": 1}
    shown = dmsd(place, "device", "show", *CONFIG, "--json", DEVICE)
    assert json.loads(shown.stdout)["accounts"][0]["user"] == ACCOUNT["user"]
    status = json.loads(dmsd(place, "status", *CONFIG, "--json").stdout)
    assert (status["subscribers"], status["cards"], status["running"]) == (1, 1, live)
    listed = [
        dmsd(place, *command, *CONFIG)
        for command in (
            ("subscriber", "list"),
            ("card", "list"),
            ("device", "list"),
            ("accounts",),
            ("reports", DEVICE),
            ("sessions", DEVICE),
            ("commands", DEVICE),
            ("desired", "show", DEVICE),
        )
    ]
    assert [run.returncode for run in listed] == [0] * len(listed)
    everything = "".join(run.stdout + run.stderr for run in [added, shown, *listed])
    for secret in (K.hex(), OPC.hex(), "3132333435363738", "client secret", "server secret"):
        assert secret not in everything


def test_people_see_dates_and_one_line_an_account(place: Path) -> None:
    device = {"device": DEVICE, "accounts": [ACCOUNT]}
    assert dmsd(place, "device", "add", *CONFIG, "-", given=device).returncode == 0
    shown = dmsd(place, "device", "show", *CONFIG, DEVICE).stdout
    assert re.search(r"^added: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$", shown, re.MULTILINE)
    assert f"accounts:\n  kind=credentials  user={ACCOUNT['user']}  " in shown
    assert "seen: -" in shown
    assert "card_orders: -" in shown


@pytest.mark.parametrize("live", [False, True])
def test_the_operator_raises_counters_with_and_without_a_server(
    place: Path, live: bool, request: pytest.FixtureRequest
) -> None:
    if live:
        request.getfixturevalue("running")
    ota = {"tar": "B00010", "kic": "11" * 16, "kid": "22" * 16}
    for iccid in ("1", "2"):
        given = {"iccid": iccid, "ota": ota}
        assert dmsd(place, "card", "add", *CONFIG, "-", given=given).returncode == 0
    assert dmsd(place, "card", "raise", *CONFIG, "1000").stdout == "raised: 2\n"
    assert dmsd(place, "card", "raise", *CONFIG, "5", "2").stdout == "raised: 1\n"
    listed = json.loads(dmsd(place, "card", "list", *CONFIG, "--json").stdout)
    assert [card["counter"] for card in listed] == [1000, 1005]
    refused = dmsd(place, "card", "raise", *CONFIG, "1", "3")
    assert (refused.returncode, "'3'" in refused.stderr) == (1, True)


@pytest.mark.parametrize("live", [False, True])
def test_nothing_is_desired_of_a_device_that_is_not_known_unless_that_is_said(
    place: Path, live: bool, request: pytest.FixtureRequest
) -> None:
    if live:
        request.getfixturevalue("running")
    wanted = {"tree": {"./A": "1"}}
    refused = dmsd(place, "desired", "set", *CONFIG, "typo", "-", given=wanted)
    assert (refused.returncode, refused.stderr) == (1, "dmsd: no device 'typo'\n")
    assert "typo" not in dmsd(place, "device", "list", *CONFIG).stdout
    done = dmsd(place, "desired", "set", "--new", *CONFIG, "meant", "-", given=wanted)
    assert done.returncode == 0, done.stderr
    assert "meant" in dmsd(place, "device", "list", *CONFIG).stdout


@pytest.mark.parametrize("live", [False, True])
def test_what_was_added_can_be_removed_once(
    place: Path, live: bool, request: pytest.FixtureRequest
) -> None:
    if live:
        request.getfixturevalue("running")
    card = {"iccid": "8949000000000000017", "adm1": "3132333435363738"}
    dmsd(place, "subscriber", "add", *CONFIG, "-", given={**SUBSCRIBER, **card})
    device = {"device": "a/b", "accounts": [ACCOUNT]}
    dmsd(place, "device", "add", *CONFIG, "-", given=device)
    dmsd(place, "desired", "set", *CONFIG, "a/b", "-", given={"tree": {"./A": "1"}})
    (subscriber,) = json.loads(dmsd(place, "subscriber", "list", *CONFIG, "--json").stdout)
    for kind, name in (
        ("device", "a/b"),
        ("subscriber", subscriber["impi"]),
        ("card", "8949000000000000017"),
    ):
        assert dmsd(place, kind, "remove", *CONFIG, name).returncode == 0
        assert json.loads(dmsd(place, kind, "list", *CONFIG, "--json").stdout) == []
        again = dmsd(place, kind, "remove", *CONFIG, name)
        assert (again.returncode, again.stderr) == (1, f"dmsd: no {kind} {name!r}\n")
    assert dmsd(place, "desired", "show", *CONFIG, "a/b").returncode == 1


@pytest.mark.parametrize(
    ("arguments", "given", "words"),
    [
        (("device", "show", *CONFIG, "nobody"), None, "no device 'nobody'"),
        (("subscriber", "add", *CONFIG, "-"), {"imsi": "1"}, "imsi"),
        (("subscriber", "add", *CONFIG, "missing.json"), None, "missing.json"),
        (("status", "--config", "missing.toml"), None, "missing.toml"),
    ],
)
def test_an_error_is_one_line_that_says_what_is_wrong(
    place: Path, arguments: tuple[str, ...], given: Any, words: str
) -> None:
    done = dmsd(place, *arguments, given=given)
    assert done.returncode == 1
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_socket_left_behind_does_not_stand_in_the_way(
    running: tuple[subprocess.Popen[str], dict[str, Any]], place: Path
) -> None:
    process, _ = running
    process.kill()
    process.wait(WAIT_S)
    assert (place / "operator.sock").exists()
    assert json.loads(dmsd(place, "status", *CONFIG, "--json").stdout)["running"] is False


def test_certificates_come_from_the_command_line(tmp_path: Path) -> None:
    done = dmsd(
        tmp_path, "ca", "init", "ca", "--server", "dm.example.org,127.0.0.1", "--server", "bsf"
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "ca" / "dm.example.org.pem").exists()
    assert (tmp_path / "ca" / "bsf-key.pem").stat().st_mode & 0o777 == 0o600
    assert dmsd(tmp_path, "ca", "init", "ca").returncode == 1


def test_the_environment_may_name_the_configuration(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DMSD_CONFIG", str(place / "dmsd.toml"))
    assert dmsd(place, "status").returncode == 0


def test_every_configuration_key_is_shown(tmp_path: Path) -> None:
    shown = json.loads(dmsd(tmp_path, "config", "--json").stdout)
    text = dmsd(tmp_path, "config").stdout
    assert all(f"# {key['doc']}" in text for key in shown)
