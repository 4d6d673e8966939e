"""A session's course: package 1, commands, results, the end."""

from __future__ import annotations

import pytest
from cardd.dm.errors import CredentialsRefused, DmProtocolError, SessionAborted
from cardd.dm.events import (
    CommandDone,
    Report,
    ReportAnswered,
    Said,
    ServerAuthenticated,
    SessionEnded,
)
from omadm import auth, tnds
from omadm.messages import (
    Add,
    Alert,
    Chal,
    Copy,
    Delete,
    Exec,
    Get,
    Item,
    Meta,
    Replace,
    Results,
    Status,
)
from omadm.nodes import leaf
from omadm.status import Mark
from unit.dm.dm_peer import DEVICE, NOW, SERVER, URL, Peer, device_tree, session


def item(target: str, data: str | None = None, *, format: str | None = None) -> Item:
    return Item(target=target, data=data, meta=Meta(format=format) if format else None)


def results(message: object) -> list[Results]:
    return [c for c in message.commands if isinstance(c, Results)]  # type: ignore[attr-defined]


@pytest.mark.parametrize(("initiated", "code"), [(False, 1201), (True, 1200)])
def test_package_1_introduces_the_device(initiated: bool, code: int) -> None:
    peer = Peer(session(device_tree(), server_initiated=initiated))
    message = peer.hear()
    alert, info = message.commands
    assert isinstance(alert, Alert)
    assert alert.code == code
    assert isinstance(info, Replace)
    assert [i.source for i in info.items] == [
        "./DevInfo/DevId",
        "./DevInfo/Man",
        "./DevInfo/Mod",
        "./DevInfo/DmV",
        "./DevInfo/Lang",
    ]
    assert info.items[0].data == DEVICE.dev_id
    assert message.final
    assert message.header.target == URL
    assert message.header.source == DEVICE.dev_id
    assert message.header.max_msg_size == DEVICE.max_msg_bytes


def test_session_ends_when_a_package_asks_for_nothing() -> None:
    client = session(device_tree())
    peer = Peer(client)
    peer.hear()
    events = peer.say()
    assert events == (ServerAuthenticated("md5"), SessionEnded(0))
    assert client.finished
    assert client.data_to_send() is None


@pytest.mark.parametrize("encoding", ["wbxml", "xml"])
def test_commands_are_answered_in_order_and_carried_out(encoding: str) -> None:
    tree = device_tree()
    before = tree.fork()
    peer = Peer(session(tree), encoding=encoding)  # type: ignore[arg-type]
    answer = peer.ask(
        Replace(10, (item("./Vendor/Name", "new"),)),
        Add(11, (item("./Vendor/Apn", "internet"),)),
        Get(12, (item("./Vendor"),)),
        Get(13, (item("./Vendor/Name"),)),
        Delete(14, (item("./Vendor/Count"),)),
        Copy(15, (Item(target="./Vendor/Copy", source="./Vendor/Apn"),)),
    )
    assert [(s.cmd, s.cmd_ref, s.code) for s in peer.statuses(answer)] == [
        ("SyncHdr", 0, 212),
        ("Replace", 10, 200),
        ("Add", 11, 200),
        ("Get", 12, 200),
        ("Get", 13, 200),
        ("Delete", 14, 200),
        ("Copy", 15, 200),
    ]
    listing, value = results(answer)
    assert (listing.cmd_ref, listing.items[0].data) == (12, "Apn/Count/Name")
    assert listing.items[0].meta is not None
    assert listing.items[0].meta.format == "node"
    assert (value.items[0].source, value.items[0].data) == ("./Vendor/Name", "new")
    assert answer.final
    node = tree.snapshot.get("./Vendor/Name")
    assert node is not None
    assert (node.value, node.kind, node.id, node.at_ms) == (b"new", "server", SERVER, NOW)
    assert tree.snapshot.get("./Vendor/Count") is None
    assert [change.path for change in before.content_diff(tree)] == [
        "./Vendor/Apn",
        "./Vendor/Copy",
        "./Vendor/Count",
        "./Vendor/Name",
    ]
    assert peer.say() == (SessionEnded(6),)


