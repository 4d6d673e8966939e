"""Client Provisioning documents on their way into the tree."""

from __future__ import annotations

import pytest
from cardea_core import Secret, canonical_path
from hypothesis import given
from hypothesis import strategies as st
from omadm.builder import Credentials, dm_account, nap, proxy
from omadm.clientprov import (
    Characteristic,
    build_document,
    characteristic,
    parse,
)
from omadm.errors import DocumentError
from omadm.mapping import MappedDocument, map_document
from omadm.nodes import TreeNode
from unit.omadm.cp_example import XML, characteristics

W7 = [("APPID", "w7"), ("PROVIDER-ID", "s")]
ADDRESS = characteristic("APPADDR", [("ADDR", "https://s/dm")])


def mapped(data: bytes) -> MappedDocument:
    return map_document(parse(data))


def values(document: MappedDocument) -> dict[str, str]:
    return {node.path: node.value.decode() for node in document.nodes if node.value is not None}


def node(document: MappedDocument, path: str) -> TreeNode:
    return next(each for each in document.nodes if each.path == path)


def test_w7_becomes_a_dm_account() -> None:
    document = mapped(XML)
    found = values(document)
    assert {path: value for path, value in found.items() if path.startswith("./DMAcc/")} == {
        "./DMAcc/1/AppID": "w7",
        "./DMAcc/1/ServerID": "dm.example.com",
        "./DMAcc/1/Name": "Example",
        "./DMAcc/1/PrefConRef": "./Proxy/1",
        "./DMAcc/1/ToConRef/1/ConRef": "./Proxy/1",
        "./DMAcc/1/ToConRef/2/ConRef": "./NAP/1",
        "./DMAcc/1/AppAddr/1/Addr": "https://dm.example.com/dm",
        "./DMAcc/1/AppAddr/1/AddrType": "URI",
        "./DMAcc/1/AppAddr/1/Port/1/PortNbr": "8443",
        "./DMAcc/1/AAuthPref": "DIGEST",
        "./DMAcc/1/AppAuth/1/AAuthLevel": "CLCRED",
        "./DMAcc/1/AppAuth/1/AAuthType": "DIGEST",
        "./DMAcc/1/AppAuth/1/AAuthName": "device",
        "./DMAcc/1/AppAuth/1/AAuthSecret": "dpw",
        "./DMAcc/1/AppAuth/1/AAuthData": "Nonce",
        "./DMAcc/1/AppAuth/2/AAuthLevel": "SRVCRED",
        "./DMAcc/1/AppAuth/2/AAuthType": "DIGEST",
        "./DMAcc/1/AppAuth/2/AAuthName": "dm.example.com",
        "./DMAcc/1/AppAuth/2/AAuthSecret": "spw",
    }
    assert node(document, "./DMAcc/1/AppAuth/1/AAuthData").format == "bin"
    assert node(document, "./DMAcc/1").mime == "urn:oma:mo:oma-dm-dmacc:1.0"
    (account,) = document.accounts
    assert (account.server_id, account.path, account.init) == ("dm.example.com", "./DMAcc/1", True)


def test_napdef_becomes_an_access_point() -> None:
    found = values(mapped(XML))
    assert {path: value for path, value in found.items() if path.startswith("./NAP/")} == {
        "./NAP/1/NapID": "NAP1",
        "./NAP/1/Name": "Operator",
        "./NAP/1/Addr": "internet",
        "./NAP/1/AddrType": "APN",
        "./NAP/1/Bearer/1/BearerType": "GSM-GPRS",
        "./NAP/1/IPv4/DNS/1/DNSAddr": "10.0.0.1",
        "./NAP/1/AuthInfo/1/AuthType": "PAP",
        "./NAP/1/AuthInfo/1/AuthName": "u",
        "./NAP/1/AuthInfo/1/AuthSecret": "p",
        "./NAP/1/Ext/INTERNET": "true",
        "./NAP/1/Ext/VALIDITY/1/Parm/COUNTRY": "262",
    }


def test_pxlogical_becomes_a_proxy_that_refers_to_its_access_point() -> None:
    found = values(mapped(XML))
    assert {path: value for path, value in found.items() if path.startswith("./Proxy/")} == {
        "./Proxy/1/ProxyID": "PX",
        "./Proxy/1/Name": "Gateway",
        "./Proxy/1/Domains/1/DomainName": "example.com",
        "./Proxy/1/Addr": "10.0.0.9",
        "./Proxy/1/AddrType": "IPV4",
        "./Proxy/1/ConRefs/1/ConRef": "./NAP/1",
        "./Proxy/1/Ports/1/PortNbr": "8080",
        "./Proxy/1/Ports/1/Services/1/ServiceName": "CO-WSP",
    }


