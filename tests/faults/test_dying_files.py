"""The device dies at every write, sync, rename, APDU and request of a provisioning in turn (P5).

Each time it is a process that really ends: killed, killed in the middle of a write, or with all
that was not synced lost, as when power fails. What the next start finds is the old tree or the new
one, with the files that programs read; the next insertion completes the rest.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from support.death import Death
from support.dying import DyingDevice, How
from support.machine import Content
from support.scene import NEW_DOCUMENT, MakeScene


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DyingDevice]:
    with DyingDevice(tmp_path_factory.mktemp("layer")) as device:
        yield device


@pytest.fixture
def undisturbed(make_scene: MakeScene, device: DyingDevice) -> tuple[str, Content]:
    """The operations of a run that nothing disturbs, and the tree that it leads to."""
    death = Death(make_scene(), device)
    ending = death.live()
    assert ending.status == 0
    death.machine.start()
    assert death.scene.document == NEW_DOCUMENT
    return ending.operations, death.machine.content


@pytest.mark.parametrize("how", How, ids=lambda how: how.name.lower())
def test_at_every_operation_on_a_file(
    make_scene: MakeScene, device: DyingDevice, undisturbed: tuple[str, Content], how: How
) -> None:
    operations, new = undisturbed
    assert {"w", "s", "r"} <= set(operations)
    # Half of a write is a matter of writes; the most is unsynced just before a sync.
    letters = {How.KILLED: "wtsur", How.TORN: "w"}.get(how, "s")
    outcomes = set()
    for nth, letter in enumerate(operations, 1):
        if letter not in letters:
            continue
        death = Death(make_scene(), device)
        at = f"{how.name} at operation {nth} of {operations}"
        assert death.live(operation=nth, how=how).killed, at
        outcomes.add(death.holds(new, at))
    assert outcomes == {False, True}, "it died before the commit and after it"


@pytest.mark.parametrize("moment", ["before", "after"])
def test_at_every_apdu_and_request(
    make_scene: MakeScene, device: DyingDevice, undisturbed: tuple[str, Content], moment: str
) -> None:
    _, new = undisturbed
    outcomes = set()
    for nth in itertools.count(1):
        death, steps = Death(make_scene(), device), itertools.count(1)
        ending = death.live(
            how=How.POWER_LOST,
            on_step=lambda when, _, s=steps, n=nth: when == moment and next(s) == n,
        )
        if not ending.killed:
            break
        outcomes.add(death.holds(new, f"{moment} step {nth}"))
    assert nth > 30
    assert outcomes == {False, True}
