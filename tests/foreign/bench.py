"""Our daemon, a card made by hand, and the foreign DM server that the card names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from dmsd import ca
from softcard.stack import VirtualReaders
from support.system import CONFIRMED, Site, open_site

from foreign import documents
from foreign.dm_server import DmServer, Say, add, get
from foreign.https import https_server

NAME, SERVER_ID = "dm.example.org", "foreign-dms.example"
URL = f"https://{NAME}/mgmt/entry?tenant=7"
CLIENT, SERVER = ("dev & <1>", "client pw"), (SERVER_ID, "server pw")
NONCE = b"\x01first\x00nonce"

Tell = Callable[..., DmServer]


class Bench:
    """A daemon that has been provisioned by the foreign server, and that server."""

    def __init__(self, site: Site, server: DmServer) -> None:
        self.site = site
        self.server = server

    def session(self, *script: Say | tuple[Any, ...]) -> DmServer:
        """Hold one session in which the server says this."""
        says = [each if isinstance(each, Say) else Say(each) for each in script]
        self.server.scripts = [says]
        before = len(self.server.sessions)
        try:
            self.site.client.sync(SERVER_ID)
        finally:
            assert not self.server.problems, self.server.problems[0]
        # What is said after the first session is the report of the installation.
        self.server.sessions = self.server.sessions[: before + 1]
        return self.server


@contextmanager
def bench(
    readers: VirtualReaders, authority: ca.CaFiles, kind: str = "DIGEST", **options: Any
) -> Iterator[Bench]:
    server = DmServer(SERVER_ID, CLIENT, SERVER, NONCE, NONCE, **options)
    folder = authority.directory
    with (
        https_server(server.handle, folder / f"{NAME}.pem", folder / f"{NAME}-key.pem") as address,
        open_site(readers, authority, hosts={f"{NAME}:443": address}) as site,
    ):
        document = documents.account(
            server_id=SERVER_ID,
            url=URL.replace("&", "&amp;"),
            client=(CLIENT[0].replace("&", "&amp;").replace("<", "&lt;"), CLIENT[1]),
            server=SERVER,
            nonce=NONCE,
            auth=kind,
            client_auth=kind,
        )
        server.scripts = [[Say((get("./DevInfo/DevId"), add("./First/Word", "hello")))]]
        result = site.inserted(site.card(files={"Bootstrap": document}))
        assert not server.problems, server.problems[0]
        assert result.stage == CONFIRMED, result
        assert site.value("./NAP/1/Addr")[0] == "byhand.example"
        assert site.value("./First/Word") == ("hello", f"server {SERVER_ID}")
        yield Bench(site, server)
