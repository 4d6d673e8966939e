"""What people see: the source of every value, never a secret, and no colour that is needed."""

from __future__ import annotations

import io

import pytest
from cardctl import screen
from cardctl.console import new_console
from cardctl.plain import plain
from cardea.v1 import provisioning_pb2, readers_pb2, tree_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console, RenderableType

SERVER = tree_pb2.Source(kind=tree_pb2.SOURCE_KIND_SERVER, id="dm.example")
CARD = tree_pb2.Source(kind=tree_pb2.SOURCE_KIND_CARD, id="8949")
DEVICE = tree_pb2.Source(kind=tree_pb2.SOURCE_KIND_DEVICE, id="local")

NODES = [
    tree_pb2.Node(path=".", interior=True, source=DEVICE),
    tree_pb2.Node(path="./NAP", interior=True, source=CARD),
    tree_pb2.Node(path="./NAP/Addr", format="chr", value=b"internet", source=SERVER),
    tree_pb2.Node(path="./NAP/Name", format="chr", value=b"Operator", source=CARD),
    tree_pb2.Node(path="./NAP/Raw", format="bin", value=b"\x00\xff", source=DEVICE),
    tree_pb2.Node(path="./NAP/AuthSecret", format="chr", secret=True, source=CARD),
]


def shown(view: RenderableType, *, colours: bool = False) -> str:
    stream = io.StringIO()
    Console(
        file=stream, width=120, force_terminal=colours, color_system="standard" if colours else None
    ).print(view)
    return stream.getvalue()


def test_each_leaf_is_shown_with_value_and_source_without_colours_too() -> None:
    text = shown(screen.tree_view(NODES, 7))
    for part in (
        "Addr = internet  server dm.example",
        "Name = Operator  card 8949",
        "Raw = 00 FF  device",
        "AuthSecret = ••••  card 8949",
        "revision 7",
        "● server",
    ):
        assert part in text


def test_the_three_sources_have_three_colours() -> None:
    lines = shown(screen.tree_view(NODES, 7), colours=True).splitlines()
    colours = {
        name: next(line for line in lines if name in line).split("m" + name)[0][-2:]
        for name in ("Addr", "Name", "Raw")
    }
    assert len(set(colours.values())) == 3


def test_a_subtree_shows_the_whole_path_of_its_root() -> None:
    assert "./NAP\n" in shown(screen.tree_view(NODES[1:], 7))


def test_explain_says_why_each_lost() -> None:
    answer = tree_pb2.ExplainNodeResponse(
        node=NODES[2],
        claims=[
            tree_pb2.Claim(source=SERVER, value=b"a", outcome=tree_pb2.CLAIM_OUTCOME_WINS),
            tree_pb2.Claim(
                source=CARD, absent=True, outcome=tree_pb2.CLAIM_OUTCOME_LOWER_PRECEDENCE
            ),
            tree_pb2.Claim(source=DEVICE, secret=True, outcome=tree_pb2.CLAIM_OUTCOME_HIDDEN),
            tree_pb2.Claim(source=DEVICE, interior=True, path="./NAP/Addr"),
            tree_pb2.Claim(source=SERVER, absent=True, path="./NAP"),
        ],
        acl="Get=*",
        acl_from=".",
    )
    text = shown(screen.explain_view(answer, "./NAP/Addr"))
    for part in (
        *("in force", "stronger source", "(deleted)", "••••", "ACL    Get=*"),
        *("(interior)", "(no room below ./NAP)"),
    ):
        assert part in text


def test_nothing_that_others_have_named_commands_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    hostile = tree_pb2.Source(kind=tree_pb2.SOURCE_KIND_SERVER, id="a\x1b]0;b\x07\x9b2J\u202ec")
    info = tree_pb2.SourceInfo(source=hostile)
    node = tree_pb2.Node(path="./A/\u202ex", value="ü — ok\tx".encode(), source=hostile)
    console = new_console()
    console.print(screen.sources_table(tree_pb2.ListSourcesResponse(sources=[info])))
    console.print(screen.tree_view([node], 1))
    text = capsys.readouterr().out
    assert "server a\ufffd]0;b\ufffd" in text
    assert "./A/\ufffdx = ü — ok" in text
    assert text.replace("\n", "").isprintable()


def test_every_stage_state_and_outcome_has_words() -> None:
    for stage in provisioning_pb2.Stage.values():
        line = str(screen.stage_line(provisioning_pb2.ProvisionResponse(stage=stage)))
        assert ("?" in line) == (stage == provisioning_pb2.STAGE_UNSPECIFIED)
    for state in readers_pb2.ReaderState.values():
        line = str(screen.reader_line(readers_pb2.Reader(state=state)))
        assert ("unknown" in line) == (state == readers_pb2.READER_STATE_UNSPECIFIED)
    for outcome in tree_pb2.ClaimOutcome.values():
        claim = tree_pb2.Claim(source=CARD, outcome=outcome)
        text = shown(screen.explain_view(tree_pb2.ExplainNodeResponse(claims=[claim]), "."))
        assert ("?" in text) == (outcome == tree_pb2.CLAIM_OUTCOME_UNSPECIFIED)


def test_json_has_words_for_enums_units_in_names_and_no_secret() -> None:
    assert plain(NODES[2]) == {
        "path": "./NAP/Addr",
        "interior": False,
        "format": "chr",
        "type": "",
        "value": "internet",
        "secret": False,
        "source": {"kind": "server", "id": "dm.example"},
    }
    assert plain(NODES[4])["value_hex"] == "00FF"
    assert plain(NODES[5])["value"] is None
    progress = provisioning_pb2.ProvisionResponse(elapsed=Duration(seconds=1, nanos=500_000_000))
    assert plain(progress)["elapsed_s"] == 1.5
    claim = tree_pb2.Claim(claimed_at=Timestamp(seconds=0))
    assert plain(claim)["claimed_at"] == "1970-01-01T00:00:00.000+00:00"


def test_a_failure_of_before_is_no_remark_on_the_run_under_way() -> None:
    last = provisioning_pb2.ProvisioningResult(reason="SERVER_UNREACHABLE", message="no answer")
    for stage, remark in (
        (provisioning_pb2.STAGE_FAILED, True),
        (provisioning_pb2.STAGE_MANAGING, False),
        (provisioning_pb2.STAGE_NOTHING_TO_PROVISION, False),
    ):
        status = provisioning_pb2.ProvisioningStatus(card="8949", stage=stage, last_result=last)
        assert ("SERVER_UNREACHABLE" in shown(screen.status_table([status]))) is remark
    assert "Nothing to provision" in shown(screen.status_table([status]))


def test_json_has_maps_whole() -> None:
    last = provisioning_pb2.ProvisioningResult(left_out={"b": "SERVER_UNREACHABLE", "a": "X"})
    assert plain(last)["left_out"] == {"a": "X", "b": "SERVER_UNREACHABLE"}
