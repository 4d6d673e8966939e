"""A scene whose device lives in a process that may die, and what has to hold then (P5)."""

from __future__ import annotations

import itertools
import json

from cardd.provisioning.progress import Stage

from support.dying import DyingDevice, Ending, renderer_into
from support.machine import Content
from support.scene import NEWS, OLD_DOCUMENT, Scene

__all__ = ["Death"]


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
        assert self.url == _url_in(scene.old)

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
        assert self.url in (_url_in(self.scene.old), _url_in(new)), at
        machine.start()
        assert machine.content in (self.scene.old, new), at
        assert self.url == _url_in(machine.content), at
        was_new = machine.content == new
        document = {OLD_DOCUMENT: "old", self.scene.wanted: "new"}.get(self.scene.document, "torn")
        assert document == "new" or not was_new, at

        again = machine.run(self.scene.inserted())

        assert again.stage is Stage.CONFIRMED, f"{at}: {again.reason} {again.message}"
        assert machine.content == new, at
        assert self.url == _url_in(new), at
        assert self.scene.document == self.scene.wanted, at
        assert self.scene.settled, at
        return was_new


def _url_in(content: Content) -> str:
    value = content[NEWS][0]
    assert value is not None
    return value.decode()
