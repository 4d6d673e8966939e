"""PINs and the ADM key at the level of bytes."""

import pytest
from softcard import SoftCard
from support.apdus import converse

PIN = "31323334FFFFFFFF"
NEW = "39393939FFFFFFFF"
BAD = "30303030FFFFFFFF"
PUK = "3132333435363738"
ADM = "4341524445413035"


@pytest.fixture
def card() -> SoftCard:
    """PIN1 is 1234 and enabled; ADM1 allows ten tries."""
    return SoftCard.from_profile("dialects")


def test_empty_verify_tells_the_tries_and_costs_none(card: SoftCard) -> None:
    converse(
        card,
        f"""
        0020000100 -> 63C3
        00200001   -> 63C3
        002C000100 -> 63CA
        0020000A00 -> 63CA
        0020000100 -> 63C3
        00200001 08 {BAD} -> 63C2
        0020000100 -> 63C2
        """,
    )


def test_wrong_pin_blocks_after_its_tries(card: SoftCard) -> None:
    converse(
        card,
        f"""
        00200001 08 {BAD} -> 63C2
        00200001 08 {BAD} -> 63C1
        00200001 08 {BAD} -> 63C0
        00200001 08 {PIN} -> 6983
        00240001 10 {PIN}{NEW} -> 6983
        00260001 08 {PIN} -> 6983
        0020000100 -> 63C0
        """,
    )


def test_right_pin_restores_the_tries(card: SoftCard) -> None:
    converse(
        card,
        f"""
        00200001 08 {BAD} -> 63C2
        00200001 08 {PIN} -> 9000
        0020000100 -> 63C3
        """,
    )


def test_wrong_pin_takes_the_right_one_back(card: SoftCard) -> None:
    converse(
        card,
        f"""
        00A4080C 04 7F506435 -> 9000
        00200001 08 {PIN} -> 9000
        00B0000001 -> 039000
        00200001 08 {BAD} -> 63C2
        00B0000001 -> 6982
        """,
    )


def test_pin_can_be_changed(card: SoftCard) -> None:
    converse(
        card,
        f"""
        00240001 10 {BAD}{NEW} -> 63C2
        00240001 10 {PIN}{NEW} -> 9000
        00200001 08 {PIN} -> 63C2
        00200001 08 {NEW} -> 9000
        """,
    )


def test_disabled_pin_need_not_and_cannot_be_given(card: SoftCard) -> None:
    converse(
        card,
        f"""
        00A4080C 04 7F506435 -> 9000
        00280001 08 {PIN} -> 6985          # enabled already
        00260001 08 {PIN} -> 9000
        00B0000001 -> 039000
        00200001 08 {PIN} -> 6984
        00240001 10 {PIN}{NEW} -> 6984
        00260001 08 {PIN} -> 6985
        00280001 08 {PIN} -> 9000
        00200001 08 {PIN} -> 9000
        """,
    )


def test_unblocking_code_sets_a_new_pin(card: SoftCard) -> None:
    converse(
        card,
        f"""
        00200001 08 {BAD} -> 63C2
        00200001 08 {BAD} -> 63C1
        00200001 08 {BAD} -> 63C0
        002C0001 10 {BAD}{NEW} -> 63C9
        002C0001 10 {PUK}{NEW} -> 9000
        002C000100 -> 63CA
        0020000100 -> 63C3
        00200001 08 {NEW} -> 9000
        """,
    )


def test_unblocking_code_blocks_after_ten_tries(card: SoftCard) -> None:
    for left in range(9, -1, -1):
        converse(card, f"002C0001 10 {BAD}{NEW} -> 63C{left:X}")
    converse(card, f"002C0001 10 {PUK}{NEW} -> 6983\n00200001 08 {PIN} -> 9000")


def test_adm_key_has_its_own_counter_and_no_unblocking_code(card: SoftCard) -> None:
    converse(
        card,
        f"""
        00A4080C 04 7F506435 -> 9000
        0020000A 08 {BAD} -> 63C9
        00D60000 01 04 -> 6982
        0020000A 08 {ADM} -> 9000
        00D60000 01 04 -> 9000
        0020000A00 -> 63CA
        002C000A 10 {PUK}{NEW} -> 6A88
        0026000A 08 {ADM} -> 6A81
        """,
    )


def test_malformed_pin_commands_cost_no_try(card: SoftCard) -> None:
    converse(
        card,
        f"""
        00200001 04 31323334 -> 6700
        0020000108 -> 6700
        00200101 08 {PIN} -> 6A86
        00200002 08 {PIN} -> 6A88
        00240001 08 {PIN} -> 6700
        002C0001 08 {PUK} -> 6700
        0020000100 -> 63C3
        """,
    )


def test_reset_forgets_the_pin_and_keeps_the_counter(card: SoftCard) -> None:
    converse(
        card,
        f"""
        00A4080C 04 7F506435 -> 9000
        00200001 08 {PIN} -> 9000
        """,
    )
    card.reset()
    converse(
        card,
        f"""
        00A4080C 04 7F506435 -> 9000
        00B0000001 -> 6982
        00200001 08 {BAD} -> 63C2
        """,
    )
    card.reset()
    converse(card, "0020000100 -> 63C2")


def test_pin_given_on_one_channel_counts_on_all(card: SoftCard) -> None:
    converse(
        card,
        f"""
        00700000 01 -> 019000
        01200001 08 {PIN} -> 9000
        00A4080C 04 7F506435 -> 9000
        00B0000001 -> 039000
        """,
    )
