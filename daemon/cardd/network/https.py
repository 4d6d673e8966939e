"""One HTTPS client for all servers: pinned trust, own host table, size and time limits.

The URL keeps the server's name, so that SNI, certificate check and ``Host`` are those of the name
even where the device's configuration sends the connection to another address.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import httpcore
from gba.tls import cipher_suite

from .errors import (
    CertificateInvalidError,
    NetworkError,
    ResponseTooLargeError,
    ServerUnreachableError,
)

__all__ = ["HttpsClient", "Response", "trust_context"]


@dataclass(frozen=True, slots=True)
class Response:
    """Status, headers by lower-case name, body, and the code of the connection's cipher suite."""

    status: int
    headers: Mapping[str, str]
    # An account's secrets and a card's key come in it.
    body: bytes = field(repr=False)
    cipher_suite: int | None = None

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "")


def trust_context(ca_file: Path | None) -> ssl.SSLContext:
    """TLS 1.2 or later, certificate and name checked; ``ca_file`` replaces the system's CAs."""
    context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class HttpsClient:
    """Blocking, for one thread at a time; ``seconds_spent`` is the time spent in the network.

    Args:
        trust: TLS settings; see :func:`trust_context`.
        hosts: ``"name:port"`` to ``"address:port"``: where to connect instead of asking DNS.
        connect_timeout_s: longest time to connect.
        timeout_s: longest time for one whole exchange.
        max_body_bytes: largest answer that is taken.
    """

    def __init__(
        self,
        *,
        trust: ssl.SSLContext,
        hosts: Mapping[str, str],
        connect_timeout_s: float,
        timeout_s: float,
        max_body_bytes: int,
    ) -> None:
        self.seconds_spent = 0.0
        self._connect_timeout_s = connect_timeout_s
        self._timeout_s = timeout_s
        self._max_body_bytes = max_body_bytes
        self._wire = _Wire(hosts)
        self._pool = httpcore.ConnectionPool(
            ssl_context=trust,
            max_connections=4,
            keepalive_expiry=15.0,
            network_backend=self._wire,
        )

    def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Response:
        """One exchange. Redirects are not followed: a server's address is provisioned, not guessed.

        Raises:
            ServerUnreachableError, CertificateInvalidError, ResponseTooLargeError, NetworkError
        """
        target = _checked(url)
        started = time.monotonic()
        self._wire.begin(started + self._timeout_s)
        try:
            return self._exchange(method, url, target, headers, body)
        except httpcore.ConnectError as error:
            if isinstance(error.__context__, ssl.SSLCertVerificationError):
                raise CertificateInvalidError(url, error.__context__.verify_message) from None
            raise ServerUnreachableError(url, str(error) or type(error).__name__) from None
        except (httpcore.NetworkError, httpcore.TimeoutException) as error:
            raise ServerUnreachableError(url, str(error) or type(error).__name__) from None
        except (httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
            if self._wire.ended_early:
                detail = "the connection ended before the whole answer"
                raise ServerUnreachableError(url, detail) from None
            raise NetworkError(url, f"not HTTP: {error}") from None
        finally:
            self.seconds_spent += time.monotonic() - started

    def close(self) -> None:
        self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _exchange(
        self, method: str, url: str, target: httpcore.URL, headers: Mapping[str, str], body: bytes
    ) -> Response:
        timeout = dict.fromkeys(("read", "write", "pool"), self._timeout_s)
        timeout["connect"] = self._connect_timeout_s
        port = target.port or 443
        host = target.host if port == 443 else target.host + b":%d" % port
        wire_headers = [(b"Host", host), *_wire_headers(url, headers)]
        if body:
            wire_headers.append((b"Content-Length", str(len(body)).encode()))
        with self._pool.stream(
            method, target, headers=wire_headers, content=body, extensions={"timeout": timeout}
        ) as answer:
            received = bytearray()
            for chunk in answer.iter_stream():
                received += chunk
                if len(received) > self._max_body_bytes:
                    raise ResponseTooLargeError(url, f"more than {self._max_body_bytes} bytes")
            connection = answer.extensions["network_stream"].get_extra_info("ssl_object")
            return Response(
                answer.status,
                _header_table(answer.headers),
                bytes(received),
                cipher_suite(connection),
            )


def _checked(url: str) -> httpcore.URL:
    """An address that can be connected to; a server or a card may name any."""
    if not url.startswith("https://"):
        raise NetworkError(url, "only https is spoken")
    try:
        target = httpcore.URL(url)
        port = urlsplit(url).port
    except (TypeError, ValueError) as error:  # TypeError: httpcore takes ASCII only
        raise NetworkError(url, f"not an address: {error}") from None
    if not target.host or port == 0:
        raise NetworkError(url, "not an address: no host or no port")
    return target


def _wire_headers(url: str, headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    try:
        return [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers.items()]
    except UnicodeEncodeError:
        raise NetworkError(url, "a header has characters that HTTP cannot carry") from None


def _header_table(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    table: dict[str, str] = {}
    for name, value in headers:
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1")
        table[key] = f"{table[key]}, {text}" if key in table else text
    return table


class _Wire(httpcore.NetworkBackend):
    """Connects to the configured address of a name; other names go to the resolver.

    ``ended_early`` tells a server that went away from one that talks nonsense: httpcore has one
    error for both. The deadline is held at every read and write, for httpcore's own limits begin
    anew with each byte.
    """

    def __init__(self, hosts: Mapping[str, str]) -> None:
        self.ended_early = False
        self._deadline_s = 0.0
        self._hosts = dict(hosts)
        self._backend = httpcore.SyncBackend()

    def begin(self, deadline_s: float) -> None:
        """An exchange begins, which has to be over by then."""
        self.ended_early = False
        self._deadline_s = deadline_s

    def remaining_s(self, limit_s: float | None) -> float:
        """Time that is left for a step. Raises httpcore.ReadTimeout if there is none."""
        left = self._deadline_s - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("no whole answer in time")
        return left if limit_s is None else min(left, limit_s)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        address = self._hosts.get(f"{host}:{port}") or self._hosts.get(host)
        if address is not None:
            name, colon, number = address.rpartition(":")
            host, port = (name.strip("[]"), int(number)) if colon else (address, port)
        failure: Exception = httpcore.ConnectError("the name has no address")
        # One by one, for the deadline is one for all of them: a name may have any number.
        for each in _addresses(host, port):
            try:
                stream = self._backend.connect_tcp(
                    each, port, self.remaining_s(timeout), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _Stream(stream, self)
        raise failure

    def sleep(self, seconds: float) -> None:
        self._backend.sleep(seconds)


def _addresses(host: str, port: int) -> list[str]:
    """The addresses of a name in the resolver's order."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(str(error)) from None
    return [str(address[0]) for *_, address in found]


class _Stream(httpcore.NetworkStream):
    """A connection that holds the deadline and notes when the other side closes it."""

    def __init__(self, stream: httpcore.NetworkStream, wire: _Wire) -> None:
        self._stream = stream
        self._wire = wire

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = self._stream.read(max_bytes, self._wire.remaining_s(timeout))
        if not data:
            self._wire.ended_early = True
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._wire.remaining_s(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        limit_s = self._wire.remaining_s(timeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, limit_s), self._wire)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
