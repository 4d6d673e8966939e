"""Our DM server under DM 1.2 clients that it does not know."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from foreign import syncml
from foreign.dm_client import WBXML, XML, DmClient, Link
from foreign.servers import DM, Dmsd

NUMBERS = itertools.count(1)
SECRET, SERVER_SECRET = "open <& sesame>", "and who are you"
NONCE = b"\x00nonce\xff, not text"
BINARY = bytes(range(256)) * 3
DESIRED: dict[str, Any] = {
    "./Service/News/URL": "https://news.example/?a=1&b=<2>",
    "./Service/News/Count": 7,
    "./Service/News/On": True,
    "./Service/Ünï/Text": "grüße €",
    "./Service/Blob": {"format": "bin", "value": base64.b64encode(BINARY).decode()},
}
WRITERS = [
    syncml.plain,
    syncml.prefixed,
    syncml.metinf_prefix,
    syncml.bare,
    syncml.old_names,
    syncml.pretty,
    syncml.cdata,
    syncml.entities,
    syncml.libwbxml,
    syncml.libwbxml_without_strings,
]

MakeClient = Callable[..., DmClient]


@pytest.fixture
def client(dmsd: Dmsd) -> MakeClient:
    """Registers a device with the server and makes it."""

    def make(
        *,
        device: str = "",
        desired: dict[str, Any] | None = None,
        account: dict[str, str] | None = None,
        **options: Any,
    ) -> DmClient:
        name = device or f"IMEI:49015420323{next(NUMBERS):04d}"
        auth = options.get("auth", "md5")
        told = {
            "user": f"user of {name}",
            "auth": auth,
            "client_secret": SECRET,
            "client_nonce": syncml.b64(NONCE),
            **(account or {}),
        }
        dmsd.device(name, DESIRED if desired is None else desired, **told)
        link = Link(dmsd.dm, dmsd.ca, DM)
        options = {"nonce": NONCE, **options}
        return DmClient(link, f"https://{DM}/dm", name, told["user"], SECRET, **options)

    return make


def provisioned(made: DmClient) -> None:
    assert made.tree["./Service/News/URL"] == ("chr", DESIRED["./Service/News/URL"])
    assert made.tree["./Service/News/Count"] == ("int", "7")
    assert made.tree["./Service/News/On"] == ("bool", "true")
    assert made.tree["./Service/Ünï/Text"] == ("chr", "grüße €")
    form, value = made.tree["./Service/Blob"]
    assert form in ("b64", "bin")
    assert base64.b64decode(value) == BINARY


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_a_device_is_provisioned_however_it_writes_its_messages(
    client: MakeClient, dmsd: Dmsd, write: syncml.Writer
) -> None:
    binary = write.__name__.startswith("libwbxml")
    made = client(write=write, content_type=WBXML if binary else XML)
    made.run()
    provisioned(made)
    assert dmsd.outcome(made.device) == "converged"


@pytest.mark.parametrize(
    "content_type",
    [
        "application/vnd.syncml.dm+xml; charset=UTF-8",
        "application/vnd.syncml.dm+xml;charset=utf-8",
        "application/vnd.syncml+xml",
        "Application/VND.SyncML.DM+XML",
        "application/vnd.syncml+wbxml",
    ],
)
def test_content_types_are_taken_as_deployed_clients_write_them(
    client: MakeClient, content_type: str
) -> None:
    write = syncml.libwbxml if "wbxml" in content_type else syncml.plain
    made = client(write=write, content_type=content_type)
    made.run()
    provisioned(made)


@pytest.mark.parametrize(
    "options",
    [
        {"nonce": b"an old nonce"},
        {"nonce": b""},
        {"show_at_first": False},
        {"auth": "basic"},
        {"auth": "basic", "show_at_first": False},
        {"auth": "hmac"},
        {"auth": "hmac", "nonce": b"an old nonce"},
        {"auth": "hmac", "show_at_first": False},
        {"session_id": "a3"},
        {"session_id": "A3"},
        {"session_id": "65535"},
        {"step": 3},
        {"first_command_id": 40},
        {"address": ""},
        {"atomic": False},
        {"device": "IMEI:493005100592800"},
        {"device": "urn:imei:49300510-059280-0"},
        {"device": "MEID:A10000009296F0"},
        {"device": "mac:00-1a-2b/odd?&id"},
        {"extra_headers": {"Accept": "*/*", "Expect": "", "Cache-Control": "private"}},
    ],
    ids=str,
)
def test_a_device_is_provisioned_with_whatever_the_standard_lets_it_do(
    client: MakeClient, dmsd: Dmsd, options: dict[str, Any]
) -> None:
    made = client(**options)
    made.run()
    provisioned(made)
    assert dmsd.outcome(made.device) == "converged"


def test_credentials_of_another_kind_are_challenged_for_the_right_one(client: MakeClient) -> None:
    made = client(account={"auth": "md5"}, auth="basic")
    first = made.run()[0]
    assert first.codes()["SyncHdr"] == 401
    # DM Protocol 1.2 §9.1: statuses for every command, and no commands.
    assert set(first.codes()) == {"SyncHdr", "Alert", "Replace"}
    provisioned(made)


def test_the_nonce_of_the_last_session_opens_the_next(client: MakeClient) -> None:
    made = client()
    made.run()
    again = DmClient(made.link, f"https://{DM}/dm", made.device, made.user, SECRET)
    again.nonce, again.session_id, again.tree = made.nonce, "2", made.tree
    assert again.run()[0].codes()["SyncHdr"] == 212
    assert len(again.messages) == 2


def test_wrong_credentials_end_the_session_without_a_word_of_the_settings(
    client: MakeClient, dmsd: Dmsd
) -> None:
    made = client()
    made.password = "wrong"
    made.run()
    assert made.tree == {}
    assert [message.codes()["SyncHdr"] for message in made.messages] == [401, 401, 401]
    assert dmsd.commands(made.device) == []


@pytest.mark.parametrize("auth", ["md5", "hmac"])
@pytest.mark.parametrize("refused", [None, "syncml:auth-md5", "syncml:auth-MAC"])
def test_the_server_proves_itself_and_follows_a_challenge(
    client: MakeClient, dmsd: Dmsd, auth: str, refused: str | None
) -> None:
    account = {"server_secret": SERVER_SECRET, "server_nonce": syncml.b64(NONCE), "auth": auth}
    made = client(account=account, auth=auth, refuse_server_once=refused)
    messages = made.run()
    cred, mac = made.server_proofs[0]
    if auth == "md5":
        assert cred == syncml.md5_digest(DM, SERVER_SECRET, NONCE)
    else:
        value = syncml.hmac_value(DM, SERVER_SECRET, NONCE, messages[0].body)
        assert mac == f'algorithm=MD5, username="{DM}", mac={value}'
    if refused:
        cred, mac = made.server_proofs[1]
        nonce = b"another nonce for you"
        if refused == "syncml:auth-md5":
            assert cred == syncml.md5_digest(DM, SERVER_SECRET, nonce)
        else:
            value = syncml.hmac_value(DM, SERVER_SECRET, nonce, messages[1].body)
            assert mac == f'algorithm=MD5, username="{DM}", mac={value}'
    provisioned(made)


@pytest.mark.parametrize("write", [syncml.plain, syncml.libwbxml], ids=["xml", "wbxml"])
def test_large_objects_and_many_commands_travel_in_messages_as_small_as_the_device_wants(
    client: MakeClient, dmsd: Dmsd, write: syncml.Writer
) -> None:
    blob = bytes(range(251)) * 40
    desired = {f"./Many/Node{i:03d}": f"value {i} " + "x" * 60 for i in range(60)}
    whole = base64.b64encode(blob).decode()
    desired["./Large/Blob"] = {"format": "bin", "value": whole}  # type: ignore[assignment]
    desired["./Large/Text"] = "grüße € " * 600
    content_type = XML if write is syncml.plain else WBXML
    made = client(desired=desired, write=write, content_type=content_type, max_msg_size=2000)
    made.max_obj_size = 100_000
    messages = made.run()
    assert max(len(message.body) for message in messages) <= 2000
    assert made.tree["./Large/Text"] == ("chr", "grüße € " * 600)
    assert base64.b64decode(made.tree["./Large/Blob"][1]) == blob
    assert all(made.tree[path][1] == value for path, value in desired.items() if "Many" in path)
    assert dmsd.outcome(made.device) == "converged"


def test_an_object_larger_than_the_device_takes_is_not_sent(client: MakeClient, dmsd: Dmsd) -> None:
    desired = {"./A": "small", "./B": "x" * 9000}
    made = client(desired=desired, max_obj_size=5000, max_msg_size=4000)
    made.run()
    assert set(made.tree) == {"./A"}
    assert ("Add", "./B", 413) in dmsd.commands(made.device)


def test_generic_alerts_are_answered_and_kept(client: MakeClient, dmsd: Dmsd) -> None:
    """DM Protocol 1.2 §8.7: with and without what is optional."""
    full = (
        "Alert",
        ("CmdID", 0),
        ("Data", 1226),
        ("Correlator", "corr-1"),
        (
            "Item",
            ("Source", ("LocURI", "./Service")),
            (
                "Meta",
                ("Type", "urn:oma:at:fumo:1.0:OperationComplete"),
                ("Format", "chr"),
                ("Mark", "critical"),
            ),
            ("Data", "200"),
        ),
    )
    short = (
        "Alert",
        ("CmdID", 0),
        ("Data", 1226),
        (
            "Item",
            ("Meta", ("Type", "Reversed-Domain-Name: org.example.x"), ("Format", "int")),
            ("Data", "7"),
        ),
    )
    made = client(alerts=(full, short))
    first = made.run()[0]
    assert [syncml.text(s, "Data") for s in first.all("Status")] == [
        "212",
        "200",
        "200",
        "200",
        "200",
    ]
    kept = {(r["type"], r["mark"], r["data"], r["correlator"]) for r in dmsd.reports(made.device)}
    assert ("urn:oma:at:fumo:1.0:OperationComplete", "critical", "200", "corr-1") in kept
    assert ("org.example.x", "informational", "7", "") in kept


def test_a_package_in_two_messages_is_waited_for(client: MakeClient, dmsd: Dmsd) -> None:
    """DM Protocol 1.2 §6: Alert 1222 asks for the rest of a package."""
    event = ("Alert", ("CmdID", 0), ("Data", 1224), ("Item", ("Data", "x")))
    made = client(split_package=True, alerts=(event,))
    made.run()
    provisioned(made)
