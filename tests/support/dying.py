"""A device in a process of its own that really dies, with card and server in the test's.

The process is forked anew for each life from one that has everything loaded, with the file layer
of tests/faults/dying_files.c below it. It reaches card and server over a socket: what it has done
to them stays done when it dies.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from cardd.render.renderer import Renderer
from cardd.render.settings_file import settings_file
from softcard import SoftCard

from support.client import LIMIT_S
from support.machine import DirectCard, DmNetwork, Machine

__all__ = ["DyingDevice", "Ending", "How", "built_layer", "renderer_into"]

Watching = Callable[[str, str], bool]

_DIE = "die here"
_SOURCE = Path(__file__).parents[1] / "faults" / "dying_files.c"


class How(IntEnum):
    """As in dying_files.c."""

    KILLED = 0
    TORN = 1
    POWER_LOST = 2
    NAMES_LOST = 3


def built_layer(folder: Path) -> Path:
    """The file layer, to be preloaded."""
    library = folder / "dying_files.so"
    compiler = ("gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC")
    subprocess.run([*compiler, "-o", library, _SOURCE, "-ldl"], check=True)
    return library


def renderer_into(folder: Path) -> Renderer:
    """What the device renders: a file whose every state is that of one tree."""
    return Renderer("service", settings_file("./Service", "service.json"), folder)


@dataclass(frozen=True, slots=True)
class _Life:
    """What a process is to do: start on a store, run once, and die where it is said."""

    store: Path
    rendered: Path
    first_number: int
    operation: int
    how: How


@dataclass(frozen=True, slots=True)
class Ending:
    """``operations``: a letter each, as in dying_files.c; "" for a process that died."""

    status: int
    operations: str

    @property
    def killed(self) -> bool:
        return self.status == -signal.SIGKILL


class DyingDevice:
    """Inside the context there is a process to be forked from."""

    def __init__(self, folder: Path) -> None:
        self._library = built_layer(folder)

    def __enter__(self) -> Self:
        mine, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "support.dying", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env=os.environ
                | {
                    "LD_PRELOAD": str(self._library),
                    "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
                },
            )
        self._connection = Connection(mine.detach())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()
        self._process.wait(LIMIT_S)

    def live(
        self,
        store: Path,
        rendered: Path,
        card: SoftCard,
        network: DmNetwork,
        *,
        first_number: int,
        operation: int = 0,
        how: How = How.KILLED,
        on_step: Watching = lambda _when, _what: False,
    ) -> Ending:
        """One life. It ends at a file operation, or where ``on_step`` says so, which hears
        "before" and "after" of each "transmit" and "request"; else when the run has ended."""
        self._connection.send(_Life(store, rendered, first_number, operation, how))
        operations = ""
        while True:
            what, *arguments = self._connection.recv()
            if what == "ended":
                return Ending(arguments[0], operations)
            if what == "log":
                operations = arguments[0]
                continue
            is_step = what in ("transmit", "request")
            answer = _DIE
            if not (is_step and on_step("before", what)):
                answer = _served(card, network, what, arguments)
                if is_step and on_step("after", what):
                    answer = _DIE
            self._connection.send(answer)


def _served(card: SoftCard, network: DmNetwork, what: str, arguments: list[Any]) -> Any:
    match what:
        case "reset":
            card.reset()
            return card.atr
        case "transmit":
            return card.transmit(*arguments)
        case "request":
            return network.request(*arguments), network.now_ms
    raise AssertionError(what)


# -- in the process that dies


class _Remote:
    """Calls that the test's process answers, or by which it ends this one."""

    def __init__(self, connection: Connection, layer: ctypes.CDLL) -> None:
        self._connection = connection
        self._layer = layer

    def __call__(self, what: str, *arguments: Any) -> Any:
        self._connection.send((what, *arguments))
        answer = self._connection.recv()
        if answer == _DIE:
            self._layer.dying_files_die()
        return answer


class _RemoteCard:
    def __init__(self, remote: _Remote) -> None:
        self._remote = remote
        self.atr = b""

    def reset(self) -> None:
        self.atr = self._remote("reset")

    def transmit(self, command: bytes) -> bytes:
        return cast(bytes, self._remote("transmit", command))


class _RemoteNetwork(DmNetwork):
    def __init__(self, remote: _Remote) -> None:
        super().__init__()
        self._remote = remote

    def request(self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> Any:
        answer, self.now_ms = self._remote("request", method, url, dict(headers), body)
        return answer


def _live(life: _Life, connection: Connection, layer: ctypes.CDLL) -> None:
    remote = _Remote(connection, layer)
    network = _RemoteNetwork(remote)
    layer.dying_files_arm(str(life.store.parent).encode(), life.operation, int(life.how))
    machine = Machine(
        life.store,
        network,
        renderers=[renderer_into(life.rendered)],
        first_number=life.first_number,
    )
    machine.run(DirectCard(cast(SoftCard, _RemoteCard(remote))))
    machine.store.close()
    connection.send(("log", layer.dying_files_log().decode()))


def _main() -> None:
    connection = Connection(int(sys.argv[1]))
    layer = ctypes.CDLL(None)  # preloaded
    layer.dying_files_log.restype = ctypes.c_char_p
    while True:
        try:
            life = connection.recv()
        except EOFError:
            return
        pid = os.fork()
        if pid == 0:
            try:
                _live(life, connection, layer)
            finally:
                os._exit(0 if sys.exc_info()[0] is None else 1)
        _, status = os.waitpid(pid, 0)
        connection.send(("ended", os.waitstatus_to_exitcode(status)))


if __name__ == "__main__":
    # Else what is sent would be of this module, and of another one in the test's process.
    from support import dying

    dying._main()
