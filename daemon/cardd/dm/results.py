"""What a Get has found, as it is sent, and what it weighs until then."""

from __future__ import annotations

from dataclasses import replace

from cardea_core import Element
from omadm import tnds
from omadm.elements import xml_text
from omadm.messages import Item, Meta, Results
from omadm.names import TNDS_XML_TYPE

from cardd.tree import Reading

__all__ = ["result_item", "size_of"]

# What an item counts for itself.
_ITEM_BYTES = 64


def result_item(asked: str, reading: Reading) -> Item:
    """The item for one node; ``asked`` is the target of the Get."""
    meta = Meta(format=reading.format, type=reading.mime or None)
    data: str | bytes | None = None
    element = None
    if reading.nodes is not None:
        base = asked.partition("?")[0]
        element = tnds.write(reading.nodes, base=base, without=reading.without)
        meta = replace(meta, type=TNDS_XML_TYPE)
    elif reading.value is not None:
        text = None if reading.format == "bin" else xml_text(reading.value)
        data = reading.value if text is None else text
        if isinstance(data, bytes):
            meta = replace(meta, format="bin")
    return Item(source=reading.uri, meta=meta, data=data, element=element)


def size_of(results: Results) -> int:
    """About how much memory it takes: data, names, and what each item has besides."""
    return sum(_item_size(item) for item in results.items)


def _item_size(item: Item) -> int:
    content = len(item.payload) if item.element is None else _element_size(item.element)
    return _ITEM_BYTES + len(item.source or "") + content


def _element_size(element: Element) -> int:
    below = (child for child in element.content if isinstance(child, Element))
    return _ITEM_BYTES + len(element.data) + sum(map(_element_size, below))
