"""The real doors: TLS on loopback, bootstrapping, a whole DM session with the derived key."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from cardea_core import Secret
from dmsd import ca, config
from dmsd.server import Ready, Server
from gba.client import Ask, BootstrapClient, Bootstrapped, Response
from gba.naf import NafClient, ks_naf, naf_password
from omadm import auth, codec
from omadm.messages import Alert, Header, Message, Status
from omadm.status import AlertCode

from .conftest import ACCOUNT, DEVICE
from .device import Device, Got, Sent
from .usim import IMPI, SUBSCRIBER, Usim

DM_HOST = "dm.mnc001.mcc001.pub.3gppnetwork.org"
BSF_HOST = "bsf.mnc001.mcc001.pub.3gppnetwork.org"


def write_config(directory: Path, *, dm: str = "", bsf: str = "") -> config.Config:
    files = ca.init_ca(directory / "ca")
    for host in (DM_HOST, BSF_HOST):
        ca.issue(files, host, [host, "127.0.0.1"])
    text = f"""
[server]
id = "dms.example.org"
[registry]
path = "registry.sqlite"
[operator]
socket = "operator.sock"
[dm]
host = "{DM_HOST}"
listen = "127.0.0.1:0"
certificate = "ca/{DM_HOST}.pem"
key = "ca/{DM_HOST}-key.pem"
{dm}
[bsf]
host = "{BSF_HOST}"
listen = "127.0.0.1:0"
certificate = "ca/{BSF_HOST}.pem"
key = "ca/{BSF_HOST}-key.pem"
{bsf}
"""
    (directory / "dmsd.toml").write_text(text)
    return config.load(directory / "dmsd.toml")


class Site:
    """A running server and an HTTP client that trusts its authority."""

    def __init__(self, directory: Path, server: Server, ready: Ready) -> None:
        self.server = server
        self.ready = ready
        context = ssl.create_default_context(cafile=str(directory / "ca" / "ca.pem"))
        self.http = httpx.AsyncClient(verify=context, timeout=60)

    def dm_url(self, url: str) -> str:
        assert self.ready.dm is not None
        return url.replace(DM_HOST, "127.0.0.1")

    @property
    def bsf_url(self) -> str:
        assert self.ready.bsf is not None
        return f"https://127.0.0.1:{self.ready.bsf.port}/"

    async def post(self, sent: Sent) -> httpx.Response:
        assert self.ready.dm is not None
        url = sent.url if "?" in sent.url else self.ready.dm.url
        headers = {"Content-Type": sent.content_type, **sent.headers}
        return await self.http.post(self.dm_url(url), content=sent.body, headers=headers)

    async def operate(self, method: str, path: str, body: Any = None) -> httpx.Response:
        transport = httpx.AsyncHTTPTransport(uds=self.ready.operator)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://operator", timeout=60
        ) as client:
            content = None if body is None else json.dumps(body).encode()
            return await client.request(method, path, content=content)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    server = Server(write_config(tmp_path))
    async with server as ready:
        made = Site(tmp_path, server, ready)
        yield made
        await made.http.aclose()


def carrier(
    site: Site, wrap: Callable[[Sent], dict[str, str]] | None = None
) -> Callable[[Sent], Got]:
    """The device of these tests is synchronous: its requests run in the server's loop."""
    loop = asyncio.get_running_loop()

    def carry(sent: Sent) -> Got:
        if wrap is not None:
            sent.headers.update(wrap(sent))
        response = asyncio.run_coroutine_threadsafe(site.post(sent), loop).result(60)
        assert response.status_code == 200, (response.status_code, response.text)
        return Got(response.headers["Content-Type"], dict(response.headers), response.content)

    return carry


async def test_a_session_with_credentials_over_tls(site: Site) -> None:
    await site.operate("POST", "/v1/devices", {"device": DEVICE, "accounts": [ACCOUNT]})
    path = f"/v1/devices/{DEVICE}/desired"
    assert (await site.operate("PUT", path, {"tree": {"./A/B": "value"}})).status_code == 200
    device = Device(transport=carrier(site))
    await asyncio.to_thread(device.run)
    assert device.nodes["./A/B"].value == b"value"
    commands = (await site.operate("GET", f"/v1/devices/{DEVICE}/commands")).json()
    assert [(c["command"], c["status"]) for c in commands] == [("Get", 404), ("Add", 200)]