def test_what_has_no_object_is_kept_as_written() -> None:
    found = values(mapped(XML))
    assert {path: value for path, value in found.items() if path.startswith("./AppData/")} == {
        "./AppData/1/Type": "APPLICATION",
        "./AppData/1/Parm/APPID": "w2",
        "./AppData/1/Parm/NAME": "Home",
        "./AppData/1/RESOURCE/1/Parm/URI": "http://home",
        "./AppData/1/RESOURCE/1/Parm/STARTPAGE": "true",
        "./AppData/2/Type": "BOOTSTRAP",
        "./AppData/2/Parm/NAME": "Op",
        "./AppData/3/Type": "VENDORCONFIG",
        "./AppData/3/Parm/NAME": "acme",
    }


def test_unknown_parms_of_an_account_are_kept_below_ext() -> None:
    more = [*W7, ("X-TIMEOUT", "9"), ("INIT", None), ("X-ONCE", None)]
    inner = characteristic("X-RETRY", [("COUNT", "3")])
    found = values(mapped(build_document(characteristic("APPLICATION", more, ADDRESS, inner))))
    assert {path: value for path, value in found.items() if "/Ext/" in path} == {
        "./DMAcc/1/Ext/X-TIMEOUT": "9",
        "./DMAcc/1/Ext/X-ONCE": "true",
        "./DMAcc/1/Ext/X-RETRY/1/Parm/COUNT": "3",
    }


def test_no_unknown_parm_takes_the_place_of_another() -> None:
    names = [
        "X",
        "X",
        "X-2",
        "A/B",
        "A?B",
        "Y" * 70 + "1",
        "Y" * 70 + "2",
        "VALIDITY",
        "\u00dc" * 70,
    ]
    parms: list[tuple[str, str | None]] = [(name, str(n)) for n, name in enumerate(names)]
    inner = characteristic("VALIDITY", [("COUNTRY", "262")])
    document = mapped(build_document(characteristic("VENDOR", parms, inner)))
    found = values(document)
    assert sorted(found.values()) == sorted([*map(str, range(9)), "262", "VENDOR"])
    for each in document.nodes:
        assert canonical_path(each.path) == each.path
        above = each.path.rpartition("/")[0]
        assert above == "." or node(document, above).interior


def test_parents_come_before_children_and_no_path_twice() -> None:
    seen: set[str] = set()
    for each in mapped(XML).nodes:
        parent = each.path.rpartition("/")[0]
        assert parent == "." or parent in seen
        assert each.path not in seen
        seen.add(each.path)


def test_the_server_of_the_document_gets_its_rights_on_every_object() -> None:
    # DM Bootstrap 1.2 §5.3.4
    rights = {each.path: each.acl for each in mapped(XML).nodes if each.acl is not None}
    who = "Get=dm.example.com&Replace=dm.example.com&Delete=dm.example.com"
    assert rights == dict.fromkeys(
        ["./NAP/1", "./Proxy/1", "./DMAcc/1", "./AppData/1", "./AppData/2", "./AppData/3"], who
    )


def test_without_w7_nobody_gets_a_right() -> None:
    data = build_document(nap("N", address="internet"))
    document = mapped(data)
    assert document.accounts == ()
    assert all(each.acl is None for each in document.nodes)


def test_one_server_has_no_right_on_the_account_of_another() -> None:
    second = characteristic("APPLICATION", [("APPID", "w7"), ("PROVIDER-ID", "t")], ADDRESS)
    document = mapped(
        build_document(characteristic("APPLICATION", W7, ADDRESS), second, nap("N", address="a"))
    )
    assert node(document, "./DMAcc/1").acl == "Get=s&Replace=s&Delete=s"
    assert node(document, "./DMAcc/2").acl == "Get=t&Replace=t&Delete=t"
    assert node(document, "./NAP/1").acl == "Get=s+t&Replace=s+t&Delete=s+t"


def test_address_directly_in_the_application_is_taken() -> None:
    found = values(
        mapped(build_document(characteristic("APPLICATION", [*W7, ("ADDR", "https://a")])))
    )
    assert found["./DMAcc/1/AppAddr/1/Addr"] == "https://a"


def test_each_listed_type_becomes_an_entry() -> None:
    auth = characteristic(
        "APPAUTH", [("AAUTHLEVEL", "APPSRV"), ("AAUTHTYPE", "HMAC,DIGEST"), ("AAUTHNAME", "u")]
    )
    found = values(mapped(build_document(characteristic("APPLICATION", W7, ADDRESS, auth))))
    assert found["./DMAcc/1/AAuthPref"] == "HMAC"
    assert [found[f"./DMAcc/1/AppAuth/{n}/AAuthType"] for n in (1, 2)] == ["HMAC", "DIGEST"]


