"""Documents on a card: ordered once, by packets or with ADM1, and never after a refusal."""

import base64

import pytest
from cardea_core import Secret
from dmsd.inputs import parse_subscriber
from dmsd.registry import CardKey, NetworkAccount, OtaKeys
from dmsd.registry.subscribers import MOST_COUNTER
from dmsd.session_cards import SessionCards
from omadm.downloads import downloads
from omadm.messages import Alert, Exec, Item, Meta, Replace
from omadm.status import AlertCode, StatusCode
from softcard import SoftCard

from .conftest import DEVICE, Bench
from .device import Device, Node
from .usim import IMPI, SUBSCRIBER

ICCID = "8949000000000000017"
OID = "2.23.43.5.1"
BASE = f"./Card/{ICCID}"
ADM1 = b"12345678"
OLD, NEW = b"\x03\x0b\x6a\x00old", b"\x03\x0b\x6a\x00newer"


@pytest.fixture
def device(bench: Bench) -> Device:
    bench.add_account()
    bench.registry.subscribers.put_card(CardKey(ICCID, Secret(ADM1)))
    bench.desire(card={OID: base64.b64encode(NEW).decode()})
    made = bench.device()
    made.nodes = {
        f"{BASE}/ICCID": Node(ICCID.encode()),
        f"{BASE}/Files/1/OID": Node(b"2.23.43.5.2"),
        f"{BASE}/Files/1/Size": Node(b"100", "int"),
        f"{BASE}/Files/1/Data": Node(b"another", "bin"),
        f"{BASE}/Files/2/OID": Node(OID.encode()),
        f"{BASE}/Files/2/Size": Node(b"100", "int"),
        f"{BASE}/Files/2/Data": Node(OLD + b"\xff" * 10, "bin"),
        f"{BASE}/Update": Node(b"", "null"),
    }
    return made


def report(device: Device, data: str, correlator: str, *, of_device: str | None = None) -> None:
    """What became of the card; ``of_device``: and of the device."""
    meta = Meta(type="org.cardea.install", format="chr")
    items = [Item(source=BASE, meta=meta, data=data)]
    if of_device is not None:
        items.insert(0, Item(source=".", meta=meta, data=of_device))
    device.alerts = [Alert(0, AlertCode.GENERIC, tuple(items), correlator=correlator)]


def test_an_obsolete_document_is_replaced_and_the_card_update_ordered(
    bench: Bench, device: Device
) -> None:
    device.run()
    assert device.nodes[f"{BASE}/Files/2/Data"].value == NEW
    assert device.nodes[f"{BASE}/Files/1/Data"].value == b"another"
    [(path, key, correlator)] = device.executed
    assert (path, key) == (f"{BASE}/Update", ADM1)
    assert correlator == f"{bench.last_session().id}-1"
    assert bench.last_session().outcome == "converged"
    assert [(o.state, o.iccid) for o in bench.registry.journal.orders(DEVICE)] == [
        ("accepted", ICCID)
    ]


def test_the_update_is_ordered_only_after_the_content_was_taken(
    bench: Bench, device: Device
) -> None:
    device.refusals["Replace", f"{BASE}/Files/2/Data"] = StatusCode.DEVICE_FULL
    device.run()
    assert device.executed == []
    assert bench.last_session().outcome == "partial"


def test_a_card_that_is_up_to_date_is_left_alone(bench: Bench, device: Device) -> None:
    device.nodes[f"{BASE}/Files/2/Data"].value = NEW + b"\xff" * 60
    device.run()
    assert device.executed == []
    assert not any(isinstance(c, Replace | Exec) for m in device.seen for c in m.commands)


def test_without_card_nothing_is_ordered(bench: Bench, device: Device) -> None:
    device.nodes.clear()
    device.run()
    assert bench.last_session().outcome == "converged"


def test_a_card_is_found_by_its_number_where_cards_may_not_be_listed(
    bench: Bench, device: Device
) -> None:
    device.refusals["Get", "./Card"] = StatusCode.PERMISSION_DENIED
    bench.registry.subscribers.put_card(CardKey("8949000000000000025", Secret(ADM1)))
    device.run()
    assert device.nodes[f"{BASE}/Files/2/Data"].value == NEW
    assert len(device.executed) == 1
    assert bench.last_session().outcome == "converged"


