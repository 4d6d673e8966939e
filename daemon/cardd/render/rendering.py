"""All renderers: every one is tried, whatever becomes of the others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import structlog
from cardea_core import Snapshot

from cardd.provisioning.errors import RenderingFailedError

from . import folder
from .renderer import Renderer, RendererError, RenderRecord, owned_by_others

__all__ = ["Rendering"]

_log = structlog.get_logger("cardd.render")


class Rendering:
    """Belongs to one thread."""

    def __init__(self, renderers: Sequence[Renderer], record: RenderRecord) -> None:
        self._renderers = renderers
        self._record = record

    def bring_up_to_date(self, tree: Snapshot) -> tuple[str, ...]:
        """The names of the renderers that had something to do.

        Raises:
            RenderingFailedError: of the first that failed; all the others have done their work.
            StoreError: nobody knows what has been rendered.
        """
        done: list[str] = []
        failure: RenderingFailedError | None = None
        for renderer in self._renderers:
            try:
                if renderer.bring_up_to_date(tree, self._record):
                    done.append(renderer.name)
                    _log.info("render.done", renderer=renderer.name)
            except RendererError as error:
                _log.error("render.failed", renderer=renderer.name, detail=str(error))
                failure = failure or RenderingFailedError(renderer.name, str(error))
        # After those that may have taken files over: these stay without a gap.
        self._drop_unknown()
        if failure is not None:
            raise failure
        return tuple(done)

    def _drop_unknown(self) -> None:
        """What a renderer has left that the configuration no longer has."""
        known = {renderer.name for renderer in self._renderers}
        for name in sorted(set(self._record.renderers()) - known):
            try:
                left = self._record.files(name) - owned_by_others(name, self._record)
                for path in sorted(left):
                    folder.remove(Path(path))
            except OSError as error:
                _log.error("render.not_removed", renderer=name, detail=error.strerror)
                continue
            self._record.forget(name)
