"""The message that reaches a device: by the right account, for a session that there was not."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from dmsd.errors import InputError, UnreachableError
from dmsd.notifier import send_push
from dmsd.operator import Operator, dispatch
from dmsd.registry import SessionRow
from omadm.errors import NotificationError
from omadm.notification import Package0, UiMode, parse_received, verify, verify_resync

from .conftest import ACCOUNT, DEVICE, START_MS, Bench

SECRET, NONCE = b"server secret", b"first server nonce"
SERVER = "dms.example.org"


def told(bench: Bench, **wanted: Any) -> dict[str, Any]:
    answer: dict[str, Any] = bench.call("POST", "devices", DEVICE, "notification", body=wanted)
    return answer


def refused(bench: Bench, body: Any = None) -> tuple[int, str]:
    status, answer = dispatch(bench.operator, "POST", ("devices", DEVICE, "notification"), body)
    return status, answer["message"]


def package(answer: dict[str, Any]) -> Package0:
    return parse_received(bytes.fromhex(answer["push"]))


def held(bench: Bench, number: str, account: str) -> None:
    """A session of the device by that account."""
    count = len(bench.registry.journal.sessions())
    bench.registry.journal.begin_session(
        SessionRow(f"s{count}", DEVICE, number, account, "md5", "a", START_MS + count)
    )


def test_a_device_can_check_the_message_with_its_secret_and_nonce(bench: Bench) -> None:
    bench.add_account()
    answer = told(bench)
    found = package(answer)
    verify(found, password=SECRET, nonce=NONCE)
    assert (found.server_id, found.session_id_text) == (SERVER, answer["session"])
    assert found.ui_mode is UiMode.BACKGROUND
    # As an SMS gateway takes it: the same with the header of a message to port 2948.
    assert answer["sms"] == "0605040b8423f0" + answer["push"]


def test_no_secret_is_told(bench: Bench) -> None:
    bench.add_account()
    shown = str(told(bench))
    assert "secret" not in shown
    assert NONCE.hex() not in shown


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("unspecified", UiMode.NOT_SPECIFIED),
        ("informative", UiMode.INFORMATIVE),
        ("interaction", UiMode.USER_INTERACTION),
    ],
)
def test_the_mode_is_the_one_that_is_asked_for(bench: Bench, name: str, mode: UiMode) -> None:
    bench.add_account()
    assert package(told(bench, ui_mode=name)).ui_mode is mode


def test_a_device_that_lost_the_nonce_is_reached_by_the_well_known_one(bench: Bench) -> None:
    bench.add_account()
    found = package(told(bench, resync=True))
    verify_resync(found, password=SECRET)
    with pytest.raises(NotificationError):
        verify(found, password=SECRET, nonce=NONCE)


def test_the_session_is_none_that_the_device_has_had(bench: Bench) -> None:
    bench.add_account()
    held(bench, "1", ACCOUNT["user"])
    held(bench, "2", ACCOUNT["user"])
    numbers = iter((0, 1, 2, 3))
    operator = Operator(
        bench.registry,
        server_id=SERVER,
        now_ms=lambda: START_MS,
        entropy=lambda length: next(numbers).to_bytes(length, "big"),
    )
    assert operator.notification(DEVICE, None)["session"] == "3"


def test_of_several_accounts_the_one_used_last_counts_unless_one_is_named(bench: Bench) -> None:
    accounts = [ACCOUNT, {**ACCOUNT, "user": "other", "server_secret": "another secret"}]
    bench.call("POST", "devices", body={"device": DEVICE, "accounts": accounts})
    assert refused(bench) == (409, f"device {DEVICE!r}: several accounts: name the user")
    assert told(bench, user="other")["user"] == "other"
    held(bench, "1", "other")
    assert told(bench)["user"] == "other"
    held(bench, "2", ACCOUNT["user"])
    assert told(bench)["user"] == ACCOUNT["user"]
    assert refused(bench, {"user": "nobody"})[0] == 422


def test_an_account_on_a_card_is_the_devices_once_the_device_came_with_it(bench: Bench) -> None:
    bench.call("POST", "devices", body={"accounts": [ACCOUNT]})
    bench.call("POST", "devices", body={"device": DEVICE})
    assert refused(bench)[0] == 409
    held(bench, "1", ACCOUNT["user"])
    verify(package(told(bench)), password=SECRET, nonce=NONCE)


def test_without_a_secret_of_ours_there_is_nothing_to_prove_by(bench: Bench) -> None:
    bench.call(
        "POST",
        "devices",
        body={"device": DEVICE, "accounts": [{"user": "u", "client_secret": "c"}, {"impi": "a@b"}]},
    )
    assert refused(bench) == (409, f"device {DEVICE!r}: no account with a server_secret")


@pytest.mark.parametrize(
    "body", [[], {"mode": "background"}, {"ui_mode": 1}, {"user": 1}, {"resync": "yes"}]
)
def test_what_is_not_understood_is_named(bench: Bench, body: Any) -> None:
    bench.add_account()
    assert refused(bench, body)[0] == 422


def test_an_unknown_device_is_not_found(bench: Bench) -> None:
    assert refused(bench)[0] == 404


def test_a_push_goes_to_the_port_that_is_named() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as device:
        device.bind(("127.0.0.1", 0))
        device.settimeout(20)
        where = f"127.0.0.1:{device.getsockname()[1]}"
        assert send_push(where, b"push") == where
        assert device.recv(100) == b"push"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "[::1]", "localhost"])
def test_the_port_is_that_of_wap_push_unless_one_is_named(host: str) -> None:
    shown = "[::1]" if ":" in host else host
    try:
        assert send_push(host, b"") == f"{shown}:2948"
    except UnreachableError:
        assert ":" in host, "there may be no IPv6 here, but IPv4"


@pytest.mark.parametrize("to", ["", "host:port", "host:0", "host:65536", "[::1]x"])
def test_what_is_no_address_is_refused(to: str) -> None:
    with pytest.raises((InputError, UnreachableError)):
        send_push(to, b"")
