"""A whole system on private sockets: pcscd with virtual readers, dmsd, cardd. Nothing is left.

The parts are real and run as processes of their own; only the cards are software. Names are those
of a test network (PLMN 001/01); cardd is told where to connect for them, so that TLS checks the
names as it would in the field.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from softcard.stack import VirtualReaders

__all__ = [
    "BSF",
    "DEVICE",
    "DM_HOME",
    "DM_OPERATOR",
    "SERVER_ID",
    "CommandFailedError",
    "Program",
    "System",
]

# The DM server that the operator's card names, and those that TS 23.003 leads to from the IMSI.
DM_OPERATOR = "dm.example.org"
DM_HOME = "dm.mnc001.mcc001.pub.3gppnetwork.org"
BSF = "bsf.mnc001.mcc001.pub.3gppnetwork.org"
SERVER_ID = DM_OPERATOR
DEVICE = "urn:uuid:0c0ffee0-0000-4000-8000-000000000001"

_READY_S = 60.0
_STOP_S = 30.0


class CommandFailedError(Exception):
    """A command of ours ended with another status than 0."""

    def __init__(self, command: Sequence[str], status: int, output: str) -> None:
        super().__init__(f"{' '.join(command)}: exit status {status}\n{output}")
        self.status = status
        self.output = output


class Program:
    """One long-running program with a log of its own."""

    def __init__(self, name: str, folder: Path, arguments: Sequence[str]) -> None:
        self.log_path = folder / f"{name}.log"
        # What its environment has beside this process's.
        self.environment: Mapping[str, str] = {}
        self._command = [sys.executable, "-m", *arguments]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """0 while it is not running."""
        return self._process.pid if self._process is not None else 0

    def start(self, ready: Path) -> None:
        """Start it and wait until it has made the file ``ready``, or listens on that socket."""
        ready.unlink(missing_ok=True)
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, env=os.environ | self.environment
            )
        deadline = time.monotonic() + _READY_S
        while not _is_there(ready):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop(signal.SIGKILL)
                raise CommandFailedError(self._command, -1, self.log())
            time.sleep(0.02)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it, by force if it does not end in time."""
        if self._process is None:
            return
        process, self._process = self._process, None
        process.send_signal(number)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def log(self) -> str:
        """Everything that it has written so far."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""


class System:
    """Inside the context all parts run.

    Args:
        folder: a folder of its own, with a short path: sockets lie in it. Certificates that are
            in its folder "ca" already are used.
        readers: the virtual readers, already running.
        settings: further sections for cardd's configuration, TOML.
        network: further lines for its section [network].
        registry: line for dmsd's section [registry]; "" for a file of its own.
    """

    def __init__(
        self,
        folder: Path,
        readers: VirtualReaders,
        settings: str = "",
        network: str = "",
        registry: str = "",
    ) -> None:
        self.folder = folder
        self.readers = readers
        self.socket = folder / "cardd.sock"
        self.dmsd_ready = folder / "dmsd.ready"
        self.dmsd_config = folder / "dmsd.toml"
        self._cardd_config = folder / "cardd.toml"
        self._settings = settings
        self._network = network
        self._registry = registry or f'path = "{folder / "registry.sqlite"}"'
        # "name:port" to "address:port" for cardd; what is not here already is added for dmsd.
        self.hosts: dict[str, str] = {}
        self.dmsd = self._server("dmsd")
        self.cardd = Program(
            "cardd", folder, ["cardd.app.main", "run", "--config", str(self._cardd_config)]
        )
        self._cleanup = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as guard:
            self._make_certificates()
            self.dmsd_config.write_text(self._dmsd_toml("127.0.0.1:0", "127.0.0.1:0"))
            guard.callback(self.dmsd.stop)
            self.start_dmsd()
            guard.callback(self.cardd.stop)
            self.start_cardd()
            self._cleanup = guard.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._cleanup.close()

    # -- the parts

    def start_dmsd(self) -> None:
        """Start the server; a second start takes the ports of the first."""
        self.dmsd.start(self.dmsd_ready)
        ready = json.loads(self.dmsd_ready.read_text())
        dm, bsf = (f"{ready[part]['address']}:{ready[part]['port']}" for part in ("dm", "bsf"))
        self.dmsd_config.write_text(self._dmsd_toml(dm, bsf))
        own = {f"{DM_OPERATOR}:443": dm, f"{DM_HOME}:443": dm, f"{BSF}:443": bsf}
        self.hosts = own | self.hosts

    def start_cardd(self) -> None:
        """Start the daemon, which reads ``hosts`` now."""
        self._cardd_config.write_text(self._cardd_toml())
        self.cardd.start(self.socket)

    @contextmanager
    def another_node(self, name: str, url: str) -> Iterator[Program]:
        """One more server over the same registry, which tells devices this URL. Where it listens is
        in ``<name>.ready``, its configuration is ``<name>.toml``."""
        text = self._dmsd_toml("127.0.0.1:0", "127.0.0.1:0", name, url, drain_s=60)
        (self.folder / f"{name}.toml").write_text(text)
        node = self._server(name)
        node.start(self.folder / f"{name}.ready")
        try:
            yield node
        finally:
            node.stop()

    # -- commands

    def cardctl(self, *arguments: str, stdin: str | None = None) -> str:
        """What ``cardctl`` prints. Raises CommandFailedError."""
        command = ["cardctl", "--socket", f"unix:{self.socket}", *arguments]
        return _run(command, stdin, self.folder)

    def cardctl_json(self, *arguments: str) -> Any:
        return json.loads(self.cardctl("--json", *arguments))

    def operator(self, *arguments: str, document: Any = None) -> Any:
        """What ``dmsd … --json`` prints; ``document`` goes to its standard input as JSON."""
        stdin = json.dumps(document) if document is not None else None
        command = ["dmsd.main", *arguments, "--config", str(self.dmsd_config), "--json"]
        output = _run(command, stdin)
        return json.loads(output) if output.strip() else None

    # -- files

    def _make_certificates(self) -> None:
        if (self.folder / "ca").exists():
            return
        servers = (f"{DM_OPERATOR},{DM_HOME}", BSF)
        options = [word for names in servers for word in ("--server", names)]
        _run(["dmsd.main", "ca", "init", str(self.folder / "ca"), *options], None)

    def _server(self, name: str) -> Program:
        files = ("--config", f"{name}.toml"), ("--ready-file", f"{name}.ready")
        options = [word for option, file in files for word in (option, str(self.folder / file))]
        return Program(name, self.folder, ["dmsd.main", "run", *options])

    def _dmsd_toml(
        self,
        dm: str,
        bsf: str,
        node: str = "a",
        url: str = f"https://{DM_OPERATOR}/dm",
        drain_s: int = 1,
    ) -> str:
        ca = self.folder / "ca"
        return f"""
