"""``make play``: a machine with a provisioned card in its reader, to try commands and clients on.

It stays until it is ended (Ctrl-C), and then nothing of it is left.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cardea
from softcard import SoftCard
from softcard.errors import SoftCardError
from softcard.stack import VirtualReaders

from .people import ALICE, BOB, parameters
from .story import NEWS, Stage
from .system import DEVICE, CommandFailedError, System

__all__ = ["CARD_WITH_KEYS", "card_with_keys", "playground"]

ENVIRONMENT = Path(".build/play.env")
CARD_WITH_KEYS = "cards/00c0ffee0008"


@contextmanager
def playground(folder: Path) -> Iterator[System]:
    """Reader A holds Alice's card, provisioned from it; reader B is empty. Access points are
    rendered into the folder "rendered"."""
    renders = f'[[render]]\nname = "nm"\nkind = "networkmanager"\nfolder = "{folder}/rendered"\n'
    with (
        VirtualReaders(folder / "pcsc", readers=2) as readers,
        System(folder, readers, renders) as system,
    ):
        for person in (ALICE, BOB):
            system.operator("subscriber", "add", "-", document=person.subscriber())
        accounts = [ALICE.account(), {"impi": ALICE.impi}, {"impi": BOB.impi}]
        document = {"device": DEVICE, "accounts": accounts}
        system.operator("device", "add", "-", document=document)
        with cardea.Client(str(system.socket)) as client:
            stage = Stage(system, client, lambda _: None)
            stage.desire(tree={NEWS: "https://news.example/v1"})
            stage.insert(ALICE, parameters(ALICE, apn="internet.example", mms_apn="mms.example"))
            stage.watch(ALICE)
        yield system


@contextmanager
def card_with_keys(system: System) -> Iterator[SoftCard]:
    """Reader B holds a new card of the profile "keys", and cardd knows it."""
    card = SoftCard.from_profile("keys")
    system.readers.insert(1, card)
    try:
        _await_card_with_keys(system, there=True)
        yield card
    finally:
        system.readers.remove(1)
        _await_card_with_keys(system, there=False)


def _await_card_with_keys(system: System, *, there: bool) -> None:
    with cardea.Client(str(system.socket)) as client:
        deadline = time.monotonic() + 60
        while any(r.card == CARD_WITH_KEYS for r in client.readers()) is not there:
            if time.monotonic() > deadline:
                raise TimeoutError("the second card comes and goes unnoticed")
            time.sleep(0.02)


def main() -> int:
    try:
        with tempfile.TemporaryDirectory(prefix="cardea-") as name, playground(Path(name)) as here:
            ENVIRONMENT.parent.mkdir(exist_ok=True)
            settings = (
                f"export CARDEA_SOCKET={here.socket}\n"
                f"export DMSD_CONFIG={here.dmsd_config}\n"
                f"export DEVICE={DEVICE}\n"
                'export PATH="$PWD/.venv/bin:$PATH"\n'
            )
            ENVIRONMENT.write_text(settings)
            # A shell that starts it in the background has it ignore Ctrl-C otherwise.
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.default_int_handler)
            port = here.readers.port(1)
            print(f"A card is in the reader. In another terminal: . {ENVIRONMENT}; cardctl readers")
            print("There, a card with only a key, which the server knows, for the second reader:")
            print(f"  softcard run --profile key-only --state .build/card.json --port {port}")
            print("Ctrl-C ends it.", flush=True)
            try:
                signal.pause()
            finally:
                if ENVIRONMENT.exists() and ENVIRONMENT.read_text() == settings:
                    ENVIRONMENT.unlink()
    except KeyboardInterrupt:
        return 0
    except (SoftCardError, CommandFailedError, cardea.CardeaError, TimeoutError) as error:
        print(f"The playground could not be set up: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
