"""Commands about provisioning and the servers."""

from __future__ import annotations

from functools import partial
from typing import BinaryIO

import cardea
import click
from cardea.v1 import management_pb2
from cardea.v1 import provisioning_pb2 as pb
from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from . import screen
from .asking import ask_person, meanwhile_asking
from .cli import cli
from .context import Output, command
from .plain import plain

__all__ = ["accounts", "notify", "preview", "provision", "status", "sync"]

# In the order in which they are reached.
_WORKING_STAGES = (
    *(pb.STAGE_READING_CARD, pb.STAGE_ASKING, pb.STAGE_ADOPTING),
    *(pb.STAGE_BOOTSTRAPPING, pb.STAGE_MANAGING),
    *(pb.STAGE_UPDATING_CARD, pb.STAGE_COMMITTING, pb.STAGE_RENDERING, pb.STAGE_CONFIRMING),
)


@command(cli)
@click.argument("name", default="", metavar="[CARD]")
@click.option("--ask-again", is_flag=True, help="Also where you have declined the card's data.")
def provision(output: Output, name: str, ask_again: bool) -> None:
    """Provision this machine from a card, and show each stage.

    On a terminal it also asks you what card and servers want to be asked.
    """
    with output.connect() as client:
        run = partial(client.provision, name, ask_again=ask_again)
        if output.as_json or not output.console.is_terminal:
            for progress in run():
                output.line(plain(progress), screen.stage_line(progress))
            return
        lines: list[Text] = []
        with Live(console=output.console, refresh_per_second=20) as live:

            def ask(question: pb.Question) -> cardea.QuestionAnswer:
                live.stop()
                try:
                    return ask_person(output.console, question)
                finally:
                    live.start()

            last = pb.STAGE_UNSPECIFIED
            for progress in meanwhile_asking(client, run, ask):
                if progress.stage == last:
                    lines.pop()
                lines.append(screen.stage_line(progress))
                last = progress.stage
                live.update(Group(*lines, _bar(progress)))


@command(cli)
@click.argument("name", default="", metavar="[CARD]")
def preview(output: Output, name: str) -> None:
    """Show what a card would change. Changes nothing, contacts nobody."""
    with output.connect() as client:
        answer = client.preview(name)
    output.show(plain(answer), screen.changes_table(answer))


@command(cli)
def status(output: Output) -> None:
    """Show the present or last provisioning of every card."""
    with output.connect() as client:
        statuses = client.provisioning_status()
    output.show({"statuses": [plain(s) for s in statuses]}, screen.status_table(statuses))


@command(cli)
def accounts(output: Output) -> None:
    """List the servers that manage this machine."""
    with output.connect() as client:
        found = client.accounts()
    output.show({"accounts": [plain(a) for a in found]}, screen.accounts_table(found))


@command(cli)
@click.argument("server")
def sync(output: Output, server: str) -> None:
    """Open a management session with SERVER, and wait for its end."""
    with output.connect() as client:
        done = client.sync(server)
    output.show({"session": plain(done)}, _session_line(done))


@command(cli)
@click.argument("file", type=click.File("rb"))
@click.option("--hex", "as_hex", is_flag=True, help="The file has the message in hexadecimal.")
@click.option("--user-agreed", is_flag=True, help="A person was asked, and agrees.")
def notify(output: Output, file: BinaryIO, as_hex: bool, user_agreed: bool) -> None:
    """Hand over a server's notification (FILE, or - for stdin)."""
    message = file.read()
    if as_hex:
        try:
            message = bytes.fromhex(message.decode("ascii"))
        except ValueError as error:
            raise click.BadParameter("not hexadecimal", param_hint="FILE") from error
    with output.connect() as client:
        done = client.deliver_notification(message, user_agreed=user_agreed)
    view = Text(f"Notified by {done.server_id}. ") + _session_line(done.session)
    output.show(plain(done), view)


def _session_line(done: management_pb2.StartSessionResponse) -> Text:
    confirmed = "confirmed" if done.confirmed else "not confirmed yet"
    return Text(
        f"Session {done.session_id}: {done.commands} commands, {done.nodes_changed} nodes changed, "
        f"{done.card_files_updated} card files updated, {confirmed}"
    )


def _bar(progress: pb.ProvisionResponse) -> Table:
    """How far along the stages the run is; stages count alike, and parts of one by its counts."""
    at = float(len(_WORKING_STAGES))
    if progress.stage in _WORKING_STAGES:
        part = progress.done / progress.total if progress.total else 0.0
        at = _WORKING_STAGES.index(progress.stage) + part
    row = Table.grid(padding=(0, 1))
    row.add_row(ProgressBar(total=len(_WORKING_STAGES), completed=at, width=40))
    return row