def test_without_the_key_of_the_card_nothing_is_ordered(bench: Bench, device: Device) -> None:
    bench.registry.database.run("DELETE FROM cards")
    device.run()
    assert device.executed == []
    assert device.nodes[f"{BASE}/Files/2/Data"].value == OLD + b"\xff" * 10
    assert bench.last_session().outcome == "partial"


def test_a_document_larger_than_its_file_is_not_sent(bench: Bench, device: Device) -> None:
    device.nodes[f"{BASE}/Files/2/Size"].value = b"5"
    device.run()
    assert device.executed == []
    assert bench.last_session().outcome == "partial"


def test_a_document_for_another_card_is_not_sent(bench: Bench, device: Device) -> None:
    bench.desire(cards={"8949000000000000025": {OID: base64.b64encode(NEW).decode()}})
    device.run()
    assert device.executed == []


def test_a_document_of_this_card_goes_before_one_of_any_card(bench: Bench, device: Device) -> None:
    own = b"\x03\x0b\x6a\x00own"
    bench.desire(
        card={OID: base64.b64encode(NEW).decode()},
        cards={ICCID: {OID: base64.b64encode(own).decode()}},
    )
    device.run()
    assert device.nodes[f"{BASE}/Files/2/Data"].value == own


def test_a_report_of_success_closes_the_order(bench: Bench, device: Device) -> None:
    device.run()
    report(device, "200", device.executed[0][2] or "")
    device.run()
    assert [o.state for o in bench.registry.journal.orders(DEVICE)] == ["done"]
    assert len(device.executed) == 1


@pytest.mark.parametrize(
    "reason", ["CREDENTIAL_REJECTED", "RETRY_FLOOR", "READ_BACK_DIFFERS", "NEVER_HEARD_OF"]
)
def test_a_failed_order_is_not_given_again(bench: Bench, device: Device, reason: str) -> None:
    device.run()
    report(device, f"500 {reason}", device.executed[0][2] or "")
    for _ in range(3):
        device.nodes[f"{BASE}/Files/2/Data"].value = OLD
        device.run()
    assert len(device.executed) == 1
    [order] = bench.registry.journal.orders(DEVICE)
    assert (order.state, order.reason) == ("failed", reason)
    assert bench.last_session().outcome == "partial"


def test_a_failed_order_is_given_again_once_the_operator_has_spoken(
    bench: Bench, device: Device
) -> None:
    device.run()
    report(device, "500 CREDENTIAL_REJECTED", device.executed[0][2] or "")
    device.nodes[f"{BASE}/Files/2/Data"].value = OLD
    device.run()
    bench.desire(card={OID: base64.b64encode(NEW).decode()})
    device.run()
    assert len(device.executed) == 2


@pytest.mark.parametrize("reason", ["CARD_LOST", "CARD_TOOLKIT_BUSY", "STORE_UNAVAILABLE"])
def test_an_order_lost_to_circumstance_is_given_again_in_a_later_session(
    bench: Bench, device: Device, reason: str
) -> None:
    device.run()
    report(device, f"500 {reason}", device.executed[0][2] or "")
    device.nodes[f"{BASE}/Files/2/Data"].value = OLD
    device.run()
    assert len(device.executed) == 1, "not in the session that reports it"
    device.run()
    assert len(device.executed) == 2
    assert device.executed[0][2] != device.executed[1][2]


def test_another_device_cannot_close_an_order(bench: Bench, device: Device) -> None:
    device.run()
    correlator = device.executed[0][2] or ""
    assert not bench.registry.journal.order_state(correlator, "IMEI:0", "done", "", 0)


def test_a_refused_order_counts_as_failed(bench: Bench, device: Device) -> None:
    device.refusals["Exec", f"{BASE}/Update"] = StatusCode.PERMISSION_DENIED
    device.run()
    [order] = bench.registry.journal.orders(DEVICE)
    assert (order.state, order.reason) == ("failed", "STATUS_425")


def test_the_key_of_the_card_is_in_no_record(bench: Bench, device: Device) -> None:
    device.run()
    everything = "".join(
        str(tuple(row))
        for table in ("commands", "reports", "sessions", "card_orders", "settled", "devices")
        for row in bench.registry.database.rows(f"SELECT * FROM {table}")
    )
    assert ADM1.decode() not in everything
    assert ADM1.hex() not in everything


