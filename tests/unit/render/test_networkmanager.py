"""Access points as keyfiles that NetworkManager's own parser takes."""

from __future__ import annotations

import re
import subprocess

import pytest
from cardd.render.networkmanager import networkmanager
from cardd.render.output import Output
from unit.render.trees import snapshot

FULL: dict[str, str | bytes] = {
    "./NAP/1/NapID": "internet",
    "./NAP/1/Name": r"Operator's \ Internet",
    "./NAP/1/Addr": "internet.example",
    "./NAP/1/AddrType": "APN",
    "./NAP/1/AuthInfo/1/AuthType": "PAP",
    "./NAP/1/AuthInfo/1/AuthName": "user",
    "./NAP/1/AuthInfo/1/AuthSecret": r"pass;word\n#1",
    "./NAP/1/IPv4/DNS/1/DNSAddr": "192.0.2.1",
    "./NAP/1/IPv4/DNS/2/DNSAddr": "192.0.2.2",
}


def render(values: dict[str, str | bytes]) -> Output:
    return networkmanager("./NAP")(snapshot(values))


def taken(content: bytes) -> dict[str, str]:
    """What NetworkManager reads from a keyfile and writes again, by section and key."""
    done = subprocess.run(
        ["nmcli", "--offline", "connection", "modify", "connection.autoconnect-priority", "7"],
        input=content,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    found, section = {}, ""
    for line in done.stdout.decode().splitlines():
        if head := re.fullmatch(r"\[(.*)\]", line):
            section = head[1]
        elif "=" in line:
            key, _, value = line.partition("=")
            found[f"{section}.{key}"] = value
    return found


def test_networkmanager_takes_a_keyfile_with_everything_in_it() -> None:
    (file,) = render(FULL).files
    read = taken(file.content)
    assert read["connection.type"] == "gsm"
    assert read["connection.id"] == r"Operator's \\ Internet"
    assert file.name == f"cardea-{read['connection.uuid']}.nmconnection"
    assert read["gsm.apn"] == "internet.example"
    assert (read["gsm.username"], read["gsm.password"]) == ("user", r"pass;word\\n#1")
    assert read["ppp.refuse-chap"] == "true"
    assert "ppp.refuse-pap" not in read
    assert read["ipv4.dns"] == "192.0.2.1;192.0.2.2;"
    assert (read["ipv4.method"], read["ipv6.method"]) == ("auto", "auto")
    assert read["connection.autoconnect-priority"] == "7", "else nothing was parsed"


@pytest.mark.parametrize(
    "secret",
    [
        " x",
        "x ",
        "  x  y  ",
        " ",
        r"\s x",
        "#x",
        "[x]",
        "a=b;c,d",
        '"x"',
        "'x",
        "x\\",
        r"\n\t\r",
        "ü€",
    ],
)
def test_credentials_reach_networkmanager_to_the_character(secret: str) -> None:
    """What its parser has read is told by what it writes: the same for the same value."""
    values = FULL | {"./NAP/1/AuthInfo/1/AuthSecret": secret, "./NAP/1/AuthInfo/1/AuthName": secret}
    (file,) = render(values).files
    read = taken(file.content)
    for written in (read["gsm.password"], read["gsm.username"]):
        assert unescaped(written) == secret


def unescaped(written: str) -> str:
    """A value of a keyfile by its definition (Desktop Entry Specification)."""
    letters = {"s": " ", "n": "\n", "t": "\t", "r": "\r", "\\": "\\"}
    return re.sub(r"\\(.)", lambda found: letters[found[1]], written)


def test_the_parser_refuses_what_is_no_keyfile() -> None:
    with pytest.raises(AssertionError):
        taken(b"[connection]\nid=x\ntype=gsm\nuuid=not-a-uuid\n[gsm]\napn=bad apn with blanks!\n")


def test_networkmanager_takes_the_least_that_an_object_may_have() -> None:
    (file,) = render({"./NAP/own/Addr": "factory.example"}).files
    read = taken(file.content)
    assert (read["connection.id"], read["gsm.apn"]) == ("factory.example", "factory.example")


def test_an_access_point_keeps_its_identity_while_its_values_change() -> None:
    (before,) = render(FULL).files
    (after,) = render(FULL | {"./NAP/1/Addr": "other.example"}).files
    (elsewhere,) = render({p.replace("/1/", "/2/", 1): v for p, v in FULL.items()}).files
    assert before.name == after.name != elsewhere.name
    assert before.content != after.content


def test_name_servers_go_where_their_version_belongs() -> None:
    """Provisioning Content has one parameter for both."""
    values = FULL | {"./NAP/1/IPv4/DNS/3/DNSAddr": "2001:DB8:0::1"}
    (file,) = render(values).files
    read = taken(file.content)
    assert read["ipv4.dns"] == "192.0.2.1;192.0.2.2;"
    assert read["ipv6.dns"] == "2001:db8::1;"


@pytest.mark.parametrize("kind", ["E164", "IPV4", "ALPHA"])
def test_what_is_no_apn_is_no_mobile_connection(kind: str) -> None:
    assert render(FULL | {"./NAP/1/AddrType": kind}) == Output(())


def test_without_access_points_there_are_no_files() -> None:
    assert render({}) == render({"./NAP/1/Name": "nothing"}) == Output(())


@pytest.mark.parametrize(
    ("leaf", "value"),
    [
        ("Addr", "x\napn=evil"), ("Addr", "a b"), ("Addr", "x" * 65), ("Addr", b"\xff"),
        ("Name", "x\n[ipv4]\nmethod=disabled"), ("AuthInfo/1/AuthName", "x\ty"),
        ("AuthInfo/1/AuthSecret", "x\r\npassword-flags=0"), ("IPv4/DNS/1/DNSAddr", "::1;evil"),
        ("AuthInfo/1/AuthType", "PAP\n"),
    ],
)  # fmt: skip
def test_a_hostile_value_keeps_its_object_out_and_no_other(leaf: str, value: str | bytes) -> None:
    hostile = FULL | {f"./NAP/1/{leaf}": value, "./NAP/2/Addr": "good.example"}
    output = render(hostile)
    assert [b"apn=good.example" in file.content for file in output.files] == [True]
    (problem,) = output.problems
    assert "./NAP/1/" in problem
    assert "evil" not in problem


def test_secrets_are_not_in_a_repr() -> None:
    assert "pass;word" not in repr(render(FULL))
