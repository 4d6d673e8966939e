"""Our dmsd alone, and what its operator tells it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

DM, BSF = "dm.example.org", "bsf.mnc001.mcc001.pub.3gppnetwork.org"
_LIMIT_S = 60


class Dmsd:
    """A running dmsd, talked to by HTTP only."""

    def __init__(self, folder: Path) -> None:
        told = json.loads((folder / "ready").read_text())
        self.dm, self.bsf = (f"{told[k]['address']}:{told[k]['port']}" for k in ("dm", "bsf"))
        self.ca = folder / "ca" / "ca.pem"
        transport = httpx.HTTPTransport(uds=str(folder / "operator.sock"))
        self._http = httpx.Client(transport=transport, base_url="http://operator/v1/", timeout=60)
        self._numbers = 0

    def call(self, method: str, *path: str, body: Any = None) -> Any:
        url = "/".join(quote(part, safe="") for part in path)
        answer = self._http.request(method, url, json=body)
        assert answer.status_code < 400, answer.text
        return answer.json() if answer.content else None

    def device(self, name: str, tree: dict[str, Any] | None = None, **account: str) -> str:
        """A device with one account, and what is desired of it."""
        self.call("POST", "devices", body={"device": name, "accounts": [account]})
        self.call("PUT", "devices", name, "desired", body={"tree": tree or {}})
        return name

    def commands(self, device: str) -> list[tuple[str, str, int]]:
        rows = self.call("GET", "devices", device, "commands")
        return [(row["command"], row["path"], row["status"]) for row in rows]

    def outcome(self, device: str) -> str:
        """How the device's last session ended."""
        return str(self.call("GET", "devices", device, "sessions")[0]["outcome"])

    def reports(self, device: str) -> list[dict[str, Any]]:
        return list(self.call("GET", "devices", device, "reports"))


@contextmanager
def running_dmsd(ca: Path, settings: str = "") -> Iterator[Dmsd]:
    """Inside the context it runs, with certificates from the folder."""
    folder = Path(tempfile.mkdtemp(prefix="cardea-foreign-"))
    try:
        shutil.copytree(ca, folder / "ca")
        config = folder / "dmsd.toml"
        config.write_text(
            f"""
[server]
id = "{DM}"
drain_s = 1
[registry]
path = "{folder / "registry.sqlite"}"
[operator]
socket = "{folder / "operator.sock"}"
[dm]
host = "{DM}"
url = "https://{DM}/dm"
listen = "127.0.0.1:0"
certificate = "{folder / "ca" / f"{DM}.pem"}"
key = "{folder / "ca" / f"{DM}-key.pem"}"
{settings}
[bsf]
host = "{BSF}"
listen = "127.0.0.1:0"
certificate = "{folder / "ca" / f"{BSF}.pem"}"
key = "{folder / "ca" / f"{BSF}-key.pem"}"
"""
        )
        ready = folder / "ready"
        command = [sys.executable, "-m", "dmsd.main", "run", "--config", str(config)]
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(
                [*command, "--ready-file", str(ready)], stdout=log, stderr=log
            )
        try:
            deadline = time.monotonic() + _LIMIT_S
            while not ready.exists():
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.02)
            yield Dmsd(folder)
        finally:
            process.terminate()
            process.wait(_LIMIT_S)
            print((folder / "log").read_text())
    finally:
        shutil.rmtree(folder, ignore_errors=True)
