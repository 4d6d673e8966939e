"""Configuration: each key documented and checked, each error names its key."""

from pathlib import Path

import pytest
from dmsd import config
from dmsd.errors import ConfigError

GOOD = """
[server]
id = "dms.example.org"
[registry]
path = "registry.sqlite"
[operator]
socket = "/run/dmsd/operator.sock"
[dm]
host = "dm.example.org"
certificate = "dm.pem"
key = "dm-key.pem"
"""
BASE = Path("/etc/cardea")


def test_relative_paths_are_relative_to_the_file() -> None:
    loaded = config.parse(GOOD, base=BASE)
    assert loaded.registry.path == BASE / "registry.sqlite"
    assert loaded.operator.socket == Path("/run/dmsd/operator.sock")


def test_absent_and_disabled_sections_are_off() -> None:
    assert config.parse(GOOD, base=BASE).bsf is None
    text = GOOD + '\n[bsf]\nhost = "b"\ncertificate = "c"\nkey = "k"\nenabled = false\n'
    assert config.parse(text, base=BASE).bsf is None


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (('id = "dms.example.org"', 'id = ""'), "server.id"),
        (('id = "dms.example.org"', ""), "server.id"),
        (('id = "dms.example.org"', "id = 3"), "server.id"),
        (('id = "dms.example.org"', 'name = "x"'), "server.name"),
        (("[registry]", "[regist]"), "regist"),
        (('id = "dms.example.org"', 'id = "d"\nnode = "a.b"'), "server.node"),
        (('id = "dms.example.org"', 'id = "d"\nnode = ""'), "server.node"),
        (('path = "registry.sqlite"', 'path = ""'), "registry.path"),
        (('path = "registry.sqlite"', ""), "registry.path"),
        (("[registry]", '[registry]\nurl = "postgresql:///dmsd"'), "registry.path"),
        (('path = "registry.sqlite"', 'url = "mysql://db/dmsd"'), "registry.url"),
        (('path = "registry.sqlite"', 'url = "dmsd"'), "registry.url"),
        (('path = "registry.sqlite"', 'url = "postgresql://[db"'), "registry.url"),
        (('host = "dm.example.org"', ""), "dm.host"),
        (('host = "dm.example.org"', 'host = "h"\nlisten = "nowhere"'), "dm.listen"),
        (('host = "dm.example.org"', 'host = "h"\nlisten = "a:99999"'), "dm.listen"),
        (('host = "dm.example.org"', 'host = "h"\nmax_sessions = 0'), "dm.max_sessions"),
        (('host = "dm.example.org"', 'host = "h"\nmax_sessions = true'), "dm.max_sessions"),
        (('host = "dm.example.org"', 'host = "h"\nenabled = 1'), "dm.enabled"),
        (("[dm]", '[log]\nlevel = "loud"\n[dm]'), "log.level"),
        (("[dm]", '[log]\nformat = "xml"\n[dm]'), "log.format"),
        (("[dm]", "[dm]\nenabled = false"), ""),
    ],
)
def test_an_error_names_the_key(change: tuple[str, str], key: str) -> None:
    with pytest.raises(ConfigError) as failed:
        config.parse(GOOD.replace(*change), base=BASE)
    assert failed.value.key == key
    assert key in str(failed.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:hush@db/dmsd",
        "postgres:///dmsd?password=hush",
        "postgresql:///?pass%77ord=hush",
        "postgresql:///dmsd?sslpassword=hush",
    ],
)
def test_a_password_in_the_url_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ConfigError) as failed:
        config.parse(GOOD.replace('path = "registry.sqlite"', f'url = "{url}"'), base=BASE)
    assert failed.value.key == "registry.url"
    assert "hush" not in str(failed.value)


def test_a_registry_of_several_nodes_has_a_url_and_no_path() -> None:
    url = "postgresql://db1,db2:5433/dmsd?target_session_attrs=read-write"
    shared = GOOD.replace('path = "registry.sqlite"', f'url = "{url}"')
    named = shared.replace("[server]", '[server]\nnode = "a"')
    assert config.parse(named, base=BASE).registry.url == url
    with pytest.raises(ConfigError) as failed:
        config.parse(shared, base=BASE)
    assert failed.value.key == "server.node"


def test_a_file_that_is_not_toml_or_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not TOML"):
        config.parse("[", base=BASE)
    with pytest.raises(ConfigError, match="cannot read"):
        config.load(tmp_path / "missing.toml")


def test_every_key_is_documented() -> None:
    keys = list(config.document())
    assert all(key.doc and key.kind for key in keys)
    assert {key.key.partition(".")[0] for key in keys} == {
        "server",
        "registry",
        "operator",
        "dm",
        "bsf",
        "log",
    }
    assert len({key.key for key in keys}) == len(keys)