async def bootstrap(site: Site, usim: Usim) -> Bootstrapped:
    client = BootstrapClient(impi=IMPI, bsf=BSF_HOST)
    for _ in range(3):
        request = client.request()
        answer = await site.http.request(
            request.method, site.bsf_url, headers=dict(request.headers)
        )
        step = client.receive(
            Response(answer.status_code, tuple(answer.headers.multi_items()), answer.content)
        )
        if isinstance(step, Bootstrapped):
            return step
        assert isinstance(step, Ask)
        result = usim.authenticate(step.rand, step.autn)
        assert not isinstance(result, bytes)
        client.answer(res=result[0], ck=result[1], ik=result[2], cnonce="c")
    raise AssertionError("no end")


async def test_a_card_with_only_a_key_gets_its_settings(site: Site) -> None:
    await site.operate("POST", "/v1/subscribers", SUBSCRIBER)
    await site.operate("POST", "/v1/devices", {"device": DEVICE, "accounts": [{"impi": IMPI}]})
    await site.operate("PUT", f"/v1/devices/{DEVICE}/desired", {"tree": {"./A/B": "value"}})
    done = await bootstrap(site, Usim())

    def password_for(protocol: bytes) -> Secret:
        agreed = {"ck": done.ck, "ik": done.ik}
        return naf_password(
            ks_naf(**agreed, rand=done.rand, impi=IMPI, fqdn=DM_HOST, ua_protocol=protocol)
        )

    client = NafClient(done.btid, DM_HOST, password_for)
    assert site.ready.dm is not None
    refused = await site.http.post(
        site.dm_url(site.ready.dm.url), headers={"User-Agent": "device 3gpp-gba"}, content=b""
    )
    assert refused.status_code == 401
    client.challenged(refused.headers.get_list("WWW-Authenticate"))

    def wrap(sent: Sent) -> dict[str, str]:
        uri = "/dm" + (("?" + sent.url.split("?", 1)[1]) if "?" in sent.url else "")
        header = client.authorize(method="POST", uri=uri, cnonce="c", body=sent.body)
        assert header is not None
        return {"Authorization": header}

    carry = carrier(site, wrap)

    def proved(sent: Sent) -> Got:
        got = carry(sent)
        client.accept(got.headers["authentication-info"], body=got.body)
        return got

    device = Device(transport=proved, kind="transport", checks_server=False)
    await asyncio.to_thread(device.run)
    assert device.nodes["./A/B"].value == b"value"


async def test_a_device_with_bootstrapped_accounts_only_is_asked_for_digest(site: Site) -> None:
    await site.operate("POST", "/v1/devices", {"device": DEVICE, "accounts": [{"impi": IMPI}]})
    assert site.ready.dm is not None
    message = Message(
        Header("1", 1, site.ready.dm.url, DEVICE), (Alert(1, AlertCode.CLIENT_INITIATED),)
    )
    body = codec.encode(message, encoding="wbxml")
    response = await site.post(Sent(site.ready.dm.url, codec.WBXML_TYPE, {}, body))
    assert response.status_code == 401
    assert f'realm="3GPP-bootstrapping@{DM_HOST}"' in response.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("text/plain", b"hello", 415),
        ("", b"", 415),
        (codec.WBXML_TYPE, b"", 400),
        (codec.WBXML_TYPE, b"\x00" * 64, 400),
        (codec.WBXML_TYPE, b"\x02\xa4\x01\x6a\x00\x6d\x6c", 400),
        (codec.XML_TYPE, b"<SyncML>", 400),
        (codec.XML_TYPE, b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", 400),
        (codec.XML_TYPE, b"<a>" * 5000, 400),
        (codec.XML_TYPE, b"x" * 70_000, 413),
    ],
)
async def test_hostile_bodies_get_a_status_and_the_server_lives_on(
    site: Site, content_type: str, body: bytes, status: int
) -> None:
    assert site.ready.dm is not None
    response = await site.post(Sent(site.ready.dm.url, content_type, {}, body))
    assert response.status_code == status
    assert "Traceback" not in response.text
    assert (await site.operate("GET", "/v1/health")).json() == {"status": "serving"}


async def test_an_unknown_session_is_gone(site: Site) -> None:
    assert site.ready.dm is not None
    message = Message(Header("1", 2, site.ready.dm.url, DEVICE), (Alert(1, 1222),))
    body = codec.encode(message, encoding="wbxml")
    url = site.ready.dm.url + "?s=unknown"
    assert (await site.post(Sent(url, codec.WBXML_TYPE, {}, body))).status_code == 410


async def test_other_methods_and_paths_are_refused(site: Site) -> None:
    assert site.ready.dm is not None
    base = site.dm_url(site.ready.dm.url)
    assert (await site.http.get(base)).status_code == 405
    assert (await site.http.post(base + "/other")).status_code == 404
    assert (await site.http.get(site.bsf_url + "dm")).status_code == 404
    assert (await site.http.get(site.bsf_url)).status_code == 400


