"""How messages travel to and from a DM 1.2 server that our daemon does not know."""

from __future__ import annotations

import base64

import pytest

from foreign import syncml, wbxml
from foreign.bench import NAME, Bench, Tell
from foreign.dm_server import (
    WBXML,
    Say,
    add,
    alert,
    command,
    get,
    item,
)
from foreign.syncml import text

BLOB = bytes(range(256)) * 40


def _pieces(path: str, data: str, length: int, size: int, form: str | None) -> list[Say]:
    parts = [data[at : at + length] for at in range(0, len(data), length)]
    last = len(parts) - 1
    return [
        Say(
            (
                command(
                    "Add",
                    item(
                        path,
                        part,
                        form,
                        size=size if at == 0 else None,
                        more=at < last,
                        mime="application/octet-stream" if form else None,
                    ),
                ),
            ),
            final=at == last,
        )
        for at, part in enumerate(parts)
    ]


@pytest.mark.parametrize("size", ["carried", "decoded"])
@pytest.mark.parametrize("length", [4000, 1001])
def test_a_large_object_comes_in_pieces(tell: Tell, size: str, length: int) -> None:
    """DM Protocol 1.2 §7; base64 cut anywhere, Size as it is carried or decoded."""
    whole = syncml.b64(BLOB)
    total = len(whole) if size == "carried" else len(BLOB)
    path = f"./Big/{size}{length}"
    server = tell(*_pieces(path, whole, length, total, "b64"), (get(path),))
    codes = [code for verb, _, code in server.statuses() if verb == "Add"]
    assert codes == [213] * (len(codes) - 1) + [200]
    assert server.alerts().count("1222") == len(codes) - 1
    assert base64.b64decode(server.values()[path]) == BLOB


def test_a_large_object_that_breaks_off_is_told_by_1225_and_one_of_wrong_size_by_424(
    tell: Tell,
) -> None:
    text_pieces = _pieces("./Big/Text", "x" * 3000, 1000, 3000, None)
    wrong = _pieces("./Big/Wrong", "x" * 3000, 1000, 2999, None)
    server = tell(text_pieces[0], Say((add("./Big/Other", "1"),)), *wrong, (get("./Big/Text"),))
    assert "1225" in server.alerts()
    codes = {(verb, target, code) for verb, target, code in server.statuses()}
    assert ("Add", "./Big/Other", 200) in codes
    assert ("Add", "./Big/Wrong", 424) in codes
    assert ("Get", "./Big/Text", 404) in codes


def test_answers_keep_within_the_servers_message_size(tell: Tell) -> None:
    """DM Protocol 1.2 §6.1.2, §7: large results in pieces, long listings in several Results."""
    whole = syncml.b64(BLOB)
    server = tell(
        (add("./Wide/Blob", whole, "b64"), *(add(f"./Wide/N{n:02}", "v" * 50) for n in range(30))),
        Say((get("./Wide/Blob"), get("./Wide?list=StructData")), max_msg_size=2000),
    )
    late = server.sessions[-1][2:]
    assert len(late) > 3
    assert max(heard.size for heard in late) <= 2000
    pieces = [
        i
        for heard in late
        for r in heard.all("Results")
        for i in r.findall("Item")
        if text(i, "Source/LocURI") == "./Wide/Blob" and i.find("Data") is not None
    ]
    blob = "".join(
        (i.findtext("Data") or "") for i in pieces if i.find("Meta/Size") is not None or i
    )
    assert "MoreData" in {e.tag for heard in late for e in heard.root.iter()}
    assert whole[:100] in blob
    listed = set(server.results())
    assert {f"./Wide/N{n:02}" for n in range(30)} <= listed


def test_an_answer_above_the_servers_object_size_is_refused(tell: Tell) -> None:
    server = tell(
        (add("./Wide2/Text", "x" * 5000),), Say((get("./Wide2/Text"),), max_obj_size=4000)
    )
    assert ("Get", "./Wide2/Text", 413) in server.statuses()
    assert server.values() == {}


def test_a_package_of_several_messages_is_asked_for_and_answered(tell: Tell) -> None:
    """DM Protocol 1.2 §6: Status and Alert 1222 in between, no Final."""
    server = tell(
        Say((add("./Pk/A", "1"),), final=False),
        Say((add("./Pk/B", "2"),), final=False),
        Say((get("./Pk"),)),
    )
    heard = server.sessions[-1]
    assert [h.final for h in heard] == [True, False, False, True]
    assert server.alerts().count("1222") == 2
    assert set(server.values()["./Pk"].split("/")) == {"A", "B"}


@pytest.mark.parametrize(
    ("resp_uri", "path"),
    [
        (f"https://{NAME}/mgmt/session/abc?id=1&x=%20", "/mgmt/session/abc?id=1&x=%20"),
        (f"https://{NAME}:443/other", "/other"),
        ("/mgmt/absolute?y=2", "/mgmt/absolute?y=2"),
        ("?sid=77", "/mgmt/entry?sid=77"),
    ],
)
def test_the_next_message_goes_to_the_resp_uri(tell: Tell, resp_uri: str, path: str) -> None:
    server = tell(Say((get("./DevInfo/Man"),), resp_uri=resp_uri))
    assert [heard.path for heard in server.sessions[-1]] == ["/mgmt/entry?tenant=7", path]


def test_an_abort_of_the_server_ends_the_session_without_an_answer(there: Bench) -> None:
    """DM Protocol 1.2 §8.1: a client that receives Alert 1223 does not respond."""
    with pytest.raises(Exception, match="abort"):
        there.session((add("./Aborted", "1"), alert(1223)))
    assert len(there.server.sessions[-1]) == 1


def test_a_server_that_has_nothing_to_say_ends_the_session_with_final(tell: Tell) -> None:
    server = tell()
    assert len(server.sessions[-1]) == 1


def test_wbxml_answers_hold_binary_data_as_bytes(
    there: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DM TND 1.2 §7.7.2: Format bin, and the octets as they are."""
    monkeypatch.setattr(there.server, "write", syncml.libwbxml)
    monkeypatch.setattr(there.server, "content_type", WBXML)
    server = there.session(
        (add("./Bin", syncml.b64(BLOB), "b64"), add("./Bt/A", "1"), add("./Bt/B", "2")),
        (get("./Bin"), get("./Bt?list=TNDS")),
    )
    found = server.results()["./Bin"]
    assert text(found, "Meta/Format") == "bin"
    data = found.find("Data")
    assert data is not None
    assert bytes.fromhex(data.get("opaque", "")) == BLOB
    document = server.results()["./Bt?list=TNDS"].find("Data")
    assert document is not None
    tree = wbxml.read(bytes.fromhex(document.get("opaque", "")))
    # TNDS 1.2 §6.3.1.6: the node without a name is the one that was asked for.
    assert {text(n, "NodeName") for n in tree.iter("Node")} == {"", "A", "B"}
