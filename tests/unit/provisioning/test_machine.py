"""The use case's table: every pair is decided, every stage is reached, every way ends."""

from __future__ import annotations

import itertools

import pytest
from cardd.provisioning.machine import (
    FIRST,
    TRANSITIONS,
    Found,
    ImpossibleTransitionError,
    follow,
)
from cardd.provisioning.progress import Stage
from hypothesis import given
from hypothesis import strategies as st

PAIRS = list(itertools.product(Stage, Found))


@pytest.mark.parametrize(("stage", "found"), PAIRS, ids=lambda value: value.name)
def test_a_pair_leads_on_or_is_a_defect(stage: Stage, found: Found) -> None:
    following = TRANSITIONS.get((stage, found))
    if following is not None:
        assert follow(stage, found) is following
        return
    with pytest.raises(ImpossibleTransitionError) as caught:
        follow(stage, found)
    assert (caught.value.stage, caught.value.found) == (stage, found)
    assert stage.name in str(caught.value)


def test_final_stages_lead_nowhere() -> None:
    assert not [pair for pair in TRANSITIONS if pair[0].final]


def test_every_stage_is_reached_from_the_first() -> None:
    reached, new = set(), {FIRST}
    while new:
        reached |= new
        new = {to for (stage, _), to in TRANSITIONS.items() if stage in reached} - reached
    assert reached == set(Stage)


def test_every_stage_leads_to_an_end() -> None:
    ends = {stage for stage in Stage if stage.final}
    while more := {stage for (stage, _), to in TRANSITIONS.items() if to in ends} - ends:
        ends |= more
    assert ends == set(Stage)


def test_everything_that_can_be_found_is_expected_somewhere() -> None:
    assert {found for _, found in TRANSITIONS} == set(Found)


def test_up_to_the_commit_a_failure_ends_in_failed_and_after_it_there_is_none() -> None:
    failing = {stage for stage, found in TRANSITIONS if found is Found.FAILURE}
    assert failing == {s for s in Stage if not s.final and s is not Stage.CONFIRMING}
    assert {TRANSITIONS[stage, Found.FAILURE] for stage in failing} == {Stage.FAILED}
    assert (Stage.CONFIRMING, Found.FAILURE) not in TRANSITIONS


@given(st.data())
def test_whatever_is_found_no_run_ends_well_without_a_commit(
    data: st.DataObject,
) -> None:
    stage, way = data.draw(st.sampled_from([FIRST, Stage.ADOPTING])), []
    for _ in range(40):
        if stage.final:
            break
        way.append(stage)
        expected = [found for at, found in TRANSITIONS if at is stage]
        stage = follow(stage, data.draw(st.sampled_from(expected)))
    if stage in (Stage.INSTALLED, Stage.CONFIRMED):
        assert way[way.index(Stage.COMMITTING) + 1] is Stage.RENDERING
    # M5, P8: confirmed now, or found to be what was confirmed before; no third way.
    if stage is Stage.CONFIRMED:
        assert way[-1] in (Stage.CONFIRMING, Stage.RENDERING)
    # The card goes before the tree.
    for at, step in enumerate(way):
        if step is Stage.UPDATING_CARD and at + 1 < len(way):
            assert way[at + 1] is Stage.COMMITTING
