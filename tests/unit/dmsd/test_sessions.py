"""Many sessions at once, messages sent twice, silence, and hostile order of things."""

from dataclasses import replace

import pytest
from dmsd.registry import Registry
from dmsd.session import Limits
from dmsd.sessions import Arrival, DmServer, MessageRefusedError, SessionLimits, lane_of
from omadm import auth, codec
from omadm.messages import (
    Alert,
    Atomic,
    Command,
    Copy,
    Get,
    Header,
    Item,
    Message,
    Meta,
    Replace,
    Results,
    Sequence,
    Status,
)
from omadm.status import AlertCode

from .conftest import DEVICE, Bench
from .device import URL, Device, Got, Node, Sent

LIMITS = SessionLimits(sessions=3, idle_ms=10_000, challenge_idle_ms=1_000)


@pytest.fixture
def bench(registry: Registry) -> Bench:
    made = Bench(registry, Limits(object=5000), LIMITS)
    made.add_account()
    made.desire(tree={"./A": "1"})
    return made


def send(
    bench: Bench,
    *commands: Command,
    session: str = "1",
    msg_id: int = 1,
    nonce: bytes | None = None,
    url: str = URL,
    final: bool = True,
) -> Message:
    cred = None if nonce is None else auth.md5_credential("device-user", b"client secret", nonce)
    header = Header(session, msg_id, URL, DEVICE, source_name="device-user", cred=cred)
    numbered = tuple(replace(c, cmd_id=i + 1) for i, c in enumerate(commands))
    body = codec.encode(Message(header, numbered, final), encoding="wbxml")
    got = bench.carry(Sent(url, codec.WBXML_TYPE, {}, body))
    return codec.decode(got.body, got.content_type)


def begin(bench: Bench, *more: Command) -> Message:
    opening = Alert(0, AlertCode.CLIENT_INITIATED)
    return send(bench, opening, *more, nonce=b"first client nonce")


def codes(message: Message, name: str) -> list[int]:
    return [c.code for c in message.commands if isinstance(c, Status) and c.cmd == name]


def test_a_message_sent_twice_is_answered_alike_and_done_once(bench: Bench) -> None:
    device = bench.device()
    original = device.transport

    def twice(sent: Sent) -> Got:
        first = original(sent)
        if "?" in sent.url:
            assert original(sent) == first
        return first

    device.transport = twice
    device.run()
    assert bench.statuses() == [("Get", "./A", 404), ("Add", "./A", 200)]


def test_a_session_that_has_ended_is_not_under_way_though_its_answer_is_kept(bench: Bench) -> None:
    send(bench, Alert(0, AlertCode.CLIENT_INITIATED), session="9")
    assert bench.server.under_way == 1
    bench.device().run()
    assert bench.server.under_way == 1
    assert len(bench.server) == 2


def test_an_older_message_is_refused(bench: Bench) -> None:
    message = begin(bench)
    url = message.header.resp_uri or ""
    send(bench, Alert(0, AlertCode.NEXT_MESSAGE), msg_id=5, url=url, final=False)
    with pytest.raises(MessageRefusedError, match="msg_id_not_increasing"):
        send(bench, Alert(0, AlertCode.NEXT_MESSAGE), msg_id=4, url=url)


def test_a_token_does_not_serve_another_session(bench: Bench) -> None:
    url = begin(bench).header.resp_uri or ""
    with pytest.raises(MessageRefusedError, match="session_mismatch"):
        send(bench, Alert(0, AlertCode.NEXT_MESSAGE), session="2", msg_id=2, url=url)


def test_a_silent_session_expires_and_is_recorded(bench: Bench) -> None:
    url = begin(bench).header.resp_uri or ""
    bench.now_ms += LIMITS.idle_ms + 1
    with pytest.raises(MessageRefusedError, match="session_unknown"):
        send(bench, Alert(0, AlertCode.NEXT_MESSAGE), msg_id=2, url=url)
    session = bench.last_session()
    assert session.outcome == "expired"
    assert [(c.path, c.status) for c in bench.registry.journal.commands()] == [("./A", 0)]


