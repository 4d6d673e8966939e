"""Whole DM sessions against a device of its own making: it converges to what is desired."""

import base64
from typing import Any

import pytest
from dmsd.registry import Registry
from dmsd.session import Limits
from omadm import codec
from omadm.messages import (
    Add,
    Alert,
    Atomic,
    Command,
    Get,
    Item,
    Message,
    Meta,
    Replace,
    Status,
)
from omadm.status import AlertCode, StatusCode

from .conftest import DEVICE, Bench
from .device import Device, Node

DESIRED: dict[str, Any] = {
    "tree": {
        "./Service/URL": "https://service.example.org/",
        "./Service/Port": {"format": "int", "value": 443},
        "./Service/Blob": {"format": "bin", "value": base64.b64encode(b"\x00\xff\x01").decode()},
        "./Service/Name": "déjà vu & <more>",
    },
    "absent": ["./Service/Old"],
}


def written(device: Device) -> list[Add | Replace]:
    """All that the server wanted changed, those in an Atomic too."""
    found: list[Command] = []
    for message in device.seen:
        for command in message.commands:
            found += command.commands if isinstance(command, Atomic) else [command]
    return [command for command in found if isinstance(command, Add | Replace)]


def codes(message: Message, name: str) -> list[int]:
    """The codes of the statuses for commands of that name."""
    return [c.code for c in message.commands if isinstance(c, Status) and c.cmd == name]


@pytest.mark.parametrize(
    ("encoding", "content_type"),
    [
        ("wbxml", codec.WBXML_TYPE),
        ("xml", codec.XML_TYPE),
        ("wbxml", "application/vnd.syncml+wbxml"),
        ("xml", "application/vnd.syncml+xml"),
    ],
)
def test_a_device_takes_what_is_desired_in_its_own_encoding(
    bench: Bench, encoding: codec.Encoding, content_type: str
) -> None:
    bench.add_account()
    bench.desire(**DESIRED)
    device = bench.device(encoding=encoding, content_type=content_type)
    device.nodes["./Service/Old"] = Node(b"gone soon")
    device.nodes["./Service/Port"] = Node(b"80", "int")
    device.run()
    assert {path: node.value for path, node in device.nodes.items()} == {
        "./Service/URL": b"https://service.example.org/",
        "./Service/Port": b"443",
        "./Service/Blob": b"\x00\xff\x01",
        "./Service/Name": "déjà vu & <more>".encode(),
    }
    assert bench.last_session().outcome == "converged"


def test_only_what_differs_travels(bench: Bench) -> None:
    bench.add_account()
    bench.desire(**DESIRED)
    device = bench.device()
    device.run()
    device.seen.clear()
    device.nodes["./Service/Port"].value = b"8080"
    device.run()
    assert [type(c).__name__ for c in written(device)] == ["Replace"]
    device.seen.clear()
    device.run()
    assert written(device) == []


def test_missing_nodes_are_added_and_present_ones_replaced(bench: Bench) -> None:
    bench.add_account()
    bench.desire(tree={"./A/New": "1", "./A/Present": "2"})
    device = bench.device()
    device.nodes["./A/Present"] = Node(b"old")
    device.run()
    assert [(c.name, c.items[0].target) for c in written(device)] == [
        ("Add", "./A/New"),
        ("Replace", "./A/Present"),
    ]


def test_several_changes_are_one_atomic(bench: Bench) -> None:
    bench.add_account()
    bench.desire(**DESIRED)
    device = bench.device()
    device.run()
    atomics = [c for m in device.seen for c in m.commands if isinstance(c, Atomic)]
    assert len(atomics) == 1


def test_a_failing_atomic_leaves_the_device_as_it_was_and_is_reported(bench: Bench) -> None:
    bench.add_account()
    bench.desire(tree={"./A/Fine": "1", "./A/Wrong": "2"})
    device = bench.device(refusals={("Add", "./A/Wrong"): StatusCode.UNSUPPORTED_FORMAT})
    device.run()
    assert device.nodes == {}
    assert bench.last_session().outcome == "partial"
    assert ("Add", "./A/Fine", 216) in bench.statuses()
    assert ("Add", "./A/Wrong", 415) in bench.statuses()


