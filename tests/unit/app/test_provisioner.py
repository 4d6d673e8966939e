"""A run's log ends with a result, also where the daemon itself is at fault."""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog
from cardd.app.people import People
from cardd.app.provisioner import Provisioner
from cardd.app.serial_executor import SerialExecutor
from cardd.app.tree_committer import TreeCommitter
from cardd.network.https import HttpsClient
from cardd.provisioning.progress import Stage
from cardd.provisioning.task import Settings
from cardd.reader.rejections import RejectionsByCard
from cardd.reader.supervisor import ReaderSupervisor
from cardd.rpc.questions import OpenQuestions
from cardd.store import Store
from cardd.tree import DeviceInfo, ManagementTree, TreeHolder
from support.readers import ONE_CARD


def defect() -> HttpsClient:
    raise AssertionError("canary")


async def test_a_defect_ends_the_story_under_an_id_that_the_log_has(tmp_path: Path) -> None:
    with Store(tmp_path / "s" / "store.sqlite") as store:
        executor = SerialExecutor("tree")
        provisioner = Provisioner(
            ReaderSupervisor(lambda _: None),
            store,
            TreeCommitter(store, TreeHolder(ManagementTree(), 1), executor),
            Settings(DeviceInfo("urn:x", "m", "d")),
            on_insert=False,
            max_wait_s=1.0,
            connect=defect,
            rejections=RejectionsByCard(store.rejections),
            people=People(OpenQuestions(store.questions), asyncio.get_running_loop(), executor),
        )
        with structlog.testing.capture_logs() as log:
            told = [each async for each in provisioner.provision(ONE_CARD)]
        # And the card is not taken for one that is being provisioned.
        again = [each async for each in provisioner.provision(ONE_CARD)]
        provisioner.close()
        executor.shutdown()
    result = told[-1].result
    assert result is not None
    assert (result.stage, result.reason, result.card) == (Stage.FAILED, "INTERNAL", "8949")
    assert "canary" not in result.message
    assert [entry["message"] for entry in log] == [result.message]
    assert again[-1].result is not result
