"""What writes files by itself, ended at each operation on them in turn: `python -m
support.dying_parts PART FOLDER`, with the file layer of tests/faults/dying_files.c preloaded.

A process is forked for each end. What has to hold afterwards is asserted here; the outcomes that
there were are printed.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cardd.render.output import Output, OutputFile
from cardd.render.renderer import Renderer
from cardd.store import Retention, Store, open_store
from cardd.tree import ManagementTree
from omadm.nodes import leaf

from support.dying import How

__all__ = ["PARTS"]


@dataclass(frozen=True, slots=True)
class Part:
    """``begin`` is undisturbed; ``act`` ends somewhere; ``check`` goes on from there, and tells
    what it had come to. All in a folder that is theirs."""

    begin: Callable[[Path], None]
    act: Callable[[Path], None]
    check: Callable[[Path], str]


def _tree(value: str) -> ManagementTree:
    tree = ManagementTree()
    tree.adopt("device", "local", [leaf(f"./V/{n}", value * 50) for n in range(50)], 1)
    return tree


def _renderer(folder: Path, *names: str) -> Renderer:
    """Files that say their own names, whatever the tree."""
    files = tuple(OutputFile(name, name.encode()) for name in names)
    return Renderer("r", lambda _: Output(files), folder / "rendered")


# -- a foreign file that makes way for a store

_NOTES = {"store": b"notes", "store-wal": b"more notes"}


def _put_notes(folder: Path) -> None:
    for name, content in _NOTES.items():
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o600)


def _set_aside(folder: Path) -> None:
    store, _, _ = open_store(folder / "store", Retention())
    with store:
        store.commit(_tree("1"), 1)


def _aside(folder: Path) -> str:
    store, stored, aside = open_store(folder / "store", Retention())
    store.close()
    values = {node.value for node in stored.tree().snapshot.walk("./V") if node.value}
    assert values == ({b"1" * 50} if stored.revision else set())
    found = {file.read_bytes() for file in folder.iterdir()}
    assert found.issuperset(_NOTES.values()), "nothing is lost"
    return f"{aside.reason if aside else 'nothing'} {stored.revision}"


# -- files that come and go


def _render_a(folder: Path) -> None:
    with Store(folder / "store") as store:
        _renderer(folder, "a", "b").bring_up_to_date(_tree("1").snapshot, store.renderings)


def _render_b(folder: Path) -> None:
    with Store(folder / "store") as store:
        _renderer(folder, "b", "c").bring_up_to_date(_tree("1").snapshot, store.renderings)
        store.commit(_tree("1"), 1)  # what is not synced by now is late


def _rendered(folder: Path) -> str:
    def contents() -> dict[str, str]:
        files = (file for file in (folder / "rendered").iterdir() if file.name[0] != ".")
        return {file.name: file.read_text() for file in files}

    found = contents()
    assert found.items() <= {"a": "a", "b": "b", "c": "c"}.items(), "whole, or not there"
    assert "b" in found, "nobody has touched it"
    with Store(folder / "store") as store:
        # In any order: only what is wanted is there, and nothing is left behind.
        _renderer(folder, "b", "c").bring_up_to_date(_tree("1").snapshot, store.renderings)
    assert {file.name for file in (folder / "rendered").iterdir()} == {"b", "c"}
    return "".join(sorted(found))


PARTS = {
    "a foreign file that makes way for a store": Part(_put_notes, _set_aside, _aside),
    "files that come and go": Part(_render_a, _render_b, _rendered),
}


# Of many writes between two of these, all or some come to the same.
_WHERE = {How.KILLED: "sur", How.POWER_LOST: "s", How.NAMES_LOST: "s"}


def _outcomes(part: Part, folder: Path, layer: ctypes.CDLL) -> set[str]:
    def lived(how: How, nth: int) -> str:
        """The operations of a life that nothing has ended (nth 0); "" of another."""
        place = folder / f"{how.name}-{nth}"
        place.mkdir(0o700)
        part.begin(place)
        log, written = os.pipe()
        if not os.fork():
            layer.dying_files_arm(str(place).encode(), nth, int(how))
            part.act(place)
            os.write(written, layer.dying_files_log())
            os._exit(0)
        os.close(written)
        _, status = os.wait()
        with open(log, "rb") as pipe:
            operations = pipe.read().decode()
        assert os.waitstatus_to_exitcode(status) == (-signal.SIGKILL if nth else 0)
        outcomes.add(part.check(place))
        return operations

    outcomes: set[str] = set()
    operations = lived(How.KILLED, 0)
    ends = [
        (how, nth)
        for how, letters in _WHERE.items()
        for nth, letter in enumerate(operations, 1)
        if letter in letters
    ]
    for how, nth in ends:
        try:
            lived(how, nth)
        except BaseException as error:
            error.add_note(f"{how.name} at operation {nth} of {operations}")
            raise
    assert {"s", "u", "r"} <= set(operations)
    return outcomes


if __name__ == "__main__":
    _layer = ctypes.CDLL(None)  # preloaded
    _layer.dying_files_log.restype = ctypes.c_char_p
    print(json.dumps(sorted(_outcomes(PARTS[sys.argv[1]], Path(sys.argv[2]), _layer))))