[server]
id = "{SERVER_ID}"
node = "{node}"
drain_s = {drain_s}
[registry]
{self._registry}
[operator]
socket = "{self.folder / f"operator-{node}.sock"}"
[dm]
host = "{DM_HOME}"
url = "{url}"
listen = "{dm}"
certificate = "{ca / f"{DM_OPERATOR}.pem"}"
key = "{ca / f"{DM_OPERATOR}-key.pem"}"
[bsf]
host = "{BSF}"
listen = "{bsf}"
certificate = "{ca / f"{BSF}.pem"}"
key = "{ca / f"{BSF}-key.pem"}"
"""

    def _cardd_toml(self) -> str:
        lines = "\n".join(f'"{name}" = "{address}"' for name, address in self.hosts.items())
        return f"""
[socket]
path = "{self.socket}"
runtime_directory = "{self.folder}"
[pcsc]
socket = "{self.readers.socket}"
[store]
path = "{self.folder / "cardd.sqlite"}"
[device]
id = "{DEVICE}"
[device.tree]
"./NAP/1/Name" = "Factory setting"
"./NAP/1/Addr" = "factory.example"
"./Service/News/URL" = "https://news.example/factory"
[device.acl]
"./Service" = "Add=*&Delete=*&Get=*&Replace=*"
[network]
ca_file = "{self.folder / "ca" / "ca.pem"}"
{self._network}
[network.hosts]
{lines}
{self._settings}
"""


def _is_there(ready: Path) -> bool:
    if not ready.is_socket():
        return ready.exists()
    # A socket is in its place a little before anybody listens on it.
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(ready)) == 0


def _run(module: Sequence[str], stdin: str | None, folder: Path | None = None) -> str:
    command = [sys.executable, "-m", *module]
    environment: Mapping[str, str] = os.environ | {"NO_COLOR": "1", "COLUMNS": "100"}
    done = subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=folder,
    )
    if done.returncode != 0:
        raise CommandFailedError(module, done.returncode, done.stdout + done.stderr)
    return done.stdout
