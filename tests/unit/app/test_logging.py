"""Nothing secret gets into an event, whoever logs it and under whatever name."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from cardd.app.logging import REDACTED, configure_logging, redact
from cardea_core import Secret
from hypothesis import given
from hypothesis import strategies as st

CANARY = b"CANARY-0123456789"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """The log of a test; afterwards logging is as it was."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging("debug", "json", stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:], level = before[0], before[1]
    root.setLevel(level)


def test_the_canary_stays_out_by_name_by_type_and_at_any_depth(stream: io.StringIO) -> None:
    text = CANARY.decode()
    structlog.get_logger("test").info(
        "event",
        adm=text,
        pin=text,
        new_pin=text,
        api_key=text,
        password=text,
        user_password=text,
        AAuthSecret=text,
        session_token=text,
        Authorization=text,
        value=CANARY,
        buffer=bytearray(CANARY),
        opaque=Secret(CANARY),
        nested={"list": [{"pin": text}, CANARY, Secret(CANARY)], "secret": text},
    )
    written = stream.getvalue()
    assert json.loads(written)["event"] == "event"
    for form in (text, CANARY.hex(), CANARY.hex().upper(), str(list(CANARY))):
        assert form not in written


def test_what_is_no_secret_stays_readable(stream: io.StringIO) -> None:
    structlog.get_logger("test").info(
        "card.ready", reader="Virtual PCD", tries_left=2, pinned=True, opinion="x", keyboard="y"
    )
    event = json.loads(stream.getvalue())
    assert event["reader"] == "Virtual PCD"
    assert (event["tries_left"], event["pinned"], event["opinion"]) == (2, True, "x")
    assert event["keyboard"] == "y"


def test_whether_a_secret_was_there_may_be_told() -> None:
    assert redact(None, "info", {"pin": "", "key": None, "secret": False}) == {
        "pin": "",
        "key": None,
        "secret": False,
    }


def test_the_standard_librarys_warnings_go_the_same_way(stream: io.StringIO) -> None:
    logging.getLogger("library").info("a request with its URL")
    logging.getLogger("library").warning("something %s", "happened")
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["event"] == "something happened"


@given(st.dictionaries(st.text(max_size=12), st.binary(min_size=4, max_size=20), max_size=5))
def test_bytes_never_come_out_under_any_name(values: dict[str, bytes]) -> None:
    for name, value in redact(None, "info", dict(values)).items():
        assert value in (f"[{len(values[name])} bytes]", REDACTED)


def test_a_caller_that_goes_before_its_answer_leaves_no_error_of_grpcio(
    stream: io.StringIO,
) -> None:
    grpcio = logging.getLogger("grpc._cython.cygrpc")
    said = "ExecuteBatchError raised in core by servicer method [%s]"
    grpcio.error(said, "/cardea.v1.TreeService/ListNodes")
    assert stream.getvalue() == ""
    # From nobody else, and nothing else of it.
    logging.getLogger("cardd").error(said, "x")
    grpcio.error("Exception in servicer method [%s]", "x")
    assert len(stream.getvalue().splitlines()) == 2
