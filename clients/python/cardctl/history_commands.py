"""Commands about what was committed, and going back."""

from __future__ import annotations

import click
from rich.text import Text

from . import screen
from .cli import cli
from .context import COUNT, NUMBER, Output, command
from .plain import plain

__all__ = ["diff", "history", "rollback"]


@command(cli)
@click.option("--limit", type=COUNT, default=100, help="So many of the newest.")
def history(output: Output, limit: int) -> None:
    """List the commits of the tree: when, why, by whom."""
    with output.connect() as client:
        commits = client.history(limit)
    output.show({"commits": [plain(c) for c in commits]}, screen.history_table(commits))


@command(cli)
@click.argument("before", type=NUMBER)
@click.argument("after", type=NUMBER, required=False)
def diff(output: Output, before: int, after: int | None) -> None:
    """Show which nodes differ between two revisions.

    BEFORE and AFTER as cardctl history has them; without AFTER, the present one.
    """
    with output.connect() as client:
        answer = client.compare(before, after)
    heads = f"Revision {before}", f"Revision {answer.after}"
    output.show(plain(answer), screen.differences_table(answer.changes, *heads))


@command(cli)
@click.argument("revision", type=NUMBER)
def rollback(output: Output, revision: int) -> None:
    """Restore what cards, servers and programs claimed at REVISION.

    The device's own settings stay as its configuration has them, the card is not written, and no
    server is told.
    """
    with output.connect() as client:
        done = client.rollback(revision)
    view = f"Revision {done.revision}: as revision {revision}, {done.nodes_changed} nodes changed"
    output.show({"rollback": plain(done)}, Text(view))