@pytest.mark.parametrize("encoding", ["wbxml", "xml"])
def test_value_that_is_no_text_travels_as_binary(encoding: str) -> None:
    tree = device_tree()
    nodes = [leaf("./Odd/1", b"a\x00b", format="chr"), leaf("./Odd/2", b"\xff", format="chr")]
    tree.adopt("card", "1", nodes, NOW)
    peer = Peer(session(tree), encoding=encoding)  # type: ignore[arg-type]
    answer = peer.ask(Get(1, (item("./Odd/1"), item("./Odd/2"))))
    found = [r.items[0] for r in results(answer)]
    assert [i.payload for i in found] == [b"a\x00b", b"\xff"]
    assert [i.meta.format for i in found if i.meta is not None] == ["bin", "bin"]
    document = results(peer.ask(Get(2, (item("./Odd?list=TNDS"),))))[0].items[0].element
    assert document is not None
    assert [(n.format, n.value) for n in tnds.read(document, base="./Odd")[1:]] == [
        ("bin", b"a\x00b"),
        ("bin", b"\xff"),
    ]


def test_what_is_not_permitted_is_refused_command_by_command() -> None:
    tree = device_tree()
    peer = Peer(session(tree))
    assert peer.codes(
        Get(1, (item("./Other/Key"),)),
        Replace(2, (item("./Other/Key", "mine"),)),
        Replace(3, (item("./DevInfo/Man", "x"),)),
        Delete(4, (item("./DevDetail"),)),
        Get(5, (item("./Nowhere"),)),
        Get(6, (item("./Inbox"),)),
        Add(7, (item("./Vendor/Name", "x"),)),
        Get(8, (item("./Vendor/Name?prop=Colour"),)),
        Add(9, (item("./Vendor/" + "x" * 128, "x"),)),
        Replace(10, (item("./Vendor/Count", "many"),)),
        Get(11),
        Get(12, (Item(),)),
    ) == [
        ("Get", 425),
        ("Replace", 425),
        ("Replace", 405),
        ("Delete", 405),
        ("Get", 404),
        ("Get", 405),
        ("Add", 418),
        ("Get", 406),
        ("Add", 414),
        ("Replace", 415),
        ("Get", 412),
        ("Get", 412),
    ]
    assert tree.layer("server", SERVER) is None


def test_exec_of_a_card_update_is_an_order_kept_in_memory() -> None:
    client = session(device_tree())
    peer = Peer(client)
    update = Item(target="./Card/8949/Update", data=b"\x11\x22345678", meta=Meta(format="bin"))
    assert peer.codes(
        Exec(1, (update,), correlator="c-7"),
        Exec(2, (item("./Vendor/Name"),)),
        Exec(3, (item("./Card/nope/Update"),)),
    ) == [("Exec", 202), ("Exec", 406), ("Exec", 404)]
    (order,) = client.execs
    assert (order.path, order.server_id, order.correlator) == ("./Card/8949/Update", SERVER, "c-7")
    assert order.key is not None
    assert order.key.expose() == b"\x11\x22345678"
    assert "\\x11" not in repr(order)
    assert "1122" not in repr(order)


def test_reports_travel_in_package_1_and_are_acknowledged() -> None:
    report = Report((Said(".", "200"), Said("./Card/8949", "200 AAAA")), correlator="c-7")
    failed = Report((Said(".", "500 CARD_LOST", Mark.CRITICAL),))
    client = session(device_tree(), reports=(report, failed))
    peer = Peer(client)
    message = peer.hear()
    first, second = (c for c in message.commands if isinstance(c, Alert) and c.code == 1226)
    assert [(i.source, i.data) for i in first.items] == [(".", "200"), ("./Card/8949", "200 AAAA")]
    assert first.correlator == "c-7"
    meta = first.items[0].meta
    assert meta is not None
    assert (meta.format, meta.mark) == ("chr", "informational")
    # DM Protocol 1.2 §8.7.1.6: the namespace is part of the type.
    assert meta.type == "Reversed-Domain-Name: org.cardea.install"
    assert second.items[0].meta is not None
    assert second.items[0].meta.mark == "critical"
    events = peer.say()
    assert events == (
        ServerAuthenticated("md5"),
        ReportAnswered(report, 200, True),
        ReportAnswered(failed, 200, True),
        SessionEnded(0),
    )
    assert client.reports_acknowledged == (report, failed)


