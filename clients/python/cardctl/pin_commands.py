"""Commands about PINs."""

from __future__ import annotations

import sys

import cardea
import click
from cardea.v1 import pins_pb2
from rich.text import Text

from . import secret_views
from .card_commands import card_option
from .cli import cli
from .context import Output, command
from .plain import plain
from .secret_input import PinReader, pin_options

__all__ = ["pin"]

which_option = click.option(
    "--which",
    default="",
    metavar="NAME",
    help="pin1, pin2, …, as cardctl pin status shows them; by default the card's first.",
)


@cli.group()
@click.option("--json", "as_json", is_flag=True, help="Output for programs.")
@click.pass_obj
def pin(output: Output, as_json: bool) -> None:
    """Look at PINs, verify, change and unblock them.

    A PIN never stands in the command line. When few tries are left, none is spent unless you
    confirm it; a value that the card has refused is not presented again.
    """
    output.as_json = output.as_json or as_json


@command(pin)
@click.argument("name", default="", metavar="[CARD]")
def status(output: Output, name: str) -> None:
    """Show a card's PINs and how many tries are left. Spends none."""
    with output.connect() as client:
        found = client.pins(name)
    output.show({"pins": [plain(each) for each in found]}, secret_views.pins_table(found))


@command(pin)
@card_option
@which_option
@pin_options
def verify(output: Output, name: str, which: str, descriptor: int | None, ask: bool) -> None:
    """Check a PIN. Nothing stays verified."""
    with output.connect() as client:
        client.verify_pin(_given(client, name, which, descriptor, ask), name=name, pin=which)
    output.show({"verified": True}, Text("The PIN is right.", style="green"))


@command(pin)
@card_option
@which_option
@pin_options
def change(output: Output, name: str, which: str, descriptor: int | None, ask: bool) -> None:
    """Give a PIN another value."""
    with output.connect() as client:
        reader = PinReader(descriptor)
        value = _given(client, name, which, descriptor, ask, reader=reader)
        new = "" if ask else reader.ask_new("New PIN")
        client.change_pin(value, new, name=name, pin=which)
    output.show({"changed": True}, Text("The PIN is the new one.", style="green"))


@command(pin)
@card_option
@which_option
@pin_options
def unblock(output: Output, name: str, which: str, descriptor: int | None, ask: bool) -> None:
    """Give a PIN another value with its unblocking code (PUK)."""
    with output.connect() as client:
        reader = PinReader(descriptor)
        value = _given(client, name, which, descriptor, ask, reader=reader, unblocking=True)
        new = "" if ask else reader.ask_new("New PIN")
        client.unblock_pin(value, new, name=name, pin=which)
    output.show({"unblocked": True}, Text("The PIN is the new one, with all tries.", style="green"))


@command(pin)
@click.option(
    "--pin-fd",
    "descriptor",
    type=click.IntRange(min=0),
    help="Answer with lines from this file descriptor instead of asking.",
)
def agent(output: Output, descriptor: int | None) -> None:
    """Ask for PINs here on behalf of other programs. Ctrl-C ends it."""
    reader = PinReader(descriptor)

    def answer(prompt: pins_pb2.PinPrompt) -> tuple[cardea.PinValue, str] | None:
        output.line({"prompt": plain(prompt)}, secret_views.prompt_view(prompt))
        unblocking = prompt.kind == pins_pb2.PIN_PROMPT_KIND_UNBLOCK
        try:
            label = "Unblocking code" if unblocking else prompt.pin.label or "PIN"
            given = reader.ask_for(prompt.pin, label, unblocking=unblocking)
            if given is None:
                return None
            both = prompt.kind != pins_pb2.PIN_PROMPT_KIND_VERIFY
            return given, reader.ask_new("New PIN") if both else ""
        except (click.Abort, click.UsageError):
            return None

    with output.connect() as client:
        client.serve_pins(
            answer,
            name="cardctl pin agent",
            ready=lambda: output.line({"serving": True}, Text("Waiting for prompts.", "dim")),
        )


def _given(
    client: cardea.Client,
    name: str,
    which: str,
    descriptor: int | None,
    ask: bool,
    *,
    reader: PinReader | None = None,
    unblocking: bool = False,
) -> cardea.PinValue | cardea.AskPerson:
    """What the person gives, knowing how many tries are left."""
    if ask:
        return cardea.AskPerson("cardctl pin")
    reader = reader or PinReader(descriptor)
    pins = client.pins(name)
    wanted = (each for each in pins if which in ("", each.name.rpartition("/")[2]))
    found = next(wanted, pins_pb2.Pin())  # of one that is not there the daemon will say so
    label = "Unblocking code" if unblocking else found.label or "PIN"
    given = reader.ask_for(found, label, unblocking=unblocking)
    if given is None:
        click.echo("No try was spent.", err=True)
        sys.exit(5)
    return given
