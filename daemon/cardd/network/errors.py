"""What can go wrong between this device and a server, told apart."""

from __future__ import annotations

from cardd.provisioning.ports import TransportError

__all__ = [
    "CertificateInvalidError",
    "HttpStatusError",
    "NetworkError",
    "ResponseTooLargeError",
    "ServerUnreachableError",
]


class NetworkError(TransportError):
    """Base of this layer. ``url`` is without its query, which may prove a session."""

    def __init__(self, url: str, detail: str) -> None:
        self.url = url.partition("?")[0]
        super().__init__(f"{self.url}: {detail}")
        self.detail = detail


class ServerUnreachableError(NetworkError):
    """No connection, or no answer in time."""


class CertificateInvalidError(NetworkError):
    """The server's TLS certificate is not trusted, or not for this name."""


class HttpStatusError(NetworkError):
    """The server answered with an HTTP status that the protocol has no use for."""

    def __init__(self, url: str, status: int) -> None:
        super().__init__(url, f"HTTP status {status}")
        self.status = status


class ResponseTooLargeError(NetworkError):
    """The answer is larger than this device takes."""
