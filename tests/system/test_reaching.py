"""A server reaches a device that does not call (S5): by UDP, and by a program that hands over."""

from __future__ import annotations

import functools
import socket
from collections.abc import Callable
from typing import Any

import pytest
from cardea.v1 import management_pb2 as pb
from dmsd.operator_client import OperatorReplyError
from omadm.notification import build as built
from support.client import eventually
from support.logs import events
from support.system import ACCOUNT, DEVICE, SERVER_ID, MakeSite, Site, failure

NEWS = "./Service/News/URL"
LATER = "https://news.example/2"
SECRET = ACCOUNT["server_secret"].encode()


@pytest.fixture
def door(make_site: MakeSite) -> tuple[Site, str]:
    """A provisioned system that listens for pushes, and where."""
    made = make_site(settings='[notification]\nlisten = "127.0.0.1:0"')
    made.know("operator")
    eventually(lambda: logged(made, "notification.listening"))
    (told,) = logged(made, "notification.listening")
    return provisioned(made), f"{told['address']}:{told['port']}"


@pytest.fixture
def reached(site: Site) -> Site:
    """A provisioned system that listens to nobody, and whose card is out again: from one that is
    there the machine is provisioned at each start, in sessions of its own."""
    provisioned(site)
    site.remove()
    return site


def provisioned(site: Site) -> Site:
    """Both ends have agreed on nonces; the server wants something that the device has not got."""
    site.desire({NEWS: "https://news.example/1"})
    site.inserted(site.card())
    site.desire({NEWS: LATER})
    return site


def notification(site: Site, **wanted: Any) -> dict[str, Any]:
    """What the server would send."""
    told: dict[str, Any] = site.call("POST", "devices", DEVICE, "notification", body=wanted)
    return told


def push(site: Site, **wanted: Any) -> bytes:
    return bytes.fromhex(notification(site, **wanted)["push"])


def value(site: Site) -> str:
    return site.value(NEWS)[0]


def sessions(site: Site) -> list[str]:
    """DM session numbers as the server has them, newest first."""
    return [row["dm_session"] for row in site.call("GET", "devices", DEVICE, "sessions")]


def logged(site: Site, event: str) -> list[dict[str, Any]]:
    """The daemon's events of that name, oldest first."""
    return [entry for entry in events(site.log()) if entry["event"] == event]


def refusal(call: Callable[[], object]) -> str:
    error = failure(call)
    return "" if error is None else error.reason