def test_what_another_authority_holds_does_not_hold_back_the_rest(bench: Bench) -> None:
    bench.add_account()
    theirs = ("./A/Held", "./B/Held", "./D/Held")
    bench.desire(tree={"./A/Fine": "1", "./C/Fine": "2"} | dict.fromkeys(theirs, "3"))
    refusals = {("Add", path): StatusCode.PERMISSION_DENIED for path in theirs}
    device = bench.device(refusals=refusals)
    device.run()
    assert {path for path, node in device.nodes.items() if node.value is not None} == {
        "./A/Fine",
        "./C/Fine",
    }
    assert bench.last_session().outcome == "partial"
    assert {("Add", path, 425) for path in theirs} <= set(bench.statuses())


def test_a_device_without_atomic_gets_single_commands(bench: Bench) -> None:
    bench.add_account()
    bench.desire(**DESIRED)
    device = bench.device(lacks=frozenset({"Atomic"}))
    device.run()
    assert device.nodes["./Service/Port"].value == b"443"
    assert bench.last_session().outcome == "converged"


@pytest.mark.parametrize("lacks", [frozenset[str](), frozenset({"Atomic"})])
def test_a_device_that_makes_no_parents_gets_them_made(bench: Bench, lacks: frozenset[str]) -> None:
    bench.add_account()
    bench.desire(tree={"./A/B/C": "1", "./A/B/D": "2", "./E": "3", "./F": "4"})
    device = bench.device(makes_parents=False, lacks=lacks)
    device.nodes["./F"] = Node(b"old")
    device.run()
    leaves = {path: node.value for path, node in device.nodes.items() if node.value is not None}
    assert leaves == {"./A/B/C": b"1", "./A/B/D": b"2", "./E": b"3", "./F": b"4"}
    assert bench.last_session().outcome == "converged"


def test_every_status_is_recorded_for_server_and_device(bench: Bench) -> None:
    bench.add_account()
    bench.desire(tree={"./A/B": "1"})
    bench.device().run()
    assert bench.statuses() == [("Get", "./A/B", 404), ("Add", "./A/B", 200)]
    row = bench.registry.journal.commands(device=DEVICE)[0]
    assert (row.server, row.device, row.session) == (
        "dms.example.org",
        DEVICE,
        bench.last_session().id,
    )


def test_a_session_row_tells_who_when_and_how_it_ended(bench: Bench) -> None:
    bench.add_account()
    bench.desire(tree={"./A/B": "1"})
    bench.device().run()
    session = bench.last_session()
    assert (session.account, session.trust, session.outcome) == ("device-user", "md5", "converged")
    assert session.started_ms < (session.ended_ms or 0)
    assert session.messages == 3
    assert len(session.id) == 16


def test_without_wishes_and_proof_the_session_ends_with_statuses_only(bench: Bench) -> None:
    bench.add_account(server_secret="")
    device = bench.device(checks_server=False)
    last = device.run()
    assert len(device.seen) == 1
    assert last.final


def test_without_wishes_one_question_gives_the_client_room_to_answer_our_proof(
    bench: Bench,
) -> None:
    bench.add_account()
    device = bench.device(server_nonce=b"stale")
    device.run()
    assert device.server_known
    assert bench.last_session().outcome == "converged"
    assert {command for command, _, _ in bench.statuses()} == {"Get"}


def test_devinfo_is_kept(bench: Bench) -> None:
    bench.add_account()
    bench.device().run(
        first=(
            Replace(
                0,
                (
                    Item(source="./DevInfo/Man", data="Maker"),
                    Item(source="./DevInfo/Mod", data="Model"),
                ),
            ),
        )
    )
    assert bench.registry.devices.get(DEVICE).info == {
        "DevId": DEVICE,
        "Man": "Maker",
        "Mod": "Model",
    }


def test_a_report_is_recorded_with_its_correlator(bench: Bench) -> None:
    bench.add_account()
    device = bench.device()
    device.alerts = [
        Alert(
            0,
            AlertCode.GENERIC,
            (
                Item(
                    source=".",
                    meta=Meta(
                        type="Reversed-Domain-Name: org.cardea.install",
                        format="chr",
                        mark="informational",
                    ),
                    data="200",
                ),
            ),
            correlator="abc-1",
        )
    ]
    device.run()
    last = device.seen[0]
    assert codes(last, "Alert") == [200, 200]
    report = bench.registry.journal.reports(DEVICE)[0]
    assert (report.type, report.data, report.correlator, report.source, report.mark) == (
        "org.cardea.install",
        "200",
        "abc-1",
        ".",
        "informational",
    )


