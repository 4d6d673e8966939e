"""Elements, XML and WBXML through the Python door; the codecs' rules are tested in Rust."""

from __future__ import annotations

import array
import contextlib
import copy

import pytest
from cardea_core import (
    CodecError,
    CoreError,
    Element,
    wbxml_decode,
    wbxml_encode,
    xml_decode,
    xml_encode,
)
from hypothesis import given
from hypothesis import strategies as st

_SYNCML = "SYNCML:SYNCML1.2"
_METINF = "syncml:metinf"


def test_an_element_holds_what_it_was_made_of() -> None:
    child = Element("b", ["x"])
    element = Element(
        "a", ["1", child, b"\xff", "2", "3", ""], attributes=[("k", "v")], namespace="n"
    )
    assert (element.name, element.namespace) == ("a", "n")
    assert element.attributes == (("k", "v"),)
    assert element.content[0] == "1"
    assert element.content[2:] == (b"\xff", "23")
    assert element.attribute("k") == "v"
    assert element.attribute("x") is None
    assert element.data == b"1\xff23"
    found = element.find("b")
    assert found is not None
    assert found.text == "x"
    assert element.findall("b") == [found]
    assert element.find("c") is None
    assert repr(element) == "<Element a with 4 pieces>"


def test_a_child_without_namespace_takes_its_parents() -> None:
    inner = Element("Item", [Element("Data")])
    root = Element("SyncML", [Element("Meta", [Element("Type", namespace=_METINF)]), inner])
    outer = Element("SyncML", root.content, namespace=_SYNCML)
    item = outer.find("Item")
    meta = outer.find("Meta")
    assert item is not None
    assert meta is not None
    assert item.namespace == _SYNCML
    assert [child.namespace for child in item.findall("Data")] == [_SYNCML]
    assert [child.namespace for child in meta.findall("Type")] == [_METINF]
    assert inner.namespace == ""


def test_elements_are_compared_by_value_and_never_printed_with_content() -> None:
    element = Element("Data", ["hunter2"])
    assert element == Element("Data", ["hun", "ter2"])
    assert element != Element("Data", [b"hunter2"])
    assert element != "hunter2"
    assert "hunter2" not in repr(element)
    with pytest.raises(TypeError):
        hash(element)
    with pytest.raises(TypeError):
        copy.deepcopy(element)


def test_content_is_made_of_elements_texts_and_bytes() -> None:
    assert Element("a", [bytearray(b"x"), memoryview(b"y")]).content == (b"x", b"y")  # type: ignore[list-item]  # any buffer does
    assert Element("a", [array.array("B", [1])]).data == b"\x01"  # type: ignore[list-item]  # any buffer does
    assert Element("a", "text").content == ("text",)
    for content in ([1], [None], 1, [["x"]]):
        with pytest.raises(TypeError):
            Element("a", content)  # type: ignore[arg-type]  # what the stub forbids fails at run time too


def test_names_are_checked_when_an_element_is_made() -> None:
    for name in ("", "a b", "<a>", "1a", "p:a"):
        with pytest.raises(CodecError) as caught:
            Element(name)
        assert caught.value.code == "bad_name"
        assert caught.value.offset is None
    with pytest.raises(CodecError) as caught:
        Element("a", attributes=[("k", "1"), ("k", "2")])
    assert caught.value.code == "duplicate_attribute"


def test_depth_is_bounded_when_elements_are_made() -> None:
    element = Element("a")
    for _ in range(255):
        element = Element("a", [element])
    with pytest.raises(CodecError) as caught:
        Element("a", [element])
    assert caught.value.code == "too_deep"


def test_binary_content_is_text_only_if_it_is_utf_8() -> None:
    assert Element("a", [b"caf\xc3\xa9"]).text == "caf\u00e9"
    with pytest.raises(CodecError) as caught:
        _ = Element("a", [b"\xff"]).text
    assert caught.value.code == "bad_text"


def test_errors_carry_code_and_offset_and_no_input() -> None:
    for decode, data, code, offset in (
        (xml_decode, b"<a>hunter2</b>", "not_well_formed", 10),
        (xml_decode, b"<a>&hunter2;</a>", "unknown_entity", 3),
        (wbxml_decode, b"\x03\x0b\x6a\x00\x45\x03hunter2", "truncated", 6),
        (wbxml_decode, b"\x03\x0b\x6a\x00\x3f", "unknown_tag", 4),
    ):
        with pytest.raises(CodecError) as caught:
            decode(data)
        assert isinstance(caught.value, CoreError)
        assert (caught.value.code, caught.value.offset) == (code, offset)
        assert "hunter2" not in str(caught.value)


def test_limits_are_arguments() -> None:
    assert xml_decode(b"<a><b/></a>", max_depth=2).find("b") is not None
    for limits, code in (({"max_depth": 1}, "too_deep"), ({"max_bytes": 10}, "too_large")):
        with pytest.raises(CodecError) as caught:
            xml_decode(b"<a><b/></a>", **limits)
        assert caught.value.code == code
        with pytest.raises(CodecError) as caught:
            wbxml_decode(bytes.fromhex("030b6a004506") + b"\x01" * 10, **limits)
        assert caught.value.code == code


_texts = st.text(
    st.characters(
        codec="utf-8", exclude_characters="\ufffe\uffff", categories=("L", "N", "P", "S", "Z")
    ),
    max_size=20,
)


@given(st.lists(_texts | st.binary(max_size=20), max_size=5))
def test_content_comes_back_from_wbxml(content: list[str | bytes]) -> None:
    root = Element("SyncML", [Element("Data", content)], namespace=_SYNCML)
    assert wbxml_decode(wbxml_encode(root)) == root


@given(_texts, _texts)
def test_text_comes_back_from_xml(text: str, value: str) -> None:
    root = Element("a", [text], attributes=[("b", value)], namespace=_SYNCML)
    assert xml_decode(xml_encode(root)) == root


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for decode in (xml_decode, wbxml_decode):
        with contextlib.suppress(CodecError):
            decode(data)
