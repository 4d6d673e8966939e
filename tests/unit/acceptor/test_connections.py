"""The acceptor as a relay of bytes: limits, hostile clients, a server that comes and goes."""

import os
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from cardea_core import Acceptor, AcceptorError, CoreError

from .conftest import (
    WAIT_S,
    Place,
    RawServer,
    acceptor_threads,
    as_http2,
    eventually,
    is_closed,
    is_served,
)

STARVED = Path(__file__).with_name("starved.py")


def received(client: socket.socket) -> bytes:
    data = bytearray()
    while chunk := client.recv(65536):
        data += chunk
    return bytes(data)


def test_the_client_that_is_one_too_many_is_closed_at_once(
    place: Place, raw_server: RawServer, start: Callable[..., Acceptor]
) -> None:
    acceptor = start(max_connections=3)
    clients = [place.connect() for _ in range(3)]
    assert all(map(is_served, clients))
    with place.connect() as excess:
        assert is_closed(excess)
    assert acceptor.refused() == 1
    assert all(map(is_served, clients))
    clients.pop().close()
    assert eventually(lambda: acceptor.connections() == 2)
    with place.connect() as next_one:
        assert is_served(next_one)


def test_a_user_has_a_limit_of_its_own(
    place: Place, raw_server: RawServer, start: Callable[..., Acceptor]
) -> None:
    acceptor = start(max_connections=100, max_per_uid=2)
    with place.connect() as first, place.connect() as second:
        assert is_served(first)
        assert is_served(second)
        with place.connect() as excess:
            assert is_closed(excess)
    assert acceptor.refused() == 1
    assert eventually(lambda: acceptor.connections() == 0)


def test_the_end_of_one_direction_leaves_the_other_open(
    place: Place, raw_server: RawServer, start: Callable[..., Acceptor]
) -> None:
    acceptor = start()
    with place.connect() as client:
        client.sendall(b"question")
        client.shutdown(socket.SHUT_WR)
        assert received(client) == b"questiongot 8"
    assert eventually(lambda: acceptor.connections() == 0)


def test_megabytes_pass_unchanged_in_both_directions_at_once(
    place: Place, raw_server: RawServer, start: Callable[..., Acceptor]
) -> None:
    start()
    data = as_http2(os.urandom((16 << 20) - 1))

    def send() -> None:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)

    with place.connect() as client:
        sender = threading.Thread(target=send)
        sender.start()
        assert received(client) == data + b"got %d" % len(data)
        sender.join()


@pytest.mark.parametrize(
    ("path", "passes"), [(b"/a.B/\xff", False), (b"/a.B/C d", False), (b"/a.B/C", True)]
)
def test_a_path_that_would_end_the_server_ends_its_connection(
    place: Place, raw_server: RawServer, start: Callable[..., Acceptor], path: bytes, passes: bool
) -> None:
    acceptor = start()
    # HEADERS with END_HEADERS: a literal :path, static index 4 (RFC 7541 §6.2.2)
    block = b"\x04" + bytes((len(path),)) + path
    headers = len(block).to_bytes(3, "big") + bytes((1, 4, 0, 0, 0, 1)) + block
    before = as_http2(b"before")
    with place.connect() as client, place.connect() as other:
        client.sendall(before)
        assert client.recv(len(before), socket.MSG_WAITALL) == before
        client.sendall(headers)
        assert client.recv(len(headers), socket.MSG_WAITALL) == (headers if passes else b"")
        other.sendall(before)
        assert other.recv(len(before), socket.MSG_WAITALL) == before
    assert eventually(lambda: acceptor.connections() == 0)


def test_a_client_that_does_not_read_is_not_buffered_for(
    place: Place, start: Callable[..., Acceptor]
) -> None:
    sent = threading.Semaphore(0)
    count = 0

    def flood(connection: socket.socket) -> None:
        nonlocal count
        while True:
            connection.sendall(bytes(65536))
            count += 1
            sent.release()

    server = RawServer(place.upstream, flood)
    acceptor = start()
    with place.connect():
        while sent.acquire(timeout=0.5):
            assert count < 1000, "more than 64 MB went into buffers"
    assert eventually(lambda: acceptor.connections() == 0)
    server.close()


def test_a_client_that_leaves_with_its_answer_unread_is_forgotten(
    place: Place, raw_server: RawServer, start: Callable[..., Acceptor]
) -> None:
    acceptor = start()
    for _ in range(50):
        client = place.connect()
        client.sendall(as_http2(b"x" * 10_000))
        client.close()
    assert eventually(lambda: acceptor.connections() == 0)
    with place.connect() as next_one:
        assert is_served(next_one)


def test_a_client_that_left_before_it_was_accepted_harms_nobody(
    place: Place, raw_server: RawServer, start: Callable[..., Acceptor]
) -> None:
    for _ in range(50):
        place.connect().close()
    acceptor = start()
    with place.connect() as next_one:
        assert is_served(next_one)
    assert eventually(lambda: acceptor.connections() == 0)


