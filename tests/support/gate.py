"""A TLS server before (or in place of) the real one, that a test holds in its hand.

It has a certificate that the device trusts, sees every request in the clear, and forwards it, or
answers in the server's place, or breaks the connection.
"""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO, Self, TypeAlias, cast

from omadm import codec
from omadm.messages import Alert, Message

__all__ = ["Answer", "Gate", "Raw", "Request", "Rule", "break_off", "is_report"]

_HOP = frozenset({"connection", "content-length", "transfer-encoding", "date", "server"})


@dataclass(frozen=True, slots=True)
class Request:
    """One request; `number` counts from 1."""

    number: int
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def message(self) -> Message:
        """The DM message in it."""
        return codec.decode(self.body, self.headers["content-type"])


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


# Writes to the connection what it likes; the connection is closed afterwards.
Raw: TypeAlias = Callable[[BinaryIO], None]
Rule: TypeAlias = Callable[[Request], Answer | Raw | None]


def break_off(_: BinaryIO) -> None:
    """A connection that ends without an answer."""


def is_report(request: Request) -> bool:
    """Whether the device tells of an installation in this message (Alert 1226)."""
    return any(isinstance(c, Alert) and c.code == 1226 for c in request.message.commands)


class Gate:
    """A context manager. `rule` says what becomes of a request; None: it is forwarded."""

    def __init__(self, certificate: Path, key: Path, upstream: str = "") -> None:
        self.rule: Rule = lambda _: None
        self.requests: list[Request] = []
        self.upstream = upstream
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.present(certificate, key)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def present(self, certificate: Path, key: Path) -> None:
        """Show this certificate from now on."""
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def forward(self, request: Request) -> Answer:
        """Ask the server behind."""
        host, _, port = self.upstream.rpartition(":")
        # The test knows whom it connects to.
        trust = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection(host, int(port), context=trust, timeout=60)
        try:
            headers = {k: v for k, v in request.headers.items() if k not in _HOP}
            connection.request(request.method, request.path, request.body, headers)
            answer = connection.getresponse()
            body = answer.read()
            kept = {k.lower(): v for k, v in answer.getheaders() if k.lower() not in _HOP}
            return Answer(answer.status, kept, body)
        finally:
            connection.close()

    def take(self, handler: BaseHTTPRequestHandler) -> Answer | Raw:
        length = int(handler.headers.get("content-length", "0"))
        body = handler.rfile.read(length)
        headers = {name.lower(): value for name, value in handler.headers.items()}
        with self._lock:
            request = Request(len(self.requests) + 1, handler.command, handler.path, headers, body)
            self.requests.append(request)
        return self.rule(request) or self.forward(request)


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A handshake that the device broke off is what some tests want."""


def _handler(gate: Gate) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60
        # Head and body are two writes.
        disable_nagle_algorithm = True

        def setup(self) -> None:
            # Here and not at accept(): a peer that breaks the handshake off must not stop others.
            self.request = gate.context.wrap_socket(self.request, server_side=True)
            super().setup()

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:
                self.close_connection = True

        def finish(self) -> None:
            try:
                super().finish()
            except OSError:
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            """The test has the requests."""

        def _serve(self) -> None:
            answer = gate.take(self)
            if not isinstance(answer, Answer):
                self.close_connection = True
                answer(cast(BinaryIO, self.wfile))
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = _serve

    return Handler
