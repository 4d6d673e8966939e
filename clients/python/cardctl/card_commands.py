"""Commands about readers and cards."""

from __future__ import annotations

import sys
from pathlib import Path

import cardea
import click
from cardea.v1 import cards_pb2
from rich.console import Group
from rich.text import Text

from . import screen
from .cli import cli
from .context import Output, command
from .plain import Plain, plain

__all__ = ["card", "read", "readers", "transmit", "write_card"]

_ADM_LENGTHS = range(4, 17)

card_option = click.option("--card", "name", default="", metavar="CARD", help="Which card.")


class HexBytes(click.ParamType[bytes]):
    """Bytes in hexadecimal; blanks and colons may part them."""

    name = "hex"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> bytes:
        if isinstance(value, bytes):
            return value
        try:
            return bytes.fromhex(str(value).replace(":", ""))
        except ValueError:
            self.fail(f"{value!r} is not hexadecimal", param, ctx)


@command(cli)
def readers(output: Output) -> None:
    """List the readers and what is in them."""
    with output.connect() as client:
        found = client.readers()
    output.show({"readers": [plain(r) for r in found]}, screen.readers_table(found))


@command(cli)
@click.argument("name", default="", metavar="[CARD]")
def card(output: Output, name: str) -> None:
    """Show a card: its name, ATR and applications."""
    with output.connect() as client:
        found = client.card(name)
    output.show({"card": plain(found)}, screen.card_view(found))


@command(cli)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@card_option
@click.option("--aid", type=HexBytes(), default=b"", help="Application in which a path starts.")
@click.option("--wait", "wait_s", type=float, help="Longest wait for the card, in seconds.")
def read(output: Output, files: tuple[str, ...], name: str, aid: bytes, wait_s: float) -> None:
    """Read files, under one lease.

    FILE is a well-known name such as EF.ICCID, EF.DIR, USIM/EF.IMSI, PKCS15/EF.ODF, or a path of
    file identifiers such as 3F00/2FE2.
    """
    with output.connect() as client:
        contents: list[cardea.FileData | cards_pb2.FileError]
        if len(files) == 1:
            contents = [client.read(name, files[0], aid=aid, max_wait_s=wait_s)]
        else:
            contents = client.read_many(name, files, aid=aid, max_wait_s=wait_s)
    document = {"files": [_file_document(c) for c in contents]}
    output.show(document, Group(*(screen.file_view(c) for c in contents)))
    if any(isinstance(c, cards_pb2.FileError) for c in contents):
        sys.exit(5)


@command(cli)
@click.argument("commands", nargs=-1, required=True, type=HexBytes(), metavar="HEX...")
@card_option
@click.option("--wait", "wait_s", type=float, help="Longest wait for the card, in seconds.")
def transmit(output: Output, commands: tuple[bytes, ...], name: str, wait_s: float) -> None:
    """Send command APDUs under one lease, and show the answers."""
    with output.connect() as client:
        if len(commands) == 1:
            responses = [client.transmit(name, commands[0], max_wait_s=wait_s)]
        else:
            with client.session(name, "cardctl transmit", max_wait_s=wait_s) as session:
                responses = [session.transmit(c) for c in commands]
    output.show(
        {
            "responses": [
                {"data": r[:-2].hex().upper(), "sw": r[-2:].hex().upper()} for r in responses
            ]
        },
        Group(*(Text(r.hex(" ").upper()) for r in responses)),
    )


@command(cli, "write-card")
@click.argument("name", default="", metavar="[CARD]")
@click.option(
    "--file",
    "files",
    multiple=True,
    required=True,
    metavar="OID=PATH",
    help="New content of the provisioning file with this OID; may be repeated.",
)
@click.option(
    "--adm-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the administrative key in hexadecimal; without it you are asked.",
)
def write_card(output: Output, name: str, files: tuple[str, ...], adm_file: Path | None) -> None:
    """Write provisioning files onto a card, with its key (ADM).

    The key never stands in the command line, where other users could see it. If the card rejects
    it, it is not tried again.
    """
    writes = [_write_of(text) for text in files]
    adm = _administrative_key(adm_file)
    with output.connect() as client:
        done = client.write_card(name, adm, writes)
    rows = [
        Text(f"{oid}  {_WRITTEN[changed]}  SHA-256 {digest.hex()}")
        for (oid, _), digest, changed in zip(writes, done.sha256, done.changed, strict=True)
    ]
    output.show({"written": plain(done)}, Group(*rows, Text(f"{done.apdus} APDUs", style="dim")))


_WRITTEN = {True: "written and read back", False: "unchanged, the key was not used"}


def _file_document(content: cardea.FileData | cards_pb2.FileError) -> Plain:
    if isinstance(content, cards_pb2.FileError):
        name = content.file.known or content.file.path
        return {"file": name, "error": {"reason": content.reason, "message": content.message}}
    return {
        "file": content.name,
        "data": _hex(content.data),
        "records": [_hex(record) for record in content.records],
        "decoded": content.decoded,
    }


def _hex(value: bytes) -> str:
    return value.hex().upper()


def _write_of(text: str) -> tuple[str, bytes]:
    oid, equals, path = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text!r} is not OID=PATH", param_hint="--file")
    try:
        return oid, Path(path).read_bytes()
    except OSError as error:
        raise click.BadParameter(f"{path}: {error.strerror}", param_hint="--file") from error


def _administrative_key(path: Path | None) -> bytes:
    if path is not None:
        text = path.read_text().strip()
    else:
        text = click.prompt("Administrative key (hex)", hide_input=True, err=True)
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) not in _ADM_LENGTHS:
        # The value stays out of the message.
        raise click.UsageError("the administrative key must be 4 to 16 bytes in hexadecimal")
    return key
