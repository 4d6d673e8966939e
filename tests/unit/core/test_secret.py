"""Secret: what Python can do with key material, and what it cannot."""

from __future__ import annotations

import array
import copy
import logging
import pickle

import pytest
from cardea_core import Secret


def test_a_secret_shows_its_length_and_never_its_bytes() -> None:
    secret = Secret(b"hunter2-hunter2!")
    for shown in (repr(secret), str(secret), f"{secret}", f"{secret!r}"):
        assert shown == "<Secret 16 bytes>"
    assert len(secret) == 16
    record = logging.LogRecord("x", 20, "", 0, "key %s", (secret,), None)
    assert record.getMessage() == "key <Secret 16 bytes>"


def test_equality_is_for_secrets_only() -> None:
    assert Secret(b"abc") == Secret(bytearray(b"abc"))
    assert Secret(b"abc") != Secret(b"abd")
    assert Secret(b"abc") != Secret(b"ab")
    assert Secret(b"abc") != b"abc"
    assert Secret(b"") == Secret(b"")


@pytest.mark.parametrize(
    "operation",
    [pickle.dumps, copy.copy, copy.deepcopy, hash, bytes, iter, memoryview, vars],
    ids=lambda operation: operation.__name__,
)
def test_a_secret_cannot_leave_by_accident(operation: object) -> None:
    assert callable(operation)
    with pytest.raises(TypeError) as caught:
        operation(Secret(b"hunter2"))
    assert "hunter2" not in str(caught.value)


def test_a_secret_takes_any_buffer_and_other_secrets() -> None:
    expected = Secret(b"\x01\x02\x03\x04")
    for data in (
        b"\x01\x02\x03\x04",
        bytearray(b"\x01\x02\x03\x04"),
        memoryview(b"\x01\x02\x03\x04"),
        memoryview(b"\x00\x01\x02\x03\x04")[1:],
        array.array("B", [1, 2, 3, 4]),
        Secret(b"\x01\x02\x03\x04"),
    ):
        assert Secret(data) == expected
    for other in ("text", 16, None, [1, 2], array.array("I", [1])):
        with pytest.raises((TypeError, BufferError)):
            Secret(other)  # type: ignore[arg-type]  # what the stub forbids fails at run time too


def test_a_secret_is_immutable_and_keeps_its_own_copy() -> None:
    source = bytearray(b"abc")
    secret = Secret(source)
    source[:] = b"xyz"
    assert secret.expose() == b"abc"
    with pytest.raises(AttributeError):
        secret.data = b"abc"  # type: ignore[attr-defined]  # there is no such attribute to set
    with pytest.raises(TypeError):
        type("Leaky", (Secret,), {})
