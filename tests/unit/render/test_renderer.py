"""A renderer brings its folder to what the tree says, tells its program, and can be cut short."""

from __future__ import annotations

import os
import resource
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cardd.provisioning.errors import RenderingFailedError
from cardd.render.output import Output, OutputFile, Plan
from cardd.render.program import Program, ProgramFailedError
from cardd.render.renderer import Renderer, RendererError
from cardd.render.rendering import Rendering
from cardd.store import Store
from cardea_core import Snapshot
from support.client import eventually
from unit.render.trees import snapshot


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "state" / "store.sqlite") as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "rendered"


def leaves(tree: Snapshot) -> Output:
    """A file for each leaf right below ./F; a value "bad" cannot be rendered."""
    found = [node for node in tree.walk("./F") if node.value is not None]
    return Output(
        tuple(OutputFile(n.name, n.value or b"") for n in found if n.value != b"bad"),
        tuple(f"{n.path} is bad" for n in found if n.value == b"bad"),
    )


def tree(**files: str) -> Snapshot:
    return snapshot({f"./F/{name}": value for name, value in files.items()})


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def told(marker: Path, *, then: str = "") -> Program:
    """A program that adds a line to a file, and then does something else."""
    line = f"open({str(marker)!r}, 'a').write(os.environ['CARDEA_RENDERER'] + chr(10))"
    code = f"import os, sys, time; {line}; {then or 'pass'}"
    return Program((sys.executable, "-c", code), user="root")


def times(marker: Path) -> int:
    return len(marker.read_text().splitlines()) if marker.exists() else 0


def test_files_appear_change_and_go_with_their_nodes(store: Store, folder: Path) -> None:
    renderer = Renderer("r", leaves, folder)
    for files in ({"a": "1", "b": "2"}, {"a": "3", "b": "2"}, {"b": "2"}, {}):
        assert renderer.bring_up_to_date(tree(**files), store.renderings)
        assert contents(folder) == files


def test_what_is_as_it_should_be_is_not_written_and_nobody_is_told(
    store: Store, folder: Path, tmp_path: Path
) -> None:
    marker = tmp_path / "told"
    renderer = Renderer("r", leaves, folder, program=told(marker))
    assert renderer.bring_up_to_date(tree(a="1"), store.renderings)
    before = (folder / "a").stat()
    assert not renderer.bring_up_to_date(tree(a="1"), store.renderings)
    after = (folder / "a").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert marker.read_text() == "r\n"


def test_a_changed_file_is_another_file_so_that_readers_see_the_old_or_the_new_one(
    store: Store, folder: Path
) -> None:
    renderer = Renderer("r", leaves, folder)
    renderer.bring_up_to_date(tree(a="old"), store.renderings)
    with (folder / "a").open() as reader:
        renderer.bring_up_to_date(tree(a="new"), store.renderings)
        assert reader.read() == "old"
    assert contents(folder) == {"a": "new"}


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_files_have_the_mode_that_is_configured_whatever_the_umask(
    store: Store, folder: Path, mode: int
) -> None:
    before = os.umask(0o077)
    try:
        Renderer("r", leaves, folder, mode).bring_up_to_date(tree(a="1"), store.renderings)
    finally:
        os.umask(before)
    assert stat.S_IMODE((folder / "a").stat().st_mode) == mode