def test_the_key_of_a_subscribers_card_goes_only_to_the_subscribers_devices(
    bench: Bench, device: Device
) -> None:
    bench.registry.subscribers.put(parse_subscriber(SUBSCRIBER)[0])
    bench.registry.subscribers.put_card(CardKey(ICCID, Secret(ADM1), IMPI))
    device.run()
    assert not device.executed
    assert device.nodes[f"{BASE}/Files/2/Data"].value == OLD + b"\xff" * 10

    bench.registry.devices.put_account(NetworkAccount(0, DEVICE, IMPI), 0)
    device.run()
    assert [path for path, _, _ in device.executed] == [f"{BASE}/Update"]


def test_a_late_report_changes_no_order_that_has_ended(bench: Bench, device: Device) -> None:
    device.run()
    correlator = device.executed[0][2] or ""
    for words in ("500 CREDENTIAL_REJECTED", "200", "500 CARD_LOST"):
        report(device, words, correlator)
        device.run()
        [order] = bench.registry.journal.orders(DEVICE)
        assert (order.state, order.reason) == ("failed", "CREDENTIAL_REJECTED")
        assert not bench.registry.journal.order_state(correlator, DEVICE, "accepted", "", 0)
    told = [row.data for row in bench.registry.journal.reports(DEVICE)]
    assert told == ["500 CARD_LOST", "200", "500 CREDENTIAL_REJECTED"], "but all are kept"


def test_an_order_without_a_status_waits_for_its_report(bench: Bench, device: Device) -> None:
    device.refusals["Exec", f"{BASE}/Update"] = 0
    device.run()
    [order] = bench.registry.journal.orders(DEVICE)
    assert (order.state, order.reason) == ("ordered", "")
    report(device, "200", order.correlator)
    device.run()
    assert bench.registry.journal.orders(DEVICE)[0].state == "done"


# -- by packets


KIC, KID = b"OTA-KIC-00000001", b"OTA-KID-00000001"
OTA = OtaKeys(0x12, Secret(KIC), 0x12, Secret(KID), b"\xb0\x00\x10", 41)


@pytest.fixture
def packets(bench: Bench, device: Device) -> Device:
    """The server has both keys of the card, and the device tells where files lie."""
    bench.registry.subscribers.put_card(CardKey(ICCID, Secret(ADM1), ota=OTA))
    device.nodes[f"{BASE}/Files/2/Path"] = Node(b"3F00/7F50/6432")
    return device


def obeyed(device: Device) -> str:
    """What the last packets do to a card of another make, and what it answers: a report's words."""
    card = SoftCard.from_profile("operator", overrides={"ota": {"kic": KIC, "kid": KID}})
    size = int(device.nodes[f"{BASE}/Files/2/Size"].value or b"")
    card.write_file("Config1", OLD.ljust(size, b"."))
    card.transmit(bytes.fromhex("801000000113"))
    words = []
    for each in downloads(device.executed[-1][1]):
        answer = card.transmit(b"\x80\xc2\x00\x00" + bytes([len(each)]) + each)
        if answer[-2] == 0x61:
            found = card.transmit(b"\x00\xc0\x00\x00" + answer[-1:])[:-2]
            words.append(base64.b64encode(found).decode())
    assert card.read_file("Config1").rstrip(b"\xff") == NEW
    return " ".join(words)


def test_a_card_with_keys_for_packets_is_written_by_them_and_its_adm1_stays_here(
    bench: Bench, packets: Device
) -> None:
    packets.run()
    [(path, data, correlator)] = packets.executed
    assert path == f"{BASE}/Packets"
    assert packets.nodes[f"{BASE}/Files/2/Data"].value == NEW
    for secret in (ADM1, KIC, KID):
        assert secret not in data
    assert obeyed(packets)
    [order] = bench.registry.journal.orders(DEVICE)
    assert (order.state, order.first_counter, order.packets) == ("accepted", 42, 1)
    assert order.correlator == correlator


def test_an_order_by_packets_is_done_when_the_card_says_so(bench: Bench, packets: Device) -> None:
    packets.run()
    report(packets, f"200 {obeyed(packets)}", packets.executed[0][2] or "")
    packets.run()
    [order] = bench.registry.journal.orders(DEVICE)
    assert (order.state, order.reason) == ("done", "")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("200", "NO_PROOF"),
        ("200 AAAA", "FALSE_PROOF"),
        ("200 *", "FALSE_PROOF"),
        ("500", "UNKNOWN"),
        ("500 CARD_LOST", "CARD_LOST"),
        ("500 READ_BACK_DIFFERS", "READ_BACK_DIFFERS"),
        ("500 READ_BACK_DIFFERS AAAA", "READ_BACK_DIFFERS FALSE_PROOF"),
    ],
)
def test_without_the_card_s_word_no_order_by_packets_is_done(
    bench: Bench, packets: Device, words: str, reason: str
) -> None:
    packets.run()
    report(packets, words, packets.executed[0][2] or "")
    packets.run()
    [order] = bench.registry.journal.orders(DEVICE)
    assert (order.state, order.reason) == ("failed", reason)


