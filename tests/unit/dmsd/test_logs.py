"""No secret reaches a log: by name, by kind, and in a whole run."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from cardea_core import Secret
from dmsd import logs
from dmsd.server import Server

from .conftest import ACCOUNT, DEVICE
from .device import Device, Node
from .test_http import Site, bootstrap, carrier, write_config
from .usim import IMPI, OPC, SUBSCRIBER, K, Usim


@pytest.mark.parametrize(
    "event",
    [
        {"k": "465b5c"},
        {"Authorization": "Digest 465b5c"},
        {"adm1": "465b5c"},
        {"anything": Secret(b"465b5c")},
        {"anything": b"465b5c"},
        {"deep": {"list": [{"client_secret": "465b5c"}]}},
        {"deep": [Secret(b"465b5c"), b"465b5c"]},
    ],
)
def test_secrets_are_replaced(event: dict[str, Any]) -> None:
    assert "465b5c" not in json.dumps(logs.redact(None, "info", event))


def test_the_rest_stays() -> None:
    event = {"event": "dm.message", "device": DEVICE, "status": 200, "over": True}
    assert logs.redact(None, "info", dict(event)) == event


@pytest.fixture
def _logging() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.mark.usefixtures("_logging")
async def test_no_key_appears_in_the_log_of_a_whole_run(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    logs.configure("debug", "json")
    iccid, adm1, value = "8949000000000000017", "4341524b4541444d", "canary-setting"
    server = Server(write_config(tmp_path))
    async with server as ready:
        site = Site(tmp_path, server, ready)
        await site.operate("POST", "/v1/subscribers", {**SUBSCRIBER, "iccid": iccid, "adm1": adm1})
        await site.operate(
            "POST", "/v1/devices", {"device": DEVICE, "accounts": [ACCOUNT, {"impi": IMPI}]}
        )
        await site.operate(
            "PUT",
            f"/v1/devices/{DEVICE}/desired",
            {"tree": {"./A/Secret": value}, "card": {"2.23.43.5.1": "AwtqAA=="}},
        )
        await bootstrap(site, Usim())
        device = Device(transport=carrier(site))
        device.nodes = {
            f"./Card/{iccid}/Files/1/OID": Node(b"2.23.43.5.1"),
            f"./Card/{iccid}/Files/1/Data": Node(b"old", "bin"),
        }
        await asyncio.to_thread(device.run)
        assert device.executed
        await site.http.aclose()
    written = "".join(capfd.readouterr())
    assert IMPI in written
    assert "dm.message" in written
    secrets = [K.hex(), OPC.hex(), adm1, "CARKEADM", value, ACCOUNT["client_secret"]]
    assert [secret for secret in secrets if secret in written] == []