def test_reports_in_several_messages_are_told_apart() -> None:
    reports = tuple(Report((Said(".", str(number) * 400),)) for number in range(3))
    client = session(device_tree(), reports=reports)
    peer = Peer(client, max_msg_size=1200)
    peer.hear()
    # The server states its limit with the challenge: package 1, said again, takes several.
    challenge = Chal(auth.MD5, next_nonce=b"c1")
    peer.say(header_status=401, chal=challenge, cred=False)
    peer.asking = lambda _: []  # type: ignore[method-assign,assignment]
    while not client.finished:
        message = peer.hear()
        alerts = [c for c in message.commands if isinstance(c, Alert) and c.code == 1226]
        codes = [415 if alert.items[0].data == reports[0].said[0].data else 200 for alert in alerts]
        peer.say(
            *(
                Status(9, message.header.msg_id, alert.cmd_id, "Alert", code)
                for alert, code in zip(alerts, codes, strict=True)
            ),
            header_status=200,
            chal=challenge,
        )
    assert len(peer.got) > 3
    assert client.reports_acknowledged == reports[1:]


def test_a_device_that_is_known_and_not_wanted_is_told_so() -> None:
    client = session(device_tree())
    peer = Peer(client)
    peer.hear()
    with pytest.raises(CredentialsRefused) as caught:
        peer.say(header_status=403)
    assert (caught.value.reason, caught.value.facts) == ("forbidden", {"status": 403})


def test_reports_that_a_stranger_answered_are_sent_again_and_acknowledged() -> None:
    reports = tuple(Report((Said(".", str(number) * 400),)) for number in range(3))
    client = session(device_tree(), reports=reports)
    peer = Peer(client, max_msg_size=1200)
    peer.hear()
    challenge = Chal(auth.MD5, next_nonce=b"c1")
    peer.say(header_status=401, chal=challenge, cred=False)
    peer.hear()
    # The rest of package 1 waits still when the server does not show its credentials.
    peer.say(header_status=200, chal=challenge, cred=False)
    assert client.reports_acknowledged == ()
    while not client.finished:
        peer.hear()
        peer.say(header_status=200, chal=challenge)
    assert client.reports_acknowledged == reports


def test_a_refused_report_is_not_acknowledged() -> None:
    report = Report((Said(".", "200"),))
    client = session(device_tree(), reports=(report,))
    peer = Peer(client)
    message = peer.hear()
    alert = next(c for c in message.commands if isinstance(c, Alert) and c.code == 1226)
    peer.asking = lambda _: []  # type: ignore[method-assign,assignment]
    events = peer.say(Status(9, 1, alert.cmd_id, "Alert", 415))
    assert ReportAnswered(report, 415, False) in events
    assert client.reports_acknowledged == ()


def test_commands_done_says_what_became_of_each_target() -> None:
    client = session(device_tree())
    Peer(client).ask(
        Replace(1, (item("./Vendor/Name", "x"), item("./Nowhere", "y"))),
        Get(2, (item("./Other/Key"),)),
    )
    assert client.commands_done == (
        CommandDone("Replace", "./Vendor/Name", 200),
        CommandDone("Replace", "./Nowhere", 404),
        CommandDone("Get", "./Other/Key", 425),
    )


