"""Commands about keys on cards."""

from __future__ import annotations

import base64
import sys
import textwrap
from pathlib import Path

import cardea
import click
from cardea.v1 import keys_pb2, pins_pb2
from rich.text import Text

from . import secret_views
from .cli import cli
from .context import Output, command
from .plain import plain
from .secret_input import PinReader, pin_options

__all__ = ["certificate", "decrypt", "keys", "public_key", "sign"]

_PREFIX = "SIGNATURE_ALGORITHM_"
_ALGORITHMS = [name.removeprefix(_PREFIX) for name in keys_pb2.SignatureAlgorithm.keys()[1:]]
_out_option = click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Write it to this file."
)


@command(cli)
@click.argument("card", default="")
def keys(output: Output, card: str) -> None:
    """List a card's keys and what they can be used for."""
    with output.connect() as client:
        found = client.card_keys(card)
    output.show({"keys": [plain(key) for key in found]}, secret_views.keys_table(found))


@command(cli, "public-key")
@click.argument("name", metavar="KEY")
def public_key(output: Output, name: str) -> None:
    """Show a key's public key as PEM."""
    with output.connect() as client:
        pem = _pem("PUBLIC KEY", client.public_key(name))
    output.show({"public_key": pem}, Text(pem))


@command(cli)
@click.argument("name", metavar="KEY")
def certificate(output: Output, name: str) -> None:
    """Show a key's certificate as PEM."""
    with output.connect() as client:
        pem = _pem("CERTIFICATE", client.certificate(name))
    output.show({"certificate": pem}, Text(pem))


@command(cli)
@click.argument("name", metavar="KEY")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--algorithm",
    type=click.Choice(_ALGORITHMS, case_sensitive=False),
    help="By default the first that the key can do.",
)
@_out_option
@pin_options
def sign(
    output: Output,
    name: str,
    file: click.File,
    algorithm: str | None,
    out: Path | None,
    descriptor: int | None,
    ask: bool,
) -> None:
    """Sign FILE (- for standard input) with a key on a card.

    The signature goes to the screen in hexadecimal, or as it is to --out.
    """
    data = file.read()  # type: ignore[attr-defined]  # what click.File hands in is the open file
    with output.connect() as client:
        key = _key(client, name)
        if algorithm is None:
            algorithm = _first_algorithm(key)
        given = _pin_for(client, key, descriptor, ask, f"sign {file.name}")
        signature = client.sign(key.name, algorithm, data, pin=given)
    _deliver(output, "signature", signature, out, {"algorithm": algorithm.lower()})


@command(cli)
@click.argument("name", metavar="KEY")
@click.argument("file", type=click.File("rb"))
@_out_option
@pin_options
def decrypt(
    output: Output,
    name: str,
    file: click.File,
    out: Path | None,
    descriptor: int | None,
    ask: bool,
) -> None:
    """Decrypt FILE (- for standard input) with a key on a card."""
    ciphertext = file.read()  # type: ignore[attr-defined]  # as above
    with output.connect() as client:
        key = _key(client, name)
        given = _pin_for(client, key, descriptor, ask, f"decrypt {file.name}")
        plaintext = client.decrypt(key.name, ciphertext, pin=given)
    _deliver(output, "plaintext", plaintext, out, {})


def _key(client: cardea.Client, name: str) -> keys_pb2.Key:
    """The key of that name; of one that is not there the daemon will say so."""
    card = name.rpartition("keys/")[0].removesuffix("/")
    for key in client.card_keys(card):
        if key.name.rpartition("/")[2] == name.rpartition("/")[2]:
            return key
    return keys_pb2.Key(name=name)


def _first_algorithm(key: keys_pb2.Key) -> str:
    if not key.signature_algorithms:
        return _ALGORITHMS[0]  # the daemon will say why not
    number = key.signature_algorithms[0]
    return keys_pb2.SignatureAlgorithm.Name(number).removeprefix(_PREFIX)


def _pin_for(
    client: cardea.Client, key: keys_pb2.Key, descriptor: int | None, ask: bool, purpose: str
) -> cardea.PinValue | cardea.AskPerson | None:
    if not key.pin:
        return None
    if ask:
        return cardea.AskPerson(purpose)
    card, _, _ = key.name.rpartition("/keys/")
    pin = next((each for each in client.pins(card) if each.name == key.pin), pins_pb2.Pin())
    given = PinReader(descriptor).ask_for(pin, pin.label or "PIN")
    if given is None:
        click.echo("No try was spent.", err=True)
        sys.exit(5)
    return given


def _deliver(
    output: Output, what: str, value: bytes, out: Path | None, facts: dict[str, str]
) -> None:
    if out is None:
        output.show({what: value.hex().upper(), **facts}, Text(value.hex().upper()))
        return
    try:
        out.write_bytes(value)
    except OSError as error:
        raise click.BadParameter(f"{out}: {error.strerror}", param_hint="--out") from error
    output.show(
        {"file": str(out), **facts}, Text(f"{what.capitalize()} of {len(value)} bytes in {out}.")
    )


def _pem(label: str, der: bytes) -> str:
    """RFC 7468."""
    body = "\n".join(textwrap.wrap(base64.b64encode(der).decode(), 64))
    return f"-----BEGIN {label}-----\n{body}\n-----END {label}-----"
