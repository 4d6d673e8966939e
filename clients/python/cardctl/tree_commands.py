"""Commands about the management tree, and watching."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import cardea
import click
from cardea.errors import REMEDIES
from cardea.v1 import readers_pb2, tree_pb2
from google.protobuf.message import Message
from rich.console import Group
from rich.text import Text

from . import screen
from .cli import cli
from .context import COUNT, NUMBER, Output, command
from .plain import plain

__all__ = ["explain", "tree", "watch"]


@command(cli)
@click.argument("path", default=".")
def tree(output: Output, path: str) -> None:
    """Show the tree below PATH, each value with its source."""
    with output.connect() as client:
        answer = client.nodes(path)
    output.show(plain(answer), screen.tree_view(answer.nodes, answer.revision))


@command(cli)
@click.argument("node")
@click.option("--value", is_flag=True, help="NODE is a value: explain every node that has it.")
def explain(output: Output, node: str, value: bool) -> None:
    """Say who claims NODE, whose value is in force, and why."""
    with output.connect() as client:
        if not value:
            answer = client.explain(node)
            output.show(plain(answer), screen.explain_view(answer, answer.node.path or node))
            return
        found = {path: client.explain(path) for path in _with_value(client, node)}
    views = (screen.explain_view(answer, path) for path, answer in found.items())
    output.show({"explanations": [plain(answer) for answer in found.values()]}, Group(*views))


def _with_value(client: cardea.Client, value: str) -> list[str]:
    """The leaves whose value in force is this text. Raises CardeaError where there is none."""
    wanted = value.encode(errors="surrogateescape")
    nodes = (node for node in client.nodes().nodes if not (node.interior or node.secret))
    found = [node.path for node in nodes if node.value == wanted]
    if not found:
        raise cardea.CardeaError(
            "NODE_NOT_FOUND", f"no node has the value {value!r}", remedy=REMEDIES["NODE_NOT_FOUND"]
        )
    return found


@command(cli)
@click.argument("what", type=click.Choice(["readers", "tree"]), default="readers")
@click.option("--path", default=".", help="With tree: the part to watch.")
@click.option(
    "--after", type=NUMBER, default=0, help="Resume after this sequence number or revision."
)
@click.option("--epoch", default="", help="With tree: the epoch of that revision.")
@click.option("--count", type=COUNT, default=0, help="End after so many messages; 0: never.")
def watch(output: Output, what: str, path: str, after: int, epoch: str, count: int) -> None:
    """Show the present state, then every change, until interrupted."""
    with output.connect() as client:
        lines: Iterable[tuple[Message, Group]]
        if what == "readers":
            lines = ((m, _reader_change(m)) for m in client.watch_readers(after))
        else:
            lines = ((m, _tree_change(m)) for m in client.watch_tree(path, after, epoch))
        for message, view in islice(lines, count or None):
            output.line(plain(message), view)


def _reader_change(message: readers_pb2.WatchReadersResponse) -> Group:
    head = f"{message.sequence}  "
    if message.HasField("snapshot"):
        lines = [screen.reader_line(reader) for reader in message.snapshot.readers]
        return Group(*(lines or [Text("No readers.", style="dim")]))
    if message.HasField("changed"):
        return Group(Text(head, style="dim").append_text(screen.reader_line(message.changed)))
    return Group(Text.assemble((head, "dim"), message.removed, ("  gone", "red")))


def _tree_change(message: tree_pb2.WatchTreeResponse) -> Group:
    head = Text(f"revision {message.revision}", style="bold")
    head.append(f"  epoch {message.epoch}", style="not bold dim")
    if message.HasField("snapshot"):
        nodes = message.snapshot.nodes
        lines = [screen.node_line(n, full_path=True) for n in nodes if not n.interior]
        return Group(head, *lines)
    changed = [
        Text("+ ", style="green").append_text(screen.node_line(node, full_path=True))
        for node in message.delta.changed
    ]
    removed = [Text(f"- {path}", style="red") for path in message.delta.removed]
    return Group(head, *changed, *removed)