@pytest.mark.parametrize(
    ("parts", "reason", "facts"),
    [
        (
            [characteristic("APPLICATION", [("APPID", "w7")], ADDRESS)],
            "missing_parm",
            ("APPLICATION w7", "PROVIDER-ID"),
        ),
        ([characteristic("APPLICATION", W7)], "missing_parm", ("APPADDR", "ADDR")),
        (
            [characteristic("APPLICATION", W7, characteristic("APPADDR"))],
            "missing_parm",
            ("APPADDR", "ADDR"),
        ),
        (
            [characteristic("APPLICATION", W7, ADDRESS)] * 2,
            "duplicate",
            ("APPLICATION w7", "PROVIDER-ID"),
        ),
        (
            [characteristic("APPLICATION", [*W7, ("TO-NAPID", "nowhere")], ADDRESS)],
            "dangling",
            ("APPLICATION", "TO-NAPID"),
        ),
        (
            [characteristic("APPLICATION", [*W7, ("TO-PROXY", "nowhere")], ADDRESS)],
            "dangling",
            ("APPLICATION", "TO-PROXY"),
        ),
        ([nap("N", address="a")] * 2, "duplicate", ("NAPDEF", "NAPID")),
        ([characteristic("NAPDEF")], "missing_parm", ("NAPDEF", "NAPID")),
        ([proxy("P", address="a", port=1, naps=("x",))], "dangling", ("PXPHYSICAL", "TO-NAPID")),
        (
            [characteristic("PXLOGICAL", [("PROXY-ID", "P")])],
            "missing_characteristic",
            ("PXLOGICAL", "PXPHYSICAL"),
        ),
        (
            [characteristic("APPLICATION", [("APPID", "w7"), ("PROVIDER-ID", "a+b")], ADDRESS)],
            "bad_value",
            ("APPLICATION w7", "PROVIDER-ID"),
        ),
        (
            [
                characteristic(
                    "APPLICATION",
                    W7,
                    characteristic("APPADDR", [("ADDR", "a"), ("ADDRTYPE", "E164")]),
                )
            ],
            "bad_value",
            ("APPADDR", "ADDRTYPE"),
        ),
        (
            [characteristic("APPLICATION", W7, ADDRESS, characteristic("APPAUTH"))],
            "missing_parm",
            ("APPAUTH", "AAUTHLEVEL"),
        ),
        (
            [
                characteristic(
                    "APPLICATION",
                    W7,
                    ADDRESS,
                    characteristic("APPAUTH", [("AAUTHLEVEL", "APPSRV"), ("AAUTHTYPE", "ROT13")]),
                )
            ],
            "bad_value",
            ("APPAUTH", "AAUTHTYPE"),
        ),
    ],
)
def test_contradictions_name_characteristic_and_parm(
    parts: list[Characteristic], reason: str, facts: tuple[str, str]
) -> None:
    with pytest.raises(DocumentError) as caught:
        mapped(build_document(*parts))
    assert caught.value.reason == reason
    assert (caught.value.facts["characteristic"], caught.value.facts["parm"]) == facts


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1", "1e3", "٣", "99999999999"])
def test_a_bad_port_is_named(port: str) -> None:
    address = characteristic(
        "APPADDR", [("ADDR", "a")], characteristic("PORT", [("PORTNBR", port)])
    )
    with pytest.raises(DocumentError) as caught:
        mapped(build_document(characteristic("APPLICATION", W7, address)))
    assert (caught.value.reason, caught.value.facts["parm"]) == ("bad_value", "PORTNBR")


def test_a_built_account_is_read_back() -> None:
    document = mapped(
        build_document(
            dm_account(
                server_id="dm.example.com",
                address="https://dm.example.com/dm",
                port=8443,
                name="Example",
                client=Credentials("device", Secret(b"dpw"), b"\x00\xffnonce", "HMAC"),
                server=Credentials("dm.example.com", b"spw"),
                naps=("N",),
                proxies=("P",),
                start_session=True,
            ),
            nap("N", address="internet", auth=Credentials("u", b"p", type="PAP")),
            proxy("P", address="proxy.example.com", port=8080, naps=("N",), name="Gateway"),
        )
    )
    found = values(MappedDocument(tuple(n for n in document.nodes if n.name != "AAuthData")))
    assert found["./DMAcc/1/AppAuth/1/AAuthType"] == "HMAC"
    assert node(document, "./DMAcc/1/AppAuth/1/AAuthData").value == b"\x00\xffnonce"
    assert found["./Proxy/1/ConRefs/1/ConRef"] == "./NAP/1"
    assert found["./NAP/1/AuthInfo/1/AuthSecret"] == "p"
    assert document.accounts[0].init


def test_secrets_are_in_no_repr() -> None:
    account = dm_account(
        server_id="s", address="https://a", client=Credentials("u", b"hunter2", b"n")
    )
    assert "hunter2" not in repr(account)
    assert "hunter2" not in repr(mapped(build_document(account)))


@given(st.lists(characteristics, max_size=4))
def test_every_document_maps_or_names_its_fault(parts: list[Characteristic]) -> None:
    try:
        document = mapped(build_document(*parts))
    except DocumentError as error:
        assert error.facts.get("characteristic")  # noqa: PT017  # either outcome is right
    else:
        paths = [each.path for each in document.nodes]
        assert len(paths) == len(set(paths))
