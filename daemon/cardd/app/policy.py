"""The configuration's access rows as a policy, and what a configuration names outside itself."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path

from cardd.rpc.access import (
    FURTHER_RIGHTS,
    RIGHTS,
    CardRulePolicy,
    DeviceApps,
    Grant,
    Policy,
    builtin_grants,
    gids_of,
    uids_of,
)
from cardd.tree import PROGRAM_PREFIX, Acl, AclError, Verb

from .access_config import AccessConfig, CallersConfig, DeviceAppConfig, GrantConfig
from .config import (
    DEFAULT_PATH,
    Config,
    NetworkConfig,
    parse_config,
    placed_errors,
    read_config,
)
from .device import nodes_of_device
from .renderers import renderers_of
from .settings import ConfigError

__all__ = ["check_names", "load_checked", "policy_of"]

_KINDS_OF_UNITS = (".service", ".scope", ".socket", ".mount", ".swap", "*")


def load_checked(path: Path) -> Config:
    """A configuration file whose users, groups, rights, nodes and files exist. Only the default
    file may be missing: then the defaults hold.

    Raises:
        ConfigError: as :func:`parse_config` and :func:`check_names`, with the line.
    """
    if path == DEFAULT_PATH and not path.exists():
        return Config()
    text = read_config(path)
    config = parse_config(text, str(path))
    with placed_errors(text, str(path)):
        check_names(config)
    return config


def check_names(config: Config) -> None:
    """What a configuration names outside itself: users, groups, rights, nodes, files, servers.

    Raises:
        ConfigError: there is no such thing.
    """
    policy_of(config.access)
    renderers_of(config.render)
    nodes_of_device(config.device)
    _check_servers(config.network)


def policy_of(config: AccessConfig) -> Policy:
    """All rows in force.

    Raises:
        ConfigError: a user or group that does not exist, a right that no call takes, a row that
            lets nobody in or gives nothing.
    """
    own = builtin_grants(config.group, config.admin_group) if config.builtin else ()
    rows = (_grant(row, f"access.grant[{at}]") for at, row in enumerate(config.grant))
    apps = (
        _device_app(row, f"access.device_app[{at}]") for at, row in enumerate(config.device_app)
    )
    card_rules = CardRulePolicy(
        honoured=config.card_rules == "honour",
        open_without=config.without_card_rules == "allow",
        exempt=frozenset(config.card_rules_exempt),
    )
    return Policy((*own, *rows), tuple(apps), card_rules)


def _grant(row: GrantConfig, where: str) -> Grant:
    for at, right in enumerate(row.rights):
        _check_right(right, f"{where}.rights[{at}]")
    callers = _callers(row, where)
    if not row.rights:
        raise ConfigError(where, "gives nothing; name rights")
    return Grant(
        *callers,
        rights=row.rights,
        readers=row.readers,
        applications=row.applications,
        files=row.files,
        keys=row.keys,
        nodes=row.nodes,
        name=where,
        authority=_authority(row.authority, f"{where}.authority"),
    )


def _device_app(row: DeviceAppConfig, where: str) -> DeviceApps:
    ids = set()
    for at, text in enumerate(row.ids):
        try:
            ids.add(bytes.fromhex(text))
        except ValueError:
            raise ConfigError(f"{where}.ids[{at}]", "is not hexadecimal") from None
        if len(bytes.fromhex(text)) not in (20, 32):
            raise ConfigError(f"{where}.ids[{at}]", "must be 20 or 32 bytes")
    if not ids:
        raise ConfigError(where, "is nobody; name ids")
    return DeviceApps(*_callers(row, where), ids=frozenset(ids))


def _callers(
    row: CallersConfig, where: str
) -> tuple[frozenset[int], frozenset[int], tuple[str, ...], bool]:
    """The fields of Callers."""
    for at, unit in enumerate(row.units):
        if not unit.endswith(_KINDS_OF_UNITS):
            raise ConfigError(f"{where}.units[{at}]", f"{unit!r} has no kind, such as .service")
    uids = _known(uids_of, row.users, f"{where}.users") | frozenset(row.uids)
    gids = _known(gids_of, row.groups, f"{where}.groups") | frozenset(row.gids)
    if not (uids or gids or row.units or row.everyone):
        raise ConfigError(where, "lets nobody in; name users, groups or units, or say everyone")
    return uids, gids, row.units, row.everyone


def _check_right(glob: str, where: str) -> None:
    rights = sorted({*RIGHTS.values(), *FURTHER_RIGHTS})
    if not any(fnmatchcase(right, glob) for right in rights):
        close = get_close_matches(glob, rights, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(rights)}"
        raise ConfigError(where, f"no right is called {glob!r}; {hint}")


def _known(
    look_up: Callable[[Iterable[str]], frozenset[int]], names: tuple[str, ...], where: str
) -> frozenset[int]:
    found: frozenset[int] = frozenset()
    for at, name in enumerate(names):
        try:
            found |= look_up([name])
        except KeyError as error:
            raise ConfigError(f"{where}[{at}]", f"no such user or group: {name}") from error
    return found


def _check_servers(network: NetworkConfig) -> None:
    if network.ca_file:
        try:
            ssl.create_default_context(cafile=network.ca_file)
        except ssl.SSLError as error:
            problem = f"{network.ca_file}: holds no certificate in PEM"
            raise ConfigError("network.ca_file", problem) from error
        except OSError as error:
            raise ConfigError("network.ca_file", f"{network.ca_file}: {error.strerror}") from error
    for name in ("bsf_url", "dm_url"):
        url = getattr(network, name)
        if url and not url.startswith("https://"):
            raise ConfigError(f"network.{name}", f"must begin with https://, not {url!r}")
    for host, address in network.hosts.items():
        _, colon, port = address.rpartition(":")
        if colon and not port.isdecimal():
            raise ConfigError(f'network.hosts."{host}"', f"{address!r} has no port after its colon")


def _authority(name: str, where: str) -> str:
    """A name that can stand in an ACL, and that is nobody's user id."""
    if not name:
        return ""
    if name.startswith("uid-"):
        raise ConfigError(where, "uid- and a number is what users without a name are called")
    try:
        named = Acl.parse(f"Get={PROGRAM_PREFIX}{name}").holders(Verb.GET)
    except AclError as error:
        raise ConfigError(where, str(error)) from error
    if named != (PROGRAM_PREFIX + name,):
        raise ConfigError(where, "has to be one name")
    return name
