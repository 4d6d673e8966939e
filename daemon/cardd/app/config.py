"""The daemon's configuration: every key, its default, its meaning."""

# ruff: noqa: RUF009 - key() declares a field and has no effect of its own

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

from .access_config import AccessConfig
from .settings import ConfigError, key, load_section
from .toml_lines import line_of

__all__ = [
    "DEFAULT_PATH",
    "Config",
    "DeviceConfig",
    "LimitsConfig",
    "LoggingConfig",
    "NetworkConfig",
    "NotificationConfig",
    "PcscConfig",
    "PcscReaderConfig",
    "ProvisioningConfig",
    "RenderConfig",
    "SharingConfig",
    "SocketConfig",
    "StoreConfig",
    "load_config",
    "parse_config",
    "placed_errors",
    "read_config",
    "split_address",
]

DEFAULT_PATH = Path("/etc/cardea/cardd.toml")


@dataclass(frozen=True, slots=True)
class SocketConfig:
    """Where local programs connect. A socket activated by systemd takes precedence."""

    path: Path = key(Path("/run/cardea/cardd.sock"), "The Unix socket. At most 107 bytes.")
    mode: str = key(
        "0666",
        "Permissions of the socket, octal. Who may do what is decided by `[access]`, not here.",
    )
    runtime_directory: Path = key(
        Path("/run/cardea"),
        "Private files of the running daemon; a directory of mode 0700 is made in it.",
    )
    admin_path: str = key(
        "",
        "The Unix socket for administrators, where alone `cardctl admin`, reflection and channelz "
        "are answered; empty: `admin.sock` beside `path`. Its mode is 0660, its group "
        "`[access] admin_group` if the daemon may give it that group.",
    )
    max_connections: int = key(1024, "Connections at once.", minimum=1, maximum=65536)
    max_connections_per_user: int = key(
        256, "Connections at once of one user.", minimum=1, maximum=65536
    )


@dataclass(frozen=True, slots=True)
class LimitsConfig:
    """What one user may have open at once, and what the daemon remembers."""

    streams_per_user: int = key(64, "Sessions and provisioning runs at once.", minimum=1)
    watches_per_user: int = key(64, "Watches at once.", minimum=1)
    calls_per_user: int = key(256, "Other calls at once.", minimum=1)
    unpaced_per_user: int = key(
        16,
        "Calls (or sessions, or watches) at once of one user that begin as they come. Those of a "
        "user with more begin at `calls_per_second_per_user`.",
        minimum=1,
    )
    calls_per_second_per_user: int = key(
        100, "Calls a second that begin for a user with more than that at once.", minimum=1
    )
    bytes_per_second_per_user: int = key(
        32 << 20,
        "Bytes a second of one user's messages, those to it among them. Beyond that its calls are "
        "refused, and told when to try again.",
        minimum=1 << 16,
    )
    waiting_per_user: int = key(64, "Calls that wait for a card at once.", minimum=1)
    events_kept: int = key(
        1024, "Reader events kept for watchers that resume.", minimum=16, maximum=1_000_000
    )
    max_message_bytes: int = key(
        4 << 20, "Largest message from a client.", minimum=1 << 16, maximum=1 << 28
    )


ForeignPolicy = Literal["polite", "shared", "exclusive"]


@dataclass(frozen=True, slots=True)
class PcscReaderConfig:
    """What holds for some readers instead. The first row that fits counts."""

    name: str = key("*", "PC/SC reader name, with wildcards.")
    foreign: ForeignPolicy = key("polite", "As `[pcsc] foreign`.")


@dataclass(frozen=True, slots=True)
class PcscConfig:
    """The PC/SC daemon that owns the drivers."""

    socket: str = key("", "Socket of pcscd; empty: pcscd's own default (or PCSCLITE_CSOCK_NAME).")
    apdu_deadline_s: float = key(
        8.0, "A card that has not answered an APDU for this long is given up.", minimum=0.1
    )
    foreign: ForeignPolicy = key(
        "polite",
        "How the card is shared with programs that use PC/SC beside the daemon. `polite`: the card "
        "is held only while there is work. `shared`: the handle, and with it the card's power, is "
        "kept 2 s longer. `exclusive`: nobody else gets in while the card is in the reader.",
    )
    reader: tuple[PcscReaderConfig, ...] = key(
        (), "Other policies for some readers, each a table `[[pcsc.reader]]`."
    )