@pytest.mark.parametrize(
    "what", ["changed", "removed", "opened to others", "a link elsewhere", "a pipe"]
)
def test_what_somebody_else_does_to_a_file_is_put_right(
    store: Store, folder: Path, tmp_path: Path, what: str
) -> None:
    marker, elsewhere = tmp_path / "told", tmp_path / "elsewhere"
    elsewhere.write_text("1")
    elsewhere.chmod(0o600)
    renderer = Renderer("r", leaves, folder, program=told(marker))
    renderer.bring_up_to_date(tree(a="1"), store.renderings)
    file = folder / "a"
    if what == "changed":
        file.write_text("other")
    elif what == "opened to others":
        file.chmod(0o666)
    else:
        file.unlink()
    if what == "a link elsewhere":
        file.symlink_to(elsewhere)
    elif what == "a pipe":
        os.mkfifo(file, 0o600)
    assert renderer.bring_up_to_date(tree(a="1"), store.renderings)
    assert not file.is_symlink()
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("1", 0o600)
    assert elsewhere.read_text() == "1"
    assert times(marker) == 2


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_link_where_a_file_is_made_leads_nowhere(
    store: Store, folder: Path, tmp_path: Path, link: Callable[[Path, Path], None]
) -> None:
    """Somebody who may write the folder knows under which name files are made."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("precious")
    folder.mkdir()
    link(elsewhere, folder / ".a.cardea-new")
    assert Renderer("r", leaves, folder).bring_up_to_date(tree(a="1"), store.renderings)
    assert contents(folder) == {"a": "1"}
    assert elsewhere.read_text() == "precious"


def test_a_file_is_nobody_elses_while_it_is_made(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []

    def watched(descriptor: int, mode: int) -> None:
        made.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        os.chmod(descriptor, mode)

    monkeypatch.setattr("os.fchmod", watched)
    before = os.umask(0)
    try:
        Renderer("r", leaves, folder, 0o400).bring_up_to_date(tree(a="1"), store.renderings)
    finally:
        os.umask(before)
    assert made == [0o600]


def test_what_was_to_be_removed_when_a_file_could_not_be_made_is_removed_later(
    store: Store, folder: Path
) -> None:
    renderer = Renderer("r", leaves, folder)
    renderer.bring_up_to_date(tree(a="1"), store.renderings)
    in_the_way = folder / "b"
    in_the_way.mkdir()
    with pytest.raises(RendererError, match=f"{folder}/b: Is a directory"):
        renderer.bring_up_to_date(tree(b="2"), store.renderings)
    assert sorted(path.name for path in folder.iterdir()) == ["a", "b"]
    in_the_way.rmdir()
    assert renderer.bring_up_to_date(tree(b="2"), store.renderings)
    assert contents(folder) == {"b": "2"}


def test_a_program_that_fails_is_run_again_the_next_time(
    store: Store, folder: Path, tmp_path: Path
) -> None:
    marker, good = tmp_path / "told", tmp_path / "good"
    program = told(marker, then=f"sys.exit(0 if os.path.exists({str(good)!r}) else 3)")
    renderer = Renderer("r", leaves, folder, program=program)
    for _ in range(2):
        with pytest.raises(RendererError, match="exit status 3"):
            renderer.bring_up_to_date(tree(a="1"), store.renderings)
    good.touch()
    assert renderer.bring_up_to_date(tree(a="1"), store.renderings)
    assert not renderer.bring_up_to_date(tree(a="1"), store.renderings)
    assert times(marker) == 3


def test_a_program_that_was_not_yet_told_is_told_after_a_restart(
    store: Store, folder: Path, tmp_path: Path
) -> None:
    """Killed between the last file and the program: the files are right, and nobody knows."""
    marker = tmp_path / "told"
    renderer = Renderer("r", leaves, folder, program=told(marker))
    renderer.bring_up_to_date(tree(a="1"), store.renderings)
    store.renderings.begin("r", [str(folder / "a"), str(folder / "b")])
    (folder / "b").write_text("left behind")
    (folder / ".b.cardea-new").write_text("left in the middle")
    assert renderer.bring_up_to_date(tree(a="1"), store.renderings)
    assert contents(folder) == {"a": "1"}
    assert times(marker) == 2


def test_an_object_that_cannot_be_rendered_keeps_no_other_out_and_is_an_error_once(
    store: Store, folder: Path, tmp_path: Path
) -> None:
    marker = tmp_path / "told"
    renderer = Renderer("r", leaves, folder, program=told(marker))
    with pytest.raises(RendererError, match=r"\./F/b is bad"):
        renderer.bring_up_to_date(tree(a="1", b="bad"), store.renderings)
    assert contents(folder) == {"a": "1"}
    assert not renderer.bring_up_to_date(tree(a="1", b="bad"), store.renderings)
    assert times(marker) == 1


def test_a_folder_that_cannot_be_written_is_an_error_and_is_tried_again(
    store: Store, tmp_path: Path
) -> None:
    renderer = Renderer("r", leaves, tmp_path / "missing" / "rendered")
    with pytest.raises(RendererError, match="No such file"):
        renderer.bring_up_to_date(tree(a="1"), store.renderings)
    (tmp_path / "missing").mkdir()
    assert renderer.bring_up_to_date(tree(a="1"), store.renderings)
    assert contents(tmp_path / "missing" / "rendered") == {"a": "1"}


def test_a_disk_that_is_full_leaves_the_file_as_it_was(store: Store, folder: Path) -> None:
    """The system writes as much as there is room for, and calls that no error."""
    renderer = Renderer("r", leaves, folder)
    renderer.bring_up_to_date(tree(a="old"), store.renderings)
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    long = "new" * 1_000_000
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, most))
    try:
        with pytest.raises(RendererError, match=rf"{folder}/a: File too large"):
            renderer.bring_up_to_date(tree(a=long), store.renderings)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    assert contents(folder) == {"a": "old"}
    assert renderer.bring_up_to_date(tree(a=long), store.renderings)
    assert contents(folder) == {"a": long}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_none_of_ours(store: Store, folder: Path) -> None:
    renderer = Renderer("r", leaves, folder)
    renderer.bring_up_to_date(tree(a="1"), store.renderings)
    os.chown(folder / "a", 65534, 65534)
    assert renderer.bring_up_to_date(tree(a="1"), store.renderings)
    assert (folder / "a").stat().st_uid == 0


def files_of(*names: str) -> Plan:
    """A renderer's plan: these files, whatever the tree."""
    return lambda _: Output(tuple(OutputFile(name, b"1") for name in names))