@pytest.mark.parametrize("reason", ["PARTLY_INSTALLED", "RENDERING_FAILED", "CARD_LOST"])
@pytest.mark.parametrize("apart", [True, False], ids=["apart", "of both at once"])
def test_what_the_card_has_proved_is_done_whatever_became_of_the_device(
    bench: Bench, packets: Device, reason: str, apart: bool
) -> None:
    packets.run()
    words, correlator = obeyed(packets), packets.executed[0][2] or ""
    if apart:
        report(packets, f"200 {words}", correlator, of_device=f"500 {reason}")
    else:
        report(packets, f"500 {reason} {words}", correlator)
    packets.run()
    [order] = bench.registry.journal.orders(DEVICE)
    assert (order.state, order.reason) == ("done", reason)


def test_what_the_device_says_that_the_card_has_is_ordered_until_the_card_has_proved_it(
    bench: Bench, packets: Device
) -> None:
    """It was cut off between the card and its report."""
    packets.run()
    for _ in range(2):
        packets.run()
    assert len(packets.executed) == 3
    report(packets, f"200 {obeyed(packets)}", packets.executed[-1][2] or "")
    packets.run()
    packets.run()
    states = [order.state for order in bench.registry.journal.orders(DEVICE)]
    assert states == ["done", "accepted", "accepted"]
    assert bench.last_session().outcome == "converged"


def test_a_device_that_never_reports_does_not_wear_its_card_out(
    bench: Bench, packets: Device
) -> None:
    for _ in range(6):
        packets.run()
    assert len(packets.executed) == 3
    assert bench.last_session().outcome == "converged"


@pytest.mark.parametrize("words", ["500 CREDENTIAL_REJECTED", "200 AAAA"])
def test_what_failed_for_good_is_not_ordered_to_be_proved(
    bench: Bench, packets: Device, words: str
) -> None:
    packets.run()
    report(packets, words, packets.executed[0][2] or "")
    packets.run()
    packets.run()
    assert len(packets.executed) == 1
    assert bench.last_session().outcome == "converged"


def test_what_was_ordered_with_adm1_needs_no_proof(bench: Bench, device: Device) -> None:
    device.run()
    device.run()
    assert len(device.executed) == 1


def test_a_card_that_proves_what_does_not_read_back_is_not_done(
    bench: Bench, packets: Device
) -> None:
    packets.run()
    words = obeyed(packets)
    report(packets, f"500 READ_BACK_DIFFERS {words}", packets.executed[0][2] or "")
    packets.run()
    [order] = bench.registry.journal.orders(DEVICE)
    assert (order.state, order.reason) == ("failed", "READ_BACK_DIFFERS")


@pytest.mark.parametrize(
    ("card", "of_device", "state", "reason"),
    [
        ("200", "500 PARTLY_INSTALLED", "done", "PARTLY_INSTALLED"),
        ("500 NOT_IN_FORCE", "200", "failed", "NOT_IN_FORCE"),
        ("500 NOT_IN_FORCE", "500 PARTLY_INSTALLED", "failed", "NOT_IN_FORCE"),
    ],
)
def test_an_order_is_about_the_card_and_not_about_the_device(
    bench: Bench, device: Device, card: str, of_device: str, state: str, reason: str
) -> None:
    device.run()
    report(device, card, device.executed[0][2] or "", of_device=of_device)
    device.run()
    [order] = bench.registry.journal.orders(DEVICE)
    assert (order.state, order.reason) == (state, reason)
    told = {row.source: row.data for row in bench.registry.journal.reports(DEVICE)}
    assert told == {".": of_device, BASE: card}


def test_the_proof_of_another_order_is_none(bench: Bench, packets: Device) -> None:
    packets.run()
    first = obeyed(packets)
    report(packets, "500 CARD_LOST", packets.executed[0][2] or "")
    packets.nodes[f"{BASE}/Files/2/Data"].value = OLD
    packets.run()
    packets.run()
    assert len(packets.executed) == 2
    report(packets, f"200 {first}", packets.executed[1][2] or "")
    packets.run()
    states = [(o.first_counter, o.state, o.reason) for o in bench.registry.journal.orders(DEVICE)]
    assert sorted(states) == [(42, "failed", "CARD_LOST"), (43, "failed", "FALSE_PROOF")]


