"""Programs of the load that know gRPC: a flood, an empty server, an empty message."""

from __future__ import annotations

import asyncio
import os
import queue
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
from cardea.v1 import cards_pb2, cards_pb2_grpc, readers_pb2, readers_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from bench.chaos.apdus import READ_ICCID, SELECT_ICCID
from bench.chaos.talk import listen, say
from bench.chaos.transports import CardeaTransport, PyscardTransport

__all__ = ["beside", "empty_server", "hostile", "reads"]


async def _watch(channel: grpc.aio.Channel, _: str) -> None:
    stub = readers_pb2_grpc.ReaderServiceStub(channel)
    async for _event in stub.WatchReaders(readers_pb2.WatchReadersRequest()):
        pass


async def _hold(channel: grpc.aio.Channel, card: str) -> None:
    stream = cards_pb2_grpc.CardServiceStub(channel).Session()
    await stream.write(cards_pb2.SessionRequest(open=cards_pb2.SessionOpen(name=card)))
    async for _answer in stream:
        pass


async def _read(channel: grpc.aio.Channel, card: str) -> None:
    file = cards_pb2.FileRef(known="EF.ICCID")
    await cards_pb2_grpc.CardServiceStub(channel).ReadFile(
        cards_pb2.ReadFileRequest(name=card, file=file)
    )


def empty_server(transport: PyscardTransport, path: str) -> None:
    """A grpc.aio server whose one method sends a message and then waits for ever."""
    transport.disconnect()
    asyncio.run(_serve(path))


async def _serve(path: str) -> None:
    async def watch(_request: bytes, _context: object) -> AsyncIterator[bytes]:
        yield b""
        await asyncio.Event().wait()

    server = grpc.aio.server()
    handlers: dict[str, Any] = {"Watch": grpc.unary_stream_rpc_method_handler(watch)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("Empty", handlers),))
    server.add_insecure_port(f"unix:{path}")
    await server.start()
    say("ready")
    await asyncio.to_thread(listen)
    await server.stop(0)


def beside(transport: CardeaTransport, other: str, rounds: str, calls: str) -> None:
    """An APDU on a session, one through pyscard on the reader `other`, an empty message: in turn,
    so many `calls` each, `rounds` times."""
    requests: queue.SimpleQueue[reflection_pb2.ServerReflectionRequest | None] = queue.SimpleQueue()
    with (
        # Reflection is the one empty bidi there is, and is answered on the admin socket.
        grpc.insecure_channel(
            str(Path(transport.client.target).with_name("admin.sock"))
        ) as channel,
        transport.hold() as transmit,
        PyscardTransport(other).hold() as bare,
    ):
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)  # untyped
        echoes = stub.ServerReflectionInfo(iter(requests.get, None))
        empty = reflection_pb2.ServerReflectionRequest()

        def echo() -> None:
            requests.put(empty)
            next(echoes)

        contenders = {
            "session": lambda: transmit(READ_ICCID),
            "pyscard": lambda: bare(READ_ICCID),
            "empty": echo,
        }
        for each in (transmit, bare):
            each(SELECT_ICCID)
        taken = _in_turn(contenders, int(rounds), int(calls))
        requests.put(None)
    say(taken)


def reads(transport: CardeaTransport, rounds: str, calls: str) -> None:
    """A file that was read before, and an empty unary call on the same channel: in turn, so many
    `calls` each, `rounds` times."""
    with grpc.insecure_channel(transport.client.target) as channel:
        cards = cards_pb2_grpc.CardServiceStub(channel)
        health: Any = health_pb2_grpc.HealthStub(channel)  # untyped
        wish = cards_pb2.ReadFileRequest(
            name=transport.name, file=cards_pb2.FileRef(known="EF.ICCID")
        )
        empty = health_pb2.HealthCheckRequest()
        contenders: dict[str, Callable[[], object]] = {
            "read": lambda: cards.ReadFile(wish),
            "empty": lambda: health.Check(empty),
        }
        say(_in_turn(contenders, int(rounds), int(calls)))


def _in_turn(
    contenders: Mapping[str, Callable[[], object]], rounds: int, calls: int
) -> dict[str, list[float]]:
    """Seconds of every call of each; a first round warms up."""
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds + 1):
        for name, call in contenders.items():
            for _ in range(calls):
                before = time.perf_counter()
                call()
                taken[name].append(time.perf_counter() - before)
    return {name: times[calls:] for name, times in taken.items()}


def hostile(transport: CardeaTransport, uid: str, streams: str, connections: str) -> None:
    """As user `uid`, keeps so many streams open, or opens them again at once, until told to end."""
    asyncio.run(_flood(transport, int(uid), int(streams), int(connections)))


async def _flood(transport: CardeaTransport, uid: int, streams: int, connections: int) -> None:
    await asyncio.to_thread(os.setgroups, [])  # what is to be imported is imported by that
    os.setgid(uid)
    os.setuid(uid)
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.default_authority", "cardd")]
    channels = [
        grpc.aio.insecure_channel(transport.client.target, options=options)
        for _ in range(connections)
    ]
    attempts = 0
    attack = (_watch, _hold, _read)

    async def again_and_again(number: int) -> None:
        nonlocal attempts
        channel = channels[number % connections]
        while True:
            attempts += 1
            with suppress(grpc.RpcError):
                await attack[number % len(attack)](channel, transport.name)

    tasks = [asyncio.ensure_future(again_and_again(number)) for number in range(streams)]
    await asyncio.sleep(1.0)
    say("ready")
    await asyncio.to_thread(listen)
    say(attempts)
    for task in tasks:
        task.cancel()