@pytest.mark.parametrize("order", [1, -1])
def test_a_file_that_goes_from_one_renderer_to_another_is_not_lost(
    store: Store, folder: Path, order: int
) -> None:
    """As the configuration says it after a restart, whichever of them comes first."""
    before = [Renderer("a", files_of("x", "z"), folder), Renderer("b", files_of("y"), folder)]
    after = [Renderer("a", files_of("y"), folder), Renderer("b", files_of("x"), folder)]
    Rendering(before, store.renderings).bring_up_to_date(tree())
    Rendering(after[::order], store.renderings).bring_up_to_date(tree())
    assert contents(folder) == {"x": "1", "y": "1"}

    inode = (folder / "x").stat().st_ino
    Rendering([Renderer("c", files_of("x"), folder)], store.renderings).bring_up_to_date(tree())
    assert contents(folder) == {"x": "1"}
    assert (folder / "x").stat().st_ino == inode


def test_one_renderer_that_fails_keeps_no_other_from_its_work(
    store: Store, folder: Path, tmp_path: Path
) -> None:
    renderers = [Renderer("bad", leaves, tmp_path / "no" / "no"), Renderer("good", leaves, folder)]
    with pytest.raises(RenderingFailedError) as caught:
        Rendering(renderers, store.renderings).bring_up_to_date(tree(a="1"))
    assert caught.value.renderer == "bad"
    assert contents(folder) == {"a": "1"}


def test_what_a_renderer_left_that_is_configured_no_more_is_removed(
    store: Store, folder: Path, tmp_path: Path
) -> None:
    Rendering([Renderer("r", leaves, folder)], store.renderings).bring_up_to_date(tree(a="1"))
    (folder / "of somebody else").write_text("x")
    Rendering([], store.renderings).bring_up_to_date(tree(a="1"))
    assert contents(folder) == {"of somebody else": "x"}
    assert not store.renderings.renderers()


def test_a_renderer_that_moves_leaves_nothing_behind(store: Store, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for folder in (old, new):
        Rendering([Renderer("r", leaves, folder)], store.renderings).bring_up_to_date(tree(a="1"))
    assert (contents(old), contents(new)) == ({}, {"a": "1"})


# -- programs


def test_a_program_that_does_not_end_is_killed_with_what_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = f"sleep 60 & echo $! > {pids}; wait"
    with pytest.raises(ProgramFailedError, match=r"did not end within 1\.5 s"):
        Program(("sh", "-c", code), 1.5, "root").run({})
    eventually(lambda: not _lives(int(pids.read_text())))


@pytest.mark.parametrize(
    ("code", "said"),
    [("raise SystemExit(7)", "exit status 7"), ("import os; os.abort()", "signal 6")],
)
def test_how_a_program_failed_is_told(code: str, said: str) -> None:
    with pytest.raises(ProgramFailedError, match=said):
        Program((sys.executable, "-c", code), user="root").run({})


def test_a_program_that_is_not_there_is_told() -> None:
    with pytest.raises(ProgramFailedError, match="No such file"):
        Program(("/nonexistent/program",)).run({})


def test_a_program_gets_a_small_environment_and_no_open_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY", "x")
    out = tmp_path / "out"
    code = (
        "import os\n"
        f"open({str(out)!r}, 'w').write(repr((sorted(os.environ),"
        " sorted(os.listdir('/proc/self/fd')), os.getcwd(), os.getsid(0) == os.getpid())))"
    )
    Program((sys.executable, "-I", "-c", code), user="root").run({"CARDEA_RENDERER": "r"})
    names, descriptors, where, leads = eval(out.read_text())
    assert set(names) - {"LC_CTYPE"} == {"CARDEA_RENDERER", "LANG", "PATH"}
    # 0, 1, 2, the file that is being written, and the listing itself.
    assert len(descriptors) <= 5
    assert (where, leads) == ("/", True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to drop")
def test_a_program_of_root_is_run_as_the_user_that_is_configured() -> None:
    Program(("/usr/bin/test", "!", "-w", "/etc/shadow")).run({})
    with pytest.raises(ProgramFailedError):
        Program(("/usr/bin/test", "-w", "/etc/shadow")).run({})
    Program(("/usr/bin/test", "-w", "/etc/shadow"), user="root").run({})


def _lives(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False
