"""TNDS objects: nested and flat, empty names, formats, paths, hostile ones."""

from __future__ import annotations

import pytest
from cardea_core import Element, xml_decode
from hypothesis import given
from hypothesis import strategies as st
from omadm.errors import FormatError
from omadm.nodes import TreeNode, interior, leaf
from omadm.tnds import read, write


def tree(body: str) -> Element:
    return xml_decode(f'<MgmtTree xmlns="syncml:dmddf1.2">{body}</MgmtTree>'.encode())


MAIL = """
<VerDTD>1.2</VerDTD>
<Node>
  <NodeName>E-Mail</NodeName>
  <RTProperties><ACL>Get=srv</ACL><Format><node/></Format>
    <Type><DDFName>urn:oma:mo:org.example.mail:1.0</DDFName></Type></RTProperties>
  <Node>
    <NodeName>POP3</NodeName>
    <Node><NodeName>Server</NodeName>
      <RTProperties><Format><chr/></Format><Type><MIME>text/plain</MIME></Type></RTProperties>
      <Value>mail.example.com</Value></Node>
    <Node><NodeName>Port</NodeName>
      <RTProperties><Format><int/></Format><Type><MIME>text/plain</MIME></Type></RTProperties>
      <Value>110</Value></Node>
    <Node><NodeName>Key</NodeName>
      <RTProperties><Format><b64/></Format></RTProperties><Value>AAECAw==</Value></Node>
  </Node>
</Node>
"""

NODES = (
    interior("./Op/E-Mail", mime="urn:oma:mo:org.example.mail:1.0", acl="Get=srv"),
    interior("./Op/E-Mail/POP3"),
    leaf("./Op/E-Mail/POP3/Server", "mail.example.com"),
    leaf("./Op/E-Mail/POP3/Port", "110", format="int"),
    leaf("./Op/E-Mail/POP3/Key", bytes(range(4))),
)


def test_nested_nodes_are_read_below_the_target() -> None:
    assert read(tree(MAIL), base="./Op") == NODES


def test_flat_nodes_with_paths_are_the_same_tree() -> None:
    flat = tree(
        "<Node><NodeName>a</NodeName></Node>"
        "<Node><NodeName>b</NodeName><Path>a</Path></Node>"
        "<Node><NodeName>c</NodeName><Path>./a/b</Path><Value>x</Value></Node>"
    )
    assert read(flat, base="./T") == (
        interior("./T/a"),
        interior("./T/a/b"),
        leaf("./T/a/b/c", "x"),
    )


def test_an_empty_name_at_the_top_is_the_target_itself() -> None:
    found = read(
        tree("<Node><NodeName/><Node><NodeName>x</NodeName><Value>1</Value></Node></Node>"),
        base="./DMAcc/1",
    )
    assert [node.path for node in found] == ["./DMAcc/1", "./DMAcc/1/x"]


def test_without_a_target_paths_start_at_the_root() -> None:
    assert read(tree("<Node><NodeName>a</NodeName></Node>")) == (interior("./a"),)


def test_a_format_written_as_text_is_read() -> None:
    body = (
        "<Node><NodeName>a</NodeName><RTProperties><Format>bool</Format></RTProperties>"
        "<Value>true</Value></Node>"
    )
    assert read(tree(body))[0].format == "bool"


def test_a_leaf_without_value_is_empty() -> None:
    body = "<Node><NodeName>a</NodeName><RTProperties><Format><chr/></Format></RTProperties></Node>"
    assert read(tree(body)) == (leaf("./a", ""),)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "empty_tnds"),
        ("<VerDTD>1.2</VerDTD>", "empty_tnds"),
        ("<Node><NodeName>..</NodeName></Node>", "bad_path"),
        ("<Node><NodeName>a/../../b</NodeName></Node>", "bad_path"),
        ("<Node><Path>../..</Path><NodeName>a</NodeName></Node>", "bad_path"),
        (
            "<Node><NodeName>a</NodeName></Node><Node><NodeName>a</NodeName></Node>",
            "duplicate_node",
        ),
        ("<Node><NodeName>a</NodeName><Node><Value>x</Value></Node></Node>", "node_without_name"),
        (
            "<Node><NodeName>a</NodeName><Value>x</Value><Node><NodeName>b</NodeName></Node></Node>",
            "leaf_with_children",
        ),
        (
            "<Node><NodeName>a</NodeName><RTProperties><Format><exe/></Format></RTProperties></Node>",
            "unknown_format",
        ),
        (
            "<Node><NodeName>a</NodeName><RTProperties><Format><b64/></Format></RTProperties>"
            "<Value>*</Value></Node>",
            "bad_base64",
        ),
        ("<Node><NodeName>a</NodeName><Value><x/></Value></Node>", "markup_in_value"),
        (f"<Node><NodeName>{'a' * 200}</NodeName></Node>", "bad_path"),
    ],
)
def test_hostile_objects_are_named(body: str, reason: str) -> None:
    with pytest.raises(FormatError) as caught:
        read(tree(body))
    assert caught.value.reason == reason


def test_another_root_is_no_tnds() -> None:
    with pytest.raises(FormatError, match="not_tnds"):
        read(Element("Node"))


def test_written_object_is_nested_and_states_format_and_type() -> None:
    assert read(write(NODES, base="./Op"), base="./Op") == NODES
    root = write(NODES, base="./Op")
    assert [part.name for part in root.content if isinstance(part, Element)] == ["VerDTD", "Node"]


def test_the_target_itself_is_written_without_a_name() -> None:
    nodes = (interior("./A/B", mime="urn:x"), leaf("./A/B/c", "1"))
    root = write(nodes, base="./A/B")
    node = root.find("Node")
    assert node is not None
    name = node.find("NodeName")
    assert name is not None
    assert name.text == ""
    assert read(root, base="./A/B") == nodes


def test_a_value_that_is_no_text_cannot_be_written_as_text() -> None:
    with pytest.raises(FormatError, match="value_not_text"):
        write([TreeNode("./a", b"\xff", "chr")])


names = st.text(st.characters(categories=["Ll", "Nd"]), min_size=1, max_size=6)
values = st.one_of(
    st.builds(lambda text: ("chr", text.encode()), st.text("abc <&>\"'", max_size=8)),
    st.builds(lambda raw: ("bin", raw), st.binary(max_size=8)),
)


@given(st.dictionaries(st.lists(names, min_size=1, max_size=3).map(tuple), values, max_size=8))
def test_every_tree_survives(leaves: dict[tuple[str, ...], tuple[str, bytes]]) -> None:
    nodes: dict[str, TreeNode] = {}
    for path, (format_word, value) in leaves.items():
        parents = ["./" + "/".join(path[:depth]) for depth in range(1, len(path))]
        here = "./" + "/".join(path)
        if here in nodes or any(p in nodes and not nodes[p].interior for p in parents):
            continue
        for parent in parents:
            nodes.setdefault(parent, interior(parent))
        nodes[here] = leaf(here, value, format=format_word, mime="text/plain")
    if nodes:
        found = read(write(nodes.values()))
        assert {node.path: node for node in found} == nodes