def test_a_challenged_stranger_expires_sooner(bench: Bench) -> None:
    send(bench, Alert(0, AlertCode.CLIENT_INITIATED))
    assert len(bench.server) == 1
    assert bench.server.expire(bench.now_ms + LIMITS.challenge_idle_ms + 1) == 1


def test_strangers_make_room_and_known_devices_stay(bench: Bench) -> None:
    begin(bench)
    for session in range(2, 12):
        send(bench, Alert(0, AlertCode.CLIENT_INITIATED), session=str(session))
    assert len(bench.server) == LIMITS.sessions
    assert bench.last_session().ended_ms is None


def test_a_server_full_of_known_devices_says_so(bench: Bench) -> None:
    for session in range(LIMITS.sessions):
        account = bench.registry.devices.account_of_user("device-user", DEVICE)
        assert account is not None
        send(
            bench,
            Alert(0, AlertCode.CLIENT_INITIATED),
            session=str(session),
            nonce=account.client_nonce,
        )
    with pytest.raises(MessageRefusedError) as refused:
        send(bench, Alert(0, AlertCode.CLIENT_INITIATED), session="9")
    assert refused.value.http_status == 503


def test_statuses_for_commands_never_sent_are_ignored(bench: Bench) -> None:
    url = begin(bench).header.resp_uri or ""
    stray = [Status(0, ref, cmd, "Add", 200) for ref in (0, 1, 7) for cmd in (1, 2, 99)]
    message = send(bench, *stray, msg_id=2, url=url)
    assert bench.statuses()[0] == ("Get", "./A", 0)
    assert message.final


def test_results_nobody_asked_for_are_ignored(bench: Bench) -> None:
    url = begin(bench).header.resp_uri or ""
    item = Item(source="./A", meta=Meta(format="chr"), data="evil")
    send(bench, Results(0, 1, 77, (item,)), Results(0, 9, 3), msg_id=2, url=url)
    assert bench.last_session().outcome == "partial"


def test_commands_that_only_servers_give_are_refused_one_by_one(bench: Bench) -> None:
    target = (Item(target="./A"),)
    message = begin(
        bench,
        Get(0, target),
        Copy(0, target),
        Atomic(0, (Replace(1, target),)),
        Sequence(0, (Get(1, target),)),
        Replace(0, (Item(source="./Elsewhere", data="x"),)),
        Alert(0, 1101),
    )
    assert codes(message, "Get") == [405]
    assert codes(message, "Copy") == [405]
    assert codes(message, "Atomic") == [405]
    assert codes(message, "Sequence") == [405]
    assert codes(message, "Replace") == [405]
    assert codes(message, "Alert") == [200, 406]


def report(data: str, *, size: int | None = None, more: bool = False) -> Alert:
    meta = Meta(type="org.example", format="chr", size=size)
    return Alert(0, AlertCode.GENERIC, (Item(source=".", meta=meta, data=data, more_data=more),))


def test_a_report_in_pieces_is_put_together(bench: Bench) -> None:
    url = URL
    message = begin(bench, report("one ", size=13, more=True))
    assert codes(message, "Alert") == [200, 213]
    url = message.header.resp_uri or ""
    message = send(bench, report("two ", more=True), msg_id=2, url=url, final=False)
    message = send(bench, report("three"), msg_id=3, url=url, final=False)
    assert codes(message, "Alert") == [200]
    assert [r.data for r in bench.registry.journal.reports()] == ["one two three"]


def test_pieces_of_the_wrong_total_are_refused(bench: Bench) -> None:
    message = begin(bench, report("one", size=99, more=True))
    url = message.header.resp_uri or ""
    message = send(bench, report("two"), msg_id=2, url=url, final=False)
    assert codes(message, "Alert") == [424]
    assert bench.registry.journal.reports() == ()


def test_something_else_between_pieces_is_told_by_alert_1225(bench: Bench) -> None:
    message = begin(bench, report("one", size=99, more=True))
    url = message.header.resp_uri or ""
    replace_info = Replace(0, (Item(source="./DevInfo/Man", data="x"),))
    message = send(bench, replace_info, msg_id=2, url=url, final=False)
    assert AlertCode.NO_END_OF_DATA in [c.code for c in message.commands if isinstance(c, Alert)]