@dataclass(frozen=True, slots=True)
class SharingConfig:
    """How the card is shared among programs."""

    idle_limit_s: float = key(
        5.0, "A lease ends when its holder sends no APDU for this long.", minimum=0.05
    )
    max_hold_s: float = key(30.0, "A lease ends after this long in any case.", minimum=0.1)
    slice_s: float = key(
        2.0, "A holder that has had the card for this long is told when others wait.", minimum=0.0
    )
    max_wait_s: float = key(
        10.0, "How long a call waits for the card if it does not say.", minimum=0.0
    )
    believe_s: float = key(
        5.0,
        "How long a file that was read is answered from memory. Writes, resets and other programs "
        "that are seen end that at once; but PC/SC tells nobody of one that writes, resets "
        "nothing and is gone. Under `exclusive` there is none, and no limit. 0: never from memory.",
        minimum=0.0,
    )


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """Where the tree lives, and how much of its history is kept."""

    path: Path = key(Path("/var/lib/cardea/cardd.sqlite"), "SQLite database; made if missing.")
    history_count: int = key(
        200,
        "Commits of the tree that can be told and rolled back to; as many sessions of each "
        "authority, results of runs, and card writes that have ended.",
        minimum=1,
        maximum=100_000,
    )
    history_days: int = key(
        365, "History older than this is forgotten, but for the last of each kind.", minimum=1
    )


@dataclass(frozen=True, slots=True)
class DeviceConfig:
    """What the device says of itself (DevInfo, DevDetail), and its own settings."""

    id: str = key("", "DevInfo/DevId; empty: `urn:uuid:` and an id derived from the machine's.")
    manufacturer: str = key("Cardea", "DevInfo/Man.")
    model: str = key("Linux", "DevInfo/Mod.")
    language: str = key("en", "DevInfo/Lang.")
    device_type: str = key("computer", "DevDetail/DevTyp.")
    oem: str = key("", "DevDetail/OEM.")
    firmware_version: str = key("", "DevDetail/FwV.")
    software_version: str = key("", "DevDetail/SwV; empty: the daemon's version.")
    hardware_version: str = key("", "DevDetail/HwV.")
    acl: Mapping[str, str] = key(
        {},
        "ACLs that the device gives nodes, for example who may reach the card: "
        '`"./Card" = "Get=dm.example&Replace=dm.example&Exec=dm.example"`.',
    )
    ddf_directory: str = key(
        "",
        "Device descriptions (DDF 1.2 documents, `*.ddf` and `*.xml`) of management objects of "
        "your own: what servers may do to their nodes. Empty: none. See "
        "[integrator.md](integrator.md#objects-of-your-own).",
    )
    tree: Mapping[str, str] = key(
        {}, 'Values of the device in the tree, weakest in precedence: `"./NAP/own/NAPAddr" = "…"`.'
    )


@dataclass(frozen=True, slots=True)
class ProvisioningConfig:
    """When and how the machine is provisioned from a card."""

    on_insert: bool = key(True, "Provision by itself when a card is inserted, or there at start.")
    retry_floor: int = key(
        2,
        "With this many tries left of a PIN or key, or fewer, only a person may spend one.",
        minimum=0,
    )
    question_limit_s: float = key(
        60.0,
        "Longest wait for people's answers to what one management session asks them, all its "
        "questions together: another provisioning waits for its turn as long. Also for a "
        "person's word on a notification.",
        minimum=1.0,
        maximum=600.0,
    )


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """The way to management and bootstrapping servers."""

    ca_file: str = key("", "PEM file with the trusted CAs; empty: those of the system.")
    connect_timeout_s: float = key(5.0, "Longest time to connect.", minimum=0.1)
    exchange_timeout_s: float = key(
        30.0, "Longest time for one request and its whole answer.", minimum=0.1
    )
    max_response_bytes: int = key(4 << 20, "Largest answer that is taken.", minimum=1 << 12)
    bsf_url: str = key(
        "", "Bootstrapping server; empty: found from the card's realm (TS 23.003 §16.2)."
    )
    dm_url: str = key(
        "", "DM server for a card that holds only a key; empty: found from the card's realm."
    )
    server_hosts: Mapping[str, str] = key(
        {},
        "The one host that may speak for a ServerID, whatever a card says: "
        '`"dm.example" = "dm.example.org"`.',
    )
    hosts: Mapping[str, str] = key(
        {}, 'Where to connect for a name: `"dm.example:443" = "127.0.0.1:8443"`.'
    )


@dataclass(frozen=True, slots=True)
class NotificationConfig:
    """How servers reach this device by themselves. What a local program received it hands over by
    `DeliverNotification`, whatever stands here."""

    listen: str = key(
        "",
        "Address and UDP port for notifications as WAP pushes: `0.0.0.0:2948`, `[::]:2948`. "
        "Empty: none is opened.",
    )


