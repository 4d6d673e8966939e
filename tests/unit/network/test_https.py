"""The device's HTTPS client against a real TLS server: whom it trusts, where it goes, how much."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import httpcore
import pytest
from cardd.network.errors import (
    CertificateInvalidError,
    NetworkError,
    ResponseTooLargeError,
    ServerUnreachableError,
)
from cardd.network.https import HttpsClient, trust_context
from cardd.provisioning.ports import TransportError
from dmsd import ca
from support.gate import Answer, Gate, break_off

NAME, OTHER = "server.example", "other.example"
URL = f"https://{NAME}/path?query=1"
_AMPLE_S, _SHORT_S = 60.0, 0.6
_MAX_BYTES = 10_000


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> ca.CaFiles:
    made = ca.init_ca(tmp_path_factory.mktemp("ca") / "ca")
    ca.issue(made, NAME, [NAME])
    ca.issue(made, OTHER, [OTHER])
    ca.issue(made, "127.0.0.1", ["127.0.0.1"])
    return made


@pytest.fixture
def server(files: ca.CaFiles) -> Iterator[Gate]:
    with Gate(files.server_certificate(NAME), files.server_key(NAME)) as gate:
        gate.rule = lambda request: Answer(200, {"content-type": "a/b"}, request.body)
        yield gate


def client(
    files: ca.CaFiles | None,
    hosts: dict[str, str],
    max_body_bytes: int = _MAX_BYTES,
    timeout_s: float = _AMPLE_S,
) -> HttpsClient:
    return HttpsClient(
        trust=trust_context(files.certificate if files else None),
        hosts=hosts,
        connect_timeout_s=timeout_s,
        timeout_s=timeout_s,
        max_body_bytes=max_body_bytes,
    )


@pytest.fixture
def connected(files: ca.CaFiles, server: Gate) -> Iterator[HttpsClient]:
    with client(files, {f"{NAME}:443": server.address}) as made:
        yield made


@pytest.fixture
def impatient(files: ca.CaFiles, server: Gate) -> Iterator[HttpsClient]:
    with client(files, {f"{NAME}:443": server.address}, timeout_s=_SHORT_S) as made:
        yield made


# -- what goes over the wire


def test_a_request_arrives_as_it_was_given(connected: HttpsClient, server: Gate) -> None:
    answer = connected.request("POST", URL, {"content-type": "x/y", "x-own": "1"}, b"body")
    assert (answer.status, answer.body, answer.content_type) == (200, b"body", "a/b")
    (request,) = server.requests
    assert (request.method, request.path, request.body) == ("POST", "/path?query=1", b"body")
    assert request.headers["host"] == NAME
    assert (request.headers["content-type"], request.headers["x-own"]) == ("x/y", "1")
    assert connected.seconds_spent > 0


def test_the_host_table_changes_the_address_and_not_the_name(
    files: ca.CaFiles, server: Gate
) -> None:
    names: list[str | None] = []
    server.context.sni_callback = lambda _socket, name, _context: names.append(name)
    for key in (f"{NAME}:443", NAME):
        with client(files, {key: server.address}) as made:
            assert made.request("GET", URL, {}).status == 200
    assert names == [NAME, NAME]
    assert [request.headers["host"] for request in server.requests] == [NAME, NAME]


def test_an_entry_of_the_host_table_holds_for_its_port_only(
    files: ca.CaFiles, server: Gate
) -> None:
    with client(files, {f"{NAME}:8443": server.address}) as made:
        assert made.request("GET", f"https://{NAME}:8443/", {}).status == 200
        assert server.requests[0].headers["host"] == f"{NAME}:8443"
        with pytest.raises(ServerUnreachableError):
            made.request("GET", URL, {})


def test_headers_that_repeat_are_joined_and_their_names_are_lower_case(
    connected: HttpsClient, server: Gate
) -> None:
    def answer(stream: BinaryIO) -> None:
        stream.write(b"HTTP/1.1 200 OK\r\nX-Two: a\r\nX-TWO: b\r\nContent-Length: 0\r\n\r\n")

    server.rule = lambda _: answer
    assert connected.request("GET", URL, {}).headers["x-two"] == "a, b"


def test_one_connection_serves_a_whole_session(connected: HttpsClient, server: Gate) -> None:
    handshakes: list[object] = []
    server.context.sni_callback = lambda *_: handshakes.append(1)
    for _ in range(5):
        connected.request("POST", URL, {}, b"x")
    assert len(handshakes) == 1


# -- whom it trusts


def test_another_authority_is_not_trusted(
    connected: HttpsClient, server: Gate, tmp_path: Path
) -> None:
    other = ca.init_ca(tmp_path / "ca")
    ca.issue(other, NAME, [NAME])
    server.present(other.server_certificate(NAME), other.server_key(NAME))
    with pytest.raises(CertificateInvalidError):
        connected.request("GET", URL, {})
    assert server.requests == []


@pytest.mark.parametrize("shown", [OTHER, "127.0.0.1"])
def test_the_right_authority_for_another_name_is_not_trusted(
    connected: HttpsClient, server: Gate, files: ca.CaFiles, shown: str
) -> None:
    """Also not the name of the address that the host table leads to."""
    server.present(files.server_certificate(shown), files.server_key(shown))
    with pytest.raises(CertificateInvalidError):
        connected.request("GET", URL, {})
    assert server.requests == []


def test_the_systems_authorities_are_used_where_none_is_configured(server: Gate) -> None:
    with (
        client(None, {f"{NAME}:443": server.address}) as made,
        pytest.raises(CertificateInvalidError),
    ):
        made.request("GET", URL, {})


# The test's server has to speak what nobody should speak.
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_old_tls_is_not_spoken(connected: HttpsClient, server: Gate) -> None:
    server.context.minimum_version = ssl.TLSVersion.TLSv1
    server.context.maximum_version = ssl.TLSVersion.TLSv1_1
    server.context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(NetworkError):
        connected.request("GET", URL, {})
    assert server.requests == []


@pytest.mark.parametrize("url", [f"http://{NAME}/", "ftp://x/", "file:///etc/passwd", ""])
def test_only_https_is_spoken(connected: HttpsClient, server: Gate, url: str) -> None:
    with pytest.raises(NetworkError):
        connected.request("GET", url, {})
    assert server.requests == []


@pytest.mark.parametrize(
    "url",
    ["https://", "https:///x", f"https://{NAME}:port/", "https://[::1", "https://\xe9.example/"],
)
def test_an_address_that_is_none_is_an_error_of_this_layer(
    connected: HttpsClient, url: str
) -> None:
    """A server may send one as RespURI or write one into the tree."""
    with pytest.raises(TransportError):
        connected.request("GET", url, {})


def test_an_error_names_the_address_without_what_proves_the_session(
    connected: HttpsClient, server: Gate
) -> None:
    server.rule = lambda _: break_off
    with pytest.raises(ServerUnreachableError) as caught:
        connected.request("POST", URL.replace("query=1", "s=token"), {}, b"x")
    assert "token" not in f"{caught.value} {caught.value!r} {vars(caught.value)}"
    assert caught.value.url == f"https://{NAME}/path"


# -- what it puts up with


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(connected: HttpsClient, server: Gate, status: int) -> None:
    server.rule = lambda _: Answer(status, {"location": f"https://{NAME}/elsewhere"})
    assert connected.request("POST", URL, {}, b"x").status == status
    assert len(server.requests) == 1


@pytest.mark.parametrize("size", [_MAX_BYTES, _MAX_BYTES + 1])
def test_answers_are_taken_up_to_the_limit(connected: HttpsClient, server: Gate, size: int) -> None:
    server.rule = lambda _: Answer(200, {}, bytes(size))
    if size > _MAX_BYTES:
        with pytest.raises(ResponseTooLargeError):
            connected.request("GET", URL, {})
    else:
        assert len(connected.request("GET", URL, {}).body) == size
    server.rule = lambda _: Answer(200)
    assert connected.request("GET", URL, {}).status == 200


def test_an_endless_answer_is_cut_at_the_limit(connected: HttpsClient, server: Gate) -> None:
    def endless(stream: BinaryIO) -> None:
        stream.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            stream.write(b"400\r\n" + bytes(0x400) + b"\r\n")

    server.rule = lambda _: endless
    with pytest.raises(ResponseTooLargeError):
        connected.request("GET", URL, {})


# Who waits for a minute has an answer.


def drip_body(stream: BinaryIO) -> None:
    stream.write(b"HTTP/1.1 200 OK\r\nContent-Length: 600\r\n\r\n")
    _drip(stream)


def drip_head(stream: BinaryIO) -> None:
    stream.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    _drip(stream)
    stream.write(b"\r\nContent-Length: 0\r\n\r\n")


def _drip(stream: BinaryIO) -> None:
    for _ in range(600):
        stream.write(b"x")
        time.sleep(0.1)


@pytest.mark.parametrize("drip", [drip_body, drip_head])
def test_an_answer_that_drips_is_given_up_in_time(
    impatient: HttpsClient, server: Gate, drip: Callable[[BinaryIO], None]
) -> None:
    server.rule = lambda _: drip
    with pytest.raises(ServerUnreachableError):
        impatient.request("GET", URL, {})


def test_a_server_that_says_nothing_is_given_up_in_time(
    impatient: HttpsClient, server: Gate
) -> None:
    over = threading.Event()

    def wait(stream: BinaryIO) -> None:
        if not over.wait(60):
            stream.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    server.rule = lambda _: wait
    with pytest.raises(ServerUnreachableError):
        impatient.request("GET", URL, {})
    over.set()


def test_a_connection_that_ends_early_is_unreachable_and_nonsense_is_not(
    connected: HttpsClient, server: Gate
) -> None:
    def half(stream: BinaryIO) -> None:
        stream.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

    def nonsense(stream: BinaryIO) -> None:
        stream.write(b"220 mail.example ESMTP\r\n\r\n")

    for gone in (break_off, half):
        server.rule = lambda _, gone=gone: gone  # type: ignore[misc]
        with pytest.raises(ServerUnreachableError):
            connected.request("GET", URL, {})
    server.rule = lambda _: nonsense
    with pytest.raises(NetworkError) as caught:
        connected.request("GET", URL, {})
    assert type(caught.value) is NetworkError
    server.rule = lambda _: Answer(200)
    assert connected.request("GET", URL, {}).status == 200


def test_nobody_listening_is_unreachable(files: ca.CaFiles) -> None:
    with (
        client(files, {f"{NAME}:443": "127.0.0.1:9"}) as made,
        pytest.raises(ServerUnreachableError),
    ):
        made.request("GET", URL, {})


def test_a_name_with_many_addresses_has_one_deadline(
    files: ca.CaFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def silent(_: object, host: str, __: int, timeout: float, *___: object) -> NoReturn:
        tried.append(host)
        time.sleep(timeout)
        raise httpcore.ConnectTimeout

    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"192.0.2.{n}", 443)) for n in range(99)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", silent)
    impatient = client(files, {}, timeout_s=_SHORT_S)
    with impatient as lost, pytest.raises(ServerUnreachableError):
        lost.request("GET", URL, {})
    # What is left of the time is given to the first.
    assert tried == ["192.0.2.0"]


def test_the_next_address_of_a_name_is_tried(
    files: ca.CaFiles, server: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve = socket.getaddrinfo
    address, port = server.address.split(":")

    def both(host: str, *rest: Any, **more: Any) -> list[Any]:
        hosts = ("127.0.0.2", address) if host == "anywhere" else (host,)
        return [found for each in hosts for found in resolve(each, *rest, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    with client(files, {f"{NAME}:443": f"anywhere:{port}"}) as made:
        assert made.request("GET", URL, {}).status == 200


def test_a_name_that_nobody_knows_is_unreachable(files: ca.CaFiles) -> None:
    with client(files, {}) as made, pytest.raises(ServerUnreachableError):
        made.request("GET", "https://nobody.invalid/", {})


def test_a_header_that_cannot_be_written_is_an_error_of_this_layer(
    connected: HttpsClient,
) -> None:
    """Values come from documents and servers: a user name may hold anything."""
    for value in ("line\r\nbreak", "\u20ac"):
        with pytest.raises(TransportError):
            connected.request("GET", URL, {"x-own": value})
