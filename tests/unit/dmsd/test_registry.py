"""The registry, in a file and in PostgreSQL: private, durable, and what it keeps."""

import os
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cardea_core import Secret
from dmsd.config import RegistryConfig
from dmsd.errors import ConflictError, InputError, NotFoundError, RegistryError
from dmsd.inputs import parse_account, parse_card, parse_raise, parse_subscriber
from dmsd.registry import (
    CardKey,
    CardOrder,
    CommandRow,
    CredentialAccount,
    NetworkAccount,
    OtaKeys,
    Registry,
    ReportRow,
    SessionRow,
    Subscriber,
)
from dmsd.registry.postgres import PostgresDatabase

from .usim import IMPI, IMSI, OPC, SUBSCRIBER, K

DAY_MS = 86_400_000

Open = Callable[[], Registry]


@pytest.fixture(params=["sqlite", "postgresql"])
def open_registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens the same registry each time, as a node does that starts again, or another one."""
    url = request.getfixturevalue("database_url") if request.param == "postgresql" else ""
    opened: list[Registry] = []

    def open() -> Registry:
        database = PostgresDatabase(url, node="a") if url else tmp_path / "r"
        opened.append(Registry(database))
        return opened[-1]

    yield open
    for each in opened:
        each.close()


@pytest.fixture
def registry(open_registry: Open) -> Registry:
    return open_registry()


def put(registry: Registry, **changes: Any) -> Subscriber:
    subscriber, card = parse_subscriber({**SUBSCRIBER, **changes})
    registry.subscribers.put(subscriber)
    if card is not None:
        registry.subscribers.put_card(card)
    return subscriber


def test_the_file_is_private_from_the_beginning(tmp_path: Path) -> None:
    path = tmp_path / "registry.sqlite"
    former = os.umask(0)
    try:
        registry = Registry(path)
        put(registry)
        modes = [stat.S_IMODE(f.stat().st_mode) for f in tmp_path.iterdir()]
        registry.close()
    finally:
        os.umask(former)
    assert set(modes) == {0o600}


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "registry.sqlite"
    Registry(path).close()
    path.chmod(0o640)
    with pytest.raises(RegistryError, match="0640"):
        Registry(path)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "registry.sqlite"
    path.write_bytes(b"not a database, but long enough to be taken for one" * 50)
    path.chmod(0o600)
    with pytest.raises(RegistryError):
        Registry(path)


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "r")
    registry.database.run("PRAGMA user_version = 99")
    registry.close()
    with pytest.raises(RegistryError, match="99"):
        Registry(tmp_path / "r")


def test_what_was_stored_is_there_after_reopening(open_registry: Open) -> None:
    registry = open_registry()
    put(registry, iccid="8949", adm1="3132333435363738")
    sqn = registry.subscribers.next_sqn(IMPI)
    registry.close()
    registry = open_registry()
    found = registry.subscribers.get(IMPI)
    assert (found.k, found.opc, found.sqn) == (Secret(K), Secret(OPC), sqn)
    card = registry.subscribers.card("8949")
    assert card is not None
    assert (card.adm1, card.impi) == (Secret(b"12345678"), IMPI)


OTA = {"tar": "B00010", "kic": "11" * 16, "kid": "22" * 24, "key_set": 3, "counter": 9}


def test_a_card_with_keys_for_packets_needs_no_adm1(open_registry: Open) -> None:
    registry = open_registry()
    registry.subscribers.put_card(parse_card({"iccid": "8949", "ota": OTA}))
    registry.close()
    registry = open_registry()
    card = registry.subscribers.card("8949")
    assert card is not None
    assert card.adm1 is None
    assert card.ota == OtaKeys(
        0x32, Secret(b"\x11" * 16), 0x32, Secret(b"\x22" * 24), b"\xb0\x00\x10", 9
    )
    assert registry.subscribers.cards() == (card,)
    registry.subscribers.remove_card("8949")
    assert registry.database.rows("SELECT * FROM ota_keys") == []


def test_counters_are_stored_before_they_are_handed_out_and_never_twice(
    open_registry: Open,
) -> None:
    registry = open_registry()
    registry.subscribers.put_card(parse_card({"iccid": "8949", "ota": OTA}))
    assert registry.subscribers.next_counters("8949", 3) == 10
    # What another process that shares the registry would see, and this one after a crash.
    other = open_registry()
    assert other.subscribers.next_counters("8949", 1) == 13
    assert registry.subscribers.next_counters("8949", 1) == 14
    registry.subscribers.put_card(parse_card({"iccid": "8949", "ota": {**OTA, "kic": "33" * 16}}))
    assert registry.subscribers.next_counters("8949", 1) == 15
    registry.subscribers.put_card(parse_card({"iccid": "8949", "ota": {**OTA, "counter": 90}}))
    assert registry.subscribers.next_counters("8949", 1) == 91


def test_a_counter_ends_before_the_card_is_blocked(registry: Registry) -> None:
    most = {**OTA, "counter": (1 << 40) - 4}
    registry.subscribers.put_card(parse_card({"iccid": "8949", "ota": most}))
    with pytest.raises(ConflictError):
        registry.subscribers.next_counters("8949", 3)
    assert registry.subscribers.next_counters("8949", 2) == (1 << 40) - 3


@pytest.mark.parametrize("between", ["removed", "adm1", "subscriber"])
def test_a_card_that_comes_back_goes_on_counting(registry: Registry, between: str) -> None:
    """Else proofs of old packets would count again, and the card refuse the new ones."""
    subscribers = registry.subscribers
    card = {"iccid": "8949", "ota": {**OTA, "counter": 0}}
    subscribers.put_card(parse_card(card))
    assert subscribers.next_counters("8949", 7) == 1
    if between == "adm1":
        subscribers.put_card(parse_card({"iccid": "8949", "adm1": "00" * 8}))
    else:
        subscribers.remove_card("8949")
    if between == "subscriber":
        put(registry, iccid="8949", ota={**OTA, "counter": 0})
    else:
        subscribers.put_card(parse_card(card))
    found = subscribers.card("8949")
    assert found is not None
    assert found.ota is not None
    assert found.ota.counter == 7
    assert subscribers.next_counters("8949", 1) == 8


def test_an_operator_raises_the_counter_of_one_card_or_of_all(registry: Registry) -> None:
    subscribers = registry.subscribers
    for iccid in ("1", "2", "3"):
        subscribers.put_card(parse_card({"iccid": iccid, "ota": OTA}))
    subscribers.remove_card("3")
    assert subscribers.raise_counters(100, "1") == 1
    assert subscribers.raise_counters(1000) == 3
    subscribers.put_card(parse_card({"iccid": "3", "ota": OTA}))
    assert [subscribers.next_counters(iccid, 1) for iccid in "123"] == [1110, 1010, 1010]


def test_no_counter_is_raised_if_one_would_end(registry: Registry) -> None:
    subscribers = registry.subscribers
    assert subscribers.raise_counters(1) == 0
    with pytest.raises(NotFoundError):
        subscribers.raise_counters(1, "1")
    subscribers.put_card(parse_card({"iccid": "1", "ota": OTA}))
    subscribers.put_card(parse_card({"iccid": "2", "ota": {**OTA, "counter": (1 << 40) - 3}}))
    with pytest.raises(ConflictError, match="2"):
        subscribers.raise_counters(2)
    assert [subscribers.next_counters(iccid, 1) for iccid in "12"] == [10, (1 << 40) - 2]


@pytest.mark.parametrize("raw", [{}, {"by": 0}, {"by": -5}, {"by": "7"}, {"by": 1 << 40}])
def test_a_counter_is_raised_by_a_number(raw: Any) -> None:
    with pytest.raises(InputError) as failed:
        parse_raise(raw)
    assert failed.value.field == "by"


def test_without_keys_for_packets_there_are_no_counters(registry: Registry) -> None:
    registry.subscribers.put_card(parse_card({"iccid": "8949", "adm1": "00" * 8}))
    for iccid in ("8949", "1"):
        with pytest.raises(NotFoundError):
            registry.subscribers.next_counters(iccid, 1)


def test_keys_for_packets_that_are_put_no_more_are_gone(registry: Registry) -> None:
    registry.subscribers.put_card(parse_card({"iccid": "8949", "ota": OTA}))
    registry.subscribers.put_card(parse_card({"iccid": "8949", "adm1": "00" * 8}))
    card = registry.subscribers.card("8949")
    assert card is not None
    assert card.ota is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"tar": "B000"}, "tar"),
        ({"tar": None}, "tar"),
        ({"kic": "11"}, "kic"),
        ({"kid": "zz" * 16}, "kid"),
        ({"algorithm": "des"}, "algorithm"),
        ({"algorithm": "3des", "kid": "22" * 32}, "kid"),
        ({"key_set": 0}, "key_set"),
        ({"key_set": 16}, "key_set"),
        ({"counter": -1}, "counter"),
        ({"counter": 1 << 40}, "counter"),
        ({"adm1": "00" * 8}, "adm1"),
    ],
)
def test_bad_keys_for_packets_name_the_member(change: dict[str, Any], field: str) -> None:
    given = {name: value for name, value in {**OTA, **change}.items() if value is not None}
    with pytest.raises(InputError) as failed:
        parse_card({"iccid": "8949", "ota": given})
    assert failed.value.field == field
    assert "22222222" not in str(failed.value)


@pytest.mark.parametrize(("size", "nibble"), [(16, 5), (24, 9)])
def test_triple_des_is_told_by_the_length_of_each_key(size: int, nibble: int) -> None:
    given = {**OTA, "algorithm": "3des", "kic": "11" * 16, "kid": "22" * size}
    card = parse_card({"iccid": "8949", "ota": given})
    assert card.ota is not None
    assert (card.ota.kic, card.ota.kid) == (0x35, 0x30 | nibble)


def test_a_registry_of_the_first_version_is_carried_over(tmp_path: Path) -> None:
    path = tmp_path / "r"
    registry = Registry(path)
    put(registry, iccid="8949", adm1="3132333435363738")
    order = CardOrder("c-1", "d", "8949", "digest", "done", "", 5)
    registry.journal.add_order(order)
    # As the first version had it
    for statement in (
        "DROP TABLE challenges",
        "DROP INDEX session_open",
        "DROP TABLE ota_keys",
        "DROP TABLE packet_counters",
        "ALTER TABLE card_orders DROP COLUMN first_counter",
        "ALTER TABLE card_orders DROP COLUMN packets",
        "PRAGMA user_version = 1",
    ):
        registry.database.run(statement)
    registry.close()

    registry = Registry(path)
    card = registry.subscribers.card("8949")
    assert card == CardKey("8949", Secret(b"12345678"), IMPI)
    assert registry.journal.orders("d") == (order,)
    registry.subscribers.put_card(parse_card({"iccid": "1", "ota": OTA}))
    # The subscription's end still leaves the card.
    registry.subscribers.remove(IMPI)
    assert registry.subscribers.card("8949") == CardKey("8949", Secret(b"12345678"))
    registry.close()


def test_counters_of_the_second_version_are_carried_over_also_of_cards_that_were_removed(
    tmp_path: Path,
) -> None:
    path = tmp_path / "r"
    registry = Registry(path)
    registry.subscribers.put_card(parse_card({"iccid": "1", "ota": OTA}))
    registry.journal.add_order(CardOrder("c-1", "d", "2", "digest", "done", "", 5, 40, 3))
    registry.journal.add_order(CardOrder("c-2", "d", "1", "digest", "done", "", 5, 8, 2))
    # As the second version had it
    for statement in (
        "DROP TABLE challenges",
        "DROP INDEX session_open",
        "DROP TABLE packet_counters",
        "ALTER TABLE ota_keys ADD COLUMN counter INTEGER NOT NULL DEFAULT 0",
        "UPDATE ota_keys SET counter = 9",
        "PRAGMA user_version = 2",
    ):
        registry.database.run(statement)
    registry.close()

    registry = Registry(path)
    registry.subscribers.put_card(parse_card({"iccid": "2", "ota": OTA}))
    assert [registry.subscribers.next_counters(iccid, 1) for iccid in "12"] == [10, 43]
    registry.close()


def test_the_number_never_goes_back_when_keys_are_put_again(registry: Registry) -> None:
    put(registry)
    for _ in range(5):
        registry.subscribers.next_sqn(IMPI)
    put(registry)
    assert registry.subscribers.get(IMPI).sqn >> 5 == 5


def test_an_imsi_belongs_to_one_subscriber(registry: Registry) -> None:
    put(registry)
    with pytest.raises(ConflictError, match=IMSI):
        put(registry, impi="other@example.org")


def test_a_card_of_an_unknown_subscriber_is_refused(registry: Registry) -> None:
    with pytest.raises(NotFoundError):
        registry.subscribers.put_card(
            parse_card({"iccid": "1", "adm1": "00" * 8, "impi": "nobody@example.org"})
        )


def test_op_and_opc_give_the_same_key() -> None:
    # TS 35.208 test set 1.
    op = "cdc202d5123e20f62b6d676ac72cb318"
    subscriber, _ = parse_subscriber({"imsi": IMSI, "k": K.hex(), "op": op})
    assert subscriber.opc == Secret(OPC)
    assert subscriber.impi == IMPI


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"imsi": "12"}, "imsi"),
        ({"imsi": 5}, "imsi"),
        ({"k": "00"}, "k"),
        ({"k": "zz" * 16}, "k"),
        ({"op": "00" * 16}, "opc"),
        ({"amf": "80"}, "amf"),
        ({"sqn": "1"}, "sqn"),
        ({"mnc_length": 4}, "mnc_length"),
        ({"mnc_length": "2"}, "mnc_length"),
        ({"iccid": "8949"}, "adm1"),
        ({"adm1": "00" * 8}, "iccid"),
        ({"iccid": "../x", "adm1": "00" * 8}, "iccid"),
        ({"pin": "1234"}, "pin"),
    ],
)
def test_a_bad_subscriber_names_the_member(change: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError) as failed:
        parse_subscriber({**SUBSCRIBER, **change})
    assert failed.value.field == field
    assert K.hex() not in str(failed.value)


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({}, "client_secret"),
        ({"client_secret": "x"}, "user"),
        ({"user": "u", "client_secret": "x", "auth": "md4"}, "auth"),
        ({"user": "u", "client_secret": "x", "server_secret": "x"}, "server_secret"),
        ({"user": "u", "client_secret": "x", "client_nonce": "*"}, "client_nonce"),
        ({"user": "u", "client_secret": "x", "more": 1}, "more"),
        ({"impi": ""}, "impi"),
        ([], "document"),
    ],
)
def test_a_bad_account_names_the_member(raw: Any, field: str) -> None:
    with pytest.raises(InputError) as failed:
        parse_account(raw, device="d", server_id="dms")
    assert failed.value.field == field


def test_accounts_of_a_user_are_replaced_and_told_apart_by_device(registry: Registry) -> None:
    for device, secret in (("a", "1"), ("a", "2"), ("b", "3"), (None, "4"), (None, "5")):
        account = parse_account(
            {"user": "u", "client_secret": secret}, device=device, server_id="dms"
        )
        registry.devices.put_account(account, 0)
    secrets = []
    for device in ("a", "b", "elsewhere"):
        found = registry.devices.account_of_user("u", device)
        assert isinstance(found, CredentialAccount)
        secrets.append(found.client_secret.expose())
    assert secrets == [b"2", b"3", b"5"]
    assert len(registry.devices.shared_accounts()) == 1


def test_an_impi_serves_the_device_it_was_given_to(registry: Registry) -> None:
    registry.devices.put_account(NetworkAccount(0, "a", IMPI), 0)
    assert registry.devices.account_of_impi(IMPI, "a") is not None
    assert registry.devices.account_of_impi(IMPI, "b") is None
    assert registry.devices.only_network_accounts("a")
    assert not registry.devices.only_network_accounts("b")


def session(id: str, started_ms: int, node: str = "a") -> SessionRow:
    return SessionRow(id, "d", "1", f"user of {id}", "md5", node, started_ms)


def test_sessions_left_open_are_closed_at_the_next_start(registry: Registry) -> None:
    registry.journal.begin_session(session("a", 1))
    registry.journal.end_session("a", "converged", 3, 2)
    registry.journal.begin_session(session("b", 3))
    registry.journal.begin_session(session("c", 4, node="another"))
    assert registry.journal.interrupt_all("a", 9) == 1
    assert [(s.id, s.outcome, s.ended_ms) for s in registry.journal.sessions()] == [
        ("c", "", None),
        ("b", "interrupted", 9),
        ("a", "converged", 2),
    ]


def test_old_entries_leave_and_younger_stay(registry: Registry) -> None:
    for number, at_ms in ((1, 0), (2, 5 * DAY_MS)):
        registry.journal.begin_session(session(str(number), at_ms))
        registry.journal.add_commands(
            [CommandRow(str(number), "d", "dms", 1, 1, "Get", "./A", 200, at_ms)]
        )
        registry.journal.add_report(
            ReportRow(str(number), "d", at_ms, "t", "m", ".", "", "chr", "200")
        )
    registry.journal.prune(keep_days=3, now_ms=6 * DAY_MS)
    assert [s.id for s in registry.journal.sessions()] == ["2"]
    assert [c.session for c in registry.journal.commands()] == ["2"]
    assert [r.session for r in registry.journal.reports()] == ["2"]


def test_entries_of_one_moment_stay_in_their_order(registry: Registry) -> None:
    for number in ("3", "1", "2"):
        registry.journal.begin_session(session(number, 7))
        registry.journal.add_order(CardOrder(number, "d", "8949", "digest", "ordered", "", 7))
    assert [s.id for s in registry.journal.sessions("d")] == ["2", "1", "3"]
    assert [o.correlator for o in registry.journal.orders("d")] == ["2", "1", "3"]


def test_the_sequence_number_begins_anew_at_its_end(registry: Registry) -> None:
    put(registry)
    registry.subscribers.resynchronise(IMPI, (1 << 48) - 1)
    assert registry.subscribers.next_sqn(IMPI) == 1
    assert registry.subscribers.next_sqn(IMPI) == (1 << 5) + 2
    registry.subscribers.resynchronise(IMPI, 77 << 5 | 9)
    assert registry.subscribers.get(IMPI).sqn == 77 << 5 | 2


def test_what_devices_say_is_kept_whatever_characters_it_has(registry: Registry) -> None:
    said = ReportRow("s", "d", 1, "t", "m", ".", "", "chr", "a\0b 100% ? ü")
    registry.journal.add_report(said)
    (kept,) = registry.journal.reports("d")
    assert kept.data.replace("\N{REPLACEMENT CHARACTER}", "\0") == said.data
    assert registry.devices.account_of_user("nobody\0", "d") is None


def test_a_transaction_that_fails_leaves_nothing(registry: Registry) -> None:
    def fail() -> None:
        with registry.database.transaction():
            put(registry)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert registry.subscribers.list() == ()


def test_rows_with_secrets_do_not_show_them(registry: Registry) -> None:
    put(registry, iccid="8949", adm1="4b41524445413938")
    shown = repr(registry.subscribers.list()) + repr(registry.subscribers.cards())
    for secret in (K.hex(), OPC.hex(), "KARDEA98", "4b41524445413938", repr(K)):
        assert secret not in shown


def test_postgresql_without_its_driver_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "dmsd.registry.postgres", None)
    with pytest.raises(RegistryError, match=r"cardea-daemon\[postgresql\]"):
        Registry.open(RegistryConfig(url="postgresql:///dmsd"), node="a")
