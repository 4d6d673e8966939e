"""The device dies at every write, sync, rename, APDU and request of a provisioning in turn (P5).

Each time it is a process that really ends: killed, killed in the middle of a write, or with all
that was not synced lost, as when power fails. What the next start finds is the old tree or the new
one, with the files that programs read; the next insertion completes the rest.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator

import pytest
from cardd.provisioning.progress import Stage
from support.dying import DyingDevice, Ending, How, renderer_into
from support.machine import Content
from support.scene import NEW_DOCUMENT, NEWS, OLD_DOCUMENT, MakeScene, Scene


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DyingDevice]:
    with DyingDevice(tmp_path_factory.mktemp("layer")) as device:
        yield device


class Death:
    """A scene whose device lives in a process that may die."""

    def __init__(self, scene: Scene, device: DyingDevice) -> None:
        self.scene = scene
        self.machine = scene.machine
        self._device = device
        self._lives = itertools.count(1)
        self._rendered = self.machine.path.parent / "rendered"
        self.machine.renderers = [renderer_into(self._rendered)]
        self.machine.restart()
        assert self.url == url_in(scene.old)

    def live(self, **how: object) -> Ending:
        self.machine.store.close()
        return self._device.live(
            self.machine.path,
            self._rendered,
            self.scene.card,
            self.machine.network,
            first_number=1000 * next(self._lives),
            **how,  # type: ignore[arg-type] # as there
        )

    @property
    def url(self) -> str:
        """What a program reads that reads the rendered file."""
        (path,) = (p for p in self._rendered.iterdir() if not p.name.startswith("."))
        news: str = json.loads(path.read_text())["News"]["URL"]
        return news

    def holds(self, new: Content, at: str) -> bool:
        """Old or new, before and after the next start; then complete. Whether the tree was new."""
        machine = self.machine
        assert self.url in (url_in(self.scene.old), url_in(new)), at
        machine.start()
        assert machine.content in (self.scene.old, new), at
        assert self.url == url_in(machine.content), at
        was_new = machine.content == new
        document = {OLD_DOCUMENT: "old", NEW_DOCUMENT: "new"}.get(self.scene.document, "torn")
        assert document == "new" or not was_new, at

        again = machine.run(self.scene.inserted())

        assert again.stage is Stage.CONFIRMED, f"{at}: {again.reason} {again.message}"
        assert machine.content == new, at
        assert self.url == url_in(new), at
        assert self.scene.document == NEW_DOCUMENT, at
        assert self.scene.settled, at
        return was_new


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
    letters = {How.KILLED: "wtsur", How.TORN: "w", How.POWER_LOST: "s"}[how]
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
            on_step=lambda when, s=steps, n=nth: when == moment and next(s) == n,
        )
        if not ending.killed:
            break
        outcomes.add(death.holds(new, f"{moment} step {nth}"))
    assert nth > 30
    assert outcomes == {False, True}


def url_in(content: Content) -> str:
    value = content[NEWS][0]
    assert value is not None
    return value.decode()
