"""The command group; the commands register themselves here."""

from __future__ import annotations

import click

from .context import EXIT_CODES, Output

__all__ = ["cli"]

_EPILOG = "\b\nExit status:\n" + "\n".join(f"  {c:>3}  {t}" for c, t in EXIT_CODES.items())


@click.group(epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cardea", prog_name="cardctl")
@click.option(
    "--socket",
    envvar="CARDEA_SOCKET",
    default="",
    metavar="PATH",
    help="The daemon's socket (also CARDEA_SOCKET); default /run/cardea/cardd.sock.",
)
@click.option("--json", "as_json", is_flag=True, help="Output for programs, in every command.")
@click.pass_context
def cli(context: click.Context, socket: str, as_json: bool) -> None:
    """Read cards, look at the management tree, provision this machine from a card.

    A card is named cards/ICCID, or readers/READER for whatever is in that reader; without a name,
    the only card there is.
    """
    context.obj = Output(socket, as_json)
