"""What every command shares: --json, --socket, errors with cause and remedy, exit codes."""

from __future__ import annotations

import errno
import functools
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Concatenate, ParamSpec

import cardea
import click
from rich.console import Console, RenderableType

from . import screen
from .console import new_console

__all__ = ["COUNT", "EXIT_CODES", "NUMBER", "Output", "command", "exit_code"]

P = ParamSpec("P")

# What requests have room for: how many of something, and the number of a revision or event.
COUNT = click.IntRange(0, 2**32 - 1)
NUMBER = click.IntRange(0, 2**64 - 1)

EXIT_CODES = {
    0: "done",
    1: "the daemon failed, or refused for another reason than those below",
    2: "usage",
    3: "the daemon does not answer",
    4: "no right: by the daemon's policy, an ACL, the card's access condition, for want of a PIN",
    5: "no reader, no card, or the card does not do its part",
    6: "the server, the network or the trust between device and server",
    130: "interrupted",
}

_BY_REASON = {
    "DAEMON_UNREACHABLE": 3,
    "CALLER_UNKNOWN": 4,
    "ACCESS_DENIED": 4,
    "CARD_ACCESS_DENIED": 4,
    "NODE_FORBIDDEN": 4,
    "PCSC_UNAVAILABLE": 5,
    "READER_NOT_FOUND": 5,
    "NO_PROVISIONING_DATA": 5,
    "READ_BACK_DIFFERS": 5,
    "CARD_PACKETS_UNSUPPORTED": 5,
    "CARD_TOOLKIT_BUSY": 5,
    "CREDENTIAL_REJECTED": 5,
    "RETRY_FLOOR": 5,
    "LEASE_ENDED": 5,
    "PIN_REQUIRED": 4,
    "PIN_BLOCKED": 5,
    "PIN_VERIFIED_ELSEWHERE": 5,
    "PIN_NOT_FOUND": 5,
    "PIN_AGENT_MISSING": 4,
    "PIN_PROMPT_REFUSED": 4,
    "KEY_NOT_FOUND": 5,
    "KEY_USE_UNSUPPORTED": 5,
    "ACCOUNT_NOT_FOUND": 6,
    "CREDENTIALS_REFUSED_BY_SERVER": 6,
    "SESSION_ABORTED_BY_SERVER": 6,
    "SESSION_NOT_FOUND": 5,
}


@dataclass(slots=True)
class Output:
    """Where a command's results go: one JSON document, JSON lines, or a screen."""

    socket: str
    as_json: bool
    console: Console = field(default_factory=new_console)

    def connect(self) -> cardea.Client:
        return cardea.Client(self.socket)

    def show(self, document: Any, view: RenderableType) -> None:
        """One result: ``document`` for programs, ``view`` for people."""
        if self.as_json:
            click.echo(json.dumps(document, ensure_ascii=False, indent=2))
        else:
            self.console.print(view)

    def line(self, document: Any, view: RenderableType) -> None:
        """One of a stream of results: a JSON line, or a line on the screen."""
        if self.as_json:
            click.echo(json.dumps(document, ensure_ascii=False))
            sys.stdout.flush()
        else:
            self.console.print(view)

    def fail(self, error: cardea.CardeaError) -> None:
        """On standard error, so that results stay parseable."""
        if self.as_json:
            document = {
                "reason": error.reason,
                "message": error.message,
                "facts": error.facts,
                "remedy": error.remedy,
            }
            click.echo(json.dumps({"error": document}, ensure_ascii=False), err=True)
        else:
            new_console(stderr=True).print(screen.error_view(error))


def exit_code(reason: str) -> int:
    """The exit code for a reason of errors.proto."""
    if reason in _BY_REASON:
        return _BY_REASON[reason]
    if reason.startswith("CARD_"):
        return 5
    return 6 if reason.startswith("SERVER_") else 1


def command(
    group: click.Group, name: str | None = None
) -> Callable[[Callable[Concatenate[Output, P], None]], click.Command]:
    """A command of ``group`` that takes an Output first, and has ``--json``."""

    def decorate(function: Callable[Concatenate[Output, P], None]) -> click.Command:
        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> None:
            as_json = bool(kwargs.pop("as_json"))
            output: Output = click.get_current_context().find_object(Output) or Output("", False)
            output.as_json = output.as_json or as_json
            try:
                function(output, *args, **kwargs)
            except cardea.CardeaError as error:
                output.fail(error)
                sys.exit(exit_code(error.reason))
            except KeyboardInterrupt:
                sys.exit(130)
            except OSError as error:
                # Of standard output, or of a file that was named. A reader that has gone is
                # nobody to tell; click ends quietly.
                if error.errno == errno.EPIPE:
                    raise
                where = f"{error.filename}: " if error.filename else "cannot write: "
                raise click.ClickException(f"{where}{error.strerror}") from None

        option = click.option("--json", "as_json", is_flag=True, help="Output for programs.")
        return group.command(name)(option(run))

    return decorate
