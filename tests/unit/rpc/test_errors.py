"""The error table is whole: every layer's errors, every reason, every code."""

from __future__ import annotations

import re
from pathlib import Path

import cardd.card.errors
import cardd.card.status
import cardd.dm.errors
import cardd.network.errors
import cardd.provisioning.errors
import cardd.reader.errors
import cardd.rpc.refusals
import cardd.store.errors
import gba.errors
import grpc
import omadm.errors
import pytest
from cardd.card.status import status_error
from cardd.rpc.error_table import CODES, OF_DM_STATUS, RETRY_AFTER_S, ROWS, Reason, reason_named
from cardd.rpc.errors import failure_of, where_raised
from cardd.rpc.refusals import ArgumentInvalidError
from cardea.errors import REMEDIES
from cardea.v1 import errors_pb2 as pb
from google.rpc import error_details_pb2, status_pb2

PROTO = Path(__file__).parents[3] / "proto/cardea/v1/errors.proto"

LAYERS = (
    cardd.card.errors,
    cardd.card.status,
    cardd.dm.errors,
    cardd.network.errors,
    cardd.provisioning.errors,
    cardd.reader.errors,
    cardd.rpc.refusals,
    cardd.store.errors,
    gba.errors,
    omadm.errors,
)
# Raised only by code of this file's own layer that derives from it.
BASES = {cardd.provisioning.errors.ProvisioningError}

REASONS = [r for r in pb.ErrorReason.values() if r != pb.ERROR_REASON_UNSPECIFIED]


def name_of(reason: Reason) -> str:
    return pb.ErrorReason.Name(reason).removeprefix("ERROR_REASON_")


def error_classes() -> list[type[Exception]]:
    return [
        value
        for layer in LAYERS
        for value in vars(layer).values()
        if isinstance(value, type)
        and issubclass(value, Exception)
        and value.__module__ == layer.__name__
        and value not in BASES
    ]


@pytest.mark.parametrize("error", error_classes(), ids=lambda e: e.__qualname__)
def test_every_error_of_every_layer_has_a_row(error: type[Exception]) -> None:
    rows = {row.error for row in ROWS}
    assert not rows.isdisjoint(error.__mro__)


def test_no_class_has_two_rows() -> None:
    assert len({row.error for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("reason", REASONS, ids=name_of)
def test_every_reason_has_the_code_of_its_comment_and_a_remedy(reason: Reason) -> None:
    comment = re.search(
        rf"// ([A-Z_]+): [^=]*?\n  ERROR_REASON_{name_of(reason)} =", PROTO.read_text()
    )
    assert comment is not None
    assert CODES[reason] is grpc.StatusCode[comment[1]]
    assert REMEDIES[name_of(reason)]
    assert reason_named(name_of(reason)) == reason


def test_reasons_that_no_row_of_the_table_gives_are_those_of_runs_and_of_the_edge() -> None:
    given: set[object] = {row.reason for row in ROWS if not callable(row.reason)}
    given |= {
        vars(value)["reason"]
        for value in vars(cardd.rpc.refusals).values()
        if isinstance(value, type) and "reason" in vars(value)
    }
    reserved = {"INTERNAL", "PROVISIONING_UNDER_WAY"}
    computed = {"CREDENTIALS_REFUSED_BY_SERVER", *map(name_of, OF_DM_STATUS.values())}
    assert {name_of(r) for r in REASONS if r not in given} - computed <= reserved


def test_only_what_waiting_can_help_has_a_retry() -> None:
    assert pb.ERROR_REASON_CREDENTIAL_REJECTED not in RETRY_AFTER_S
    assert pb.ERROR_REASON_SERVER_CERTIFICATE_INVALID not in RETRY_AFTER_S
    assert all(delay > 0 for delay in RETRY_AFTER_S.values())


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        (0x6A82, "CARD_FILE_NOT_FOUND"),
        (0x6A83, "CARD_FILE_NOT_FOUND"),
        (0x6982, "CARD_ACCESS_DENIED"),
        (0x6F00, "CARD_REFUSED"),
    ],
)
def test_a_status_word_decides_the_reason_and_is_a_fact(word: int, reason: str) -> None:
    failure = failure_of(status_error("SELECT 6F07", word))
    assert failure.reason_name == reason
    assert failure.facts == {"command": "SELECT 6F07", "status_word": f"{word:04X}"}


def test_a_defect_gets_an_opaque_id_and_no_words_of_its_own() -> None:
    failure = failure_of(ValueError("canary in the message"))
    status = failure.status()
    assert failure.internal
    assert status.code is grpc.StatusCode.INTERNAL
    assert "canary" not in status.details
    assert failure.error_id in status.details


def test_where_a_defect_was_raised_is_told_without_its_words() -> None:
    try:
        raise ValueError("canary") from KeyError("canary")
    except ValueError as error:
        told = where_raised(error)
    assert "test_errors.py" in told
    assert "ValueError" in told
    assert "KeyError" in told
    assert "canary" not in told


def test_the_status_carries_error_info_with_domain_and_facts() -> None:
    status = failure_of(ArgumentInvalidError("adm", "must be 4 to 16 bytes")).status()
    rich = status_pb2.Status.FromString(dict(status.trailing_metadata)["grpc-status-details-bin"])
    info = error_details_pb2.ErrorInfo()
    assert rich.details[0].Unpack(info)
    assert (info.domain, info.reason, info.metadata["field"]) == (
        "cardea",
        "ARGUMENT_INVALID",
        "adm",
    )


def test_a_message_that_is_too_long_for_trailers_is_cut() -> None:
    status = failure_of(ArgumentInvalidError("x" * 5000, "y" * 5000)).status()
    assert sum(len(v) for _, v in status.trailing_metadata) < 4000
