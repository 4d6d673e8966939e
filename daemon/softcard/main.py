"""The command `softcard`."""

import argparse
import json
import re
import signal
import sys
import threading
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from types import FrameType

from softcard.card import Exchange, SoftCard
from softcard.errors import LinkError, SoftCardError
from softcard.profile import load_profile, profile_names, profile_text
from softcard.stack import VirtualReaders

__all__ = ["main"]

# What Debian's vpcd listens on unless it is told otherwise.
_VPCD_PORT = 35963
_REDIAL_S = 1.0
# Commands whose data are PINs and keys.
_SECRET_DATA = frozenset({0x20, 0x24, 0x26, 0x28, 0x2C})


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; the exit status is 0, or 1 with one line that says what went wrong."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except SoftCardError as error:
        print(f"softcard: {error}", file=sys.stderr)
    except OSError as error:
        print(f"softcard: {error.filename or 'system'}: {error.strerror}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="softcard", description="A UICC in software, for virtual PC/SC readers."
    )
    parser.add_argument(
        "--version", action="version", version=f"softcard {metadata.version('cardea-daemon')}"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="put a card into a virtual reader until interrupted")
    run.add_argument(
        "--profile", required=True, help="softcard profiles lists them; or a TOML file"
    )
    run.add_argument("--state", type=Path, help="file that keeps what the card remembers")
    run.add_argument("--host", default="127.0.0.1", help="where vpcd listens [%(default)s]")
    run.add_argument("--port", type=_port, default=_VPCD_PORT, help="its port [%(default)s]")
    run.add_argument("--delay-ms", type=_delay, default=0.0, help="answer that much later")
    run.add_argument("--trace", action="store_true", help="print commands and responses")
    run.set_defaults(run=_run)

    profiles = commands.add_parser("profiles", help="list the profiles that are built in")
    profiles.add_argument("--json", action="store_true", help="for programs")
    profiles.set_defaults(run=_profiles)

    new = commands.add_parser("new", help="copy a profile, to make a card of your own from it")
    new.add_argument("profile", help="name of a profile, or a TOML file")
    new.add_argument("out", type=Path, help="the file to write")
    new.set_defaults(run=_new)

    stack = commands.add_parser("stack", help="run a private pcscd with virtual readers")
    stack.add_argument("directory", type=Path, help="for its socket, log and drivers")
    stack.add_argument("--readers", type=int, default=1, help="how many [%(default)s]")
    stack.add_argument("--stock-poll", action="store_true", help="look for cards every 400 ms")
    stack.set_defaults(run=_stack)
    return parser


def _run(options: argparse.Namespace) -> int:
    card = SoftCard.from_profile(options.profile, options.state)
    card.faults.delay_ms = options.delay_ms
    if options.trace:
        card.observer = _print_exchange
    stop = _stop_event()
    place = f"{options.host}:{options.port}"
    # The first insertion has to work; later ones wait for a reader that comes back.
    card.insert(options.host, options.port)
    while True:
        _say(f"card {card.profile.serial} is in the reader at {place}")
        while card.inserted and not stop.wait(0.1):
            pass
        if stop.is_set():
            card.remove()
            _say("the card is out")
            return 0
        _say(f"the reader at {place} has gone; waiting for it")
        while not _inserted_again(card, options) and not stop.wait(_REDIAL_S):
            pass


def _inserted_again(card: SoftCard, options: argparse.Namespace) -> bool:
    try:
        card.insert(options.host, options.port)
    except LinkError:
        return False
    return True


def _profiles(options: argparse.Namespace) -> int:
    profiles = [load_profile(name) for name in profile_names()]
    if options.json:
        fields = ("name", "description", "serial")
        print(json.dumps([{key: getattr(one, key) for key in fields} for one in profiles]))
        return 0
    for profile in profiles:
        print(f"{profile.name:16} {profile.description}")
    return 0


def _new(options: argparse.Namespace) -> int:
    load_profile(options.profile)
    text, folder = profile_text(options.profile)

    def inlined(match: re.Match[str]) -> str:
        return f'{match[1]} = "{(folder / match[2]).read_bytes().hex()}"'

    # Documents and keys lie beside the profile: the copy carries them inside.
    text = re.sub(r'^(\w+)_file *= *"([^"]+)"', inlined, text, flags=re.MULTILINE)
    with options.out.open("x", encoding="utf-8") as file:
        file.write(text)
    load_profile(options.out)
    _say(f"wrote {options.out}")
    return 0


def _stack(options: argparse.Namespace) -> int:
    stop = _stop_event()
    with VirtualReaders(options.directory, options.readers, not options.stock_poll) as readers:
        _say(f"export PCSCLITE_CSOCK_NAME={readers.socket}")
        for index, name in enumerate(readers.reader_names):
            _say(f"# {name}: softcard run --port {readers.port(index)} --profile …")
        while readers.pid and not stop.wait(0.2):
            pass
        if not stop.is_set():
            print("softcard: pcscd ended", file=sys.stderr)
            return 1
    return 0


def _print_exchange(exchange: Exchange) -> None:
    command, response = exchange
    shown = command.hex().upper()
    if command[1:2] and command[1] in _SECRET_DATA and len(command) > 5:
        shown = f"{command[:5].hex().upper()}…"
    _say(f"> {shown}")
    _say(f"< {response.hex().upper() if response is not None else '(none)'}")


def _stop_event() -> threading.Event:
    stop = threading.Event()

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGINT, handle)
    signal.signal(signal.SIGTERM, handle)
    return stop


def _say(line: str) -> None:
    print(line, flush=True)


def _port(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 65535:
        raise ValueError(text)
    return number


def _delay(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 3_600_000:
        raise ValueError(text)
    return number


if __name__ == "__main__":
    sys.exit(main())
