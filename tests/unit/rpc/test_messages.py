"""Bytes that are no message are the caller's mistake, told as one, and no defect of the daemon."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import structlog
from cardd.rpc.server import Service
from cardea.v1 import cards_pb2_grpc, tree_pb2_grpc
from unit.rpc.conftest import Serve
from unit.rpc.test_tree_service import reason_of

# A text that is no UTF-8, a length that nothing has, field number 0.
NO_MESSAGES = (b"\x0a\x01\xff", b"\x0a\xff\xff\xff\xff\x0f", b"\x00\x00")


class Nodes(tree_pb2_grpc.TreeServiceServicer):
    async def GetNode(self, request: Any, context: Any) -> Any:
        raise AssertionError("what is no message has reached the handler")


class Cards(cards_pb2_grpc.CardServiceServicer):
    async def Session(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        async for _ in requests:
            raise AssertionError("what is no message has reached the handler")
        yield b""


@pytest.mark.parametrize("data", NO_MESSAGES)
@pytest.mark.parametrize("method", ["TreeService/GetNode", "CardService/Session"])
async def test_what_does_not_parse_is_an_invalid_argument(
    serve: Serve, data: Any, method: str
) -> None:
    nodes, cards = Nodes(), Cards()  # type: ignore[abstract]  # the other methods are not called
    served = await serve(
        Service("t", nodes, tree_pb2_grpc.add_TreeServiceServicer_to_server),
        Service("c", cards, cards_pb2_grpc.add_CardServiceServicer_to_server),
    )
    path = f"/cardea.v1.{method}"
    with structlog.testing.capture_logs() as events:
        async with served.channel() as channel:
            answer: Any = channel.unary_unary(path)
            if method.endswith("Session"):
                answer = channel.stream_unary(path)
                data = iter([data])
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await answer(data)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason_of(caught.value)[0] == "ARGUMENT_INVALID"
    assert [event for event in events if event["log_level"] == "error"] == []
