"""How much each source holds, kept along with its claims: nobody counts a layer for every write."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from cardea_core import Entry, Layer

from cardd.tree.sources import Source

__all__ = ["Holdings", "Usage"]


@dataclass(frozen=True, slots=True)
class Usage:
    """What a source holds, and when it last claimed something (-1: never)."""

    claims: int = 0
    value_bytes: int = 0
    latest_ms: int = -1


class Holdings:
    """Usage by source. Counted when first asked for; then told of every change."""

    def __init__(self) -> None:
        self._known: dict[Source, Usage] = {}

    def copy(self) -> Self:
        twin = type(self)()
        twin._known = dict(self._known)
        return twin

    def of(self, source: Source, layer: Layer | None) -> Usage:
        """What the source's layer holds; None: it has none."""
        if source not in self._known:
            claims, value_bytes, latest_ms = (0, 0, None) if layer is None else layer.totals()
            latest_ms = -1 if latest_ms is None else latest_ms
            self._known[source] = Usage(claims, value_bytes, latest_ms)
        return self._known[source]

    def forget(self, source: Source) -> None:
        """Its layer is another one now."""
        self._known.pop(source, None)

    def change(
        self, source: Source, layer: Layer, gone: Iterable[Entry], come: Entry | None = None
    ) -> None:
        """Of the layer, as it is now, these claims have gone and that one has come."""
        known = self._known.get(source)
        if known is None:
            return
        freed, added = _counted(gone), _counted([come] if come is not None else [])
        self._known[source] = Usage(
            claims=len(layer),
            value_bytes=known.value_bytes + added.value_bytes - freed.value_bytes,
            latest_ms=max(known.latest_ms, added.latest_ms),
        )


def _counted(entries: Iterable[Entry]) -> Usage:
    listed = list(entries)
    return Usage(
        claims=len(listed),
        value_bytes=sum(len(each.value) for each in listed if each.value is not None),
        latest_ms=max((each.at_ms for each in listed), default=-1),
    )
