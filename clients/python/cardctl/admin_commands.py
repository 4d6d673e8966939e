"""Commands about the daemon itself, over the admin socket."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote

import cardea
import click
from cardea.v1 import admin_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from .cli import cli
from .context import Output, command
from .plain import plain
from .screen import NOTHING, new_table

__all__ = ["admin"]

T = TypeVar("T")


@cli.group()
def admin() -> None:
    """The daemon itself: for administrators, over its admin socket.

    The socket is admin.sock beside the daemon's, or CARDEA_ADMIN_SOCKET.
    """


@command(admin)
def status(output: Output) -> None:
    """Say how the daemon fares and which access policy is in force."""
    answer = _ask(output, cardea.Admin.status)
    output.show(plain(answer), _status_view(answer))


@command(admin)
def clients(output: Output) -> None:
    """List who is connected, and what each does now."""
    found = _ask(output, cardea.Admin.clients)
    output.show({"clients": [plain(each) for each in found]}, _clients_view(found))


@command(admin)
def reload(output: Output) -> None:
    """Read the access policy again. An unusable one is refused, and the old one stays."""
    policy = _ask(output, cardea.Admin.reload)
    output.show({"policy": plain(policy)}, Text(f"{policy.rows} rows from {policy.source}"))


@command(admin)
@click.option("--release", metavar="READER", default="", help="Take this reader out of it.")
def quarantine(output: Output, release: str) -> None:
    """List, or release, readers that are set aside for hanging."""
    if release:
        _ask(output, lambda link: link.release(release))
    found = _ask(output, cardea.Admin.quarantine)
    view: RenderableType = Text("No reader is in quarantine.", style="dim")
    if found:
        view = new_table("Reader", "Name", "Cause")
        for each in found:
            view.add_row(unquote(each.name.removeprefix("readers/")), each.name, each.cause)
    output.show({"readers": [plain(each) for each in found]}, view)


@command(admin)
@click.option("--file", "path", metavar="FILE", help="Write it there, for nobody else to read.")
def diagnose(output: Output, path: str | None) -> None:
    """Collect what a supporter needs. It holds no secret and names no subscriber."""
    found = _ask(output, cardea.Admin.diagnose)
    text = json.dumps(found, ensure_ascii=False, indent=2) + "\n"
    if path is None:
        output.show(found, Text(text))
        return
    # Made with its mode: nobody reads it in between, and what is there is not overwritten.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    output.show({"file": str(Path(path))}, Text(f"{path}: {', '.join(found)}"))


def _ask(output: Output, question: Callable[[cardea.Admin], T]) -> T:
    beside = str(Path(output.socket).with_name("admin.sock")) if output.socket else ""
    with cardea.Admin(os.environ.get("CARDEA_ADMIN_SOCKET", "") or beside) as link:
        return question(link)


def _status_view(answer: admin_pb2.GetStatusResponse) -> RenderableType:
    facts = Table.grid(padding=(0, 2))
    calls, connections, policy = answer.calls, answer.connections, answer.policy
    facts.add_row("Version", f"{answer.version}, pid {answer.pid}, since {_at(answer.started_at)}")
    facts.add_row("Memory", f"{answer.memory_bytes / 2**20:.0f} MiB")
    facts.add_row("PC/SC", "answers" if answer.pcsc_available else Text("is gone", style="red"))
    facts.add_row("Readers", f"{answer.readers}, {answer.quarantined} in quarantine")
    facts.add_row("Tree", f"revision {answer.tree_revision}")
    facts.add_row(
        "Calls",
        f"{calls.under_way} under way, {calls.served} served, {calls.denied} denied, "
        f"{calls.limited} beyond a limit",
    )
    facts.add_row(
        "Connections",
        f"{connections.open} open, {connections.refused} beyond a limit, "
        f"{connections.failed} failed",
    )
    facts.add_row("Policy", f"{policy.rows} rows, read {_at(policy.loaded_at)}: {policy.source}")
    if policy.last_error:
        facts.add_row("", Text(f"a newer one was refused: {policy.last_error}", style="red"))
    return Group(facts)


def _clients_view(found: Sequence[admin_pb2.Client]) -> RenderableType:
    if not found:
        return Text("Nobody is connected.", style="dim")
    view = new_table("User", "Process", "Unit", "Program", "Calls")
    for each in found:
        calls = ", ".join(call.method.rpartition("/")[2] for call in each.calls)
        # Its own word for itself is marked as such.
        program = each.exe or f"“{each.comm}”"
        view.add_row(str(each.uid), str(each.pid), each.unit or NOTHING, program, calls or NOTHING)
    return view


def _at(moment: Timestamp) -> str:
    return f"{moment.ToDatetime():%Y-%m-%d %H:%M:%S} UTC"
