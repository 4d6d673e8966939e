"""cardctl as people and scripts use it: a real process against a real daemon."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.daemon import RunningDaemon
from support.stack import Pcsc

ICCID = "8900101000000000019"
ADM = "4341524445413031"


def cardctl(
    daemon: RunningDaemon, *arguments: str, given: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cardctl", "--socket", str(daemon.socket), *arguments],
        capture_output=True,
        text=True,
        input=given,
        timeout=60,
        check=False,
    )


def document(daemon: RunningDaemon, *arguments: str) -> Any:
    done = cardctl(daemon, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_readers_and_card_name_what_is_inserted(daemon: RunningDaemon, pcsc: Pcsc) -> None:
    pcsc.insert()
    card = document(daemon, "card")["card"]
    assert card["iccid"] == ICCID
    assert [a["kind"] for a in card["applications"]] == ["usim", "pkcs15"]
    readers = document(daemon, "readers")["readers"]
    assert [r["state"] for r in readers] == ["card_ready", "empty", "empty"]
    shown = cardctl(daemon, "readers").stdout
    assert pcsc.names[0] in shown
    assert f"cards/{ICCID}" in shown


def test_read_shows_meaning_and_bytes_and_fails_for_what_is_not_there(
    daemon: RunningDaemon, pcsc: Pcsc
) -> None:
    pcsc.insert()
    (file,) = document(daemon, "read", "EF.ICCID")["files"]
    assert file["decoded"] == {"iccid": ICCID}
    assert ICCID in cardctl(daemon, "read", "EF.ICCID").stdout
    both = cardctl(daemon, "read", "EF.ICCID", "3F00/2F99", "--json")
    assert both.returncode == 5
    assert json.loads(both.stdout)["files"][1]["error"]["reason"] == "CARD_FILE_NOT_FOUND"


def test_transmit_keeps_the_selection_between_its_apdus(daemon: RunningDaemon, pcsc: Pcsc) -> None:
    pcsc.insert()
    responses = document(daemon, "transmit", "00A4000C022FE2", "00 B0 00 00 0A")["responses"]
    assert [r["sw"] for r in responses] == ["9000", "9000"]
    assert len(responses[1]["data"]) == 20


def test_tree_names_a_source_for_each_node(daemon: RunningDaemon) -> None:
    nodes = document(daemon, "tree")["nodes"]
    assert nodes[0]["path"] == "."
    assert {n["source"]["kind"] for n in nodes} == {"device"}
    shown = cardctl(daemon, "tree").stdout
    assert "Man = Cardea" in shown
    assert "● server" in shown


def test_explain_names_the_winner(daemon: RunningDaemon) -> None:
    claims = document(daemon, "explain", "./DevInfo/Man")["claims"]
    assert claims[0]["outcome"] == "wins"
    assert "in force" in cardctl(daemon, "explain", "./DevInfo/Man").stdout
    missing = cardctl(daemon, "explain", "./None")
    assert missing.returncode == 1
    assert "[NODE_NOT_FOUND]" in missing.stderr
    assert "cardctl tree" in missing.stderr


def test_explain_finds_the_nodes_that_have_a_value(daemon: RunningDaemon) -> None:
    found = document(daemon, "explain", "--value", "computer")["explanations"]
    assert [each["node"]["path"] for each in found] == ["./DevDetail/DevTyp"]
    shown = cardctl(daemon, "explain", "--value", "computer").stdout
    assert shown == cardctl(daemon, "explain", "./DevDetail/DevTyp").stdout
    missing = cardctl(daemon, "explain", "--value", "no such value")
    assert missing.returncode == 1
    assert missing.stderr.startswith("error [NODE_NOT_FOUND] no node has the value 'no such value'")


def test_a_program_sets_shares_and_deletes_settings_of_its_own(
    daemon: RunningDaemon, tmp_path: Path
) -> None:
    me = f"local:uid-{os.geteuid()}"
    value = tmp_path / "value"
    value.write_bytes(b"\x00\xff")
    done = document(daemon, "set", "./App/x/Text", "zwei Worte")
    assert (done["in_force"], done["node"]["source"]) == (True, {"kind": "device", "id": me})
    raw = document(daemon, "set", "./App/x/Raw", "--file", str(value), "--format", "bin")
    assert raw["node"]["value_hex"] == "00FF"
    acl = document(daemon, "acl", "./App/x/Text")
    assert (acl["own"], acl["from"], acl["given_by"]["id"]) == ("", "./App", me)
    shared = f"Add={me}&Delete={me}&Get=*+{me}&Replace=dm.example+{me}"
    assert document(daemon, "acl", "./App", shared)["own"].endswith(f"Replace=dm.example+{me}")
    given = document(daemon, "delegations", "--by", me)["delegations"]
    assert [(d["grantee"], d["path"], d["verbs"]) for d in given] == [
        ("*", "./App", ["Get"]), ("dm.example", "./App", ["Replace"]),
    ]  # fmt: skip
    revoked = document(daemon, "revoke", "dm.example")["delegations"]
    assert [d["verbs"] for d in revoked] == [["Replace"]]
    tree = json.loads(cardctl(daemon, "export", "./App").stdout)["tree"]
    assert tree["./App/x/Text"]["value"] == "zwei Worte"
    assert "<NodeName>Text</NodeName>" in cardctl(
        daemon, "export", "./App", "--format", "tnds-xml"
    ).stdout.replace("\n", "")
    out = tmp_path / "out"
    assert cardctl(daemon, "export", "--format", "tnds-wbxml", "--out", str(out)).returncode == 0
    assert out.read_bytes()[:1] == b"\x03"
    sources = document(daemon, "sources")["sources"]
    assert {s["source"]["id"]: s["in_force"] > 0 for s in sources} == {me: True, "local": True}
    refused = cardctl(daemon, "set", "./DevInfo/Man", "x")
    assert refused.returncode == 1
    assert "[NODE_READ_ONLY]" in refused.stderr
    assert document(daemon, "delete", "./App")["revision"] > done["revision"]
    operations = document(daemon, "report", me)["operations"]
    assert [(o["verb"], o["path"], o["status"]) for o in operations] == [
        ("Delete", "./App", 200),
        ("Replace", "./DevInfo/Man", 405),
        ("Revoke", ".", 200),
        ("Replace", "./App?prop=ACL", 200),
        ("Replace", "./App/x/Raw", 200),
        ("Replace", "./App/x/Text", 200),
    ]
    for command in ("report", "sources", "delegations"):
        assert cardctl(daemon, command).returncode == 0
    assert cardctl(daemon, "set", "./App/y").returncode == 2


def test_watch_writes_a_json_line_for_each_change(daemon: RunningDaemon, pcsc: Pcsc) -> None:
    command = [
        *(sys.executable, "-m", "cardctl", "--socket", str(daemon.socket)),
        *("watch", "readers", "--json", "--count", "3"),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        first = json.loads(watching.stdout.readline())
        assert len(first["snapshot"]["readers"]) == 3
        pcsc.insert()
        changes = [json.loads(line) for line in watching.stdout]
    assert [c["sequence"] - first["sequence"] for c in changes] == [1, 2]
    assert changes[-1]["changed"]["state"] == "card_ready"


def test_write_card_takes_the_key_from_a_file_or_a_prompt(
    daemon: RunningDaemon, pcsc: Pcsc, tmp_path: Path
) -> None:
    card = pcsc.insert()
    content, key = tmp_path / "content", tmp_path / "adm"
    content.write_bytes(b"from a file")
    key.write_text(f"{ADM}\n")
    option = f"2.23.43.5.1={content}"
    done = document(daemon, "write-card", "--file", option, "--adm-file", str(key))
    assert done["written"]["apdus"] > 0
    assert card.read_file("Bootstrap").startswith(b"from a file")
    content.write_bytes(b"from a prompt")
    asked = cardctl(daemon, "write-card", "--file", option, given=f"{ADM}\n")
    assert asked.returncode == 0
    assert card.read_file("Bootstrap").startswith(b"from a prompt")
    assert ADM not in asked.stdout + asked.stderr


def test_a_failure_goes_to_standard_error_and_the_exit_code(daemon: RunningDaemon) -> None:
    failed = cardctl(daemon, "card", "cards/none", "--json")
    assert failed.returncode == 5
    assert failed.stdout == ""
    assert json.loads(failed.stderr)["error"]["reason"] == "CARD_NOT_FOUND"


@pytest.mark.parametrize("command", ["status", "accounts"])
def test_with_nothing_done_yet_there_is_nothing_to_show(
    daemon: RunningDaemon, command: str
) -> None:
    assert list(document(daemon, command).values()) == [[]]
    assert cardctl(daemon, command).returncode == 0


def test_sync_with_an_unknown_server_says_where_the_servers_are_listed(
    daemon: RunningDaemon,
) -> None:
    failed = cardctl(daemon, "sync", "nobody.example")
    assert failed.returncode == 6
    assert "[ACCOUNT_NOT_FOUND]" in failed.stderr
    assert "cardctl accounts" in failed.stderr


def test_preview_changes_nothing(daemon: RunningDaemon, pcsc: Pcsc) -> None:
    pcsc.insert()
    before = document(daemon, "tree")
    preview = document(daemon, "preview")
    assert preview["documents"][0]["oid"] == "2.23.43.5.1"
    assert preview["changes"]
    assert document(daemon, "tree") == before


def test_a_run_that_fails_leaves_the_tree_as_it_was_and_says_why(pcsc: Pcsc) -> None:
    """Nobody listens where the card's server is said to be."""
    pcsc.insert()
    nobody = (
        '[provisioning]\non_insert = false\n[network.hosts]\n"dm.example.org:443" = "127.0.0.1:9"\n'
    )
    with RunningDaemon(pcsc.readers.socket, nobody) as daemon:
        before = document(daemon, "tree")
        failed = cardctl(daemon, "provision", "--json")
        assert failed.returncode == 6
        stages = [json.loads(line)["stage"] for line in failed.stdout.splitlines()]
        assert stages[0] == "reading_card"
        assert stages[-1] == "failed"
        assert json.loads(failed.stderr)["error"]["reason"] == "SERVER_UNREACHABLE"
        assert document(daemon, "tree") == before
        (status,) = document(daemon, "status")["statuses"]
        assert status["last_result"]["reason"] == "SERVER_UNREACHABLE"
