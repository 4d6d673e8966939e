"""`[[render]]` tables: what makes a renderer, and what is refused before the daemon starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from cardd.app.config import parse_config
from cardd.app.renderers import renderers_of
from cardd.app.settings import ConfigError

GOOD = 'name = "r"\nfolder = "/x"\n'
JSON = 'kind = "json"\nfile = "f.json"\n'


def test_each_kind_makes_a_renderer(tmp_path: Path) -> None:
    template = tmp_path / "t.j2"
    template.write_text("x={{ value('./NAP/1/Addr') }}\n")
    text = (
        '[[render]]\nname = "nm"\nkind = "networkmanager"\nfolder = "/nm"\n'
        'program = ["/usr/bin/nmcli", "connection", "reload"]\nuser = "root"\n'
        '[[render]]\nname = "ca"\nkind = "certificates"\nnodes = "./Trust"\nmode = "0644"\n'
        '[[render]]\nname = "settings"\nkind = "json"\nfile = "settings.json"\n'
        f'[[render]]\nname = "own"\nfile = "own.conf"\ntemplate = "{template}"\n'
    )
    nm, ca, settings, own = renderers_of(parse_config(text).render)
    assert nm.program is not None
    assert nm.program.arguments == ("/usr/bin/nmcli", "connection", "reload")
    assert (nm.folder, nm.mode) == (Path("/nm"), 0o600)
    assert (ca.folder, ca.mode) == (Path("/var/lib/cardea/rendered"), 0o644)
    assert [each.name for each in (settings, own)] == ["settings", "own"]


@pytest.mark.parametrize(
    ("row", "where", "said"),
    [
        (JSON, "name", "must be up to 40"),
        (f'name = "../x"\n{JSON}', "name", "must be up to 40"),
        (f'name = "r"\nfolder = "x"\n{JSON}', "folder", "absolute"),
        (f'{GOOD}kind = "json"\n', "file", "a file's name"),
        (f'{GOOD}kind = "json"\nfile = "../f"\n', "file", "a file's name"),
        (f'{GOOD}kind = "json"\nfile = ".."\n', "file", "a file's name"),
        (f'{GOOD}kind = "networkmanager"\nfile = "f"\n', "file", "names its files itself"),
        (f'{GOOD}kind = "nonsense"\n', "kind", "must be"),
        (f'{GOOD}file = "f"\n', "template", "is missing"),
        (f'{GOOD}file = "f"\ntemplate = "/etc"\n', "template", "Is a directory"),
        (f'{GOOD}file = "f"\ntemplate = "/nonexistent"\n', "template", "No such file"),
        (f'{GOOD}{JSON}mode = "0700"\n', "mode", "0400 to 0644"),
        (f'{GOOD}{JSON}mode = "0666"\n', "mode", "0400 to 0644"),
        (f'{GOOD}kind = "networkmanager"\nmode = "0640"\n', "mode", "that others may read"),
        (f'{GOOD}{JSON}mode = "rw"\n', "mode", "0400 to 0644"),
        (f'{GOOD}{JSON}nodes = "NAP//1"\n', "nodes", "not a node path"),
        (f'{GOOD}{JSON}program = ["nmcli"]\n', "program", "absolute"),
        (f'{GOOD}{JSON}program = "nmcli"\n', "program", "must be a list"),
        (f'{GOOD}{JSON}program = ["/x"]\nuser = "no-such-user"\n', "user", "no user"),
        (f'{GOOD}{JSON}program = ["/x"]\nprogram_timeout_s = 0\n', "program_timeout_s", "at least"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(row: str, where: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        renderers_of(parse_config(f"[[render]]\n{row}").render)
    assert f"render[0].{where}" in str(caught.value)


def test_a_template_that_is_none_is_refused(tmp_path: Path) -> None:
    template = tmp_path / "t.j2"
    template.write_text("line 1\n{% if %}\n")
    text = f'[[render]]\n{GOOD}file = "f"\ntemplate = "{template}"\n'
    with pytest.raises(ConfigError, match="line 2"):
        renderers_of(parse_config(text).render)


@pytest.mark.parametrize(("second", "where"), [("r", "name"), ("other", "file")])
def test_two_renderers_share_neither_name_nor_file(second: str, where: str) -> None:
    text = f'[[render]]\n{GOOD}{JSON}[[render]]\nname = "{second}"\nfolder = "/x"\n{JSON}'
    with pytest.raises(ConfigError, match=rf"render\[\d\]\.{where}"):
        renderers_of(parse_config(text).render)


NM, PEM = 'kind = "networkmanager"\n', 'kind = "certificates"\n'


@pytest.mark.parametrize(
    ("first", "folder", "second"),
    [
        (f'folder = "/x"\n{NM}', "/x", f'nodes = "./NAP/2"\n{NM}'),
        (f'folder = "/x"\n{PEM}', "/x", f'nodes = "./Trust"\n{PEM}'),
        (f'folder = "/x"\n{PEM}', "/y/../x/", f'nodes = "./Trust"\n{PEM}'),
        (f'folder = "/x"\n{PEM}', "/x", 'kind = "json"\nfile = "cardea-a.pem"\n'),
        (f'folder = "/x"\n{JSON}', "/x/.", JSON),
    ],
)
def test_two_renderers_that_could_write_the_same_file_are_refused(
    first: str, folder: str, second: str
) -> None:
    text = f'[[render]]\nname = "a"\n{first}[[render]]\nname = "b"\nfolder = "{folder}"\n{second}'
    with pytest.raises(ConfigError, match=r"render\[1\]\.(folder|file)"):
        renderers_of(parse_config(text).render)


def test_renderers_of_several_kinds_share_a_folder() -> None:
    rows = [f'name = "{n}"\nfolder = "/x"\n{kind}' for n, kind in enumerate((NM, PEM, JSON))]
    text = "".join(f"[[render]]\n{row}" for row in rows)
    assert len(renderers_of(parse_config(text).render)) == 3