def test_a_proof_needs_the_keys_it_was_made_with(bench: Bench, packets: Device) -> None:
    packets.run()
    words = obeyed(packets)
    bench.registry.subscribers.put_card(CardKey(ICCID, Secret(ADM1)))
    report(packets, f"200 {words}", packets.executed[0][2] or "")
    packets.run()
    assert bench.registry.journal.orders(DEVICE)[0].reason == "NO_KEYS"


def test_counters_are_spent_before_the_packets_leave(bench: Bench, packets: Device) -> None:
    packets.refusals["Exec", f"{BASE}/Packets"] = StatusCode.PERMISSION_DENIED
    packets.run()
    card = bench.registry.subscribers.card(ICCID)
    assert card is not None
    assert card.ota is not None
    assert card.ota.counter == 42


def test_an_order_without_counters_left_fails_and_the_session_goes_on(
    bench: Bench, packets: Device
) -> None:
    bench.registry.subscribers.raise_counters(MOST_COUNTER - 41)
    for _ in range(2):
        packets.nodes[f"{BASE}/Files/2/Data"].value = OLD
        packets.run()
        assert bench.last_session().outcome == "partial"
    assert packets.executed == []
    [order] = bench.registry.journal.orders(DEVICE)
    assert (order.state, order.reason, order.packets) == ("failed", "NO_COUNTERS_LEFT", 0)


@pytest.mark.parametrize(
    "card",
    [
        {"iccid": ICCID, "adm1": "00" * 8, "impi": IMPI},
        {"iccid": ICCID, "ota": {"tar": "B00010", "kic": "11" * 16, "kid": "22" * 16}},
        None,
    ],
    ids=["another's", "packets without a path", "removed"],
)
def test_a_card_that_an_operator_changes_in_the_middle_of_a_session_is_not_written(
    bench: Bench, device: Device, monkeypatch: pytest.MonkeyPatch, card: dict[str, object] | None
) -> None:
    bench.registry.subscribers.put(parse_subscriber(SUBSCRIBER)[0])
    order = SessionCards.order

    def meanwhile(*arguments: object) -> object:
        if card is None:
            bench.call("DELETE", "cards", ICCID)
        else:
            bench.call("POST", "cards", body=card)
        return order(*arguments)  # type: ignore[arg-type]  # handed on

    monkeypatch.setattr(SessionCards, "order", meanwhile)
    device.run()
    assert bench.last_session().outcome == "partial"
    assert device.executed == []
    assert bench.registry.journal.orders(DEVICE) == ()


def test_a_file_without_a_path_is_not_written_with_adm1_instead(
    bench: Bench, packets: Device
) -> None:
    del packets.nodes[f"{BASE}/Files/2/Path"]
    packets.run()
    assert packets.executed == []
    assert bench.last_session().outcome == "partial"


@pytest.mark.parametrize("size", [None, b"", b"long"])
def test_a_file_without_a_size_is_not_written_by_packets(
    bench: Bench, packets: Device, size: bytes | None
) -> None:
    """It is written from end to end, and nobody else says where that is."""
    if size is None:
        del packets.nodes[f"{BASE}/Files/2/Size"]
    else:
        packets.nodes[f"{BASE}/Files/2/Size"].value = size
    packets.run()
    assert packets.executed == []
    assert bench.last_session().outcome == "partial"


def test_packets_cover_the_file_whatever_the_device_says_that_it_contains(packets: Device) -> None:
    packets.nodes[f"{BASE}/Files/2/Size"].value = b"1024"
    packets.nodes[f"{BASE}/Files/2/Data"].value = b""
    packets.run()
    assert obeyed(packets)


def test_no_key_for_packets_is_in_a_record(bench: Bench, packets: Device) -> None:
    packets.run()
    report(packets, f"200 {obeyed(packets)}", packets.executed[0][2] or "")
    packets.run()
    everything = "".join(
        str(tuple(row))
        for table in ("commands", "reports", "sessions", "card_orders", "settled", "devices")
        for row in bench.registry.database.rows(f"SELECT * FROM {table}")
    )
    for secret in (ADM1, KIC, KID):
        assert secret.decode() not in everything
        assert secret.hex() not in everything
    listed = str(bench.call("GET", "cards"))
    assert "packets" in listed
    assert KIC.hex() not in listed