def test_session_follows_the_address_given_for_the_next_message() -> None:
    from dataclasses import replace

    peer = Peer(session(device_tree()))
    peer.hear()
    moved = "https://node2.example.org/dm?s=1"
    peer.say(Get(1, (item("./Vendor/Name"),)), header=lambda h: replace(h, resp_uri=moved))
    peer.hear()
    assert peer.sent[-1].url == moved
    assert peer.got[-1].header.target == URL


def test_session_does_not_leave_tls_for_another_address() -> None:
    from dataclasses import replace

    peer = Peer(session(device_tree()))
    peer.hear()
    with pytest.raises(DmProtocolError) as caught:
        peer.say(header=lambda h: replace(h, resp_uri="http://dm.example.org/dm"))
    assert caught.value.reason == "resp_uri"


def test_resp_uri_that_is_no_address_is_an_error_of_the_protocol() -> None:
    from dataclasses import replace

    peer = Peer(session(device_tree()))
    peer.hear()
    with pytest.raises(DmProtocolError) as caught:
        peer.say(header=lambda h: replace(h, resp_uri="https://[::1"))
    assert caught.value.reason == "resp_uri"


def test_abort_by_the_server_ends_the_session_with_an_error() -> None:
    client = session(device_tree())
    peer = Peer(client)
    peer.hear()
    with pytest.raises(SessionAborted):
        peer.say(Alert(1, 1223))
    assert client.finished
    assert client.data_to_send() is None


@pytest.mark.parametrize(
    ("body", "type", "reason"),
    [
        (b"", "application/vnd.syncml.dm+wbxml", "malformed"),
        (b"\x02\x00\x00\x6a", "application/vnd.syncml.dm+wbxml", "malformed"),
        (b"<html>busy</html>", "text/html", "content_type"),
        (b"<html>busy</html>", "application/vnd.syncml.dm+xml", "not_syncml"),
    ],
)
def test_an_answer_that_is_no_dm_message_is_a_protocol_error(
    body: bytes, type: str, reason: str
) -> None:
    client = session(device_tree())
    client.data_to_send()
    with pytest.raises(DmProtocolError) as caught:
        client.receive(body, type, {}, NOW)
    assert caught.value.reason == reason
    assert client.finished


def test_header_of_another_session_is_a_protocol_error() -> None:
    from dataclasses import replace

    peer = Peer(session(device_tree()))
    peer.hear()
    with pytest.raises(DmProtocolError) as caught:
        peer.say(header=lambda h: replace(h, session_id="2"))
    assert caught.value.reason == "session_id"


def test_repeated_message_id_is_a_protocol_error() -> None:
    peer = Peer(session(device_tree()))
    peer.ask(Get(1, (item("./Vendor"),)))
    peer.msg_id -= 1
    with pytest.raises(DmProtocolError) as caught:
        peer.say()
    assert caught.value.reason == "msg_id"


def test_missing_status_of_the_header_is_a_protocol_error() -> None:
    from dataclasses import replace

    peer = Peer(session(device_tree()))
    peer.hear()
    peer.got[-1] = replace(peer.got[-1], header=replace(peer.got[-1].header, msg_id=7))
    with pytest.raises(DmProtocolError) as caught:
        peer.say()
    assert caught.value.reason == "header_status_missing"


def test_a_server_whose_commands_have_no_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cardd.dm.session.MAX_COMMANDS", 50)
    peer = Peer(session(device_tree()))
    commands = [Get(number, (item("./Vendor/Name"),)) for number in range(100, 125)]
    peer.ask(*commands)
    peer.ask(*commands)
    with pytest.raises(DmProtocolError) as caught:
        peer.ask(*commands)
    assert caught.value.reason == "session_without_end"


def test_a_server_without_end_is_stopped() -> None:
    client = session(device_tree())
    peer = Peer(client)
    peer.hear()

    def for_ever() -> None:
        for _ in range(1001):
            peer.say(Alert(1, 1222), final=False)
            peer.hear()

    with pytest.raises(DmProtocolError) as caught:
        for_ever()
    assert caught.value.reason == "session_without_end"
