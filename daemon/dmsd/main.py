"""Runs the management servers, and is the operator's hand on their registry."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from dmsd import ca, config, logs
from dmsd.errors import DmsdError, InputError
from dmsd.notifier import UI_MODES, send_push
from dmsd.operator_client import OperatorClient

__all__ = ["main"]

_CONFIG_VARIABLE = "DMSD_CONFIG"
_DEFAULT_CONFIG = "/etc/cardea/dmsd.toml"


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; the exit status is 0, 1 for a refusal, 2 for a wrong command line."""
    arguments = _parser().parse_args(argv)
    act: Callable[[argparse.Namespace], int] = arguments.act
    try:
        return act(arguments)
    except DmsdError as error:
        print(f"dmsd: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"dmsd: {error.filename or ''}: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _run(arguments: argparse.Namespace) -> int:
    # Only the server needs the event loop's libraries; the other commands start faster without.
    from dmsd.server import serve

    loaded = config.load(arguments.config)
    logs.configure(loaded.log.level, loaded.log.format)
    # A core file would hold keys.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def ready(line: str) -> None:
        if arguments.ready_file is not None:
            _write_whole(arguments.ready_file, line)
        if arguments.ready_fd is not None:
            with os.fdopen(arguments.ready_fd, "w", encoding="utf-8") as stream:
                stream.write(line + "\n")
        print(line, flush=True)

    asyncio.run(serve(loaded, ready=ready))
    return 0


def _ca_init(arguments: argparse.Namespace) -> int:
    files = ca.init_ca(arguments.directory)
    for server in arguments.server:
        names = [name for name in server.split(",") if name]
        if not names:
            raise InputError("--server", "needs at least one host name or address")
        ca.issue(files, names[0], names)
        print(f"{names[0]}: {files.server_certificate(names[0])}")
    print(f"trust: {files.certificate}")
    return 0


def _config_keys(arguments: argparse.Namespace) -> int:
    if arguments.json:
        keys = [
            {"key": k.key, "kind": k.kind, "default": k.default, "doc": k.doc}
            for k in config.document()
        ]
        print(json.dumps(keys, indent=2))
        return 0
    section = ""
    for key in config.document():
        name, _, leaf = key.key.partition(".")
        if name != section:
            print(f"{chr(10) if section else ''}[{name}]")
            section = name
        print(f"# {key.doc}")
        print(f"# {leaf} = {key.default or '(required)'}")
    return 0


def _call(
    *segments: str, method: str = "GET", columns: Sequence[str] = ()
) -> Callable[[argparse.Namespace], int]:
    """A command that is one API call; ``{target}`` in a segment is filled in."""

    def act(arguments: argparse.Namespace) -> int:
        body = _read_json(arguments.file) if method in ("POST", "PUT") else None
        with OperatorClient(config.load(arguments.config), now_ms=_now_ms) as client:
            filled = [
                arguments.target if segment == "{target}" else segment for segment in segments
            ]
            if getattr(arguments, "new", False):
                client.call("POST", "devices", body={"device": arguments.target})
            answer = client.call(method, *filled, body=body)
        _print(answer, columns, as_json=arguments.json)
        return 0

    return act


def _raise_counters(arguments: argparse.Namespace) -> int:
    card = {} if arguments.card is None else {"iccid": arguments.card}
    with OperatorClient(config.load(arguments.config), now_ms=_now_ms) as client:
        answer = client.call("POST", "counters", body={"by": arguments.by, **card})
    _print(answer, (), as_json=arguments.json)
    return 0


def _notify(arguments: argparse.Namespace) -> int:
    body = {"ui_mode": arguments.ui_mode, "resync": arguments.resync}
    if arguments.user:
        body["user"] = arguments.user
    with OperatorClient(config.load(arguments.config), now_ms=_now_ms) as client:
        answer = client.call("POST", "devices", arguments.target, "notification", body=body)
    if arguments.to:
        answer["sent_to"] = send_push(arguments.to, bytes.fromhex(answer["push"]))
    _print(answer, (), as_json=arguments.json)
    return 0


def _read_json(path: str) -> Any:
    text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    try:
        return json.loads(text)
    except ValueError as error:
        raise InputError(path, f"not JSON: {error}") from error


def _print(answer: Any, columns: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(answer, indent=2, ensure_ascii=False))
    elif isinstance(answer, list):
        names = list(columns) or (list(answer[0]) if answer else [])
        heads = [name.removesuffix("_ms") for name in names]
        table = [heads, *([_cell(name, row.get(name)) for name in names] for row in answer)]
        widths = [max(len(row[index]) for row in table) for index in range(len(names))]
        for row in table:
            print("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip())
    else:
        for name, value in answer.items():
            rows = value if isinstance(value, list) else [value]
            flat = all(isinstance(row, dict) and _is_flat(row) for row in rows)
            if isinstance(value, list) and flat:
                print(f"{name.removesuffix('_ms')}:{'' if rows else ' -'}")
                for row in rows:
                    print(f"  {_in_one_line(row)}")
            else:
                shown = _in_one_line(value) if flat else _cell(name, value)
                print(f"{name.removesuffix('_ms')}: {shown}")


def _in_one_line(row: Mapping[str, Any]) -> str:
    return "  ".join(f"{k.removesuffix('_ms')}={_cell(k, v)}" for k, v in row.items())


def _is_flat(row: Mapping[str, Any]) -> bool:
    return not any(isinstance(value, dict | list) for value in row.values())


def _cell(name: str, value: Any) -> str:
    """As people read it; what is named ``…_ms`` is a time in Unix milliseconds, and has a date."""
    if value is None or value == "":
        return "-"
    if name.endswith("_ms"):
        return datetime.fromtimestamp(value / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


def _write_whole(path: Path, line: str) -> None:
    """Whoever waits for the file sees all of it or nothing."""
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(line + "\n", encoding="utf-8")
    temporary.replace(path)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dmsd", description=__doc__)
    parser.add_argument(
        "--version", action="version", version=f"dmsd {metadata.version('cardea-daemon')}"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="run the servers that the configuration enables")
    _with_config(run)
    run.add_argument("--ready-file", type=Path, help="where it listens, as JSON, once it does")
    run.add_argument("--ready-fd", type=int, help="the same, to this descriptor")
    run.set_defaults(act=_run)

    authority = commands.add_parser("ca", help="a certificate authority for tests").add_subparsers(
        required=True, metavar="COMMAND"
    )
    init = authority.add_parser("init", help="make an authority and server certificates")
    init.add_argument("directory", type=Path)
    init.add_argument(
        "--server",
        action="append",
        default=[],
        metavar="NAME[,NAME…]",
        help="host names and addresses of one server; the first names its files",
    )
    init.set_defaults(act=_ca_init)

    keys = commands.add_parser("config", help="print every configuration key, documented")
    keys.add_argument("--json", action="store_true", help="print JSON")
    keys.set_defaults(act=_config_keys)

    _group(
        commands,
        "subscriber",
        "subscribers with their keys",
        "subscribers",
        ("impi", "imsi", "sqn"),
        "IMPI",
    )
    cards = _group(
        commands,
        "card",
        "cards with their keys for packets, or their ADM1",
        "cards",
        ("iccid", "impi", "way", "counter"),
        "ICCID",
    )
    counters = _leaf(
        cards, "raise", "skip counters of packets, as after restoring a registry", _raise_counters
    )
    counters.add_argument("by", type=int, metavar="BY", help="how many")
    counters.add_argument("card", nargs="?", metavar="ICCID", help="of this card; else of all")
    devices = _group(
        commands,
        "device",
        "devices with their accounts",
        "devices",
        ("device", "accounts", "seen_ms"),
        "DEVICE",
    )
    _leaf(
        devices,
        "show",
        "everything about one device",
        _call("devices", "{target}"),
        target="DEVICE",
    )
    desired = commands.add_parser("desired", help="what is desired of a device").add_subparsers(
        required=True, metavar="COMMAND"
    )
    replace = _leaf(
        desired,
        "set",
        "replace it by a JSON document",
        _call("devices", "{target}", "desired", method="PUT"),
        target="DEVICE",
        file=True,
    )
    replace.add_argument("--new", action="store_true", help="a device that is not known yet too")
    _leaf(desired, "show", "print it", _call("devices", "{target}", "desired"), target="DEVICE")
    for name, text, columns in (
        (
            "reports",
            "installation reports and other alerts, newest first",
            ("at_ms", "session", "type", "mark", "source", "correlator", "data"),
        ),
        (
            "sessions",
            "sessions, newest first",
            ("id", "account", "trust", "started_ms", "ended_ms", "messages", "outcome"),
        ),
        (
            "commands",
            "commands and their statuses, newest last",
            ("session", "msg_id", "cmd_id", "command", "path", "status"),
        ),
    ):
        _leaf(
            commands,
            name,
            text,
            _call("devices", "{target}", name, columns=columns),
            target="DEVICE",
        )
    notify = _leaf(commands, "notify", "make a device open a session now", _notify, target="DEVICE")
    notify.add_argument("--to", metavar="HOST[:PORT]", help="send it there by UDP, port 2948")
    notify.add_argument("--ui-mode", choices=tuple(UI_MODES), default="background")
    notify.add_argument("--user", help="of which account, where there are several")
    notify.add_argument(
        "--resync", action="store_true", help="to a device that has lost the nonce of the server"
    )
    _leaf(
        commands,
        "accounts",
        "accounts that cards carry from device to device",
        _call("accounts", columns=("kind", "user", "impi", "auth", "server_user")),
    )
    _leaf(commands, "status", "what the server has and does", _call("status"))
    return parser


def _group(
    commands: Any, name: str, text: str, resource: str, columns: Sequence[str], target: str
) -> Any:
    group = commands.add_parser(name, help=text).add_subparsers(required=True, metavar="COMMAND")
    _leaf(
        group, "add", "add or replace, from a JSON file", _call(resource, method="POST"), file=True
    )
    _leaf(group, "list", "list them", _call(resource, columns=columns))
    _leaf(
        group,
        "remove",
        "take one out",
        _call(resource, "{target}", method="DELETE"),
        target=target,
    )
    return group


def _leaf(
    commands: Any,
    name: str,
    text: str,
    act: Callable[[argparse.Namespace], int],
    *,
    target: str = "",
    file: bool = False,
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text)
    _with_config(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    if target:
        parser.add_argument("target", metavar=target)
    if file:
        parser.add_argument("file", metavar="FILE", help="JSON file, or - for standard input")
    parser.set_defaults(act=act)
    return parser


def _with_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        type=Path,
        default=Path(os.environ.get(_CONFIG_VARIABLE, _DEFAULT_CONFIG)),
        metavar="FILE",
        help=f"default: ${_CONFIG_VARIABLE}, else {_DEFAULT_CONFIG}",
    )


if __name__ == "__main__":
    sys.exit(main())
