"""A store of every earlier version is opened and comes out whole."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from cardd.provisioning.progress import Stage
from cardd.store import Store
from cardd.store.schema import APPLICATION_ID, MIGRATIONS
from cardd.tree import Authority, ManagementTree, Verb
from omadm.nodes import TreeNode

VERSIONS = Path(__file__).parent / "versions"
CARD = "8900101000000000019"


def store_of(version: int, folder: Path) -> Path:
    """A file as the program of that version left it."""
    folder.mkdir(mode=0o700)
    path = folder / "cardd.sqlite"
    db = sqlite3.connect(path)
    db.executescript((VERSIONS / f"{version}.sql").read_text())
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {version}")
    db.close()
    path.chmod(0o600)
    return path


def earlier() -> list[int]:
    return list(range(1, len(MIGRATIONS)))


def test_there_is_a_file_of_every_earlier_version() -> None:
    assert sorted(int(each.stem) for each in VERSIONS.glob("*.sql")) == earlier()


@pytest.mark.parametrize("version", earlier())
def test_an_earlier_file_has_the_tables_of_a_new_one(version: int, tmp_path: Path) -> None:
    old, new = store_of(version, tmp_path / "old"), tmp_path / "new" / "cardd.sqlite"
    Store(old).close()
    Store(new).close()
    assert columns(old) == columns(new)


@pytest.mark.parametrize("version", earlier())
def test_an_earlier_file_comes_out_whole(version: int, tmp_path: Path) -> None:
    with Store(store_of(version, tmp_path / "old")) as store:
        stored = store.load()
        assert stored.revision == 2
        assert len(store.epoch) == 16
        tree = stored.tree()
        assert value(tree, "./NAP/1/Addr") == (b"internet.example", "card")
        assert value(tree, "./Service/News/URL") == (b"https://news.example/1", "server")
        assert value(tree, "./DevInfo/Man") == (b"Cardea", "device")
        assert tree.allows("dm.example.org", Verb.REPLACE, "./DMAcc/1/Name")
        assert not tree.allows("other.example", Verb.REPLACE, "./DMAcc/1/Name")
        (write,) = store.open_card_writes(CARD)
        assert write.new_data.startswith(b"\x03\x0b\x6a\x00")
        pending = store.pending_confirmations("dm.example.org")
        assert [each.payload for each in pending] == ["500 CARD_LOST", "500 CARD_LOST"]
        stages = [result.stage for result in store.results()]
        assert stages == [Stage.FAILED, Stage.CONFIRMED]
        assert {session.outcome for session in store.sessions()} == {"ok"}
        assert store.nonce("dm.example.org", "client")
        if version >= 2:
            assert tree.title("./NAP/1") == "The card's"
            assert stored.versions == {"./Service/News/URL": 1}
        if version >= 3:
            assert len(list(store.rejections.of(CARD).entries(10))) == 1
        if version >= 4:
            assert store.revisions()[0].origin.run == "provisionings/2"
            assert store.tree_at(1).tree().snapshot.get("./Service/News/URL") != tree.snapshot.get(
                "./Service/News/URL"
            )


@pytest.mark.parametrize("version", earlier())
def test_history_begins_with_the_tree_of_an_earlier_file(version: int, tmp_path: Path) -> None:
    with Store(store_of(version, tmp_path / "old")) as store:
        before = store.load().tree()
        work = before.fork()
        Authority(work, "dm.example.org").add("./Service/Other", TreeNode(".", b"x"), 5)
        assert store.commit(work, 6) == 3
        assert [each.number for each in store.revisions()][:2] == [3, 2]
        assert not store.tree_at(2).tree().diff(before)


def test_a_file_whose_migration_was_cut_short_is_migrated_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A migration is one transaction: its statements, and the number that says it was done."""
    path = store_of(len(MIGRATIONS) - 1, tmp_path / "old")
    broken = (*MIGRATIONS[:-1], MIGRATIONS[-1] + "SELECT no_such_function();")
    monkeypatch.setattr("cardd.store.database.MIGRATIONS", broken)
    with pytest.raises(Exception, match="SQLITE_ERROR"):
        Store(path)
    monkeypatch.undo()
    with Store(path) as store:
        assert store.load().revision == 2


def value(tree: ManagementTree, path: str) -> tuple[bytes | None, str]:
    node = tree.snapshot.get(path)
    assert node is not None
    return node.value, node.kind


def columns(path: Path) -> dict[str, list[object]]:
    db = sqlite3.connect(path)
    names = [
        name
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")
    ]
    found = {
        name: list(db.execute(f"SELECT * FROM pragma_table_xinfo('{name}')")) for name in names
    }
    db.close()
    return found
