"""A shell for APDUs: one lease, one command a line, every answer in words."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import cardea
import click
from rich.console import Group
from rich.text import Text

from .apdu_words import describe, status_meaning, without_secret
from .cli import cli
from .context import Output, command
from .plain import Plain

__all__ = ["session"]

_PROMPT = "apdu> "
_HELP = """A command APDU in hexadecimal, for example:
  00A40004023F00      select the master file
  00A40004022FE2      select EF.ICCID
  00B000000A          read ten bytes
An answer that waits (61xx) is fetched, a wrong Le (6Cxx) is put right.
help, quit. A lease ends when it is idle for too long; the next command begins another."""


@command(cli)
@click.argument("name", default="", metavar="[CARD]")
@click.option("--wait", "wait_s", type=float, help="Longest wait for the card, in seconds.")
def session(output: Output, name: str, wait_s: float | None) -> None:
    """Hold a card and exchange APDUs with it, line by line.

    They come from the terminal or from a pipe, in hexadecimal. Each answer is shown with its
    status word in words and its data decoded. What is typed is on the screen: verify PINs with
    cardctl pin.
    """
    with output.connect() as client:
        shell = _Shell(output, client, name, wait_s)
        try:
            for line in _lines():
                if line in ("quit", "exit"):
                    break
                shell.obey(line)
        finally:
            shell.close()


def _lines() -> Iterator[str]:
    """What is typed, or comes through a pipe; # begins a remark."""
    interactive = sys.stdin.isatty()
    if interactive:
        import readline  # noqa: F401 - gives input() history and editing
    while True:
        try:
            text = input(_PROMPT if interactive else "")
        except EOFError:
            return
        line = text.partition("#")[0].strip()
        if line:
            yield line


class _Shell:
    """A lease that is taken with the first command."""

    def __init__(
        self, output: Output, client: cardea.Client, name: str, wait_s: float | None
    ) -> None:
        self._output = output
        self._client = client
        self._name = name
        self._wait_s = wait_s
        self._interactive = sys.stdin.isatty()
        self._session: cardea.Session | None = None

    def obey(self, line: str) -> None:
        if line == "help":
            self._output.console.print(_HELP, highlight=False)
            return
        try:
            apdu = bytes.fromhex(line.replace(":", ""))
        except ValueError:
            self._complain(f"{line!r} is not hexadecimal; try help")
            return
        if len(apdu) < 4:
            self._complain("an APDU has at least 4 bytes")
            return
        try:
            self._exchange(apdu)
        except cardea.CardeaError as error:
            held, self._session = self._session, None
            if held is not None:
                held.__exit__(type(error), error, None)
            if not self._interactive or error.reason != "LEASE_ENDED":
                raise
            # The command was not done: what it relied on is gone.
            self._complain(f"{error.message}; selection and PINs are gone. Begin anew.")

    def close(self) -> None:
        held, self._session = self._session, None
        if held is not None:
            try:
                held.__exit__(None, None, None)
            except cardea.CardeaError as error:
                if error.reason != "LEASE_ENDED":  # which may be while nobody types
                    raise

    def _exchange(self, apdu: bytes) -> None:
        if self._session is None:
            held = self._client.session(self._name, "cardctl session", max_wait_s=self._wait_s)
            self._session = held.__enter__()
        response = self._session.transmit(apdu)
        if response[-2] == 0x6C:
            response = self._session.transmit(_with_le(apdu, response[-1]))
        data = response[:-2]
        while response[-2] == 0x61:
            fetch = bytes([apdu[0] & 0x0F, 0xC0, 0x00, 0x00, response[-1]])
            response = self._session.transmit(fetch)
            data += response[:-2]
        self._show(apdu, data, int.from_bytes(response[-2:], "big"))

    def _show(self, apdu: bytes, data: bytes, sw: int) -> None:
        decoded = describe(data)
        document: Plain = {
            "command": without_secret(apdu).hex().upper(),
            "data": data.hex().upper(),
            "sw": f"{sw:04X}",
            "meaning": status_meaning(sw),
            "decoded": decoded,
        }
        good = sw == 0x9000 or sw >> 8 == 0x91
        lines = [Text(data.hex(" ").upper())] if data else []
        lines += [Text(f"  {line}", style="cyan") for line in decoded]
        lines.append(Text(f"{sw:04X}  {status_meaning(sw)}", style="green" if good else "yellow"))
        self._output.line(document, Group(*lines))

    def _complain(self, what: str) -> None:
        """Goes on at a terminal; a script that is wrong ends."""
        if not self._interactive:
            raise click.UsageError(what)
        self._output.console.print(Text(what, style="yellow"))


def _with_le(apdu: bytes, le: int) -> bytes:
    """The short command again, with the Le that the card asks for (ISO/IEC 7816-4 §5.1)."""
    if len(apdu) <= 5:
        return apdu[:4] + bytes([le])
    return apdu[: 5 + apdu[4]] + bytes([le])
