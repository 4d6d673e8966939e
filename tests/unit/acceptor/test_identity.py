"""The acceptor in front of a real grpc.aio server: the kernel says who calls, nobody else."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from cardea_core import Acceptor, Peer

from .conftest import WAIT_S, Place, RawServer, eventually, other_users

CALLER = Path(__file__).with_name("caller.py")
PROGRAM = os.path.realpath(sys.executable)
# Without this, channels of one process to one address share a connection.
OWN_CONNECTION = [("grpc.use_local_subchannel_pool", 1)]

if TYPE_CHECKING:
    # Generic for the type checker only.
    Context = grpc.aio.ServicerContext[bytes, bytes]
    Handler = grpc.RpcMethodHandler[bytes, bytes]


class Service:
    """Answers with what gRPC says of the caller; `Hang` never answers."""

    def __init__(self) -> None:
        self.hanging: asyncio.Queue[str] = asyncio.Queue()
        self.ended: asyncio.Queue[str] = asyncio.Queue()

    async def who(self, _request: bytes, context: "Context") -> bytes:
        return context.peer().encode()

    async def hang(self, _request: bytes, context: "Context") -> bytes:
        self.hanging.put_nowait(context.peer())
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.put_nowait(context.peer())
        return b""


@pytest.fixture
async def service(place: Place) -> AsyncIterator[Service]:
    service = Service()
    methods: dict[str, Handler] = {
        "Who": grpc.unary_unary_rpc_method_handler(service.who),
        "Hang": grpc.unary_unary_rpc_method_handler(service.hang),
    }
    server = grpc.aio.server()
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test.Service", methods)])
    server.add_insecure_port(f"unix:{place.upstream}")
    await server.start()
    yield service
    await server.stop(None)


def channel_to(path: str) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(f"unix:{path}", options=OWN_CONNECTION)


async def ask(channel: grpc.aio.Channel) -> str:
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]
    call = channel.unary_unary("/test.Service/Who")
    return (await call(b"", timeout=WAIT_S)).decode()


async def settled(holds: Callable[[], bool]) -> bool:
    return await asyncio.to_thread(eventually, holds)


async def spawn(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, str(CALLER), *arguments, stdout=asyncio.subprocess.PIPE
    )


async def test_a_caller_is_known_by_the_name_that_grpc_gives_its_connection(
    place: Place, service: Service, start: Callable[..., Acceptor]
) -> None:
    acceptor = start()
    async with channel_to(place.front) as channel:
        peer = acceptor.peer(await ask(channel))
    assert peer is not None
    assert (peer.uid, peer.gid, peer.pid) == (os.geteuid(), os.getegid(), os.getpid())
    assert sorted(peer.groups) == sorted(os.getgroups())


async def test_the_name_of_a_connection_says_nothing_and_is_never_used_again(
    place: Place, service: Service, start: Callable[..., Acceptor]
) -> None:
    start()
    names = set()
    for _ in range(5):
        async with channel_to(place.front) as channel:
            names.add(await ask(channel))
    assert len(names) == 5
    assert all(len(name.removeprefix("unix-abstract:cardea-")) == 32 for name in names)


@pytest.mark.parametrize("groups", [[], [4, 24], list(range(2000, 2700))], ids=len)
async def test_callers_of_different_users_are_told_apart(
    place: Place, service: Service, start: Callable[..., Acceptor], groups: list[int]
) -> None:
    acceptor = start()
    callers = {}
    for uid in other_users():
        text = ",".join(map(str, groups))
        callers[uid] = await spawn(place.front, "Hang", str(uid), text)
    for _ in callers:
        peer = acceptor.peer(await asyncio.wait_for(service.hanging.get(), WAIT_S))
        assert peer is not None
        assert (peer.gid, peer.pid) == (peer.uid, callers[peer.uid].pid)
        assert sorted(peer.groups) == groups
    async with channel_to(place.front) as channel:
        own = acceptor.peer(await ask(channel))
        assert own is not None
        assert own.uid == os.geteuid()
        assert acceptor.connections() == len(callers) + 1
    for caller in callers.values():
        caller.kill()
        await caller.wait()


@pytest.mark.parametrize(
    "name",
    [
        "",
        "unix:",
        "unix-abstract:",
        "unix-abstract:cardea-00000000000000000000000000000000",
        "ipv4:127.0.0.1:80",
        "\0",
        "unix-abstract:" + "x" * 100_000,
    ],
    ids=len,
)
async def test_a_name_that_was_not_given_out_is_nobody(
    start: Callable[..., Acceptor], name: str
) -> None:
    assert start().peer(name) is None


async def test_a_given_name_without_its_scheme_is_nobody(
    place: Place, service: Service, start: Callable[..., Acceptor]
) -> None:
    acceptor = start()
    async with channel_to(place.front) as channel:
        name = await ask(channel)
        assert acceptor.peer(name.removeprefix("unix-abstract:")) is None
        assert acceptor.peer(name.replace("unix-abstract:", "unix:")) is None


async def test_a_connection_that_has_closed_is_forgotten(
    place: Place, service: Service, start: Callable[..., Acceptor]
) -> None:
    acceptor = start()
    async with channel_to(place.front) as channel:
        name = await ask(channel)
    assert await settled(lambda: acceptor.connections() == 0)
    assert acceptor.peer(name) is None


async def test_a_peer_that_was_looked_up_stays_valid_after_its_connection(
    place: Place, service: Service, start: Callable[..., Acceptor]
) -> None:
    acceptor = start()
    async with channel_to(place.front) as channel:
        peer = acceptor.peer(await ask(channel))
    acceptor.close()
    assert peer is not None
    assert peer.uid == os.geteuid()


async def test_a_peer_is_a_value(
    place: Place, service: Service, start: Callable[..., Acceptor]
) -> None:
    acceptor = start()
    async with channel_to(place.front) as channel:
        name = await ask(channel)
        first, second = acceptor.peer(name), acceptor.peer(name)
    assert isinstance(first, Peer)
    assert first == second
    assert hash(first) == hash(second)
    assert repr(first) == f"<Peer uid={os.geteuid()} gid={os.getegid()} pid={os.getpid()}>"


async def test_whoever_connects_to_the_private_socket_itself_is_nobody(
    place: Place, service: Service, start: Callable[..., Acceptor]
) -> None:
    """Even under a name of the form that the acceptor gives."""
    acceptor = start()
    forged = "cardea-" + "0123456789abcdef" * 2
    with forwarder(place, f"\0{forged}") as front:
        async with channel_to(front) as channel:
            name = await ask(channel)
            assert name == f"unix-abstract:{forged}"
            assert acceptor.peer(name) is None
    async with channel_to(place.upstream) as channel:
        assert acceptor.peer(await ask(channel)) is None


async def test_two_hundred_callers_are_served_at_once(
    place: Place, service: Service, start: Callable[..., Acceptor]
) -> None:
    acceptor = start()
    channels = [channel_to(place.front) for _ in range(200)]
    names = await asyncio.gather(*map(ask, channels))
    assert len(set(names)) == 200
    assert acceptor.connections() == 200
    assert all(acceptor.peer(name) is not None for name in names)
    # A second call goes over the same connection.
    assert await asyncio.gather(*map(ask, channels)) == names
    await asyncio.gather(*(channel.close() for channel in channels))
    assert await settled(lambda: acceptor.connections() == 0)
    assert (acceptor.refused(), acceptor.failed()) == (0, 0)


async def test_a_caller_that_is_killed_ends_its_call_and_is_forgotten(
    place: Place, service: Service, start: Callable[..., Acceptor]
) -> None:
    acceptor = start()
    caller = await spawn(place.front, "Hang")
    name = await asyncio.wait_for(service.hanging.get(), WAIT_S)
    peer = acceptor.peer(name)
    assert peer is not None
    assert peer.pid == caller.pid
    caller.kill()
    await caller.wait()
    assert await asyncio.wait_for(service.ended.get(), WAIT_S) == name
    assert await settled(lambda: acceptor.peer(name) is None)
    assert acceptor.connections() == 0


async def test_a_connection_that_never_speaks_keeps_nobody_waiting(
    place: Place, service: Service, start: Callable[..., Acceptor]
) -> None:
    acceptor = start()
    with place.connect():
        assert await settled(lambda: acceptor.connections() == 1)
        async with channel_to(place.front) as channel:
            assert acceptor.peer(await ask(channel)) is not None


async def test_a_caller_is_known_by_its_program_and_the_unit_that_it_runs_in(
    place: Place, service: Service, start: Callable[..., Acceptor], tmp_path: Path
) -> None:
    """In a procfs that is made up: what a unit makes below itself is not taken for its name."""
    own = tmp_path / str(os.getpid())
    own.mkdir()
    (own / "cgroup").write_text("0::/system.slice/netd.service/system.slice/other.service\n")
    (own / "comm").write_text("netd\n")
    (own / "exe").symlink_to("/usr/bin/netd")
    acceptor = start(proc=tmp_path)
    async with channel_to(place.front) as channel:
        peer = acceptor.peer(await ask(channel))
    assert peer is not None
    assert (peer.unit, peer.exe, peer.comm) == ("netd.service", "/usr/bin/netd", "netd")


async def test_a_caller_without_unit_has_none(
    place: Place, service: Service, start: Callable[..., Acceptor], tmp_path: Path
) -> None:
    acceptor = start(proc=tmp_path / "nothing-here")
    async with channel_to(place.front) as channel:
        peer = acceptor.peer(await ask(channel))
    assert peer is not None
    assert (peer.unit, peer.exe, peer.comm) == ("", "", "")


CONNECT_AND_LEAVE = """
import socket, sys
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[1])
socket.send_fds(socket.socket(fileno=int(sys.argv[2])), [b"x"], [client.fileno()])
"""


def test_what_its_number_says_of_a_process_that_has_ended_does_not_count(
    place: Place, raw_server: RawServer, start: Callable[..., Acceptor], tmp_path: Path
) -> None:
    """The number may be another's by now: here, one's of a unit that is somebody."""
    heir, giver = socket.socketpair()
    leaver = subprocess.Popen(
        [sys.executable, "-c", CONNECT_AND_LEAVE, place.front, str(giver.fileno())],
        pass_fds=[giver.fileno()],
    )
    assert leaver.wait() == 0
    _, (descriptor,), _, _ = socket.recv_fds(heir, 1, 1)
    (tmp_path / str(leaver.pid)).mkdir()
    (tmp_path / str(leaver.pid) / "cgroup").write_text("0::/system.slice/netd.service\n")
    acceptor = start(proc=tmp_path)
    assert eventually(lambda: acceptor.connections() == 1)
    (peer,) = acceptor.peers().values()
    assert (peer.pid, peer.uid, peer.unit) == (leaver.pid, os.geteuid(), "")
    for end in (heir, giver, socket.socket(fileno=descriptor)):
        end.close()


UNIFIED = next(
    (
        Path(line.split()[1])
        for line in Path("/proc/mounts").read_text().splitlines()
        if line.split()[2] == "cgroup2"
    ),
    None,
)


@pytest.mark.skipif(
    UNIFIED is None or not os.access(UNIFIED, os.W_OK),
    reason="needs root and a cgroup2 file system",
)
async def test_a_unit_of_the_real_kernel_is_recognised(
    place: Place, service: Service, start: Callable[..., Acceptor]
) -> None:
    assert UNIFIED is not None
    unit = f"cardea-test-{os.getpid()}.service"
    slice_ = UNIFIED / "system.slice"
    made = [folder for folder in (slice_, slice_ / unit) if not folder.exists()]
    for folder in made:
        folder.mkdir()
    try:
        acceptor = start()
        join = f"echo 0 >{slice_ / unit}/cgroup.procs; exec {sys.executable} {CALLER} {place.front}"
        caller = await asyncio.create_subprocess_exec("sh", "-c", f"{join} Hang")
        peer = acceptor.peer(await asyncio.wait_for(service.hanging.get(), WAIT_S))
        caller.kill()
        await caller.wait()
    finally:
        for folder in reversed(made):
            folder.rmdir()
    assert peer is not None
    assert (peer.unit, peer.pid) == (unit, caller.pid)
    assert peer.exe == PROGRAM


@contextlib.contextmanager
def forwarder(place: Place, bound_to: str) -> Iterator[str]:
    """A door that a stranger built: forwards one connection under a name of its own choice."""
    front = place.upstream + ".forged"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(front)
    listener.listen(1)

    sockets: list[socket.socket] = []

    def serve() -> None:
        client, _ = listener.accept()
        server = socket.socket(socket.AF_UNIX)
        sockets.extend([client, server])
        server.bind(bound_to)
        server.connect(place.upstream)
        back = threading.Thread(target=pump, args=[server, client])
        back.start()
        pump(client, server)
        back.join()

    thread = threading.Thread(target=serve)
    thread.start()
    yield front
    for end in sockets:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
    thread.join(WAIT_S)
    for end in [listener, *sockets]:
        end.close()


def pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