def test_a_report_without_type_is_incomplete(bench: Bench) -> None:
    bench.add_account()
    device = bench.device()
    device.alerts = [Alert(0, AlertCode.GENERIC, (Item(source=".", data="200"),))]
    device.run()
    last = device.seen[0]
    assert codes(last, "Alert") == [200, 412]
    assert bench.registry.journal.reports(DEVICE) == ()


def test_a_client_may_not_give_orders(bench: Bench) -> None:
    bench.add_account()
    device = bench.device()
    device.run(first=(Get(0, (Item(target="./Secrets"),)),))
    assert codes(device.seen[0], "Get") == [405]


def test_a_value_that_cannot_be_read_is_sent_once(bench: Bench) -> None:
    bench.add_account()
    bench.desire(tree={"./A/Secret": "s3cret"})
    device = bench.device()
    device.nodes["./A/Secret"] = Node(b"other", readable=False)
    device.run()
    assert device.nodes["./A/Secret"].value == b"s3cret"
    device.seen.clear()
    device.run()
    assert written(device) == []
    bench.desire(tree={"./A/Secret": "newer"})
    device.run()
    assert device.nodes["./A/Secret"].value == b"newer"


def test_a_leaf_in_the_place_of_an_interior_node_is_made_anew(bench: Bench) -> None:
    bench.add_account()
    bench.desire(tree={"./A": {"format": "node"}, "./B": "leaf"})
    device = bench.device(lacks=frozenset({"Atomic"}))
    device.nodes["./A"] = Node(b"leaf")
    device.nodes["./B"] = Node(None, "node")
    device.nodes["./B/C"] = Node(b"below")
    device.run()
    assert {p: n.value for p, n in device.nodes.items()} == {"./A": None, "./B": b"leaf"}


def test_a_node_denied_to_us_is_left_alone_and_reported(bench: Bench) -> None:
    bench.add_account()
    bench.desire(tree={"./A": "1", "./B": "2"})
    device = bench.device(refusals={("Get", "./A"): StatusCode.PERMISSION_DENIED})
    device.run()
    assert set(device.nodes) == {"./B"}
    assert bench.last_session().outcome == "partial"


@pytest.mark.parametrize("encoding", ["wbxml", "xml"])
@pytest.mark.parametrize("limit", [1200, 2048, 5000])
def test_no_message_exceeds_what_the_client_takes(
    registry: Registry, encoding: codec.Encoding, limit: int
) -> None:
    bench = Bench(registry, Limits())
    bench.add_account()
    bench.desire(
        tree={f"./Many/N{n:03}": f"value {n} " + "x" * (n % 90) for n in range(120)}
        | {"./Large/Text": "é€" * 3000, "./Large/Blob": {"format": "bin", "value": "q83v" * 2500}}
    )
    device = bench.device(
        encoding=encoding,
        content_type=codec.content_type(encoding),
        max_msg_size=limit,
        max_obj_size=1 << 20,
        send_size=limit,
    )
    device.run()
    assert max(device.sizes) <= limit
    assert len(device.nodes) == 122
    assert device.nodes["./Large/Text"].value == ("é€" * 3000).encode()
    assert device.nodes["./Large/Blob"].value == base64.b64decode("q83v" * 2500)
    assert bench.last_session().outcome == "converged"


def test_a_client_that_says_200_to_a_piece_gets_the_rest(bench: Bench) -> None:
    bench.add_account()
    bench.desire(tree={"./Large": "x" * 5000})
    device = bench.device(max_msg_size=2000, piece_status=StatusCode.OK)
    device.run()
    assert device.nodes["./Large"].value == b"x" * 5000
    assert bench.last_session().outcome == "converged"


def test_an_object_above_what_the_client_takes_is_not_sent(bench: Bench) -> None:
    bench.add_account()
    bench.desire(tree={"./Large": "x" * 5000, "./Small": "y"})
    device = bench.device(max_msg_size=2000, max_obj_size=4000)
    device.run()
    assert set(device.nodes) == {"./Small"}
    assert ("Add", "./Large", 413) in bench.statuses()
    assert bench.last_session().outcome == "partial"


def test_a_client_that_aborts_is_answered_and_recorded(bench: Bench) -> None:
    bench.add_account()
    bench.desire(tree={"./A": "1"})
    device = bench.device()
    last = device.run(first=(Alert(0, AlertCode.SESSION_ABORT),))
    assert last.final
    assert not any(isinstance(c, Get) for c in last.commands)
    assert bench.last_session().outcome == "aborted_by_device"
