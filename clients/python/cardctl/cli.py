"""The command group; the commands register themselves here."""

from __future__ import annotations

import click

from .context import EXIT_CODES, Output

__all__ = ["LINE", "SECTIONS", "cli"]

# What is left of 80 columns for a command's one line.
LINE = 63

# How the help lists the commands. Each stands in one section.
SECTIONS = {
    "Cards": ("readers", "card", "read", "write-card", "transmit", "session", "watch", "top"),
    "PINs and keys": ("pin", "keys", "public-key", "certificate", "sign", "decrypt"),
    "Provisioning": ("provision", "preview", "status", "accounts", "sync", "notify", "question"),
    "The management tree": ("tree", "explain", "set", "delete", "export"),
    "Its history": ("history", "diff", "rollback"),
    "Who may change it": ("acl", "sources", "report", "delegations", "revoke"),
    "The daemon": ("doctor", "admin"),
}

_EPILOG = "\b\nExit status:\n" + "\n".join(f"  {c:>3}  {t}" for c, t in EXIT_CODES.items())


class _Sections(click.Group):
    """A group whose help lists its commands by what they are about."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        column = max(map(len, self.commands))
        for title, names in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(
                    [
                        (name.ljust(column), self.commands[name].get_short_help_str(LINE))
                        for name in names
                    ]
                )


@click.group(
    cls=_Sections,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
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
