"""Devices that hold DM sessions one after another, as cheaply as that can be done: what they say is
made once, and only nonces and addresses are filled in. A process of its own, spoken to in lines:

    python -m bench.chaos.devices HOST:PORT FIRST COUNT THREADS    devices FIRST to FIRST + COUNT
    run SECONDS | count SESSIONS                                   answered by one line of JSON

Every session proves the device by MD5, reads two settings and replaces one: three messages each
way. With `run` it has a TLS connection of its own, with `count` each thread keeps one.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from omadm import auth, codec
from omadm.messages import (
    Alert,
    Command,
    Cred,
    Header,
    Item,
    Message,
    Meta,
    Replace,
    Results,
    Status,
)
from omadm.status import AlertCode, StatusCode

__all__ = ["DESIRED", "account", "device_name"]

HOST = "dm.example.org"
URL = f"https://{HOST}/dm"
USER, PASSWORD, FIRST_NONCE = "device", b"not-a-secret", b"first nonce"
DESIRED = {"./Service/News/Every": {"format": "int", "value": 60}, "./Service/News/URL": "new"}
_HAS = {"./Service/News/Every": "60", "./Service/News/URL": "old"}
_TOKEN = re.compile(rb"\?s=([\w.-]+)")
_NONCE = re.compile(rb"[A-Za-z0-9+/]{22}==")
_INFO = {"Man": "Cardea", "Mod": "bench", "DmV": "1", "Lang": "en"}


def device_name(number: int) -> str:
    """The DevId of a device; all have the same length."""
    return f"urn:uuid:00000000-0000-4000-8000-{number:012d}"


def account() -> dict[str, str]:
    """The account that each of them has, as an operator registers it."""
    nonce = base64.b64encode(FIRST_NONCE).decode()
    return {"user": USER, "client_secret": PASSWORD.decode(), "client_nonce": nonce}


class _Device:
    """One device, of which no two threads use the same."""

    def __init__(self, number: int) -> None:
        self._nonce = FIRST_NONCE
        empty = auth.md5_credential(USER, PASSWORD, b"")
        first, *self._rest = _messages(device_name(number), empty)
        # What is said before the digest, and after it.
        self._first = first.split(empty.data.encode())

    def hold_session(self, link: ssl.SSLSocket) -> None:
        """Raises OSError, and ValueError where the server says something that it should not."""
        before, after = self._first
        digest = auth.md5_credential(USER, PASSWORD, self._nonce).data.encode()
        answer = _post(link, "/dm", before + digest + after)
        token, nonce = _TOKEN.search(answer), _NONCE.search(answer)
        if token is None or nonce is None:
            raise ValueError(f"not let in: {codec.decode(answer, codec.WBXML_TYPE)}")
        self._nonce = base64.b64decode(nonce[0])
        for message in self._rest:
            _post(link, f"/dm?s={token[1].decode()}", message)


def _post(link: ssl.SSLSocket, path: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: {codec.WBXML_TYPE}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    link.sendall(head.encode() + body)
    received = link.recv(65536)
    while (end := received.find(b"\r\n\r\n")) < 0:
        received += _more(link)
    status, *lines = received[:end].decode().split("\r\n")
    if " 200 " not in status:
        raise ValueError(status)
    fields = dict(line.lower().split(": ", 1) for line in lines)
    while len(received) < end + 4 + int(fields["content-length"]):
        received += _more(link)
    return received[end + 4 :]


def _more(link: ssl.SSLSocket) -> bytes:
    if not (piece := link.recv(65536)):
        raise ValueError("the server has ended the connection")
    return piece


def _messages(device: str, cred: Cred) -> Iterator[bytes]:
    """What the device says, the same in each session: the server's numbers are known."""
    text = Meta(format="chr", type="text/plain")
    info = (("DevId", device), *_INFO.items())
    items = tuple(Item(source=f"./DevInfo/{leaf}", meta=text, data=data) for leaf, data in info)
    opening = (Alert(1, AlertCode.CLIENT_INITIATED), Replace(2, items))
    header = Header("1", 1, URL, device, source_name=USER, cred=cred)
    yield codec.encode(Message(header, opening), encoding="wbxml")
    # The server's first message: statuses of header, alert and replace, then a Get of each setting.
    answers: list[Command] = [Status(1, 1, 0, "SyncHdr", StatusCode.OK)]
    for number, (path, value) in enumerate(_HAS.items(), 4):
        answers.append(Status(2 * number, 1, number, "Get", StatusCode.OK))
        item = Item(source=path, meta=text, data=value)
        answers.append(Results(2 * number + 1, 1, number, (item,)))
    yield codec.encode(Message(Header("1", 2, URL, device), tuple(answers)), encoding="wbxml")
    # Its second: the header's status, and the Replace of what differs.
    done = (
        Status(1, 2, 0, "SyncHdr", StatusCode.OK),
        Status(2, 2, 2, "Replace", StatusCode.OK),
    )
    yield codec.encode(Message(Header("1", 3, URL, device), done), encoding="wbxml")


class _Crowd:
    """Threads that hold sessions, each with devices of its own."""

    def __init__(self, address: tuple[str, int], first: int, count: int, threads: int) -> None:
        self._address = address
        self._trust = ssl.create_default_context()
        # The certificate is not what is measured: a device would check it, the server does nothing.
        self._trust.check_hostname = False
        self._trust.verify_mode = ssl.CERT_NONE
        share = count // threads
        self._groups = [
            itertools.cycle([_Device(first + share * group + each) for each in range(share)])
            for group in range(threads)
        ]

    def run(self, seconds: float) -> int:
        """Hold sessions for so long; how many were held to their end."""
        end = time.monotonic() + seconds

        def work(devices: Iterator[_Device]) -> int:
            held = 0
            while time.monotonic() < end:
                with self._link() as link:
                    next(devices).hold_session(link)
                held += 1
            return held

        return self._all(work)

    def count(self, sessions: int) -> int:
        """Hold so many sessions, in equal shares; how many that were."""
        share = sessions // len(self._groups)

        def work(devices: Iterator[_Device]) -> int:
            with self._link() as link:
                for _ in range(share):
                    next(devices).hold_session(link)
            return share

        return self._all(work)

    def _all(self, work: Callable[[Iterator[_Device]], int]) -> int:
        with ThreadPoolExecutor(len(self._groups)) as threads:
            return sum(threads.map(work, self._groups))

    @contextmanager
    def _link(self) -> Iterator[ssl.SSLSocket]:
        with socket.create_connection(self._address, 30.0) as plain:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._trust.wrap_socket(plain, server_hostname=HOST) as link:
                yield link


def main() -> None:
    address, *numbers = sys.argv[1:]
    host, _, port = address.rpartition(":")
    first, count, threads = map(int, numbers)
    crowd = _Crowd((host, int(port)), first, count, threads)
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        word, amount = line.split()
        held = crowd.run(float(amount)) if word == "run" else crowd.count(int(amount))
        print(json.dumps(held), flush=True)


if __name__ == "__main__":
    main()
