"""Every commit is told, can be gone back to, and is forgotten in time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cardd.dm.events import CommandDone
from cardd.provisioning.records import NewConfirmation, SessionRecord
from cardd.store import Origin, Retention, Store
from cardd.store.errors import RevisionNotFoundError
from cardd.tree import DEVICE, Acl, Authority, ManagementTree, Source
from hypothesis import given, settings
from hypothesis import strategies as st
from omadm.nodes import interior, leaf
from unit.store.test_store import claims, full_tree, result

DAY_MS = 86_400_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "cardd.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store(path) as opened:
        yield opened


def with_apn(tree: ManagementTree, value: str, at_ms: int) -> ManagementTree:
    work = tree.fork()
    Authority(work, "a").replace("./Vendor/Apn", leaf(".", value), at_ms)
    return work


def test_a_commit_is_told_with_its_time_cause_actor_and_run(store: Store) -> None:
    tree = full_tree()
    store.commit(tree, 10, origin=Origin("provisioning", "cards/8949", "provisionings/1"))
    store.commit(with_apn(tree, "x", 5000), 20, origin=Origin("session", "servers/a"))
    newest, first, beginning = store.revisions()
    assert (newest.number, newest.at_ms, newest.origin) == (2, 20, Origin("session", "servers/a"))
    assert newest.claims_changed == 1
    assert first.origin.run == "provisionings/1"
    assert (beginning.number, beginning.at_ms) == (0, 0)


def test_an_earlier_tree_comes_back_as_it_was(store: Store, path: Path) -> None:
    first = full_tree()
    second = with_apn(first, "second", 5000)
    third = second.fork()
    third.drop("card", "8949")
    third.set_acl("./Vendor", Source("server", "a"), Acl.parse("Get=*"), 6000)
    trees = [ManagementTree(), first, second, third]
    for at, tree in enumerate(trees[1:]):
        store.commit(tree, at)
    for _ in ("in the same process", "after a restart"):
        for number, tree in enumerate(trees):
            then = store.tree_at(number)
            assert then.revision == number
            assert claims(then.tree()) == claims(tree)
            assert then.acls == tree.acls()
        store.close()
        store = Store(path)
    store.close()


def test_a_rollback_is_a_commit_that_can_be_rolled_back(store: Store) -> None:
    first = full_tree()
    second = with_apn(first, "second", 5000)
    store.commit(first, 1)
    store.commit(second, 2)
    for number, wanted in ((1, first), (2, second)):
        tree = store.load().tree()
        tree.take_over(store.tree_at(number).tree(), lambda source: source != DEVICE)
        made = store.commit(tree, 3, origin=Origin("rollback", "users/0", restored=number))
        assert claims(store.load().tree()) == claims(wanted)
        assert store.revisions(1)[0].origin.restored == number
        assert store.revisions(1)[0].number == made


def test_what_the_history_does_not_have_is_not_found(store: Store) -> None:
    store.commit(full_tree(), 1)
    for number in (2, -1, 1 << 40, (1 << 64) - 1):
        with pytest.raises(RevisionNotFoundError):
            store.tree_at(number)


def test_history_is_bounded_by_count_and_what_is_kept_can_be_restored(path: Path) -> None:
    with Store(path, Retention(count=3, days=1)) as store:
        trees = {}
        tree = full_tree()
        for n in range(10):
            tree = with_apn(tree, f"value {n}", 5000 + n)
            trees[store.commit(tree, n)] = tree
        assert [each.number for each in store.revisions()] == [10, 9, 8]
        for number in (8, 9, 10):
            assert claims(store.tree_at(number).tree()) == claims(trees[number])
        with pytest.raises(RevisionNotFoundError):
            store.tree_at(7)
        assert rows(store, "claim_before") == 3


def test_history_is_bounded_by_age_but_for_the_last(path: Path) -> None:
    with Store(path, Retention(count=100, days=2)) as store:
        tree = full_tree()
        for day in range(4):
            tree = with_apn(tree, f"day {day}", 5000 + day)
            store.commit(tree, (1000 + day) * DAY_MS)
        assert [each.number for each in store.revisions()] == [4, 3, 2]
        store.commit(with_apn(tree, "years later", 6000), 9000 * DAY_MS)
        assert [each.number for each in store.revisions()] == [5]


def test_the_beginning_of_history_has_no_age(store: Store) -> None:
    store.commit(full_tree(), 10_000 * DAY_MS)
    assert [each.number for each in store.revisions()] == [1, 0]
    assert not store.tree_at(0).layers


def test_a_clock_that_was_ahead_tears_no_hole_into_the_history(path: Path) -> None:
    with Store(path, Retention(count=100, days=2)) as store:
        tree = full_tree()
        for n, day in enumerate((9000, 9001, 1000, 1001, 1005)):
            tree = with_apn(tree, f"commit {n}", 5000 + n)
            store.commit(tree, day * DAY_MS)
        numbers = [each.number for each in store.revisions()]
        assert numbers == list(range(5, 5 - len(numbers), -1))


def test_sessions_results_writes_and_confirmations_are_bounded_too(path: Path) -> None:
    with Store(path, Retention(count=5, days=365)) as store:
        for n in range(20):
            commands = (CommandDone("Get", "./X", 200), CommandDone("Get", "./Y", 200))
            number = store.add_confirmation(NewConfirmation("a", "", "200"), n)
            session = SessionRecord(f"{n}", "a", n, n, "ok", "md5", commands)
            store.end_session(session, confirmed=[number])
            store.log_result(result(f"provisionings/{n}", at=n))
            store.finish_card_write(store.begin_card_write("8949", "o", "f", b"", b"x", n), n)
        assert [each.session_id for each in store.sessions()] == ["19", "18", "17", "16", "15"]
        assert len(store.results()) == 5
        for table, kept in (
            *(("session", 5), ("session_command", 10), ("provisioning", 5)),
            *(("card_write", 5), ("confirmation", 5)),
        ):
            assert rows(store, table) == kept, table


def test_what_is_still_to_be_done_or_said_is_never_pruned(path: Path) -> None:
    with Store(path, Retention(count=1, days=1)) as store:
        store.begin_card_write("8949", "o", "f", b"", b"x", 1)
        store.add_confirmation(NewConfirmation("a", "", "200"), 1)
        for n in range(4):
            store.finish_card_write(
                store.begin_card_write("77", "o", "f", b"", b"x", 1), 500 * DAY_MS
            )
            later = 500 * DAY_MS + n
            done = store.add_confirmation(NewConfirmation("b", "", "200"), later)
            store.end_session(SessionRecord("1", "b", 0, later, "ok", "md5", ()), confirmed=[done])
        assert len(store.open_card_writes("8949")) == 1
        assert len(store.pending_confirmations("a")) == 1


SOURCES = [Source("device", "local"), Source("card", "1"), Source("server", "a")]
PATHS = ["./A", "./A/x", "./A/y", "./A/y/z", "./B", "./B/x"]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(SOURCES),
        st.sampled_from(PATHS),
        st.sampled_from(["leaf", "interior", "bury", "withdraw", "acl", "title", "drop", "adopt"]),
        st.integers(0, 3),
    ),
    max_size=4,
)


@settings(max_examples=60, deadline=None)
@given(history=st.lists(STEPS, min_size=1, max_size=6))
def test_every_tree_of_any_history_comes_back(
    tmp_path_factory: pytest.TempPathFactory, history: list[list[tuple[Source, str, str, int]]]
) -> None:
    folder = tmp_path_factory.mktemp("history")
    folder.chmod(0o700)
    with Store(folder / "cardd.db") as store:
        tree, trees = ManagementTree(), [ManagementTree()]
        for at, steps in enumerate(history):
            tree = tree.fork()
            for source, path, what, value in steps:
                change(tree, source, path, what, value)
            store.commit(tree, at)
            trees.append(tree.fork())
        for number, wanted in enumerate(trees):
            then = store.tree_at(number).tree()
            assert claims(then) == [each for each in claims(wanted) if each[2]]
            assert (then.acls(), then.titles()) == (wanted.acls(), wanted.titles())
            assert then.digests() == wanted.digests()


def change(tree: ManagementTree, source: Source, path: str, what: str, value: int) -> None:
    match what:
        case "leaf":
            tree.put(source, leaf(path, str(value)), value)
        case "interior":
            tree.put(source, interior(path), value)
        case "bury":
            tree.bury(source, path, value)
        case "withdraw":
            tree.withdraw(source, path)
        case "acl":
            tree.set_acl(path, source, Acl.parse(f"Get=s{value}"), value)
        case "title":
            tree.set_title(path, source, f"title {value}", value)
        case "adopt":
            tree.adopt(*source, [leaf(path, "adopted")], value, digest=bytes([value]))
        case "drop":
            tree.drop(*source)


def rows(store: Store, table: str) -> int:
    with store._database.reading() as db:
        count: int = db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    return count