async def test_a_client_without_our_authority_does_not_trust_us(site: Site) -> None:
    async with httpx.AsyncClient() as stranger:
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await stranger.get(site.bsf_url)


async def test_operator_errors_name_field_and_cause(site: Site) -> None:
    answer = await site.operate("PUT", f"/v1/devices/{DEVICE}/desired", {"tree": {"A": "b"}})
    assert answer.status_code == 422
    assert answer.json()["field"] == "tree['A']"
    assert (await site.operate("GET", "/v1/devices/unknown")).status_code == 404
    assert (await site.operate("GET", "/v1/nothing")).status_code == 404


async def test_a_device_id_with_a_slash_has_an_address(site: Site) -> None:
    await site.operate("POST", "/v1/devices", {"device": "URN:x/y", "accounts": []})
    assert (await site.operate("GET", "/v1/devices/URN:x%2Fy")).json()["device"] == "URN:x/y"


async def test_the_operator_socket_and_the_registry_are_private(site: Site, tmp_path: Path) -> None:
    for name in ("operator.sock", "registry.sqlite"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


async def test_each_service_can_be_switched_off(tmp_path: Path) -> None:
    loaded = write_config(tmp_path, dm="enabled = false")
    async with Server(loaded) as ready:
        assert ready.dm is None
        assert ready.bsf is not None


async def test_a_server_does_not_take_the_socket_of_another(site: Site, tmp_path: Path) -> None:
    loaded = config.load(tmp_path / "dmsd.toml")
    with pytest.raises(Exception, match="another server answers"):
        async with Server(loaded):
            pass
    assert (await site.operate("GET", "/v1/health")).status_code == 200


async def test_a_stopped_server_has_ended_its_sessions(tmp_path: Path) -> None:
    server = Server(write_config(tmp_path))
    async with server as ready:
        made = Site(tmp_path, server, ready)
        await made.operate("POST", "/v1/devices", {"device": DEVICE, "accounts": [ACCOUNT]})
        await made.operate("PUT", f"/v1/devices/{DEVICE}/desired", {"tree": {"./A": "1"}})
        assert ready.dm is not None
        cred = auth.md5_credential("device-user", b"client secret", b"first client nonce")
        header = Header("1", 1, ready.dm.url, DEVICE, source_name="device-user", cred=cred)
        body = codec.encode(Message(header, (Alert(1, 1201),)), encoding="wbxml")
        response = await made.post(Sent(ready.dm.url, codec.WBXML_TYPE, {}, body))
        reply = codec.decode(response.content, response.headers["Content-Type"])
        assert isinstance(reply.commands[0], Status)
        await made.http.aclose()
    from dmsd.registry import Registry

    registry = Registry(tmp_path / "registry.sqlite")
    assert registry.journal.sessions(DEVICE)[0].outcome == "expired"
    registry.close()


async def test_a_connection_that_drips_its_header_is_closed_and_others_are_served(
    tmp_path: Path,
) -> None:
    """TLS is done and bytes keep coming: only the whole head of a request counts."""
    loaded = write_config(tmp_path)
    quick = replace(loaded, server=replace(loaded.server, header_timeout_s=1))
    context = ssl.create_default_context(cafile=str(tmp_path / "ca" / "ca.pem"))
    server = Server(quick)
    async with server as ready:
        assert ready.bsf is not None
        reader, writer = await asyncio.open_connection("127.0.0.1", ready.bsf.port, ssl=context)
        silent = await asyncio.open_connection("127.0.0.1", ready.bsf.port)

        async def drip() -> None:
            writer.write(b"GET / HTTP/1.1\r\n")
            while True:
                writer.write(b"X-Slow: 1\r\n")
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        async with httpx.AsyncClient(verify=context, timeout=60) as http:
            assert (await http.get(f"https://127.0.0.1:{ready.bsf.port}/")).status_code == 400
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 60) == b""
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(silent[0].read(), 60) == b""
        dripping.cancel()
        for end in (writer, silent[1]):
            end.close()


async def test_a_connection_beyond_the_limit_is_closed(tmp_path: Path) -> None:
    loaded = write_config(tmp_path)
    narrow = replace(loaded, server=replace(loaded.server, max_connections=1))
    context = ssl.create_default_context(cafile=str(tmp_path / "ca" / "ca.pem"))
    async with Server(narrow) as ready:
        assert ready.bsf is not None
        url = f"https://127.0.0.1:{ready.bsf.port}/"
        async with httpx.AsyncClient(verify=context, timeout=60) as first:
            assert (await first.get(url)).status_code == 400
            async with httpx.AsyncClient(verify=context, timeout=60) as second:
                with pytest.raises(httpx.TransportError):
                    await second.get(url)
            assert (await first.get(url)).status_code == 400
