"""Commands by which a local program, as an authority, changes the tree; and about authorities."""

from __future__ import annotations

import base64
from typing import BinaryIO

import click
from rich.text import Text

from . import screen
from .cli import cli
from .context import COUNT, NUMBER, Output, command
from .plain import plain

__all__ = ["acl", "delegations", "delete", "export", "report", "revoke", "set_node", "sources"]


@command(cli, "set")
@click.argument("node")
@click.argument("value", required=False)
@click.option("--file", "content", type=click.File("rb"), help="Take the value from a file, or -.")
@click.option("--format", default="", help="chr, int, bool, bin, …; as the node has it, or chr.")
@click.option("--type", "mime", default="", help="MIME type; as the node has it.")
def set_node(
    output: Output, node: str, value: str | None, content: BinaryIO | None, format: str, mime: str
) -> None:
    """Set NODE to VALUE, or make it. A card or a server may overrule that."""
    if (value is None) == (content is None) and format != "node":
        raise click.UsageError("give a VALUE or --file")
    data = content.read() if content is not None else (value or "").encode()
    with output.connect() as client:
        done = client.set_node(node, data, format=format, type=mime)
    view = Text(f"Revision {done.revision}: ").append_text(
        screen.node_line(done.node, full_path=True)
    )
    if not done.in_force:
        view.append("  (overrules what you set)", style="yellow")
    output.show(plain(done), view)


@command(cli)
@click.argument("node")
def delete(output: Output, node: str) -> None:
    """Take NODE, and all below it, out of the tree."""
    with output.connect() as client:
        revision = client.delete_node(node)
    output.show({"revision": revision}, Text(f"Revision {revision}: {node} is gone"))


@command(cli)
@click.argument("node")
@click.argument("value", required=False)
def acl(output: Output, node: str, value: str | None) -> None:
    """Show the ACL of NODE, or set it to VALUE.

    An empty VALUE lets it inherit again. An ACL is written as Get=dm.example.org&Replace=*.
    """
    with output.connect() as client:
        found = client.acl(node) if value is None else client.set_acl(node, value)
    output.show(plain(found), screen.acl_view(found, node))


@command(cli)
@click.argument("path", default=".")
@click.option(
    "--format",
    type=click.Choice(["tnds-xml", "tnds-wbxml", "json"]),
    default="json",
    help="What to write.",
)
@click.option("--out", type=click.File("wb"), default="-", help="Where to; standard output.")
def export(output: Output, path: str, format: str, out: BinaryIO) -> None:
    """Write the tree below PATH as a document. Secret nodes are left out."""
    with output.connect() as client:
        document = client.export(path, format)
    if output.as_json and format != "json":
        encoded = base64.b64encode(document).decode()
        output.show({"format": format, "document_base64": encoded}, Text())
        return
    out.write(document)
    out.flush()


@command(cli)
def sources(output: Output) -> None:
    """List who claims nodes of the tree, the strongest first."""
    with output.connect() as client:
        answer = client.sources()
    output.show(plain(answer), screen.sources_table(answer))


@command(cli)
@click.argument("authority", default="")
@click.option("--limit", type=COUNT, default=100, help="So many of the newest.")
@click.option("--before", type=NUMBER, default=0, help="Go on there: next of the answer before.")
def report(output: Output, authority: str, limit: int, before: int) -> None:
    """Show what each authority did to the tree, or was refused.

    AUTHORITY is a ServerID, or local:NAME for a local program; by default all of them.
    """
    with output.connect() as client:
        answer = client.report(authority, limit=limit, before=before)
    output.show(plain(answer), screen.report_table(answer.operations))


@command(cli)
@click.option("--by", "grantor", default="", help="Only what this authority granted.")
@click.option("--to", "grantee", default="", help="Only what this authority was granted.")
def delegations(output: Output, grantor: str, grantee: str) -> None:
    """List who has granted whom which rights on which node."""
    with output.connect() as client:
        found = client.delegations(grantor=grantor, grantee=grantee)
    output.show({"delegations": [plain(d) for d in found]}, screen.delegations_table(found))


@command(cli)
@click.argument("grantee")
@click.option("--by", "grantor", default="", help="Only what this authority granted.")
@click.option("--path", default=".", help="Only at and below this node.")
def revoke(output: Output, grantee: str, grantor: str, path: str) -> None:
    """Take back what was granted to GRANTEE.

    GRANTEE is a ServerID, or local:NAME for a local program.
    """
    with output.connect() as client:
        done = client.revoke(grantee, grantor=grantor, path=path)
    output.show(plain(done), screen.delegations_table(done.delegations))
