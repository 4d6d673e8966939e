"""A public listening socket, a private server address, and a raw echo server."""

import contextlib
import os
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cardea_core import Acceptor

WAIT_S = 60.0


def eventually(holds: Callable[[], bool], *, within_s: float = WAIT_S) -> bool:
    """Whether a condition comes to hold; polls, so only for what has no event of its own."""
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


@dataclass(frozen=True)
class Place:
    """Where clients connect, and where the server listens."""

    listener: socket.socket
    front: str
    upstream: str

    def connect(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(WAIT_S)
        client.connect(self.front)
        return client


@pytest.fixture
def place() -> Iterator[Place]:
    # Not tmp_path: pytest's directories are closed to other users, who must reach the front.
    directory = Path(tempfile.mkdtemp(prefix="cardea-acceptor-"))
    directory.chmod(0o755)
    private = directory / "private"
    private.mkdir(mode=0o700)
    front = directory / "front"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(front))
    front.chmod(0o666)
    listener.listen(256)
    yield Place(listener, str(front), str(private / "upstream"))
    listener.close()
    shutil.rmtree(directory)


@pytest.fixture
def start(place: Place) -> Iterator[Callable[..., Acceptor]]:
    """Starts acceptors for the place; they are closed at the end."""
    with contextlib.ExitStack() as stack:

        def starter(**options: Any) -> Acceptor:
            acceptor = Acceptor(place.listener.fileno(), place.upstream, **options)
            stack.callback(acceptor.close)
            return acceptor

        yield starter


def as_http2(data: bytes) -> bytes:
    """Bytes that an acceptor lets pass: HTTP/2's preface, and a frame that brings them."""
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    return preface + len(data).to_bytes(3, "big") + bytes((0, 0, 0, 0, 0, 1)) + data


class RawServer:
    """Serves each connection on a thread of its own, without gRPC.

    By default it echoes; at the client's end it says how many bytes it got, and closes.
    """

    def __init__(self, path: str, handle: "Callable[[socket.socket], None] | None" = None) -> None:
        self._handle = handle or echo
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen(256)
        self._connections: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(WAIT_S)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            self._handle(connection)


def echo(connection: socket.socket) -> None:
    total = 0
    while data := connection.recv(65536):
        total += len(data)
        connection.sendall(data)
    connection.sendall(b"got %d" % total)


@pytest.fixture
def raw_server(place: Place) -> Iterator[RawServer]:
    server = RawServer(place.upstream)
    yield server
    server.close()


def is_served(client: socket.socket) -> bool:
    """Whether an echo comes back on this connection."""
    try:
        client.sendall(b"ping")
        return client.recv(4) == b"ping"
    except OSError:
        return False


def is_closed(client: socket.socket) -> bool:
    """Whether the other side has closed, waiting for it."""
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def acceptor_threads() -> int:
    """How many threads of acceptors this process has."""
    count = 0
    for task in Path("/proc/self/task").iterdir():
        # A thread of somebody else may end while we look.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            count += (task / "comm").read_text() == "acceptor\n"
    return count


def other_users() -> list[int]:
    """Users the tests can become besides their own: needs root."""
    return [65534, 1] if os.getuid() == 0 else []