def test_an_object_above_the_limit_is_refused(bench: Bench) -> None:
    message = begin(bench, report("x", size=6000, more=True))
    assert codes(message, "Alert") == [200, 413]
    url = message.header.resp_uri or ""
    send(bench, report("x" * 4000, more=True), msg_id=2, url=url, final=False)
    message = send(bench, report("x" * 4000), msg_id=3, url=url, final=False)
    assert codes(message, "Alert") == [413]


def test_a_result_in_pieces_is_put_together(bench: Bench) -> None:
    bench.desire(tree={"./A": "x" * 3000})
    message = begin(bench)
    url = message.header.resp_uri or ""
    [get] = [c for c in message.commands if isinstance(c, Get)]

    def piece(data: str, *, size: int | None = None, more: bool = False) -> Results:
        meta = Meta(format="chr", type="text/plain", size=size)
        item = Item(source="./A", meta=meta, data=data, more_data=more)
        return Results(0, 1, get.cmd_id, (item,))

    header = Status(0, 1, 0, "SyncHdr", 212)
    status = Status(0, 1, get.cmd_id, "Get", 200)
    first = piece("x" * 1000, size=3000, more=True)
    message = send(bench, header, status, first, msg_id=2, url=url, final=False)
    assert codes(message, "Results") == [213]
    assert not message.final
    message = send(bench, piece("x" * 1000, more=True), msg_id=3, url=url, final=False)
    message = send(bench, piece("x" * 1000), msg_id=4, url=url)
    assert message.final
    assert bench.last_session().outcome == "converged"


def test_an_alert_that_steers_the_session_does_not_end_an_object(bench: Bench) -> None:
    bench.desire(tree={"./A": "12"})
    message = begin(bench)
    url = message.header.resp_uri or ""
    [get] = [c for c in message.commands if isinstance(c, Get)]
    first = Item(source="./A", meta=Meta(format="chr", size=2), data="1", more_data=True)
    last = replace(first, meta=Meta(format="chr"), data="2", more_data=False)
    header = Status(0, 1, 0, "SyncHdr", 212)
    status = Status(0, 1, get.cmd_id, "Get", 200)
    pieces = [Results(0, 1, get.cmd_id, (item,)) for item in (first, last)]
    send(bench, header, status, pieces[0], msg_id=2, url=url, final=False)
    steering = Alert(0, AlertCode.NEXT_MESSAGE)
    send(bench, Status(0, 2, 0, "SyncHdr", 200), steering, pieces[1], msg_id=3, url=url)
    # What is wanted is there already.
    assert bench.last_session().outcome == "converged"


BROKEN = Item(source="./A", meta=Meta(type="org.example", format="b64"), data="*****")


def test_a_report_that_is_no_base64_is_a_bad_request(bench: Bench) -> None:
    message = begin(bench, Alert(0, AlertCode.GENERIC, (BROKEN,)))
    assert codes(message, "Alert") == [200, 400]


@pytest.mark.parametrize("more", [False, True])
def test_a_result_that_is_no_base64_does_not_stop_the_server(bench: Bench, more: bool) -> None:
    message = begin(bench)
    url = message.header.resp_uri or ""
    [get] = [c for c in message.commands if isinstance(c, Get)]
    answer = Results(0, 1, get.cmd_id, (replace(BROKEN, more_data=more),))
    status = Status(0, 1, get.cmd_id, "Get", 200)
    message = send(bench, status, answer, msg_id=2, url=url)
    assert codes(message, "Results") == [400]
    device = bench.device()
    device.run()
    assert device.nodes["./A"].value == b"1"


