"""The configuration: every key documented, nothing misread, nothing ignored."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cardd.app.access_config import GrantConfig
from cardd.app.config import (
    Config,
    PcscReaderConfig,
    RenderConfig,
    load_config,
    parse_config,
)
from cardd.app.config_reference import reference
from cardd.app.device import nodes_of_device
from cardd.app.policy import check_names, load_checked
from cardd.app.settings import ConfigError
from cardd.app.toml_lines import line_of

REFERENCE = Path(__file__).parents[3] / "docs/configuration.md"


def keys() -> Iterator[tuple[str, dataclasses.Field[Any]]]:
    rows = {
        "access.grant": GrantConfig,
        "pcsc.reader": PcscReaderConfig,
        "render": RenderConfig,
    }
    for name, section in (typing.get_type_hints(Config) | rows).items():
        for field in dataclasses.fields(section):
            yield name, field


def test_every_key_has_a_meaning_and_stands_in_the_reference() -> None:
    page = reference()
    for section, field in keys():
        assert field.metadata["doc"].strip(), f"{section}.{field.name}"
        row = f"| `{field.name}` |" in page
        assert row or f"## `[[{section}.{field.name}]]`" in page, f"{section}.{field.name}"


def test_the_committed_reference_is_the_one_that_is_printed() -> None:
    assert REFERENCE.read_text() == reference()


def test_an_empty_file_is_the_default_configuration() -> None:
    assert parse_config("") == Config()


def test_the_default_configuration_names_nothing_that_is_missing() -> None:
    check_names(Config())


@pytest.mark.parametrize(
    ("text", "where", "said"),
    [
        ("[sharring]", "sharring", "did you mean sharing?"),
        ("[sharing]\nidle_limit = 1", "sharing.idle_limit", "did you mean idle_limit_s?"),
        ("[sharing]\nidle_limit_s = 'x'", "sharing.idle_limit_s", "must be a number"),
        ("[sharing]\nidle_limit_s = true", "sharing.idle_limit_s", "must be a number"),
        ("[sharing]\nidle_limit_s = 0", "sharing.idle_limit_s", "at least"),
        ("[sharing]\nidle_limit_s = 60", "sharing.idle_limit_s", "longer than max_hold_s"),
        ("[limits]\nstreams_per_user = 1.5", "limits.streams_per_user", "must be an integer"),
        ("[limits]\nstreams_per_user = true", "limits.streams_per_user", "must be an integer"),
        ("[socket]\nmode = '999'", "socket.mode", "octal"),
        (f"[socket]\npath = '/{'x' * 120}'", "socket.path", "107 bytes"),
        ("socket = 1", "socket", "must be a table"),
        ("[logging]\nlevel = 'loud'", "logging.level", '"debug" or "info"'),
        ("[network]\nhosts = ['a']", "network.hosts", "must be a table"),
        ("[notification]\nlisten = 'here:1'", "notification.listen", "numeric address"),
        ("[notification]\nlisten = '127.0.0.1'", "notification.listen", "and a port"),
        ("[notification]\nlisten = '[::]:65536'", "notification.listen", "and a port"),
        ("[network.hosts]\na = 1", 'network.hosts."a"', "must be a string"),
        ("[access]\ngrant = 1", "access.grant", "must be a list of tables"),
        ("[[access.grant]]\nuid = [0]", "access.grant[0].uid", "did you mean uids?"),
        ("[[access.grant]]\nuids = ['0']", "access.grant[0].uids[0]", "must be an integer"),
        ("= 1", "configuration", "not TOML"),
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, where: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(text)
    assert where in caught.value.where
    assert said in caught.value.problem


@pytest.mark.parametrize(
    ("row", "place", "said"),
    [
        ('users = ["root",\n "nobody-here"]\nrights = ["*"]', 4, "no such user or group"),
        ('groups = ["nobody-here"]\nrights = ["*"]', 4, "no such user or group"),
        ('everyone = true\nrights = ["tree.read",\n"cards.reed"]', 5, "did you mean cards.read?"),
        ('everyone = true\nrights = ["nothing"]', 5, "there are "),
        ('everyone = true\nunits = ["netd"]\nrights = ["*"]', 5, "has no kind"),
        ('rights = ["*"]', 3, "lets nobody in"),
        ("everyone = true", 3, "gives nothing"),
        ("everyone = true\nright = 1", 5, "did you mean rights?"),
    ],
)
def test_a_mistake_in_a_row_is_named_with_its_line(
    tmp_path: Path, row: str, place: int, said: str
) -> None:
    file = tmp_path / "cardd.toml"
    good = '[[access.grant]]\neveryone = true\nrights = ["*"]\n'
    file.write_text(f"# a comment\n\n[[access.grant]]\n{row}\n{good}")
    with pytest.raises(ConfigError) as caught:
        load_checked(file)
    assert caught.value.where.startswith(f"{file}:{place}: access.grant[0]")
    assert said in caught.value.problem


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ('[network]\nca_file = "/nowhere"', "2: network.ca_file", "/nowhere: No such file"),
        ('[network]\nca_file = "/etc/passwd"', "2: network.ca_file", "no certificate in PEM"),
        ('[network]\ndm_url = "http://dm"', "2: network.dm_url", "must begin with https://"),
        ('[network]\nbsf_url = "bsf"', "2: network.bsf_url", "must begin with https://"),
        ('[network.hosts]\n"dm:443" = "h:x"', '2: network.hosts."dm:443"', "has no port"),
        ('[device.acl]\n"./NAP" = "Foo=*"', '2: device.acl."./NAP"', "without a known verb"),
        ('[device.tree]\n"/NAP" = "x"', '2: device.tree."/NAP"', "is not a node path"),
    ],
)
def test_what_would_fail_only_at_the_start_or_in_a_session_is_found_beforehand(
    tmp_path: Path, text: str, place: str, said: str
) -> None:
    file = tmp_path / "cardd.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_checked(file)
    assert caught.value.where == f"{file}:{place}"
    assert said in caught.value.problem


@pytest.mark.parametrize(
    ("text", "place", "line"),
    [
        ("a = 1\n[b]\nc = 1", "b.c", 3),
        ("a = 1\n[b]\nc = 1", "b.d", 2),
        ("a = 1\n[b]\nc = 1", "e.f", None),
        ("b.c = 1", "b.c", 1),
        ("access = {grant = [{x = 1}]}", "access.grant[0].x", 1),
        ("[[a.b]]\nc = 1\n[[ a.b ]] # second\nc = 1\n[d]\nc = 1", "a.b[1].c[0]", 4),
        ("[[a.b]]\nc = 1", "a.b[1].c", None),
        ('[n]\n"x.y:1" = 1', 'n."x.y:1"', 2),
    ],
)
def test_a_key_is_found_at_its_line(text: str, place: str, line: int | None) -> None:
    assert line_of(text, place) == line


def test_a_file_that_cannot_be_read_is_an_error_of_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_config(tmp_path / "none.toml")
    (tmp_path / "latin1").write_bytes(b"# \xe9")
    with pytest.raises(ConfigError, match="UTF-8"):
        load_config(tmp_path / "latin1")


def test_whole_numbers_are_taken_for_seconds() -> None:
    assert parse_config("[sharing]\nmax_hold_s = 7").sharing.max_hold_s == 7.0


def test_the_devices_own_values_and_acls_become_nodes() -> None:
    config = parse_config(
        '[device]\nid = "urn:uuid:1"\n'
        '[device.tree]\n"./NAP/own/NAPAddr" = "internet"\n'
        '[device.acl]\n"./NAP" = "Get=dm.example"\n"./Card" = "Exec=dm.example"\n'
    )
    nodes = {node.path: node for node in nodes_of_device(config.device)}
    assert nodes["./DevInfo/DevId"].value == b"urn:uuid:1"
    assert nodes["./NAP/own/NAPAddr"].value == b"internet"
    assert nodes["./NAP"].acl == "Get=dm.example"
    assert nodes["./Card"].acl == "Exec=dm.example"
    assert nodes["./Card"].interior


def test_the_derived_device_id_is_stable_and_does_not_show_the_machine_id() -> None:
    first, second = (
        next(n.value for n in nodes_of_device(Config().device) if n.path == "./DevInfo/DevId")
        for _ in range(2)
    )
    assert first == second
    machine_id = Path("/etc/machine-id")
    if machine_id.exists():
        assert machine_id.read_text().strip().encode() not in (first or b"").replace(b"-", b"")
