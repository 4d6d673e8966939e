"""Large objects: cut where they may be, and put together whatever the pieces look like."""

import base64

import pytest
from dmsd.chunks import ChunkError, Reassembly, cut
from hypothesis import given
from hypothesis import strategies as st
from omadm.errors import FormatError
from omadm.messages import Item, Meta
from omadm.status import StatusCode

KEY = ("Results", 1, 1)


def items(pieces: list[str | bytes], form: str, size: int | None = None) -> list[Item]:
    return [
        Item(
            meta=Meta(format=form, size=size if index == 0 else None),
            data=piece,
            more_data=index < len(pieces) - 1,
        )
        for index, piece in enumerate(pieces)
    ]


def put_together(pieces: list[Item]) -> bytes:
    reassembly = Reassembly(100_000)
    *first, last = pieces
    assert [reassembly.take(KEY, item) for item in first] == [None] * len(first)
    whole = reassembly.take(KEY, last)
    assert whole is not None
    assert not reassembly.busy
    return whole.payload


@given(st.binary(min_size=1, max_size=300), st.lists(st.integers(1, 50), min_size=1))
def test_base64_may_be_cut_anywhere(data: bytes, lengths: list[int]) -> None:
    text = base64.b64encode(data).decode()
    pieces: list[str | bytes] = []
    while text:
        length = lengths[len(pieces) % len(lengths)]
        piece, text = text[:length], text[length:]
        # As the codec hands them over: whole groups are decoded, others stay text.
        pieces.append(piece if len(piece) % 4 else base64.b64decode(piece))
    assert put_together(items(pieces, "b64", len(data))) == data


@given(st.text(max_size=300), st.integers(4, 60))
def test_text_is_cut_between_characters(text: str, room: int) -> None:
    value = text.encode("utf-8", "replace")
    pieces: list[str | bytes] = []
    start = 0
    while start < len(value):
        piece = cut(value, start, room, lambda one: len(one) <= room, text=True)
        pieces.append(piece.decode())
        start += len(piece)
    assert "".join(str(piece) for piece in pieces).encode() == value


@given(st.binary(max_size=300), st.integers(4, 60))
def test_the_base64_of_the_pieces_joins_to_that_of_the_whole(value: bytes, room: int) -> None:
    pieces: list[bytes] = []
    while (done := sum(map(len, pieces))) < len(value):
        pieces.append(cut(value, done, room, lambda one: len(one) <= room, text=False))
    joined = b"".join(base64.b64encode(piece) for piece in pieces)
    assert joined == base64.b64encode(value)


@pytest.mark.parametrize("size", [6, 8])
def test_the_size_may_be_that_of_the_bytes_or_of_their_base64(size: int) -> None:
    assert put_together(items([b"one", b"two"], "bin", size)) == b"onetwo"


def test_nothing_is_cut_where_nothing_fits() -> None:
    assert cut(b"abc", 0, 100, lambda _: False, text=False) == b""


def test_a_wrong_total_is_noticed() -> None:
    with pytest.raises(ChunkError) as failed:
        put_together(items([b"one", b"two"], "bin", 7))
    assert failed.value.code == StatusCode.SIZE_MISMATCH


def test_what_is_no_base64_ends_the_object() -> None:
    reassembly = Reassembly(1000)
    with pytest.raises(FormatError):
        reassembly.take(KEY, items(["****", ""], "b64")[0])
    assert not reassembly.busy


def test_memory_is_bounded_with_and_without_announcement() -> None:
    reassembly = Reassembly(10)
    with pytest.raises(ChunkError):
        reassembly.take(KEY, items([b"x", b""], "bin", 11)[0])
    assert reassembly.take(KEY, items([b"x" * 8, b""], "bin")[0]) is None
    with pytest.raises(ChunkError):
        reassembly.take(KEY, items([b"x" * 8, b""], "bin")[0])
    assert not reassembly.busy