def knock(address: str, *datagrams: bytes) -> None:
    host, port = address.split(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        for datagram in datagrams:
            link.sendto(datagram, (host, int(port)))


def test_a_notified_device_takes_what_the_server_wants_by_udp(door: tuple[Site, str]) -> None:
    site, address = door
    told = site.system.operator("notify", DEVICE, "--to", address)
    assert told["sent_to"] == address
    eventually(lambda: value(site) == LATER)
    # The session is the one that was asked for, and the server knows it by that number.
    assert told["session"] in sessions(site)


def test_a_notification_that_a_program_received_does_the_same(reached: Site) -> None:
    told = notification(reached)
    done = reached.client.deliver_notification(bytes.fromhex(told["sms"]))
    assert (done.server_id, done.ui_mode) == (SERVER_ID, pb.UI_MODE_BACKGROUND)
    assert (done.session.session_id, done.session.confirmed) == (told["session"], True)
    assert value(reached) == LATER
    # Then the confirmation, under a number of the device's own.
    assert sessions(reached)[1] == told["session"]


def test_a_notification_serves_once(reached: Site) -> None:
    message = push(reached)
    reached.client.deliver_notification(message)
    count = len(sessions(reached))
    assert refusal(lambda: reached.client.deliver_notification(message)) == (
        "NOTIFICATION_NOT_AUTHENTIC"
    )
    assert len(sessions(reached)) == count


def test_a_notification_by_the_well_known_nonce_serves_once_too(reached: Site) -> None:
    message = push(reached, resync=True)
    reached.client.deliver_notification(message)
    assert value(reached) == LATER
    count = len(sessions(reached))
    assert refusal(lambda: reached.client.deliver_notification(message)) == (
        "NOTIFICATION_REPLAYED"
    )
    reached.restart_cardd(kill=True)
    assert refusal(lambda: reached.client.deliver_notification(message)) == (
        "NOTIFICATION_REPLAYED"
    )
    assert len(sessions(reached)) == count


def test_what_is_not_the_servers_is_refused_by_name(reached: Site) -> None:
    good = push(reached)
    forged = built(server_id=SERVER_ID, password=b"guess", nonce=b"Nonce", session_id=1)
    elsewhere = built(server_id="other.example", password=SECRET, nonce=b"", session_id=1)
    count = len(sessions(reached))
    for message, reason in (
        (b"", "NOTIFICATION_MALFORMED"),
        (good[:-1], "NOTIFICATION_MALFORMED"),
        (good[:-8] + b"X" + good[-7:], "ACCOUNT_NOT_FOUND"),
        (forged, "NOTIFICATION_NOT_AUTHENTIC"),
        (elsewhere, "ACCOUNT_NOT_FOUND"),
    ):
        call = functools.partial(reached.client.deliver_notification, message)
        assert refusal(call) == reason
    assert len(sessions(reached)) == count
    # And the good one still serves.
    assert reached.client.deliver_notification(good).session.confirmed


def test_a_person_is_asked_first_where_the_server_wants_that(reached: Site) -> None:
    message = push(reached, ui_mode="interaction")
    assert refusal(lambda: reached.client.deliver_notification(message)) == (
        "NOTIFICATION_NEEDS_USER"
    )
    assert value(reached) != LATER
    done = reached.client.deliver_notification(message, user_agreed=True)
    assert done.ui_mode == pb.UI_MODE_USER_INTERACTION
    assert value(reached) == LATER


def test_a_datagram_can_have_a_person_asked_too(door: tuple[Site, str]) -> None:
    site, address = door
    events = site.client.watch_questions()
    assert next(events).WhichOneof("event") == "begun"
    knock(address, push(site, ui_mode="interaction"))
    opened = next(events).opened
    assert (opened.asker, value(site) == LATER) == (f"servers/{SERVER_ID}", False)
    site.client.answer_question(opened, True)
    eventually(lambda: value(site) == LATER)


def test_cardctl_hands_over_what_dmsd_prints(reached: Site) -> None:
    told = reached.system.operator("notify", DEVICE, "--ui-mode", "informative")
    path = reached.system.folder / "sms.hex"
    path.write_text(told["sms"])
    done = reached.system.cardctl_json("notify", "--hex", str(path))
    assert (done["ui_mode"], done["session"]["session_id"]) == (
        "informative",
        told["session"],
    )
    assert value(reached) == LATER


def test_a_flood_of_garbage_keeps_neither_callers_nor_the_server_out(
    door: tuple[Site, str],
) -> None:
    site, address = door
    junk = [bytes([n % 256]) * (n % 1400) for n in range(5000)]
    knock(address, *junk)
    eventually(lambda: logged(site, "notification.refused"))
    # What is dropped is not logged, only counted: a flood does not fill the disk.
    assert len(logged(site, "notification.refused")) < 100
    assert value(site) != LATER
    # A server that is not heard knocks again, with the same message.
    message = push(site)

    def heard() -> bool:
        knock(address, message)
        return value(site) == LATER

    eventually(heard)


def test_datagrams_that_nobody_can_prove_begin_no_session(door: tuple[Site, str]) -> None:
    site, address = door
    count = len(sessions(site))
    forged = built(server_id=SERVER_ID, password=b"guess", nonce=bytes(4), session_id=1)
    asks = push(site, ui_mode="interaction")
    knock(address, forged, asks)
    eventually(
        lambda: all(
            any(each["reason"] == reason for each in logged(site, "notification.refused"))
            for reason in ("NOTIFICATION_NOT_AUTHENTIC", "NOTIFICATION_NEEDS_USER")
        )
    )
    assert len(sessions(site)) == count
    assert "guess" not in site.log()


def test_a_device_killed_before_the_session_takes_the_message_again(reached: Site) -> None:
    message = push(reached)
    # Nobody answers: the daemon has taken the message, and its session does not come about.
    reached.system.dmsd.stop()
    assert refusal(lambda: reached.client.deliver_notification(message)) == ("SERVER_UNREACHABLE")
    reached.restart_cardd(kill=True)
    reached.system.start_dmsd()
    assert reached.client.deliver_notification(message).session.confirmed
    assert value(reached) == LATER


def test_a_device_that_could_check_nothing_is_not_notified(make_site: MakeSite) -> None:
    site = make_site()
    site.know("operator", server_secret=None, server_nonce=None)
    with pytest.raises(OperatorReplyError, match="no account with a server_secret"):
        notification(site)
