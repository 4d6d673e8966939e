"""Configuration in TOML: frozen dataclasses whose fields carry their own documentation.

An unknown key, a missing one or a value of the wrong kind is an error that names the key.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints
from urllib.parse import parse_qs, urlsplit

from dmsd.errors import ConfigError

__all__ = [
    "BsfConfig",
    "Config",
    "DmConfig",
    "KeyDoc",
    "LogConfig",
    "OperatorConfig",
    "RegistryConfig",
    "document",
    "load",
    "parse",
]


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """[server]"""

    id: Annotated[str, "ServerID: the name devices know this DM server by"]
    node: Annotated[
        str,
        "name of this process among those that share the registry, where it must be given:"
        " letters, digits, - and _",
    ] = "a"
    drain_s: Annotated[
        int, "at its end, how long it waits for the sessions that it has; it takes no new ones"
    ] = 5
    header_timeout_s: Annotated[
        int, "a connection that has not sent the head of a request after this long is closed"
    ] = 10
    max_connections: Annotated[int, "connections open at the same time, of each door"] = 4096


@dataclass(frozen=True, slots=True)
class RegistryConfig:
    """[registry]"""

    path: Annotated[
        Path, "SQLite file with subscribers, devices and reports; created with mode 0600"
    ] = Path()
    url: Annotated[
        str,
        "in place of path, for several nodes: PostgreSQL, such as postgresql:///dmsd;"
        " without a password, which belongs into a password file (PGPASSFILE)",
    ] = ""
    log_keep_days: Annotated[int, "sessions, statuses and reports older than this are dropped"] = 90


@dataclass(frozen=True, slots=True)
class OperatorConfig:
    """[operator]"""

    socket: Annotated[Path, "Unix socket of the operator API; created with mode 0600"]


@dataclass(frozen=True, slots=True)
class DmConfig:
    """[dm]"""

    host: Annotated[
        str, "host name of the DM server: in its URL, and in the realm of bootstrapped keys"
    ]
    certificate: Annotated[Path, "PEM file with the server certificate and its chain"]
    key: Annotated[Path, "PEM file with the private key"]
    enabled: Annotated[bool, "whether this process is a DM server"] = True
    listen: Annotated[str, "address:port; port 0 takes a free one"] = "127.0.0.1:8443"
    url: Annotated[str, "URL that devices are told; {port} stands for the port in use"] = ""
    session_idle_s: Annotated[int, "a DM session that is silent this long is over"] = 120
    challenge_idle_s: Annotated[int, "as above, before the client has authenticated itself"] = 30
    max_sessions: Annotated[int, "sessions open at the same time"] = 4096
    max_message_bytes: Annotated[int, "largest DM message accepted and sent"] = 65536
    max_object_bytes: Annotated[int, "largest object taken in chunks"] = 1048576


@dataclass(frozen=True, slots=True)
class BsfConfig:
    """[bsf]"""

    host: Annotated[
        str, "host name of the bootstrapping server: its realm, and the end of each B-TID"
    ]
    certificate: Annotated[Path, "PEM file with the server certificate and its chain"]
    key: Annotated[Path, "PEM file with the private key"]
    enabled: Annotated[bool, "whether this process is a bootstrapping server"] = True
    listen: Annotated[str, "address:port; port 0 takes a free one"] = "127.0.0.1:8444"
    ks_lifetime_s: Annotated[int, "how long a bootstrapped key may be used"] = 86400
    challenge_lifetime_s: Annotated[int, "how long a challenge waits for its answer"] = 60


@dataclass(frozen=True, slots=True)
class LogConfig:
    """[log]"""

    level: Annotated[str, "debug, info, warning or error"] = "info"
    format: Annotated[str, "json or console"] = "json"


@dataclass(frozen=True, slots=True)
class Config:
    """The whole file. ``dm`` and ``bsf`` are absent if their section is, or is not enabled."""

    server: ServerConfig
    registry: RegistryConfig
    operator: OperatorConfig
    dm: DmConfig | None = None
    bsf: BsfConfig | None = None
    log: LogConfig = LogConfig()


@dataclass(frozen=True, slots=True)
class KeyDoc:
    """One documented key: ``section.name``, its kind, its default (``None``: required)."""

    key: str
    kind: str
    default: str | None
    doc: str


def load(path: Path) -> Config:
    """Read a configuration file; relative paths in it are relative to the file."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8") from error
    try:
        return parse(text, base=path.resolve().parent)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def parse(text: str, *, base: Path) -> Config:
    """Parse and check a configuration text."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not TOML: {error}") from error
    unknown = sorted(set(raw) - set(_SECTIONS))
    if unknown:
        raise ConfigError("unknown section", key=unknown[0])
    built = {}
    for name, kind in _SECTIONS.items():
        if name not in raw:
            if name in _REQUIRED:
                raise ConfigError("section is missing", key=name)
            continue
        if not isinstance(raw[name], dict):
            raise ConfigError("must be a section", key=name)
        built[name] = _section(name, kind, raw[name], base)
    config = Config(**{name: s for name, s in built.items() if getattr(s, "enabled", True)})
    _check(config)
    if config.registry.url and "node" not in raw["server"]:
        # Two nodes of one name would end each other's sessions when they start.
        raise ConfigError("is missing: nodes that share a registry have names", key="server.node")
    return config


def document() -> Iterator[KeyDoc]:
    """Every key there is, in the order of the file."""
    for name, kind in _SECTIONS.items():
        hints = get_type_hints(kind, include_extras=True)
        for item in fields(kind):
            default = None if item.default is MISSING else _toml(item.default)
            value_kind, doc = get_args(hints[item.name])
            yield KeyDoc(f"{name}.{item.name}", value_kind.__name__, default, doc)


_SECTIONS: Mapping[str, type] = {
    "server": ServerConfig,
    "registry": RegistryConfig,
    "operator": OperatorConfig,
    "dm": DmConfig,
    "bsf": BsfConfig,
    "log": LogConfig,
}
_REQUIRED = frozenset({"server", "registry", "operator"})


def _section(name: str, kind: type, raw: Mapping[str, Any], base: Path) -> Any:
    hints = get_type_hints(kind)
    known = {item.name: item for item in fields(kind)}
    for key in raw:
        if key not in known:
            raise ConfigError("unknown key", key=f"{name}.{key}")
    values = {}
    for key, item in known.items():
        if key in raw:
            values[key] = _value(f"{name}.{key}", hints[key], raw[key], base)
        elif item.default is MISSING:
            raise ConfigError("is missing", key=f"{name}.{key}")
    return kind(**values)


def _value(key: str, kind: type, raw: Any, base: Path) -> Any:
    if kind is Path:
        if not isinstance(raw, str) or not raw:
            raise ConfigError("must be a path", key=key)
        return base / raw
    # bool is an int in Python; a number is not a switch here.
    if type(raw) is not kind:
        raise ConfigError(f"must be of kind {kind.__name__}", key=key)
    if isinstance(raw, int) and kind is int and raw < 1:
        raise ConfigError("must be at least 1", key=key)
    return raw


def _check(config: Config) -> None:
    if not config.server.id:
        raise ConfigError("must not be empty", key="server.id")
    if not re.fullmatch("[A-Za-z0-9_-]{1,32}", config.server.node):
        raise ConfigError("must be 1 to 32 letters, digits, - or _", key="server.node")
    _check_registry(config.registry)
    if config.dm is None and config.bsf is None:
        raise ConfigError("neither [dm] nor [bsf] is there and enabled")
    for name, section in (("dm", config.dm), ("bsf", config.bsf)):
        if section is not None:
            if not section.host:
                raise ConfigError("must not be empty", key=f"{name}.host")
            split_listen(f"{name}.listen", section.listen)
    if config.log.level not in ("debug", "info", "warning", "error"):
        raise ConfigError("must be debug, info, warning or error", key="log.level")
    if config.log.format not in ("json", "console"):
        raise ConfigError("must be json or console", key="log.format")


def _check_registry(registry: RegistryConfig) -> None:
    if bool(registry.url) == bool(registry.path.parts):
        raise ConfigError("give either path or url", key="registry.path")
    if not registry.url:
        return
    try:
        parts = urlsplit(registry.url)
        secret = parts.password is not None or bool(
            parse_qs(parts.query).keys() & {"password", "sslpassword"}
        )
    except ValueError:
        raise ConfigError("not a URL", key="registry.url") from None
    if parts.scheme not in ("postgresql", "postgres"):
        raise ConfigError("must begin with postgresql:", key="registry.url")
    if secret:
        raise ConfigError("a password belongs into a password file", key="registry.url")


def split_listen(key: str, listen: str) -> tuple[str, int]:
    """``127.0.0.1:8443`` or ``[::1]:8443`` as address and port."""
    address, colon, port = listen.rpartition(":")
    if not colon or not address or not port.isdecimal() or int(port) > 65535:
        raise ConfigError("must be address:port", key=key)
    return address.removeprefix("[").removesuffix("]"), int(port)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Path):
        value = str(value) if value.parts else ""
    return f'"{value}"' if isinstance(value, str) else str(value)
