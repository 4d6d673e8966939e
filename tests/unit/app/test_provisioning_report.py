"""What is told of runs does not contradict itself, whenever it is asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cardd.app.provisioner import _broken_off
from cardd.app.provisioning_report import LastRuns
from cardd.provisioning.progress import ProvisioningResult, Stage
from cardd.provisioning.records import NewConfirmation
from cardd.store import Store

FAILED = _broken_off("provisionings/1", "8949", "SERVER_UNREACHABLE", "no answer")


def confirmed(run: str) -> ProvisioningResult:
    return replace(FAILED, name=run, stage=Stage.CONFIRMED, reason="", servers=("a",))


def test_a_run_whose_result_is_known_is_over_though_nobody_has_been_told_yet() -> None:
    known = LastRuns({"8949": confirmed("provisionings/2")}, frozenset())
    (status,) = known.statuses({"8949": ("provisionings/2", Stage.CONFIRMING)})
    assert status.stage is Stage.CONFIRMED
    (status,) = known.statuses({"8949": ("provisionings/3", Stage.READING_CARD)})
    assert status.stage is Stage.READING_CARD


def test_a_card_that_waits_for_its_first_run_is_told_without_a_result() -> None:
    (status,) = LastRuns({}, frozenset()).statuses({"8949": ("provisionings/1", None)})
    assert (status.card, status.stage, status.last_result) == ("8949", None, None)
    assert not status.confirmation_pending


def test_the_last_run_of_every_card_is_the_one_that_ended_last_whatever_the_clock_said(
    tmp_path: Path,
) -> None:
    with Store(tmp_path / "s" / "store.sqlite") as store:
        for number in range(150):
            store.log_result(replace(FAILED, name=f"provisionings/{number}", ended_at_ms=9000))
        # The clock has gone back.
        store.log_result(replace(confirmed("provisionings/x"), ended_at_ms=1000))
        store.log_result(replace(FAILED, name="provisionings/y", card="other", ended_at_ms=1))
        store.log_result(replace(FAILED, name="provisionings/z", card="", ended_at_ms=9999))
        store.add_confirmation(NewConfirmation("a", "8949", "200", None), 1)
        known = LastRuns.in_store(store)
    assert {card: last.name for card, last in known.results.items()} == {
        "8949": "provisionings/x",
        "other": "provisionings/y",
    }
    assert [status.confirmation_pending for status in known.statuses({})] == [True, False]