def test_a_server_that_closes_ends_the_connection(
    place: Place, start: Callable[..., Acceptor]
) -> None:
    server = RawServer(place.upstream, lambda connection: connection.sendall(b"goodbye"))
    acceptor = start()
    with place.connect() as client:
        assert received(client) == b"goodbye"
        client.close()
    assert eventually(lambda: acceptor.connections() == 0)
    server.close()


def test_clients_are_closed_while_there_is_no_server_and_served_once_there_is(
    place: Place, start: Callable[..., Acceptor]
) -> None:
    acceptor = start()
    with place.connect() as early:
        assert is_closed(early)
    assert eventually(lambda: acceptor.failed() == 1)
    assert acceptor.connections() == 0
    server = RawServer(place.upstream)
    with place.connect() as client:
        assert is_served(client)
    server.close()


def test_a_server_that_was_started_anew_is_found_again(
    place: Place, start: Callable[..., Acceptor]
) -> None:
    start()
    for _ in range(3):
        server = RawServer(place.upstream)
        with place.connect() as client:
            assert is_served(client)
        server.close()
        Path(place.upstream).unlink()


def test_clients_wait_when_the_server_does_not_accept_yet(
    place: Place, start: Callable[..., Acceptor]
) -> None:
    """A full backlog refuses connections for a moment only."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(place.upstream)
    server.listen(1)
    acceptor = start()
    clients = [place.connect() for _ in range(20)]
    served = []

    def accept_all() -> None:
        for _ in clients:
            connection, _ = server.accept()
            connection.sendall(b"hello")
            served.append(connection)

    assert eventually(lambda: acceptor.connections() == 20)
    thread = threading.Thread(target=accept_all)
    thread.start()
    assert [client.recv(5) for client in clients] == [b"hello"] * 20
    thread.join(WAIT_S)
    for connection in [server, *served, *clients]:
        connection.close()


def test_clients_wait_while_descriptors_are_short(place: Place, raw_server: RawServer) -> None:
    arguments = [str(place.listener.fileno()), place.upstream, "12"]
    with subprocess.Popen(
        [sys.executable, str(STARVED), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=[place.listener.fileno()],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        crowd = [place.connect() for _ in range(60)]
        # Two descriptors each: the others wait until the first ones go, and nobody is closed.
        for client in crowd:
            assert is_served(client)
            client.close()
        assert process.poll() is None
        process.communicate(timeout=WAIT_S)
    assert process.returncode == 0


def test_close_ends_connections_and_the_thread_and_frees_the_descriptors(
    place: Place, raw_server: RawServer, start: Callable[..., Acceptor]
) -> None:
    descriptors = len(os.listdir("/proc/self/fd"))
    acceptor = start()
    # A thread gives itself its name.
    assert eventually(lambda: acceptor_threads() == 1)
    with place.connect() as client:
        assert is_served(client)
        acceptor.close()
        assert is_closed(client)
    assert acceptor.connections() == 0
    # The kernel shows a thread for a moment after it has been joined.
    assert eventually(lambda: acceptor_threads() == 0)
    acceptor.close()
    raw_server.close()
    assert eventually(lambda: len(os.listdir("/proc/self/fd")) <= descriptors)


def test_an_acceptor_that_is_let_go_closes_itself(place: Place, raw_server: RawServer) -> None:
    acceptor = Acceptor(place.listener.fileno(), place.upstream)
    with place.connect() as client:
        assert is_served(client)
        del acceptor
        assert is_closed(client)
    assert eventually(lambda: acceptor_threads() == 0)


def test_the_listening_socket_stays_the_callers(place: Place, raw_server: RawServer) -> None:
    """So a descriptor from the service manager outlives the acceptor."""
    for _ in range(2):
        acceptor = Acceptor(place.listener.fileno(), place.upstream)
        with place.connect() as client:
            assert is_served(client)
        acceptor.close()
    assert place.listener.fileno() >= 0


def test_the_callers_descriptor_may_be_closed(place: Place, raw_server: RawServer) -> None:
    acceptor = Acceptor(place.listener.fileno(), place.upstream)
    place.listener.close()
    with place.connect() as client:
        assert is_served(client)
    acceptor.close()


def code_of(descriptor: int, upstream: str) -> str:
    with pytest.raises(AcceptorError) as caught:
        Acceptor(descriptor, upstream)
    assert isinstance(caught.value, CoreError)
    return caught.value.code


def test_a_number_that_is_no_descriptor_is_refused(place: Place) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert code_of(-1, place.upstream) == "acceptor_descriptor"
    assert code_of(hard + 1, place.upstream) == "acceptor_descriptor"


def test_a_file_is_refused(place: Place, tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        assert code_of(file.fileno(), place.upstream) == "acceptor_descriptor"


def test_a_socket_that_does_not_listen_is_refused(place: Place) -> None:
    with place.connect() as client:
        assert code_of(client.fileno(), place.upstream) == "acceptor_not_listening"


def test_a_listening_network_socket_is_refused(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert code_of(listener.fileno(), place.upstream) == "acceptor_not_listening"


@pytest.mark.parametrize("path", ["", "/" + "x" * 200, "/a\0b"], ids=["empty", "long", "nul"])
def test_a_path_that_is_no_address_is_refused(place: Place, path: str) -> None:
    assert code_of(place.listener.fileno(), path) == "acceptor_upstream_path"
