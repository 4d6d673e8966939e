"""The file: private, ours, sound, or refused and left as it is."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from cardd.provisioning.records import NewConfirmation
from cardd.store import Store, StoreError
from cardd.store.schema import MIGRATIONS
from cardd.tree import ManagementTree
from omadm.nodes import leaf


def tree_with(value: str) -> ManagementTree:
    tree = ManagementTree()
    nodes = [leaf(f"./V/{n}", value * 50) for n in range(200)]
    tree.adopt("device", "local", nodes, 1)
    return tree


# The same, for processes of their own.
TREE = textwrap.dedent(
    """
    from cardd.tree import ManagementTree
    from omadm.nodes import leaf

    def tree_with(value):
        made = ManagementTree()
        made.adopt("device", "local", [leaf(f"./V/{n}", value * 50) for n in range(200)], 1)
        return made
    """
)


def test_store_is_private_to_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "state" / "cardd.db"
    with Store(path) as store:
        store.commit(tree_with("x"), 1)
        modes = {f.name: stat.S_IMODE(f.stat().st_mode) for f in path.parent.iterdir()}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("what", ["folder", "file"])
def test_store_that_others_can_enter_is_refused(tmp_path: Path, what: str) -> None:
    path = tmp_path / "state" / "cardd.db"
    Store(path).close()
    os.chmod(path.parent if what == "folder" else path, 0o755)
    with pytest.raises(StoreError) as caught:
        Store(path)
    assert caught.value.reason == "not_private"


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"SQLite format 3\x00", b"\x7fELF" + bytes(5000)]
)
def test_foreign_file_is_refused_and_left_untouched(tmp_path: Path, content: bytes) -> None:
    path = _private(tmp_path) / "cardd.db"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(StoreError) as caught:
        Store(path)
    assert caught.value.reason == "foreign"
    assert path.read_bytes() == content
    assert [f.name for f in path.parent.iterdir()] == ["cardd.db"]


def test_database_of_another_program_is_refused_and_left_untouched(tmp_path: Path) -> None:
    path = _private(tmp_path) / "cardd.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE layer (x)")
    connection.close()
    path.chmod(0o600)
    before = path.read_bytes()
    with pytest.raises(StoreError) as caught:
        Store(path)
    assert caught.value.reason == "foreign"
    assert path.read_bytes() == before


def test_damaged_file_is_refused_and_left_untouched(tmp_path: Path) -> None:
    path = _private(tmp_path) / "cardd.db"
    with Store(path) as store:
        store.commit(tree_with("x"), 1)
    content = bytearray(path.read_bytes())
    for offset in range(4096, len(content), 4096):
        content[offset : offset + 64] = os.urandom(64)
    path.write_bytes(content)
    with pytest.raises(StoreError) as caught:
        Store(path)
    assert caught.value.reason == "corrupt"
    assert path.read_bytes() == bytes(content)


def test_truncated_file_is_refused(tmp_path: Path) -> None:
    path = _private(tmp_path) / "cardd.db"
    with Store(path) as store:
        store.commit(tree_with("x"), 1)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(StoreError) as caught:
        Store(path)
    assert caught.value.reason == "corrupt"


def test_file_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    path = _private(tmp_path) / "cardd.db"
    Store(path).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    with pytest.raises(StoreError) as caught:
        Store(path)
    assert caught.value.reason == "newer_schema"


def test_second_daemon_on_the_same_store_is_refused(tmp_path: Path) -> None:
    path = _private(tmp_path) / "cardd.db"
    with Store(path) as store:
        store.commit(tree_with("x"), 1)
        code = f"from cardd.store import Store\nStore({str(path)!r})"
        second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert second.returncode != 0
    assert "another process holds it" in second.stderr


def test_errors_show_no_values(tmp_path: Path) -> None:
    path = _private(tmp_path) / "cardd.db"
    bad = NewConfirmation("canary-4711", "canary-4711", None)  # type: ignore[arg-type] # no row
    with Store(path) as store, pytest.raises(StoreError) as caught:
        store.add_confirmation(bad, 1)
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_disk_that_is_full_keeps_the_old_tree_and_takes_a_new_one_when_there_is_room(
    tmp_path: Path,
) -> None:
    path = _private(tmp_path) / "cardd.db"
    ran = subprocess.run(
        [sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=True
    )
    last, failed, after, again = ran.stdout.splitlines()
    assert int(last) > 1
    assert failed.startswith("failed ")
    assert after == last, "in the process that goes on"
    assert int(again) == int(last) + 1
    with Store(path) as store:
        stored = store.load()
    assert stored.revision == int(again)
    values = {node.value for node in stored.tree().snapshot.walk("./V") if node.value is not None}
    assert values == {b"new" * 50}


# A limit to a file's size stands for the disk's.
FULL = TREE + textwrap.dedent(
    """
    import itertools, resource, sys
    from cardd.store import Store, StoreError

    store = Store(sys.argv[1])
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, most))
    try:
        for n in itertools.count(1):
            store.commit(tree_with(str(n)), n)
            last = n
    except StoreError as error:
        print(last)
        print(error.reason, error.detail)
    print(store.load().revision)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    print(store.commit(tree_with("new"), n))
    """
)

KILLED = TREE + textwrap.dedent(
    """
    import os, sys, threading, time
    from cardd.store import Store

    path, times = sys.argv[1], float(sys.argv[2])
    store = Store(path)
    n = store.load().revision + 1
    began = time.monotonic()
    store.commit(tree_with(str(n)), n)
    delay = times * (time.monotonic() - began)
    threading.Thread(target=lambda: (time.sleep(delay), os.kill(os.getpid(), 9))).start()
    while True:
        n += 1
        store.commit(tree_with(str(n)), n)
    """
)


def test_kill_at_any_moment_leaves_the_old_or_the_new_tree(tmp_path: Path) -> None:
    path = _private(tmp_path) / "cardd.db"
    last = 0
    for round_ in range(12):
        # In parts of the time that a commit takes here.
        arguments = [sys.executable, "-c", KILLED, str(path), str(round_ / 5)]
        killed = subprocess.run(arguments, capture_output=True, text=True)
        assert killed.returncode == -9, killed.stderr
        with Store(path) as store:
            stored = store.load()
        assert stored.revision > last
        last = stored.revision
        values = {
            node.value for node in stored.tree().snapshot.walk("./V") if node.value is not None
        }
        # All nodes of one revision, of exactly that revision.
        assert values == {(str(last) * 50).encode()}


def test_kill_while_the_store_is_made_leaves_none_or_a_good_one(tmp_path: Path) -> None:
    for round_ in range(10):
        path = _private(tmp_path / str(round_)) / "cardd.db"
        code = (
            "import os, sys, threading, time\n"
            "from cardd.store import Store\n"
            f"threading.Thread(target=lambda: (time.sleep({0.0005 * round_}),"
            " os.kill(os.getpid(), 9))).start()\n"
            f"Store({str(path)!r})\ntime.sleep(5)\n"
        )
        killed = subprocess.run([sys.executable, "-c", code], capture_output=True)
        assert killed.returncode == -9
        with Store(path) as store:
            assert store.load().revision == 0


def _private(folder: Path) -> Path:
    made = folder / "state"
    made.mkdir(mode=0o700, parents=True)
    return made
