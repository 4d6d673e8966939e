"""What the store keeps, and that a commit is all or nothing."""

from __future__ import annotations

import hashlib
import sqlite3
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from cardd.dm.events import CommandDone, Nonces
from cardd.provisioning.progress import ProvisioningResult, Stage
from cardd.provisioning.records import NewConfirmation, SessionRecord
from cardd.store import Store, StoreError
from cardd.tree import Authority, DeviceInfo, ManagementTree, Source, device_nodes
from cardea_core import Layer
from omadm.nodes import TreeNode, interior, leaf

DEVICE = DeviceInfo("IMEI:004999010640000", "Maker", "Box")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "cardd.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store(path) as opened:
        yield opened


def full_tree() -> ManagementTree:
    tree = ManagementTree()
    tree.adopt("device", "local", device_nodes(DEVICE), 1000)
    card = (
        interior("./DMAcc/1", mime="urn:oma:mo:oma-dm-dmacc:1.0", acl="Get=a&Replace=a&Delete=a"),
        leaf("./DMAcc/1/ServerID", "a"),
        leaf("./DMAcc/1/AppAuth/1/AAuthSecret", b"\x00\xff"),
    )
    tree.adopt("card", "8949", card, 2000)
    server = Authority(tree, "a")
    server.replace("./DMAcc/1/ServerID", leaf(".", "b"), 3000)
    server.delete("./DMAcc/1/AppAuth", 3001)
    server.add("./Vendor/Apn", TreeNode(".", b"internet"), 3002)
    return tree


def claims(tree: ManagementTree) -> list[tuple[str, str, list[object]]]:
    return [
        (
            layer.kind,
            layer.id,
            [(e.path, e.value, e.format, e.mime, e.at_ms, e.absent) for e in layer.entries()],
        )
        for layer in tree.layers()
    ]


def result(name: str = "provisionings/1", at: int = 5) -> ProvisioningResult:
    return ProvisioningResult(
        name=name,
        card="cards/8949",
        stage=Stage.INSTALLED,
        servers=("a",),
        trust=("MD5",),
        nodes_changed=3,
        card_files_updated=0,
        apdus=20,
        card_time_s=0.4,
        network_time_s=0.2,
        total_time_s=0.7,
        ended_at_ms=at,
    )


def test_new_store_is_empty_at_revision_0(store: Store) -> None:
    stored = store.load()
    assert (stored.layers, stored.acls, stored.revision) == ((), (), 0)


def test_tree_comes_back_as_it_was_committed(store: Store, path: Path) -> None:
    tree = full_tree()
    assert store.commit(tree, 10) == 1
    store.close()
    with Store(path) as again:
        stored = again.load()
    assert stored.revision == 1
    assert claims(stored.tree()) == claims(tree)
    assert stored.acls == tree.acls()
    assert not stored.tree().diff(tree)


def test_commit_rewrites_changed_sources_only(store: Store, path: Path) -> None:
    tree = full_tree()
    store.commit(tree, 10)
    before = _rows(store, "SELECT source, id FROM layer")
    work = tree.fork()
    Authority(work, "b").add("./Other", TreeNode(".", b"x"), 20)
    work.drop("card", "8949")
    assert store.commit(work, 21) == 2
    after = _rows(store, "SELECT source, id FROM layer")
    assert after["local"] == before["local"]
    assert after["a"] == before["a"]
    assert set(after) == {"local", "a", "b"}
    stored = store.load()
    assert claims(stored.tree()) == claims(work)


def test_tree_changed_after_a_commit_is_written_by_the_next_one(store: Store) -> None:
    tree = full_tree()
    store.commit(tree, 10)
    Authority(tree, "a").replace("./Vendor/Apn", leaf(".", "changed"), 4000)
    store.commit(tree, 11)
    node = store.load().tree().snapshot.get("./Vendor/Apn")
    assert node is not None
    assert node.value == b"changed"


def test_commit_without_a_load_before_leaves_nothing_of_the_old_tree(
    store: Store, path: Path
) -> None:
    store.commit(full_tree(), 10)
    store.close()
    small = ManagementTree()
    small.adopt("card", "1", [leaf("./V", "x")], 1)
    with Store(path) as again:
        assert again.commit(small, 20) == 2
        assert claims(again.load().tree()) == claims(small)


def test_commit_takes_the_tree_and_what_is_to_be_told_of_it_or_nothing(store: Store) -> None:
    bad = NewConfirmation("a", "8949", None)  # type: ignore[arg-type] # no such row
    with pytest.raises(StoreError) as caught:
        store.commit(full_tree(), 10, confirmations=[NewConfirmation("a", "", "200"), bad])
    assert caught.value.reason == "failed"
    assert store.load().revision == 0
    assert store.pending_confirmations() == ()
    store.commit(full_tree(), 10, confirmations=[NewConfirmation("a", "8949", "200", "c-7")])
    assert store.load().revision == 1
    assert store.pending_confirmations() == ()  # what is not rendered yet is not confirmed
    store.release_confirmations()
    (pending,) = store.pending_confirmations("a")
    assert (pending.payload, pending.correlator, pending.card) == ("200", "c-7", "8949")


