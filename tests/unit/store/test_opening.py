"""What lies in the store's place and is none is set aside whole, and the machine begins anew."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from cardd.store import EpochMark, Retention, Store, StoreError, open_store
from cardd.store.schema import MIGRATIONS
from unit.store.test_file import tree_with


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    return folder / "cardd.db"


def started(path: Path) -> tuple[int, str, Path | None]:
    """Revision, reason and place of what was set aside."""
    store, stored, aside = open_store(path, Retention())
    store.close()
    return stored.revision, aside.reason if aside else "", aside.moved_to if aside else None


def written(path: Path) -> bytes:
    with Store(path) as store:
        store.commit(tree_with("x"), 1)
    return path.read_bytes()


def test_a_sound_store_is_opened_and_nothing_is_set_aside(path: Path) -> None:
    written(path)
    assert started(path) == (1, "", None)


@pytest.mark.parametrize("content", [b"", b"notes\n", b"\x7fELF" + bytes(5000)])
def test_a_foreign_file_is_set_aside_and_kept_byte_for_byte(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o600)
    revision, reason, moved_to = started(path)
    assert (revision, reason) == (0, "foreign")
    assert moved_to == path.with_name("cardd.db.foreign-1")
    assert moved_to.read_bytes() == content


def test_a_damaged_store_is_set_aside_with_its_log(path: Path) -> None:
    content = bytearray(written(path))
    for offset in range(4096, len(content), 4096):
        content[offset : offset + 64] = os.urandom(64)
    path.write_bytes(content)
    log = Path(f"{path}-wal")
    log.write_bytes(b"its log")
    log.chmod(0o600)
    revision, reason, moved_to = started(path)
    assert (revision, reason) == (0, "corrupt")
    assert moved_to is not None
    assert moved_to.read_bytes() == bytes(content)
    assert Path(f"{moved_to}-wal").read_bytes() == b"its log"


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE claim SET path = './V//7' WHERE path = './V/7'",
        "UPDATE claim SET mime = cast(x'ff41' AS TEXT)",
        "INSERT INTO acl VALUES ('./V', 'device', 'local', 'Git=*', 1)",
        "DELETE FROM tree_state",
        "DROP TABLE claim",
        "PRAGMA user_version = 3",
    ],
)
def test_a_store_whose_tree_makes_no_sense_is_set_aside(path: Path, damage: str) -> None:
    written(path)
    db = sqlite3.connect(path)
    db.execute(damage)
    db.commit()
    db.close()
    content = path.read_bytes()
    revision, reason, moved_to = started(path)
    assert (revision, reason) == (0, "corrupt")
    assert moved_to is not None
    assert moved_to.read_bytes() == content


def test_whatever_byte_is_damaged_the_machine_starts_and_nothing_is_lost(path: Path) -> None:
    """SQLite looks at the order of its pages, not at what they hold."""
    sound = written(path)
    outcomes = set()
    for place in (*range(16, 4096, 60), *range(4096, len(sound), 4096 + 200)):
        content = bytearray(sound)
        content[place] ^= 0x88
        path.write_bytes(content)
        path.chmod(0o600)
        revision, reason, moved_to = started(path)
        outcomes.add(reason)
        assert (revision, reason) in ((1, ""), (0, "corrupt"), (0, "foreign")), place
        assert moved_to is None or moved_to.read_bytes() == content, place
        for file in path.parent.iterdir():
            file.unlink()
    assert outcomes >= {"", "corrupt"}


def test_who_cannot_begin_anew_says_where_the_old_store_is(path: Path) -> None:
    """The next start finds none in its place, and has nothing to tell of it."""
    path.write_bytes(b"notes")
    path.chmod(0o600)
    in_the_way = path.with_name("cardd.db.new")
    in_the_way.mkdir()
    with pytest.raises(StoreError, match=r"cardd\.db\.foreign-1") as caught:
        open_store(path, Retention())
    assert caught.value.reason == "unreadable"
    assert path.with_name("cardd.db.foreign-1").read_bytes() == b"notes"


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_neither_waited_for_nor_moved(
    path: Path, make: Callable[[Path, int], None]
) -> None:
    make(path, 0o600)
    with pytest.raises(StoreError, match="not a file"):
        open_store(path, Retention())
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_the_epoch_lasts_as_long_as_the_store(path: Path) -> None:
    written(path)
    epochs = []
    for damaged in (False, False, True):
        if damaged:
            path.write_bytes(b"x" * 5000)
        store, _, _ = open_store(path, Retention())
        epochs.append(store.epoch)
        store.close()
    assert epochs[0] == epochs[1] != epochs[2]
    assert all(len(epoch) == 16 for epoch in epochs)


def test_a_store_that_was_put_back_from_a_copy_has_another_epoch(path: Path) -> None:
    mark = EpochMark(path.with_name("epoch"))

    def life(*texts: str) -> str:
        store, _, _ = open_store(path, Retention(), mark)
        for at_ms, text in enumerate(texts, 1):
            store.commit(tree_with(text), at_ms)
        with store:
            return store.epoch

    first = life("a")
    copy = path.read_bytes()
    assert life() == first
    assert life("b") == first
    later = path.read_bytes()
    path.write_bytes(copy)
    restored = life()
    assert restored != first
    # Another history with as many revisions.
    assert life("c", "d") == restored
    path.write_bytes(later)
    assert life() not in (first, restored)


def test_a_store_of_which_nobody_knows_what_was_told_has_another_epoch(path: Path) -> None:
    mark = path.with_name("epoch")

    def epoch() -> str:
        store, _, _ = open_store(path, Retention(), EpochMark(mark))
        with store:
            return store.epoch

    epochs = [epoch(), epoch()]
    for content in (None, "", "x y z", "no number"):
        mark.unlink() if content is None else mark.write_text(content)
        epochs.append(epoch())
    mark.unlink()
    mark.mkdir()
    epochs += [epoch(), epoch()]
    assert epochs[0] == epochs[1]
    assert len(set(epochs)) == len(epochs) - 1


def test_what_was_set_aside_before_is_never_overwritten(path: Path) -> None:
    for n in range(3):
        path.write_bytes(f"notes {n}".encode())
        path.chmod(0o600)
        _, _, moved_to = started(path)
        assert moved_to == path.with_name(f"cardd.db.foreign-{n + 1}")
        path.unlink()
    kept = [path.with_name(f"cardd.db.foreign-{n + 1}").read_bytes() for n in range(3)]
    assert kept == [b"notes 0", b"notes 1", b"notes 2"]


def test_a_log_without_its_store_is_set_aside_and_not_played_into_the_new_one(path: Path) -> None:
    """Who moves a damaged file away by hand may well forget the log beside it."""
    with Store(path) as store:
        store.commit(tree_with("old"), 1)
        log = Path(f"{path}-wal").read_bytes()
    assert log
    path.unlink()
    left = Path(f"{path}-wal")
    left.write_bytes(log)
    left.chmod(0o600)
    revision, reason, moved_to = started(path)
    assert (revision, reason) == (0, "corrupt")
    assert moved_to is not None
    assert moved_to.read_bytes() == log


@pytest.mark.parametrize("what", ["newer", "in use", "not private"])
def test_a_sound_store_that_cannot_be_opened_now_stays_where_it_is(path: Path, what: str) -> None:
    written(path)
    holder = None
    if what == "newer":
        db = sqlite3.connect(path)
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
        db.close()
    elif what == "in use":
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("PRAGMA locking_mode = EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
    else:
        path.chmod(0o644)
    before = path.read_bytes()
    with pytest.raises(StoreError) as caught:
        open_store(path, Retention())
    if holder is not None:
        holder.close()
    reasons = {"newer": "newer_schema", "in use": "in_use", "not private": "not_private"}
    assert caught.value.reason == reasons[what]
    assert path.read_bytes() == before
    assert not list(path.parent.glob("*-1"))
