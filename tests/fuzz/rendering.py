"""Values of the tree, which come from anybody, on their way into the files of programs."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cardd.render.certificates import certificates
from cardd.render.networkmanager import networkmanager
from cardd.render.settings_file import settings_file
from cardd.tree import ManagementTree
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from dmsd import ca
from omadm.nodes import leaf

__all__ = ["rendered", "values"]

_KEYFILE = ("Name", "AuthInfo/1/AuthName", "AuthInfo/1/AuthSecret", "IPv4/DNS/1/DNSAddr", "Addr")


def rendered(data: bytes) -> None:
    """One value in every place: what is no setting is named, and nothing is raised."""
    tree = ManagementTree()
    nodes = [leaf("./NAP/0/Addr", "internet.example"), leaf("./Trust/A", data), leaf("./S/A", data)]
    nodes += [leaf(f"./NAP/{n}/{name}", data) for n, name in enumerate(_KEYFILE)]
    nodes += [leaf(f"./NAP/{n}/Addr", "internet.example") for n in range(1, len(_KEYFILE) - 1)]
    tree.adopt("card", "1", nodes, 1)
    for file in networkmanager("./NAP")(tree.snapshot).files:
        lines = file.content.decode().split("\n")
        assert all(line.isprintable() for line in lines)
        assert sum(line.startswith("[") for line in lines) == 4, "a section that nobody ordered"
    for file in certificates("./Trust")(tree.snapshot).files:
        assert x509.load_pem_x509_certificates(file.content)
    (file,) = settings_file("./S", "s.json")(tree.snapshot).files
    json.loads(file.content)


def values() -> Iterator[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        pem = ca.init_ca(Path(folder) / "ca").certificate.read_bytes()
    yield pem + pem
    der = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    yield der
    # Its version, which the parser has an error of its own for.
    yield der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x22", 1)
    yield from (b"internet.example", b"192.0.2.1", b"2001:db8::1", rb" pass;w\ord#1 ", b"x\n[gsm]")
