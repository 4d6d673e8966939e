"""The gRPC edge: a live daemon, real pcscd, a card in software; wrong bytes on its socket.

    python -m fuzz.edge --seconds 60 [--seed N]

gRPC's core is no code of ours and is not instrumented; so this fuzzer is not guided, it knows the
protocol instead. The daemon has to live, to answer others all the time, to find no defect in
itself, and to stay within twice its idle memory. What is sent depends on the seed alone.
"""

from __future__ import annotations

import argparse
import os
import random
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cardea
from cardea.v1 import cards_pb2, management_pb2, provisioning_pb2, readers_pb2, tree_pb2
from google.protobuf.descriptor import FieldDescriptor, FileDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from softcard import SoftCard
from softcard.stack import VirtualReaders
from support.client import eventually
from support.daemon import RunningDaemon

from fuzz.http2 import PREFACE, call, mangled_frames, mangled_message

__all__ = ["main"]

_FILES = (cards_pb2, management_pb2, provisioning_pb2, readers_pb2, tree_pb2)
_EVERY = 25  # cases between two looks at the daemon
_ANSWER_S = 0.02
_TEXTS = ("", "EF.ICCID", "USIM/EF.IMSI", "./DMAcc", ".", "readers/0", "cards/1", "\0", "é" * 300)
_BYTES = (b"", bytes.fromhex("00A40004022F00"), bytes.fromhex("00B0000000"), b"\0" * 70_000)


class Daemon:
    """The daemon under test, and a caller who does nothing wrong."""

    def __init__(self, running: RunningDaemon, client: cardea.Client) -> None:
        self.running = running
        self._client = client
        self.answers()
        self.idle = self.peak = self._resident()

    def answers(self) -> None:
        """An honest caller is answered: about readers, and about the tree."""
        assert self._client.readers()
        assert self._client.nodes().nodes is not None

    def look(self) -> None:
        self.answers()
        self.peak = max(self.peak, self._resident())
        log = self.running.log()
        assert '"level": "error"' not in log, f"the daemon has found an error in itself:\n{log}"
        foreign = [line for line in log.splitlines() if not line.startswith("{")]
        assert not foreign, f"somebody else has written into the log: {foreign[0]!r}"
        assert self.peak <= 2 * self.idle, f"{self.peak} bytes, {self.idle} when idle"

    def _resident(self) -> int:
        pages = Path(f"/proc/{self.running.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder, VirtualReaders(Path(folder)) as readers:
        readers.insert(0, SoftCard.from_profile("operator", Path(folder, "card.json"), {}))
        settings = "[provisioning]\non_insert = false"
        with RunningDaemon(readers.socket, settings) as running, running.client() as client:
            eventually(lambda: any(reader.card for reader in client.readers()))
            daemon = Daemon(running, client)
            sent = _attack(daemon, random.Random(options.seed), time.monotonic() + options.seconds)
            daemon.look()
            status = running.stop()
    assert status == 0, f"the daemon has ended with {status}"
    print(f"{sent} connections; memory {daemon.peak / daemon.idle:.2f} x idle")


def _attack(daemon: Daemon, dice: random.Random, until: float) -> int:
    methods = [method for file in _FILES for method in _methods(file.DESCRIPTOR)]
    sent = 0
    while time.monotonic() < until:
        for _ in range(_EVERY):
            method = dice.choice(methods)
            _send(daemon.running.socket, _case(method, dice))
            sent += 1
        daemon.look()
    return sent


def _case(method: MethodDescriptor, dice: random.Random) -> bytes:
    path = f"/{method.containing_service.full_name}/{method.name}".encode()
    request = _filled(GetMessageClass(method.input_type)(), dice).SerializeToString()
    if dice.random() < 0.5:
        return PREFACE + b"".join(call(path, mangled_message(request, dice)))
    return mangled_frames(path, request, dice)


def _filled(message: Message, dice: random.Random, depth: int = 0) -> Message:
    """Any values in any fields."""
    field: Any
    for field in message.DESCRIPTOR.fields:
        if dice.random() < 0.3:
            continue
        count = dice.choice((0, 1, 2, 200)) if field.is_repeated else 1
        for _ in range(count):
            if field.type == FieldDescriptor.TYPE_MESSAGE:
                inner = getattr(message, field.name)
                if depth < 4 and not field.message_type.GetOptions().map_entry:
                    inner = inner.add() if field.is_repeated else inner
                    inner.SetInParent()
                    _filled(inner, dice, depth + 1)
                continue
            value = _value(field, dice)
            if field.is_repeated:
                getattr(message, field.name).append(value)
            else:
                setattr(message, field.name, value)
    return message


def _value(field: Any, dice: random.Random) -> object:
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_STRING if field.type == FieldDescriptor.TYPE_BYTES:
            return dice.choice(_BYTES)
        case FieldDescriptor.CPPTYPE_STRING:
            return dice.choice(_TEXTS)
        case FieldDescriptor.CPPTYPE_BOOL:
            return dice.random() < 0.5
        case FieldDescriptor.CPPTYPE_DOUBLE | FieldDescriptor.CPPTYPE_FLOAT:
            return dice.choice((0.0, -1.0, float("nan"), 1e300))
        case FieldDescriptor.CPPTYPE_ENUM:
            return dice.choice((0, 1, 2, 77))
        case FieldDescriptor.CPPTYPE_UINT32 | FieldDescriptor.CPPTYPE_UINT64:
            return dice.choice((0, 1, 0xFFFFFFFF))
        case _:
            return dice.choice((0, 1, -1, 0x7FFFFFFF))


def _methods(file: FileDescriptor) -> Iterator[MethodDescriptor]:
    for service in file.services_by_name.values():
        yield from service.methods


def _send(path: Path, data: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_ANSWER_S)
        try:
            connection.connect(str(path))
            connection.sendall(data)
            while connection.recv(65_536):
                pass
        except (TimeoutError, ConnectionError):
            return


if __name__ == "__main__":
    main()
