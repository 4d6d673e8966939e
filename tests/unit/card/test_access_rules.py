"""Whose rule is ALWAYS, in each of the three ways in which a card can say so; all else is not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cardd.card.access_rules import AccessRules
from cardd.card.channel import Channel, working_channel
from cardd.card.fcp import FileInfo, FileStructure
from cardd.card.uicc import FilePath, FileSystem
from hypothesis import given
from hypothesis import strategies as st
from softcard import SoftCard
from softcard.files import Condition, Df
from support.scripted import ScriptedCard

INFO = FileInfo(FileStructure.TRANSPARENT, 0x6F07, 9, None, None, b"", None)
PATH = FilePath((0x7F10, 0x6F07))
READ_ALWAYS, READ_PIN, UPDATE_PIN = "800101 9000", "800101 A406 830101 950108", "800102 9700"


def judge(tag: int, value: bytes, script: str = "") -> bool:
    card = ScriptedCard(script)
    files = FileSystem(Channel(card, 1))
    answer = AccessRules().open_to_all(files, PATH, replace(INFO, security=(tag, value)))
    assert card.finished
    return answer


def everything(df: Df, path: FilePath) -> list[tuple[FilePath, Condition]]:
    """Every elementary file with the condition of reading it."""
    found = [(path.below(ef.fid), ef.access.read) for ef in df.files]
    for below in df.directories:
        root = FilePath(aid=below.aid) if below.aid and below.by_aid else path.below(below.fid)
        found += everything(below, root)
    return found


@pytest.mark.parametrize("style", ["arr", "expanded", "compact"])
@pytest.mark.parametrize("profile", ["operator", "dialects"])
def test_a_file_is_open_to_all_exactly_if_its_condition_is_always(profile: str, style: str) -> None:
    card = SoftCard.from_profile(profile, None, {"card": {"security": style}})
    rules, seen = AccessRules(), set()
    with working_channel(card.transmit) as channel:
        files = FileSystem(channel)
        for path, condition in everything(card.profile.root, FilePath()):
            info = files.select(path)
            assert rules.open_to_all(files, path, info) is (condition is Condition.ALWAYS), path
            seen.add(condition is Condition.ALWAYS)
    assert seen == {True, False}


def test_a_rule_is_read_once_for_all_files_that_name_it() -> None:
    card = SoftCard.from_profile("operator")
    rules = AccessRules()
    counts = []
    with working_channel(card.transmit) as channel:
        files = FileSystem(channel)
        for _ in range(2):
            for fid in (0x2FE2, 0x2F00):
                path = FilePath((fid,))
                info = files.select(path)
                before = card.apdu_count
                assert rules.open_to_all(files, path, info)
                counts.append(card.apdu_count - before)
    assert counts[0] > 0
    assert counts[2:] == [0, 0]


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        (READ_ALWAYS, True),
        ("800103 9000", True),  # the rule of reading and updating
        (f"{UPDATE_PIN} {READ_ALWAYS}", True),
        (READ_PIN, False),
        ("800101 9700", False),  # never
        ("800101 A000", False),  # any of none
        ("800101", False),  # no condition
        ("800101 9000 A406 830101 950108", False),  # more than ALWAYS
        ("800102 9000", False),  # of updating only
        ("9C0101 9000", False),  # a proprietary access mode
        ("8001", False),
        ("", False),
    ],
)
def test_an_expanded_rule(value: str, answer: bool) -> None:
    assert judge(0xAB, bytes.fromhex(value)) is answer


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        ("0100", True),
        ("031100", True),  # update with PIN1, read always
        ("03 00 11", False),
        ("0111", False),
        ("0200", False),  # of updating only
        ("03 00", False),  # a condition is missing
        ("8100", False),  # a proprietary access mode byte
        ("01", False),
        ("", False),
    ],
)
def test_a_compact_rule(value: str, answer: bool) -> None:
    assert judge(0x8C, bytes.fromhex(value)) is answer


def test_the_record_is_looked_for_in_the_directory_and_then_above() -> None:
    script = f"""
        01a4080c 04 7f10 6f06 -> 6a82
        01a4000c 02 6f06      -> 9000
        01b2020400            -> {READ_ALWAYS} 9000
    """
    assert judge(0x8B, bytes.fromhex("6F0602"), script)


def test_every_security_environment_must_let_everybody_read() -> None:
    script = f"""
        01a4080c 04 7f10 6f06 -> 9000
        01b2010400            -> {READ_ALWAYS} 9000
        01b2020400            -> {READ_PIN} 9000
    """
    assert not judge(0x8B, bytes.fromhex("6F06 0001 0102"), script)


def test_a_record_that_is_not_there_lets_nobody_read() -> None:
    script = """
        01a4080c 04 7f10 6f06 -> 9000
        01b2090400            -> 6a83
        01a4080c 02 6f06      -> 6a82
    """
    assert not judge(0x8B, bytes.fromhex("6F0609"), script)


def test_a_file_without_a_rule_is_not_for_everybody() -> None:
    files = FileSystem(Channel(ScriptedCard(""), 1))
    assert not AccessRules().open_to_all(files, PATH, INFO)


@given(st.sampled_from([0x8C, 0xAB]), st.binary(max_size=40))
def test_arbitrary_bytes_are_judged_and_nothing_is_raised(tag: int, value: bytes) -> None:
    judge(tag, value)