@dataclass(frozen=True, slots=True)
class RenderConfig:
    """One table a renderer: files that local programs read, written whenever the tree says
    something new, and a program that is told of it. See
    [integrator.md](integrator.md#settings-as-programs-read-them)."""

    name: str = key("", "Its name in logs and errors: a-z, 0-9 and -. Every renderer needs one.")
    kind: Literal["networkmanager", "certificates", "json", "template"] = key(
        "template",
        "`networkmanager`: a keyfile for each access point below `nodes`. `certificates`: a PEM "
        "file for each leaf below it that holds a certificate. `json`: the subtree in one file. "
        "`template`: what the template says.",
    )
    nodes: str = key("./NAP", "The subtree. A template sees the whole tree.")
    folder: Path = key(
        Path("/var/lib/cardea/rendered"),
        "Where the files go; made if its parent is there. They belong to the renderer: what it no "
        "longer wants is removed. Two that could write the same file are refused.",
    )
    file: str = key("", "The file's name, for `json` and `template`.")
    template: Path = key(Path(), "The Jinja2 template, read at the daemon's start.")
    mode: str = key("0600", "Permissions of the files, octal, 0400 to 0644.")
    program: tuple[str, ...] = key(
        (),
        "A program, by its absolute path, and its arguments; run without a shell after files have "
        "changed. If it fails, servers are told that the installation failed.",
    )
    program_timeout_s: float = key(
        30.0, "It is killed after this long, and has failed.", minimum=0.1, maximum=600.0
    )
    user: str = key("nobody", "Who it runs as where the daemon runs as root.")


@dataclass(frozen=True, slots=True)
class LoggingConfig:
    """Events on standard error. Keys, PINs and secret values never appear in them."""

    level: Literal["debug", "info", "warning", "error"] = key("info", "Least level to write.")
    format: Literal["auto", "json", "console"] = key(
        "auto", "`auto`: console on a terminal, JSON lines elsewhere."
    )


@dataclass(frozen=True, slots=True)
class Config:
    """All sections. Every one may be left out."""

    socket: SocketConfig = SocketConfig()
    access: AccessConfig = AccessConfig()
    limits: LimitsConfig = LimitsConfig()
    pcsc: PcscConfig = PcscConfig()
    sharing: SharingConfig = SharingConfig()
    store: StoreConfig = StoreConfig()
    device: DeviceConfig = DeviceConfig()
    provisioning: ProvisioningConfig = ProvisioningConfig()
    network: NetworkConfig = NetworkConfig()
    notification: NotificationConfig = NotificationConfig()
    render: tuple[RenderConfig, ...] = ()
    logging: LoggingConfig = LoggingConfig()


def load_config(path: Path) -> Config:
    """Read and check a configuration file.

    Raises:
        ConfigError: not readable, not TOML, or not a configuration.
    """
    return parse_config(read_config(path), str(path))


def read_config(path: Path) -> str:
    """The file's text. Raises ConfigError if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problem = error.strerror if isinstance(error, OSError) else "is not UTF-8"
        raise ConfigError(str(path), str(problem)) from error


def parse_config(text: str, name: str = "configuration") -> Config:
    """As :func:`load_config`, from text; ``name`` stands in the errors."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(name, f"not TOML: {error}") from error
    with placed_errors(text, name):
        config = load_section(Config, values, "")
        _check(config)
    return config


@contextmanager
def placed_errors(text: str, name: str) -> Iterator[None]:
    """Inside, an error that names a key gets the file's name and the key's line before it."""
    try:
        yield
    except ConfigError as error:
        line = line_of(text, error.where)
        place = name if line is None else f"{name}:{line}"
        raise ConfigError(f"{place}: {error.where}", error.problem) from error


def split_address(where: str, listen: str) -> tuple[str, int]:
    """``127.0.0.1:2948`` or ``[::1]:2948``: a numeric address and a port. Raises ConfigError."""
    host, _, port = listen.rpartition(":")
    try:
        address = ip_address(host.removeprefix("[").removesuffix("]"))
        if not (port.isascii() and port.isdecimal() and int(port) <= 0xFFFF):
            raise ValueError
    except ValueError:
        raise ConfigError(where, "must be a numeric address and a port: 127.0.0.1:2948") from None
    return str(address), int(port)


def _check(config: Config) -> None:
    """What no single key can tell."""
    try:
        mode = int(config.socket.mode, 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o777:
        raise ConfigError("socket.mode", "must be octal permissions such as 0660")
    for name in ("path", "admin_path"):
        if len(os.fsencode(getattr(config.socket, name))) > 107:  # sun_path, with its terminator
            raise ConfigError(f"socket.{name}", "is longer than 107 bytes")
    if config.notification.listen:
        split_address("notification.listen", config.notification.listen)
    if config.sharing.idle_limit_s > config.sharing.max_hold_s:
        raise ConfigError("sharing.idle_limit_s", "is longer than max_hold_s")
