"""Our daemon under gRPC clients that were made without our client library."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from softcard.stack import VirtualReaders
from support.client import eventually
from support.daemon import RunningDaemon
from support.stack import Pcsc

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(__file__).with_name("grpc_clients.py")


@pytest.fixture
def daemon(virtual_readers: VirtualReaders, pcsc: Pcsc) -> Iterator[RunningDaemon]:
    """A daemon with a card."""
    with RunningDaemon(virtual_readers.socket) as running:
        pcsc.insert("operator")
        client = running.client()
        eventually(lambda: any(reader.card for reader in client.readers()))
        client.close()
        yield running


def _run(*arguments: str) -> Any:
    # Isolated: nothing of ours is on the path.
    command = [sys.executable, "-I", str(PROGRAM), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_stubs_that_protoc_makes_from_the_published_files_suffice(
    daemon: RunningDaemon, tmp_path: Path
) -> None:
    files = [str(path) for path in sorted((ROOT / "proto").rglob("*.proto"))]
    protoc = [sys.executable, "-I", "-m", "grpc_tools.protoc", f"-I{ROOT / 'proto'}"]
    outputs = [f"--python_out={tmp_path}", f"--grpc_python_out={tmp_path}"]
    subprocess.run([*protoc, *outputs, *files], check=True)
    told = _run("stubs", str(daemon.socket), str(tmp_path))
    assert "Virtual PCD A 00 00" in told["readers"]
    assert "98000101000000" in told["file"]
    assert told["node"] == "Cardea"
    assert told["watched"]
    assert told["code"] in ("NOT_FOUND", "INVALID_ARGUMENT")


def test_reflection_is_enough_to_call_every_service(daemon: RunningDaemon) -> None:
    told = _run("reflect", str(daemon.admin_socket))
    assert {f"cardea.v1.{name}Service" for name in _SERVICES} <= set(told["services"])
    results = told["results"]
    assert results["cardea.v1.CardService/GetCard"]["card"]["name"] == "cards/8900101000000000019"
    assert results["grpc.health.v1.Health/Check"] == {"status": "SERVING"}


_SERVICES = ("Reader", "Card", "Tree", "Provisioning", "Management")
