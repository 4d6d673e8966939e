"""The bootstrapping server's document."""

from __future__ import annotations

import pytest
from gba.btid import BootstrappingInfo, build, parse
from gba.errors import BootstrapError
from hypothesis import given
from hypothesis import strategies as st

NAME = "AAECAwQFBgcICQoLDA0ODw==@bsf.example.org"


def info(lifetime: str) -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<BootstrappingInfo xmlns="uri:3gpp-gba">\n'
        f"  <btid>{NAME}</btid>\n  <lifetime>{lifetime}</lifetime>\n</BootstrappingInfo>\n"
    ).encode()


@pytest.mark.parametrize(
    ("lifetime", "expires_ms"),
    [
        ("2013-04-22T13:10:25Z", 1_366_636_225_000),
        ("2013-04-22T13:10:25.559Z", 1_366_636_225_559),
        ("2013-04-22T15:10:25+02:00", 1_366_636_225_000),
        (" 2013-04-22T13:10:25 ", 1_366_636_225_000),
    ],
)
def test_lifetimes_of_deployed_servers_are_read(lifetime: str, expires_ms: int) -> None:
    assert parse(info(lifetime)) == BootstrappingInfo(NAME, expires_ms)


@given(st.integers(0, 4_000_000_000))
def test_document_survives(seconds: int) -> None:
    given_info = BootstrappingInfo(NAME, seconds * 1000)
    assert parse(build(given_info)) == given_info


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "malformed_info"),
        (b"<html/>", "not_bootstrapping_info"),
        (b"<BootstrappingInfo/>", "missing_element"),
        (b"<BootstrappingInfo><btid>x@y</btid></BootstrappingInfo>", "missing_element"),
        (
            b"<BootstrappingInfo><btid>xy</btid><lifetime>2013-04-22T13:10:25Z</lifetime>"
            b"</BootstrappingInfo>",
            "bad_btid",
        ),
        (info("tomorrow"), "bad_lifetime"),
        (info("9999-99-99T00:00:00Z"), "bad_lifetime"),
    ],
)
def test_bad_documents_are_named(body: bytes, reason: str) -> None:
    with pytest.raises(BootstrapError) as caught:
        parse(body)
    assert caught.value.reason == reason