def test_a_session_is_kept_with_its_nonces_and_what_it_confirmed(store: Store) -> None:
    old = store.add_confirmation(NewConfirmation("a", "8949", "200"), 1)
    session = SessionRecord("1F", "a", 1, 2, "ok", "md5", (CommandDone("Get", "./X", 404),))
    store.end_session(session, Nonces(b"n1", b"n2"), [old])
    assert store.sessions("a") == (session,)
    assert (store.nonce("a", "client"), store.nonce("a", "server")) == (b"n1", b"n2")
    assert store.pending_confirmations() == ()
    store.end_session(session, Nonces(b"n3", None))
    assert (store.nonce("a", "client"), store.nonce("a", "server")) == (b"n3", b"n2")


def test_failed_commit_is_repeated_in_full(store: Store) -> None:
    tree = full_tree()
    bad = NewConfirmation("a", "8949", None)  # type: ignore[arg-type] # no such row
    with pytest.raises(StoreError):
        store.commit(tree, 10, confirmations=[bad])
    store.commit(tree, 11)
    assert claims(store.load().tree()) == claims(tree)


def test_card_write_is_open_until_it_ends_and_forgets_its_data(store: Store) -> None:
    first = store.begin_card_write("8949", "oid1", "6431", b"o" * 32, b"secret document", 1)
    second = store.begin_card_write("8949", "oid2", "6432", b"o" * 32, b"other", 2)
    third = store.begin_card_write("0000", "oid1", "6431", b"o" * 32, b"foreign", 3)
    open_writes = store.open_card_writes("8949")
    assert [(w.id, w.oid, w.new_data) for w in open_writes] == [
        (first, "oid1", b"secret document"),
        (second, "oid2", b"other"),
    ]
    assert "secret" not in repr(open_writes)
    store.finish_card_write(first, 4)
    store.abandon_card_write(second, 5)
    assert store.open_card_writes("8949") == ()
    assert [w.id for w in store.open_card_writes("0000")] == [third]
    rows = _rows(store, "SELECT state, new_data FROM card_write WHERE iccid = '8949'")
    assert rows == {"finished": None, "abandoned": None}
    digests = _rows(store, "SELECT id, new_sha256 FROM card_write")
    assert digests[first] == hashlib.sha256(b"secret document").digest()


def test_confirmation_done_twice_is_done_once(store: Store) -> None:
    number = store.add_confirmation(NewConfirmation("a", "8949", "500 CARD_LOST"), 1)
    for at in (2, 3):
        store.end_session(SessionRecord("1F", "a", at, at, "ok", "md5", ()), confirmed=[number])
    assert store.pending_confirmations() == ()
    assert _rows(store, "SELECT id, done_ms FROM confirmation") == {number: 2}


def test_history_is_newest_first(store: Store) -> None:
    for n in range(3):
        store.log_result(result(f"provisionings/{n}", at=n))
        store.end_session(SessionRecord(f"{n}", "a", n, n, "ok", "md5", ()))
    assert [r.name for r in store.results(limit=2)] == ["provisionings/2", "provisionings/1"]
    assert [s.session_id for s in store.sessions(limit=2)] == ["2", "1"]
    assert store.sessions("nobody") == ()


def test_store_can_be_used_from_several_threads(store: Store) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def add(n: int) -> int:
        return store.add_confirmation(NewConfirmation(f"s{n % 3}", "8949", "200"), n)

    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(add, range(60)))
    assert len(set(numbers)) == 60
    assert len(store.pending_confirmations("s0")) == 20


def _rows(store: Store, query: str) -> dict[object, object]:
    database: sqlite3.Connection
    with store._database.reading() as database:
        return dict(database.execute(query).fetchall())


def taken_by_a_commit(path: Path, claims: int) -> int:
    """Bytes of Python objects at once, when one leaf of a layer of that size has changed."""
    layer = Layer("server", "a")
    places = [f"./Vendor/{number // 100}/{number % 100}" for number in range(claims)]
    layer.load(places, [b"value"] * claims, at_ms=1)
    with Store(path) as store:
        tree = ManagementTree([layer])
        store.commit(tree, 1)
        work = tree.fork()
        work.put(Source("server", "a"), leaf("./Vendor/0/7", "other"), 2)
        _ = work.snapshot
        tracemalloc.start()
        try:
            store.commit(work, 2)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()


def test_a_commit_costs_what_has_changed_however_much_there_is(tmp_path: Path) -> None:
    small = taken_by_a_commit(tmp_path / "small" / "cardd.db", 200)
    assert taken_by_a_commit(tmp_path / "large" / "cardd.db", 8_000) < 2 * small
