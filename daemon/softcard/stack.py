"""Virtual readers: a private pcscd with Debian's vpcd driver, and cards to put into them.

Nothing is shared with the system's own pcscd: own socket, own ports, own copy of the driver.
Everything ends with the context, and with the process if it dies first.
"""

import random
import shutil
import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from softcard.card import SoftCard
from softcard.errors import StackError
from softcard.pcscd import Pcscd, Requirements, requirements
from softcard.vpcd import STOCK_POLL_S

__all__ = ["VirtualReaders"]

FAST_POLL_S = 0.005
# The driver opens two ports per block, though only the first has a slot behind it.
_PORTS_PER_READER = 2
# Slots of Debian's pcscd.
_READERS_MAX = 16
# Below the range that the kernel takes ports from for outgoing connections.
_PORTS = range(20000, 32000, _PORTS_PER_READER)


class VirtualReaders:
    """A context manager: inside it, `socket` is where PCSCLITE_CSOCK_NAME has to point.

    Reader `n` is called `reader_names[n]`. pcscd polls a reader every 400 ms; with
    `fast_poll` every 5 ms.
    """

    def __init__(self, directory: Path, readers: int = 1, fast_poll: bool = True) -> None:
        if not 1 <= readers <= _READERS_MAX:
            raise StackError(f"{readers} readers, but pcscd serves 1 to {_READERS_MAX}")
        self._directory = directory.resolve()
        self._count = readers
        self._fast = fast_poll
        self._resources = ExitStack()
        self._cards: dict[int, SoftCard] = {}
        self._ports: list[int] = []
        self._pcscd: Pcscd | None = None

    @property
    def socket(self) -> Path:
        """The socket of the private pcscd."""
        return self._directory / "pcscd.comm"

    @property
    def reader_names(self) -> tuple[str, ...]:
        """What pcscd calls the readers."""
        return tuple(f"{_friendly_name(index)} 00 00" for index in range(self._count))

    @property
    def poll_s(self) -> float:
        """How often pcscd looks at each reader."""
        return FAST_POLL_S if self._fast else STOCK_POLL_S

    @property
    def pid(self) -> int:
        """Process id of pcscd; 0 while it is not running."""
        return self._pcscd.pid if self._pcscd else 0

    def __enter__(self) -> "VirtualReaders":
        needed = requirements()
        self._directory.mkdir(parents=True, exist_ok=True)
        with ExitStack() as guard:
            self._ports = [_reserve_ports(guard) for _ in range(self._count)]
            configuration = self._configure(needed)
            environment = {"LD_PRELOAD": str(self._compile(needed, "shim"))}
            if self._fast:
                environment["SOFTCARD_POLL_NS"] = str(int(FAST_POLL_S * 1e9))
            self._pcscd = Pcscd(needed.pcscd, self.socket, configuration, environment)
            guard.callback(self._pcscd.stop)
            self._pcscd.start(self._ports)
            guard.callback(self._remove_all)
            self._resources = guard.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._resources.close()

    def port(self, index: int) -> int:
        """The TCP port where reader `index` waits for a card."""
        return self._ports[index]

    def insert(self, index: int, card: SoftCard) -> None:
        """Put a card into an empty reader; return when pcscd has seen it. Raises LinkError."""
        present = self._cards.get(index)
        if present is not None and present.inserted:
            raise StackError(f"reader {index} holds {present!r}")
        self._cards[index] = card
        card.insert("127.0.0.1", self._ports[index], poll_s=self.poll_s)

    def remove(self, index: int) -> None:
        """Pull the card out; nothing happens if there is none."""
        card = self._cards.pop(index, None)
        if card is not None:
            card.remove()

    def card(self, index: int) -> SoftCard | None:
        """The card that was put in last, unless it has been removed."""
        return self._cards.get(index)

    def unplug(self, index: int) -> None:
        """Let the reader vanish, with its card, as a USB reader does: the driver says
        "no such device". pcscd 1.9 lists the name until it is restarted."""
        _flag(self._driver(index)).touch()
        self.remove(index)

    def plug(self, index: int) -> bool:
        """Undo `unplug`, and say if there was something to undo; pcscd 1.9 notices at its
        next start."""
        flag = _flag(self._driver(index))
        was_unplugged = flag.exists()
        flag.unlink(missing_ok=True)
        return was_unplugged

    def kill_pcscd(self) -> None:
        """End pcscd as a crash would. The cards stay in their readers."""
        if self._pcscd is not None:
            self._pcscd.kill()
        for card in self._cards.values():
            card.wait_removed(2.0)

    def restart_pcscd(self) -> None:
        """Start pcscd again (ending it first if need be), with the cards that were inside."""
        if self._pcscd is None:
            raise StackError("there is no pcscd outside the context")
        self._pcscd.stop()
        self._pcscd.start(self._ports)
        for index, card in self._cards.items():
            card.remove()
            card.insert("127.0.0.1", self._ports[index], poll_s=self.poll_s)

    def _remove_all(self) -> None:
        for index in list(self._cards):
            self.remove(index)

    def _configure(self, needed: Requirements) -> Path:
        """One block per reader, each with its own copy of the driver.

        The driver keeps static state: two blocks with one library show each other's cards.
        """
        front = self._compile(needed, "driver")
        blocks = []
        for index, port in enumerate(self._ports):
            driver = self._driver(index)
            _flag(driver).unlink(missing_ok=True)
            shutil.copyfile(front, driver)
            shutil.copyfile(needed.driver, driver.with_suffix(".vpcd.so"))
            blocks.append(
                f'FRIENDLYNAME "{_friendly_name(index)}"\n'
                f"DEVICENAME   /dev/null:{port}\n"
                f"LIBPATH      {driver}\n"
                f"CHANNELID    {port}\n"
            )
        configuration = self._directory / "reader.conf"
        configuration.write_text("\n".join(blocks), "utf-8")
        return configuration

    def _driver(self, index: int) -> Path:
        return self._directory / f"reader-{index}.so"

    def _compile(self, needed: Requirements, name: str) -> Path:
        source = Path(__file__).with_name(f"{name}.c")
        library = self._directory / f"{name}.so"
        command = [needed.compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source)]
        result = subprocess.run([*command, "-ldl"], capture_output=True, text=True, check=False)
        if result.returncode:
            raise StackError(f"{command[0]} cannot compile {name}.c: {result.stderr.strip()}")
        return library


def _flag(driver: Path) -> Path:
    return driver.with_name(driver.name + ".unplugged")


def _friendly_name(index: int) -> str:
    # pcscd numbers readers per driver file: the names have to differ by themselves.
    return f"Virtual PCD {chr(ord('A') + index)}"


def _reserve_ports(guard: ExitStack) -> int:
    """A free pair of ports, kept from other instances of this class until the guard closes."""
    candidates = list(_PORTS)
    random.shuffle(candidates)
    for port in candidates:
        lock = socket.socket(socket.AF_UNIX)
        try:
            lock.bind(f"\0softcard-port-{port}")
            for number in range(port, port + _PORTS_PER_READER):
                with socket.socket() as probe:
                    probe.bind(("0.0.0.0", number))  # noqa: S104  probes as vpcd will bind
        except OSError:
            lock.close()
            continue
        guard.callback(lock.close)
        return port
    raise StackError(f"no free port between {_PORTS.start} and {_PORTS.stop}")
