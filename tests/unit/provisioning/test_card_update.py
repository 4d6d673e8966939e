"""Card updates: the order as it stands in the tree, the journal, and how it is settled."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cardd.card.credentials import ADM1, Credential, Rejections
from cardd.card.errors import CardLost, ContentTooLong, CredentialRejected, RetryFloor
from cardd.card.provisioning_files import ProvisioningFile, find
from cardd.card.uicc import FilePath
from cardd.provisioning import card_update
from cardd.provisioning.card_content import data_path, interpret
from cardd.store import Store
from cardd.tree import ManagementTree
from cardd.tree.authority import ExecOrder
from cardea_core import Secret
from hypothesis import given, settings
from hypothesis import strategies as st
from omadm.nodes import leaf
from softcard import SoftCard
from support.documents import BOOTSTRAP, CONFIG, account

CARD = "8900101000000000019"
OLD, NEW = account(), account(access_point="newer.example")
KEY = Credential(ADM1, Secret(b"CARDEA01"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store.sqlite") as made:
        yield made


@pytest.fixture
def card() -> SoftCard:
    made = SoftCard.from_profile("operator")
    made.write_file("Bootstrap", OLD)
    return made


def file(content: bytes, oid: str = BOOTSTRAP) -> ProvisioningFile:
    return ProvisioningFile(oid, FilePath((0x7F50, 0x6431)), 2048, content.ljust(2048, b"\xff"))


def write(
    card: SoftCard,
    store: Store,
    content: bytes = NEW,
    key: Credential | None = KEY,
    rejections: Rejections | None = None,
) -> bytes:
    found = find(card.transmit)[0]
    card.reset()
    done = card_update.write(
        card.transmit,
        CARD,
        store,
        found,
        content,
        key,
        rejections=rejections,
        floor=2,
        now_ms=1,
    )
    return done.file.content


def begin(store: Store, old: bytes, new: bytes, oid: str = BOOTSTRAP) -> int:
    return store.begin_card_write(CARD, oid, "path", hashlib.sha256(old).digest(), new, 1)


# -- orders


def ordered(value: bytes, kind: str = "server") -> tuple[ManagementTree, tuple[object, ...]]:
    tree = ManagementTree()
    content = interpret(CARD, [file(OLD)], {})
    tree.adopt("card", CARD, content.claims(), 1)
    name = "dm.example.org" if kind == "server" else "local"
    tree.adopt(kind, name, [leaf(data_path(CARD, 0), value, format="bin")], 2)  # type: ignore[arg-type]
    order = ExecOrder(f"./Card/{CARD}/Update", "dm.example.org", Secret(b"CARDEA01"), "c-1")
    return tree, card_update.orders_in(tree, content, [order])


def test_a_servers_claim_on_a_file_is_an_order_with_the_key_that_came_by_exec() -> None:
    _, (order,) = ordered(NEW)
    assert isinstance(order, card_update.FileOrder)
    assert (order.content, order.server_id) == (NEW, "dm.example.org")
    assert (order.order.key, order.order.correlator) == (KEY.value, "c-1")
    assert "CARDEA01" not in repr(order)


def test_the_devices_own_claim_is_no_order() -> None:
    _, orders = ordered(NEW, kind="device")
    assert orders == ()


def test_claims_that_are_no_open_orders_are_withdrawn_and_the_card_speaks_again() -> None:
    tree, (order,) = ordered(NEW)
    assert isinstance(order, card_update.FileOrder)
    content = interpret(CARD, [file(OLD)], {})
    for kept, speaks in (([order], "server"), ([], "card")):
        card_update.withdraw_claims(tree, content, but=kept)
        node = tree.snapshot.get(data_path(CARD, 0))
        assert node is not None
        assert (node.kind, node.value) == (speaks, NEW if kept else OLD)


# -- writing


def test_a_write_is_read_back_and_closes_its_row(card: SoftCard, store: Store) -> None:
    assert write(card, store) == NEW
    assert card.read_file("Bootstrap").rstrip(b"\xff") == NEW
    assert store.open_card_writes(CARD) == ()


def test_the_row_is_there_before_the_first_byte_is_written(card: SoftCard, store: Store) -> None:
    def pull(exchange: object) -> None:
        if getattr(exchange, "command", b"\0\0")[1] == 0xD6:
            raise CardLost("pulled")

    card.observer = pull
    with pytest.raises(CardLost):
        write(card, store)
    (row,) = store.open_card_writes(CARD)
    assert (row.oid, row.new_data) == (BOOTSTRAP, NEW)
    assert row.old_sha256 == hashlib.sha256(OLD).digest()


@pytest.mark.parametrize(
    ("key", "content", "error"),
    [
        (Credential(ADM1, Secret(b"WRONGKEY")), NEW, CredentialRejected),
        (KEY, bytes(range(1, 200)) * 20, ContentTooLong),
    ],
)
def test_a_write_that_is_refused_changes_nothing_and_settles_as_abandoned(
    card: SoftCard, store: Store, key: Credential, content: bytes, error: type[Exception]
) -> None:
    with pytest.raises(error):
        write(card, store, content, key)
    assert card.read_file("Bootstrap").rstrip(b"\xff") == OLD
    assert card_update.settle_journal(store, CARD, [file(OLD)], 2) == {}
    assert store.open_card_writes(CARD) == ()


def test_a_rejected_key_is_never_sent_again_and_the_floor_is_kept(
    card: SoftCard, store: Store
) -> None:
    rejections, wrong = Rejections(), Credential(ADM1, Secret(b"WRONGKEY"))
    full = card.tries(ADM1)
    for _ in range(3):
        with pytest.raises(CredentialRejected):
            write(card, store, key=wrong, rejections=rejections)
    with pytest.raises(RetryFloor):
        write(card, store, key=Credential(ADM1, Secret(b"WRONG-02")), rejections=rejections)
    assert card.tries(ADM1) == full - 1


# -- the journal, settled at the next reading


def test_new_content_finishes_a_row_and_old_content_abandons_it(store: Store) -> None:
    for now in (OLD, NEW):
        begin(store, OLD, NEW)
        assert card_update.settle_journal(store, CARD, [file(now)], 2) == {}
        assert store.open_card_writes(CARD) == ()


def test_a_torn_file_keeps_its_row_and_is_what_it_was_to_become(store: Store) -> None:
    torn = NEW[:100] + OLD[100:]
    begin(store, OLD, NEW)
    for _ in range(2):
        assert card_update.settle_journal(store, CARD, [file(torn)], 2) == {BOOTSTRAP: NEW}
    assert len(store.open_card_writes(CARD)) == 1


def test_files_are_settled_one_by_one(store: Store) -> None:
    torn = NEW[:100] + OLD[100:]
    begin(store, OLD, NEW)
    begin(store, b"a", b"b", CONFIG)
    found = card_update.settle_journal(store, CARD, [file(torn), file(b"b", CONFIG)], 2)
    assert found == {BOOTSTRAP: NEW}
    assert [row.oid for row in store.open_card_writes(CARD)] == [BOOTSTRAP]


def test_a_file_that_is_gone_has_nothing_to_complete(store: Store) -> None:
    begin(store, OLD, NEW)
    assert card_update.settle_journal(store, CARD, [], 2) == {}
    assert store.open_card_writes(CARD) == ()


def test_another_cards_rows_are_left_alone(store: Store) -> None:
    begin(store, OLD, NEW)
    assert card_update.settle_journal(store, "other", [file(b"torn")], 2) == {}
    assert len(store.open_card_writes(CARD)) == 1


def test_the_newest_of_several_torn_writes_says_what_the_file_is_to_become(store: Store) -> None:
    newest = account(access_point="newest.example")
    begin(store, OLD, NEW)
    begin(store, NEW[:100] + OLD[100:], newest)
    torn = newest[:150] + NEW[150:]
    assert card_update.settle_journal(store, CARD, [file(torn)], 2) == {BOOTSTRAP: newest}
    assert card_update.settle_journal(store, CARD, [file(newest)], 3) == {}
    assert store.open_card_writes(CARD) == ()


def test_a_later_write_that_never_began_leaves_the_earlier_one_to_be_completed(
    store: Store,
) -> None:
    torn = NEW[:100] + OLD[100:]
    begin(store, OLD, NEW)
    begin(store, torn, account(access_point="newest.example"))
    assert card_update.settle_journal(store, CARD, [file(torn)], 2) == {BOOTSTRAP: NEW}


def test_a_completed_write_supersedes_those_that_were_torn_before(
    card: SoftCard, store: Store
) -> None:
    """Else a file that is whole would for ever be taken for one that is torn."""
    begin(store, b"whatever", account(access_point="third.example"))
    write(card, store)
    assert store.open_card_writes(CARD) == ()
    assert card_update.settle_journal(store, CARD, [file(NEW)], 2) == {}


@settings(max_examples=30, deadline=None)
@given(st.integers(0, len(NEW)))
def test_wherever_a_write_was_cut_old_new_or_completion_is_told(at: int) -> None:
    size = max(len(OLD), len(NEW))
    now = NEW.ljust(size, b"\xff")[:at] + OLD.ljust(size, b"\xff")[at:]
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "s.sqlite") as store:
        begin(store, OLD, NEW)
        torn = card_update.settle_journal(store, CARD, [file(now)], 2)
    content = interpret(CARD, [file(now)], torn)
    addresses = {node.value for node in content.claims() if node.path == "./NAP/1/Addr"}
    assert addresses <= {b"internet.example", b"newer.example"}
