"""One private pcscd process, started by socket activation on a socket of our own."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from softcard.errors import StackError

__all__ = ["Pcscd", "Requirements", "listening_ports", "requirements"]

_RUN = Path("/run/pcscd")
_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 3.0
# sockaddr_un holds 108 bytes with the terminating zero.
_SOCKET_PATH_MAX = 107


class Requirements:
    """Where the programs are that Debian's packages install."""

    def __init__(self, pcscd: str, driver: str, compiler: str) -> None:
        self.pcscd = pcscd
        self.driver = driver
        self.compiler = compiler


def requirements() -> Requirements:
    """Find them; StackError names the packages that are missing."""
    pcscd = shutil.which("pcscd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    drivers = sorted(Path("/usr").glob("lib*/**/pcsc/drivers/serial/libifdvpcd.so"))
    compiler = shutil.which("gcc") or shutil.which("cc")
    missing = []
    if pcscd is None:
        missing.append("pcscd")
    if not drivers:
        missing.append("vsmartcard-vpcd")
    if compiler is None:
        missing.append("gcc libc6-dev")
    if pcscd is None or compiler is None or not drivers:
        raise StackError(
            "the virtual reader needs programs that are not installed; run: "
            f"apt-get install --no-install-recommends {' '.join(missing)}"
        )
    return Requirements(pcscd, str(drivers[0]), compiler)


class Pcscd:
    """A running daemon. `stop` ends it gently, `kill` as a crash would."""

    def __init__(
        self, program: str, socket_path: Path, configuration: Path, environment: dict[str, str]
    ) -> None:
        if len(os.fsencode(socket_path)) > _SOCKET_PATH_MAX:
            raise StackError(f"{socket_path}: longer than {_SOCKET_PATH_MAX} bytes")
        self._program = program
        self._socket_path = socket_path
        self._configuration = configuration
        self._environment = dict(os.environ, **environment)
        self._log = socket_path.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id; 0 when not running."""
        return self._process.pid if self._process and self._process.poll() is None else 0

    def start(self, ports: list[int]) -> None:
        """Start, and wait until the daemon itself listens on every port."""
        self._socket_path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self._socket_path))
            listener.listen(64)
            self._spawn(listener.fileno())
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not set(ports) <= listening_ports(self.pid):
            if not self.pid:
                raise StackError(f"pcscd ended at once: {self.log_tail()}")
            if time.monotonic() > deadline:
                self.stop()
                raise StackError(f"no reader on ports {ports}: {self.log_tail()}")
            time.sleep(0.005)

    def stop(self) -> None:
        """End the daemon and remove its socket. Idempotent."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the daemon without giving it a chance."""
        self._end(signal.SIGKILL)

    def log_tail(self) -> str:
        """The last lines that the daemon wrote."""
        with suppress(OSError):
            return " / ".join(self._log.read_text("utf-8", "replace").splitlines()[-5:])
        return "(no log)"

    def _spawn(self, listener: int) -> None:
        command = self._command(listener)
        started = threading.Event()
        failure: list[OSError] = []

        def keep() -> None:
            # The daemon dies with the thread that started it: so that thread stays.
            try:
                with self._log.open("ab") as log:
                    self._process = subprocess.Popen(
                        command,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        env=self._environment,
                        pass_fds=(listener,),
                        start_new_session=True,
                    )
            except OSError as error:
                failure.append(error)
                return
            finally:
                started.set()
            self._process.wait()

        threading.Thread(target=keep, name="pcscd-keeper", daemon=True).start()
        started.wait()
        if failure:
            raise StackError(f"cannot start {self._program}: {failure[0]}") from failure[0]

    def _command(self, listener: int) -> list[str]:
        script = str(Path(__file__).with_name("activate.py"))
        activate = [sys.executable, "-I", "-S", script, str(listener)]
        daemon = [self._program, "--foreground", "--info", "--config", str(self._configuration)]
        if _run_folder():
            return [*activate, str(os.getpid()), *daemon]
        # pcscd insists on /run/pcscd: give it a /run in a mount name space of its own.
        if self._socket_path.is_relative_to("/run"):
            raise StackError(
                f"{self._socket_path} would be hidden from pcscd; take another folder, or run: "
                f"sudo mkdir {_RUN}"
            )
        setup = 'mount -t tmpfs tmpfs /run && mkdir "$0" && exec "$@"'
        return ["unshare", "-rm", "sh", "-c", setup, str(_RUN), *activate, "0", *daemon]

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.send_signal(number)
            try:
                process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                # A hung card blocks pcscd's orderly end.
                process.kill()
                process.wait()
        self._socket_path.unlink(missing_ok=True)


def listening_ports(pid: int) -> set[int]:
    """TCP ports that the process listens on; empty when there is no such process."""
    inodes = set()
    with suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                inodes.add(os.readlink(entry))
    ports = set()
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/net/tcp").read_text("ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                ports.add(int(fields[1].rpartition(":")[2], 16))
    return ports


def _run_folder() -> bool:
    """Make sure of /run/pcscd where that is possible."""
    if not _RUN.is_dir() and os.geteuid() == 0:
        _RUN.mkdir(mode=0o755, exist_ok=True)
    return _RUN.is_dir()
