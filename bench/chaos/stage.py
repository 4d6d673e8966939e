"""A private pcscd, software cards, a real cardd, and programs that use them; nothing is left."""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cardea.v1 import readers_pb2
from softcard import SoftCard
from softcard.files import Condition
from softcard.stack import VirtualReaders
from support.daemon import RunningDaemon

__all__ = ["CARD_MS", "SHORT", "Program", "ProgramFailedError", "Stage", "leftovers"]

SHORT = os.environ.get("SHORT", "") not in ("", "0")
"""Whether the run is bounded to about a minute in all."""

CARD_MS = 5.0

_ROOT = Path(__file__).resolve().parents[2]
_PATIENCE_S = 60.0
_QUIET = "[provisioning]\non_insert = false\n"


class ProgramFailedError(Exception):
    """A program of the load ended by itself, or said nothing."""


class Program:
    """One program as a process of its own, spoken to in lines of JSON; without `module` one of
    `bench.chaos.programs`."""

    def __init__(
        self,
        arguments: Sequence[str],
        pcsc_socket: Path | str = "",
        module: str = "bench.chaos.programs",
    ) -> None:
        paths = [str(_ROOT), *sys.path]
        environment = os.environ | {
            "PCSCLITE_CSOCK_NAME": str(pcsc_socket),
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        }
        self._name = " ".join(arguments)
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def hear(self, timeout_s: float = _PATIENCE_S) -> Any:
        """The next thing it says; ProgramFailedError if that does not come in time."""
        try:
            line = self._lines.get(timeout=timeout_s)
        except queue.Empty:
            raise ProgramFailedError(f"{self._name}: silent for {timeout_s:g} s") from None
        if not line:
            raise ProgramFailedError(f"{self._name}: ended, status {self._process.wait()}")
        return json.loads(line)

    def heard(self, timeout_s: float) -> Any:
        """As `hear`, but None if nothing comes in time."""
        try:
            line = self._lines.get(timeout=timeout_s)
        except queue.Empty:
            return None
        return json.loads(line) if line else None

    def tell(self, word: str = "go") -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()

    def ask(self, word: str, timeout_s: float = _PATIENCE_S) -> Any:
        """Say a word and hear the answer."""
        self.tell(word)
        return self.hear(timeout_s)

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def end(self) -> None:
        """End it whatever it does. Idempotent."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")


class Stage:
    """Inside the context cardd serves `readers` readers; a card in each unless `cards` is False."""

    def __init__(
        self,
        readers: int = 1,
        *,
        settings: str = "",
        card_ms: float = CARD_MS,
        cards: bool = True,
    ) -> None:
        self._settings = _QUIET + settings
        self._count = readers
        self._card_ms = card_ms
        self._with_cards = cards
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as guard:
            folder = Path(tempfile.mkdtemp(prefix="cardea-chaos-"))
            guard.callback(shutil.rmtree, folder, ignore_errors=True)
            self.readers = guard.enter_context(VirtualReaders(folder, self._count))
            if self._with_cards:
                for index in range(self._count):
                    self.insert(index, self.card())
            self.daemon = RunningDaemon(self.readers.socket, self._settings).__enter__()
            # Told of no error: it would print a log that may be endless.
            guard.callback(self.daemon.__exit__, None, None, None)
            self.client = guard.enter_context(self.daemon.client())
            self._resources = guard.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._resources.close()

    def card(self, profile: str = "operator", **overrides: Any) -> SoftCard:
        """A card that answers in the stage's time, not yet in a reader."""
        made = SoftCard.from_profile(profile, None, overrides)
        made.faults.delay_ms = self._card_ms
        return made

    def insert(self, index: int, card: SoftCard) -> SoftCard:
        self.readers.insert(index, card)
        return card

    def wait_ready(self, index: int = 0, limit_s: float = 10.0) -> None:
        """Return when cardd has identified the card; AssertionError if it does not in time."""
        give_up_at = time.monotonic() + limit_s
        while self.state(index) != readers_pb2.READER_STATE_CARD_READY:
            assert time.monotonic() < give_up_at, f"reader {index}: no card in {limit_s:g} s"
            time.sleep(0.005)

    def state(self, index: int = 0) -> int:
        """What cardd says of a reader."""
        name = self.readers.reader_names[index]
        found = (one.state for one in self.client.readers() if one.pcsc_name == name)
        return int(next(found, readers_pb2.READER_STATE_UNSPECIFIED))

    def holder(self, index: int = 0) -> str:
        """Who holds a reader's card; "" for nobody."""
        name = self.readers.reader_names[index]
        return next((one.holder for one in self.client.readers() if one.pcsc_name == name), "")

    def present(self, index: int = 0) -> SoftCard:
        """The card in a reader."""
        card = self.readers.card(index)
        assert card is not None
        return card

    def program(
        self, name: str, transport: str = "cardea", *arguments: str, index: int = 0
    ) -> Program:
        """Start a program that uses a reader by "cardea" or "pyscard"."""
        words = [
            name,
            transport,
            str(self.daemon.socket),
            self.readers.reader_names[index],
            *arguments,
        ]
        program = Program(words, self.readers.socket)
        self._resources.callback(program.end)
        return program


def leftovers(card: SoftCard) -> tuple[str, ...]:
    """What the last user has left on the card: looked up inside it, past all commands."""
    session = card._uicc.session
    left = []
    if session.keyring.allows(Condition.PIN1):
        left.append("PIN")
    if session.channels[0].df is not session.filesystem.mf or session.channels[0].ef is not None:
        left.append("selection")
    if len(session.channels) > 1:
        left.append("channel")
    return tuple(left)