def test_an_endless_session_is_aborted(registry: Registry) -> None:
    bench = Bench(registry, Limits(messages_per_session=20))
    bench.add_account()
    bench.desire(tree={"./A": "1"})
    url = begin(bench).header.resp_uri or ""
    alerts: list[int] = []
    for msg_id in range(2, 22):
        last = send(bench, Alert(0, AlertCode.NEXT_MESSAGE), msg_id=msg_id, url=url, final=False)
        alerts = [c.code for c in last.commands if isinstance(c, Alert)]
    assert alerts == [AlertCode.SESSION_ABORT]
    assert bench.last_session().outcome == "too_many_messages"


@pytest.mark.parametrize(
    "header",
    [
        Header("1", 0, URL, DEVICE),
        Header("1", 70000, URL, DEVICE),
        Header("1", 1, URL, ""),
        Header("1", 1, URL, "x" * 300),
        Header("1" * 40, 1, URL, DEVICE),
    ],
)
def test_an_impossible_header_is_a_bad_request(bench: Bench, header: Header) -> None:
    body = codec.encode(Message(header), encoding="xml")
    with pytest.raises(MessageRefusedError) as refused:
        bench.server.receive(Arrival(body, codec.XML_TYPE), bench.now_ms)
    assert refused.value.http_status == 400


def test_every_prefix_and_every_flipped_byte_is_survived(bench: Bench) -> None:
    cred = auth.md5_credential("device-user", b"client secret", b"first client nonce")
    header = Header("1", 1, URL, DEVICE, source_name="device-user", cred=cred)
    alert = Alert(1, AlertCode.CLIENT_INITIATED)
    encodings: tuple[codec.Encoding, ...] = ("wbxml", "xml")
    refusals = set()
    for encoding in encodings:
        body = codec.encode(Message(header, (alert,)), encoding=encoding)
        damaged = [body[:length] for length in range(len(body))]
        for position in range(len(body)):
            damaged.append(body[:position] + bytes([body[position] ^ 0x15]) + body[position + 1 :])
        for one in damaged:
            try:
                bench.server.receive(Arrival(one, codec.content_type(encoding)), bench.now_ms)
            except MessageRefusedError as error:
                refusals.add(error.http_status)
    assert refusals <= {400, 503}
    assert len(bench.server) <= LIMITS.sessions


def test_a_device_that_answers_nothing_ends_the_session(bench: Bench) -> None:
    device: Device = bench.device()
    device.nodes["./A"] = Node(b"0")
    url = begin(bench).header.resp_uri or ""
    message = send(bench, msg_id=2, url=url)
    assert message.final
    assert bench.last_session().outcome == "partial"
    assert bench.statuses() == [("Get", "./A", 0)]


# -- lanes


def test_a_message_is_for_the_lane_of_its_session_or_else_of_its_device() -> None:
    def arrival(device: str, msg_id: int = 1, token: str | None = None) -> Arrival:
        message = Message(Header("1", msg_id, URL, device), (Alert(1, 1201),))
        return Arrival(codec.encode(message, encoding="wbxml"), codec.WBXML_TYPE, token)

    devices = [f"IMEI:{number}" for number in range(64)]
    lanes = [lane_of(arrival(device), 4, 65536) for device in devices]
    assert set(lanes) == {0, 1, 2, 3}
    # A client that ignores RespURI is found again.
    assert lanes == [lane_of(arrival(device, 2), 4, 65536) for device in devices]
    assert [lane_of(arrival("d", 2, f"a.{n}.x"), 4, 65536) for n in range(4)] == [0, 1, 2, 3]
    for token in ("", "a", "a.4.x", "a.-1.x", "a.1e0.x", f"a.{'9' * 5000}.x"):
        assert lane_of(arrival("d", 2, token), 4, 65536) == 0
    assert lane_of(Arrival(b"nonsense", codec.WBXML_TYPE), 4, 65536) == 0


def test_a_session_of_a_lane_has_its_number_in_its_address(registry: Registry) -> None:
    bench = Bench(registry, Limits())
    bench.add_account()
    bench.server = DmServer(bench.settings, url=URL, lane=3)
    device = bench.device()
    device.run()
    urls = {message.header.resp_uri or "" for message in device.seen}
    assert all(url.startswith(f"{URL}?s=a.3.") for url in urls)
