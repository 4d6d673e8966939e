"""The command line's way to the operator API: through the socket, or into the registry itself.

Where no server runs there is no socket; the registry file is opened in its place, so that a
registry can be filled before the first start.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from dmsd.config import Config
from dmsd.errors import DmsdError, OperatorUnreachableError
from dmsd.operator import Operator, dispatch
from dmsd.registry import Registry

__all__ = ["OperatorClient", "OperatorReplyError"]

_TIMEOUT_S = 10.0


class OperatorReplyError(DmsdError):
    """The API refused a call; ``code`` is its own."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class OperatorClient:
    """One open way; a context manager."""

    def __init__(self, config: Config, *, now_ms: Callable[[], int]) -> None:
        self._http: httpx.Client | None = None
        self._registry: Registry | None = None
        if config.operator.socket.is_socket():
            client = httpx.Client(
                transport=httpx.HTTPTransport(uds=str(config.operator.socket)),
                base_url="http://operator",
                timeout=_TIMEOUT_S,
            )
            try:
                client.get("/v1/health")
                self._http = client
                return
            except httpx.ConnectError:
                # Left behind by a server that was killed.
                client.close()
            except httpx.HTTPError as error:
                client.close()
                raise OperatorUnreachableError(f"{config.operator.socket}: {error}") from error
        self._registry = Registry.open(config.registry, node=f"{config.server.node} operator")
        self._operator = Operator(self._registry, server_id=config.server.id, now_ms=now_ms)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._http is not None:
            self._http.close()
        if self._registry is not None:
            self._registry.close()

    def call(self, method: str, *segments: str, body: Any = None) -> Any:
        """Do one call; raises OperatorReplyError with what was wrong."""
        if self._http is None:
            status, answer = dispatch(self._operator, method, segments, body)
        else:
            status, answer = self._over_socket(self._http, method, segments, body)
        if status >= 400:
            raise OperatorReplyError(answer.get("error", "unknown"), answer.get("message", ""))
        return answer

    def _over_socket(
        self, client: httpx.Client, method: str, segments: tuple[str, ...], body: Any
    ) -> tuple[int, Any]:
        path = "/v1/" + "/".join(quote(segment, safe="") for segment in segments)
        content = None if body is None else json.dumps(body).encode()
        try:
            response = client.request(method, path, content=content)
            return response.status_code, response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise OperatorUnreachableError(f"{method} {path}: {error}") from error
