"""Who uses which card now, and how much: read again and again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

import cardea
import click
from cardea.v1 import cards_pb2, readers_pb2
from rich.live import Live
from rich.table import Table
from rich.text import Text

from . import screen
from .cli import cli
from .context import Output, command
from .plain import Plain, plain

__all__ = ["top"]

_COUNTED = ("apdus", "leases", "cached_reads")


@dataclass(frozen=True, slots=True)
class _Look:
    """Readers and queues at one moment, with what was done a second since the look before."""

    at: float
    readers: dict[str, readers_pb2.Reader]
    queues: Sequence[cards_pb2.CardQueue]
    rates: dict[str, dict[str, float]]


@command(cli)
@click.option("--interval", "interval_s", type=click.FloatRange(0.1), default=1.0, metavar="S",
              help="Seconds between two looks; 1 by default.")  # fmt: skip
@click.option("--once", is_flag=True, help="Look twice, an interval apart, show that, and end.")
def top(output: Output, interval_s: float, once: bool) -> None:
    """Watch who holds each card and who waits.

    Beside that APDUs, leases and cached reads a second. Ctrl-C ends it.
    """
    with output.connect() as client:
        look = _look(client, None)
        if once or output.as_json or not output.console.is_terminal:
            while True:
                time.sleep(interval_s)
                look = _look(client, look)
                if once:
                    output.show(_document(look), _table(look))
                    return
                output.line(_document(look), _table(look))
        with Live(_table(look), console=output.console, auto_refresh=False, screen=True) as live:
            while True:
                time.sleep(interval_s)
                look = _look(client, look)
                live.update(_table(look), refresh=True)


def _look(client: cardea.Client, before: _Look | None) -> _Look:
    readers = {reader.name: reader for reader in client.readers()}
    queues, now = client.holders(), time.monotonic()
    rates = {queue.reader: dict.fromkeys(_COUNTED, 0.0) for queue in queues}
    if before is not None:
        earlier = {queue.reader: queue for queue in before.queues}
        for queue in queues:
            last = earlier.get(queue.reader)
            for name in _COUNTED if last is not None else ():
                # A daemon that was restarted counts anew.
                done = max(0, getattr(queue, name) - getattr(last, name))
                rates[queue.reader][name] = round(done / (now - before.at), 1)
    return _Look(now, readers, queues, rates)


def _document(look: _Look) -> Plain:
    return {
        "readers": [
            {
                **plain(queue),
                "state": plain(look.readers[queue.reader])["state"],
                "card": look.readers[queue.reader].card,
                "per_second": look.rates[queue.reader],
            }
            for queue in look.queues
            if queue.reader in look.readers
        ]
    }


def _table(look: _Look) -> Table:
    table = screen.new_table("Reader", "Card", "Holder", "For", "Waiting", "APDU/s", "Leases/s",
                             "Cached/s")  # fmt: skip
    for queue in look.queues:
        reader = look.readers.get(queue.reader)
        if reader is None:
            continue
        rates = look.rates[queue.reader]
        table.add_row(
            unquote(queue.reader.removeprefix("readers/")),
            reader.card or plain(reader)["state"].replace("_", " "),
            _holder(queue),
            _held(queue),
            _waiting(queue),
            *(f"{rates[name]:g}" for name in _COUNTED),
        )
    return table


def _holder(queue: cards_pb2.CardQueue) -> Text:
    if not queue.HasField("holder"):
        return Text(screen.NOTHING, style="dim")
    text = Text(f"{queue.holder.caller}: {queue.holder.purpose}")
    if queue.kept_out:
        text.append("  waits for another PC/SC program", style="yellow")
    return text


def _held(queue: cards_pb2.CardQueue) -> str:
    if not queue.HasField("holder"):
        return ""
    return f"{queue.holder.held.ToMilliseconds() / 1000:.1f} s"


def _waiting(queue: cards_pb2.CardQueue) -> str:
    if not queue.waiting:
        return screen.NOTHING
    longest_s = max(one.waited.ToMilliseconds() for one in queue.waiting) / 1000
    return f"{len(queue.waiting)}, for {longest_s:.1f} s; next: {queue.waiting[0].caller}"
