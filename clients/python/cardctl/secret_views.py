"""What people see of keys and PINs."""

from __future__ import annotations

from collections.abc import Sequence

from cardea.v1 import keys_pb2, pins_pb2
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from .screen import NOTHING, new_table

__all__ = ["keys_table", "pins_table", "prompt_view"]


def pins_table(pins: Sequence[pins_pb2.Pin]) -> RenderableType:
    if not pins:
        return Text("No PINs.", style="dim")
    table = new_table("PIN", "Label", "State", "Tries left", "Unblocking tries left")
    for pin in pins:
        table.add_row(
            pin.name.rpartition("/")[2],
            pin.label or NOTHING,
            _pin_state(pin),
            _tries(pin, pin.tries_left) if pin.HasField("tries_left") else NOTHING,
            str(pin.unblock_tries_left) if pin.HasField("unblock_tries_left") else NOTHING,
        )
    return table


def prompt_view(prompt: pins_pb2.PinPrompt) -> RenderableType:
    """Who asks, for what: what a person has to know before giving a PIN."""
    kind = pins_pb2.PinPromptKind.Name(prompt.kind).rpartition("_")[2].lower()
    facts = Table.grid(padding=(0, 2))
    # As Text: what programs and cards say is nothing that could format itself.
    facts.add_row("Asked to", Text(f"{kind} {prompt.pin.label or 'a PIN'} of {prompt.pin.name}"))
    facts.add_row("By", Text(f"{prompt.program or 'a program'} ({prompt.caller})"))
    if prompt.purpose:
        facts.add_row("For", Text(prompt.purpose))
    return facts


def keys_table(keys: Sequence[keys_pb2.Key]) -> RenderableType:
    if not keys:
        return Text("No keys.", style="dim")
    table = new_table("Key", "Label", "Kind", "PIN", "Can")
    for key in keys:
        kind = keys_pb2.KeyKind.Name(key.kind).rpartition("_")[2]
        table.add_row(
            key.name,
            key.label or NOTHING,
            f"{kind} {key.bits}" if key.bits else kind,
            key.pin.rpartition("/")[2] or NOTHING,
            ", ".join(_uses(key)) or NOTHING,
        )
    return table


def _uses(key: keys_pb2.Key) -> list[str]:
    names = (keys_pb2.SignatureAlgorithm.Name(each) for each in key.signature_algorithms)
    schemes = [name.removeprefix("SIGNATURE_ALGORITHM_").rpartition("_")[0] for name in names]
    uses = [f"sign {scheme}" for scheme in dict.fromkeys(schemes)]
    if key.decryption_algorithms:
        uses.append("decrypt")
    if key.kind == keys_pb2.KEY_KIND_SUBSCRIBER:
        uses += ["authenticate", "derive"]
    return uses


def _pin_state(pin: pins_pb2.Pin) -> Text:
    if not pin.enabled:
        return Text("off", style="dim")
    if pin.HasField("tries_left") and not pin.tries_left:
        return Text("blocked", style="red")
    return Text("verified", style="yellow") if pin.verified else Text("on", style="green")


def _tries(pin: pins_pb2.Pin, left: int) -> Text:
    return Text(str(left), style="red" if left <= pin.floor else "")
