"""Basic and HMAC credentials with a DM server that our daemon does not know."""

from __future__ import annotations

import pytest
from dmsd import ca
from softcard.stack import VirtualReaders

from foreign import syncml
from foreign.bench import bench
from foreign.dm_server import WBXML, XML, add, get


@pytest.mark.parametrize(
    ("kind", "binary"),
    [("HMAC", False), ("HMAC", True), ("BASIC", False)],
    ids=["HMAC-xml", "HMAC-wbxml", "BASIC-xml"],
)
def test_other_ways_of_authentication_carry_a_whole_provisioning(
    virtual_readers: VirtualReaders,
    authority: ca.CaFiles,
    kind: str,
    binary: bool,
) -> None:
    """DM Security 1.2 §5.3, §5.4. A card's own system, with a server of this kind only."""
    options = {
        "auth": kind.lower(),
        "server_auth": kind.lower(),
        "write": syncml.libwbxml if binary else syncml.plain,
        "content_type": WBXML if binary else XML,
    }
    with bench(virtual_readers, authority, kind, **options) as made:
        server = made.session((add("./A", "1"),), (get("./A"),))
        assert server.values()["./A"] == "1"
