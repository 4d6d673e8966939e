"""Provisioning documents for test cards, as an operator would make them."""

from __future__ import annotations

from cardea_core import wbxml_decode, xml_encode
from omadm.builder import Credentials, dm_account, nap
from omadm.clientprov import build_document, characteristic
from omadm.codec import encode
from omadm.document import CONFIRM, VENDOR, map_documents, parse_document
from omadm.mapping import MappedDocument
from omadm.messages import Add, Command, Header, Item, Message, Meta
from omadm.nodes import TreeNode, interior, leaf
from omadm.tnds import write

__all__ = [
    "BOOTSTRAP",
    "CONFIG",
    "DM_BOOTSTRAP",
    "SERVER",
    "account",
    "as_xml",
    "dm_bootstrap",
    "mapped_document",
    "network",
]

SERVER = "dm.example.org"
# OIDs of the files.
BOOTSTRAP, CONFIG, DM_BOOTSTRAP = "2.23.43.5.1", "2.23.43.5.2", "2.23.43.7.1"

_URL = f"https://{SERVER}/dm"
_NONCE = b"Nonce"


def account(
    *,
    auth: str = "DIGEST",
    start: bool = True,
    server_proves: bool = True,
    secret: bytes = b"not-a-secret",
    server_secret: bytes = b"no-secret-either",
    server_id: str = SERVER,
    address: str = _URL,
    access_point: str = "internet.example",
    confirm: str | None = None,
) -> bytes:
    """Client Provisioning: an access point, and a DM account as in the profile "operator".

    ``confirm``: what somebody is to be asked before it is adopted, if anything.
    """
    asking = [("NAME", VENDOR), (CONFIRM, confirm or None)]
    vendor = () if confirm is None else (characteristic("VENDORCONFIG", asking),)
    server = Credentials(server_id, server_secret, _NONCE, auth) if server_proves else None
    return build_document(
        nap("internet", address=access_point, name="Test Internet"),
        dm_account(
            server_id=server_id,
            address=address,
            name="Test Operator DM",
            client=Credentials("device-0001", secret, _NONCE, auth),
            server=server,
            naps=("internet",),
            start_session=start,
        ),
        *vendor,
    )


def as_xml(document: bytes) -> bytes:
    """A document in WBXML as people write it."""
    return xml_encode(wbxml_decode(document))


def mapped_document(document: bytes) -> MappedDocument:
    """Nodes and accounts of a card's only document."""
    return map_documents([parse_document(document)])


def network(address: str, name: str = "internet") -> bytes:
    """Client Provisioning: an access point and no account."""
    return build_document(nap(name, address=address, name="Test Internet"))


def dm_bootstrap(*before: Command, acl: str | None = None) -> bytes:
    """The DM profile (DM Bootstrap 1.2 §5.4): a DMAcc object in a message for the Inbox."""
    at = "./Inbox/x"
    nodes = [
        interior(at, mime="urn:oma:mo:oma-dm-dmacc:1.0", acl=acl),
        leaf(f"{at}/AppID", "w7"),
        leaf(f"{at}/ServerID", SERVER),
        leaf(f"{at}/Name", "From a bootstrap message"),
        interior(f"{at}/AppAddr"),
        interior(f"{at}/AppAddr/1"),
        leaf(f"{at}/AppAddr/1/Addr", _URL),
        leaf(f"{at}/AppAddr/1/AddrType", "URI"),
        leaf(f"{at}/AAuthPref", "DIGEST"),
        interior(f"{at}/AppAuth"),
        *_auth(f"{at}/AppAuth/1", "CLCRED", "device-0001", "not-a-secret"),
        *_auth(f"{at}/AppAuth/2", "SRVCRED", SERVER, "no-secret-either"),
    ]
    meta = Meta(format="xml", type="application/vnd.syncml.dmtnds+xml")
    item = Item(target="./Inbox", meta=meta, element=write(nodes, base="./Inbox"))
    message = Message(Header("0", 0, "device", _URL), (*before, Add(1, (item,))))
    return encode(message, encoding="wbxml")


def _auth(at: str, level: str, name: str, secret: str) -> list[TreeNode]:
    return [
        interior(at),
        leaf(f"{at}/AAuthLevel", level),
        leaf(f"{at}/AAuthType", "DIGEST"),
        leaf(f"{at}/AAuthName", name),
        leaf(f"{at}/AAuthSecret", secret),
        leaf(f"{at}/AAuthData", _NONCE, format="bin"),
    ]
