"""A run's log ends with a result, also where the daemon itself is at fault."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import cast

import pytest
import structlog
from cardd.app.people import People
from cardd.app.provisioner import Provisioner
from cardd.app.serial_executor import SerialExecutor
from cardd.app.tree_committer import TreeCommitter
from cardd.network.https import HttpsClient
from cardd.provisioning.errors import ConfirmationMissingError
from cardd.provisioning.progress import Progress, ProvisioningResult, Stage
from cardd.provisioning.task import Settings
from cardd.reader.events import CardReady
from cardd.reader.rejections import RejectionsByCard
from cardd.reader.supervisor import ReaderSupervisor
from cardd.rpc.questions import OpenQuestions
from cardd.store import Store
from cardd.tree import DeviceInfo, ManagementTree, TreeHolder
from omadm.interaction import Outcome
from support.readers import ONE_CARD, OneReader


def defect() -> HttpsClient:
    raise AssertionError("canary")


@contextmanager
def provisioning(
    store: Store, supervisor: ReaderSupervisor, *, on_insert: bool = False
) -> Iterator[Provisioner]:
    """One whose every run meets a defect."""
    executor = SerialExecutor("tree")
    provisioner = Provisioner(
        supervisor,
        store,
        TreeCommitter(store, TreeHolder(ManagementTree(), 1), executor),
        Settings(DeviceInfo("urn:x", "m", "d")),
        on_insert=on_insert,
        max_wait_s=1.0,
        connect=defect,
        rejections=RejectionsByCard(store.rejections),
        people=People(OpenQuestions(store.questions), asyncio.get_running_loop(), executor),
    )
    try:
        yield provisioner
    finally:
        provisioner.close()
        executor.shutdown()


async def test_a_defect_ends_the_story_under_an_id_that_the_log_has(tmp_path: Path) -> None:
    supervisor = ReaderSupervisor(lambda _: None)
    with (
        Store(tmp_path / "s" / "store.sqlite") as store,
        provisioning(store, supervisor) as provisioner,
    ):
        with structlog.testing.capture_logs() as log:
            told = [each async for each in provisioner.provision(ONE_CARD)]
        # And the card is not taken for one that is being provisioned.
        again = [each async for each in provisioner.provision(ONE_CARD)]
    result = told[-1].result
    assert result is not None
    assert (result.stage, result.reason, result.card) == (Stage.FAILED, "INTERNAL", "8949")
    assert "canary" not in result.message
    assert [entry["message"] for entry in log] == [result.message]
    assert again[-1].result is not result


async def test_a_card_that_waits_for_somebody_is_not_forgotten_over_others(tmp_path: Path) -> None:
    with (
        Store(tmp_path / "s" / "store.sqlite") as store,
        provisioning(
            store, cast("ReaderSupervisor", OneReader(ONE_CARD)), on_insert=True
        ) as provisioner,
    ):
        store.log_result(failed("8949", "CONFIRMATION_MISSING"))
        for number in range(100):
            store.log_result(failed(f"90{number}", "SERVER_UNREACHABLE"))
        with structlog.testing.capture_logs() as log:
            provisioner.on_asker()
            while others := asyncio.all_tasks() - {asyncio.current_task()}:
                await asyncio.wait(others)
    assert [entry["event"] for entry in log] == ["provisioning.defect"]


class AsksNobody:
    """A run that found nobody who could be asked; somebody comes before it has come to its end."""

    def __init__(self, report: Callable[[Progress], None], comes: Callable[[], None]) -> None:
        self._report, self._comes = report, comes
        self.failure = ConfirmationMissingError("8949", Outcome.NOBODY.value)

    def execute(self) -> ProvisioningResult:
        self._comes()
        result = failed("8949", "CONFIRMATION_MISSING")
        self._report(Progress(Stage.FAILED, 1, 1, "", 0.0, result))
        return result


async def test_who_comes_while_a_run_ends_for_want_of_somebody_is_asked_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no card that waits before its result is kept, and no run that asks any more."""
    loop, again, runs = asyncio.get_running_loop(), asyncio.Event(), 0
    with (
        Store(tmp_path / "s" / "store.sqlite") as store,
        provisioning(
            store, cast("ReaderSupervisor", OneReader(ONE_CARD)), on_insert=True
        ) as provisioner,
    ):

        async def somebody_comes() -> None:
            provisioner.on_asker()

        def comes() -> None:
            nonlocal runs
            runs += 1
            if runs == 1:
                asyncio.run_coroutine_threadsafe(somebody_comes(), loop).result(60)
            else:
                loop.call_soon_threadsafe(again.set)

        monkeypatch.setattr(provisioner, "_connect", nullcontext)
        monkeypatch.setattr(
            provisioner, "_run", lambda _wish, _server, report: AsksNobody(report, comes)
        )
        assert ONE_CARD.identity is not None
        inserted = CardReady(ONE_CARD.name, ONE_CARD.insertion, ONE_CARD.identity)
        provisioner.on_card_ready(inserted)
        await asyncio.wait_for(again.wait(), 60)
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others)
        assert runs == 2, "nobody has come during the second"


def failed(card: str, reason: str) -> ProvisioningResult:
    return ProvisioningResult(
        name=f"provisionings/{card}",
        card=card,
        stage=Stage.FAILED,
        servers=(),
        trust=(),
        nodes_changed=0,
        card_files_updated=0,
        apdus=0,
        card_time_s=0,
        network_time_s=0,
        total_time_s=0,
        ended_at_ms=0,
        reason=reason,
    )
