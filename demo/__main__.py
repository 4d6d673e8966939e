"""``make demo``: the main job, end to end, in five scenes. Exit status 0: all of it held."""

from __future__ import annotations

import argparse
import io
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cardea
from cardctl import screen
from cardea.v1 import provisioning_pb2 as pb
from google.protobuf.duration_pb2 import Duration
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from softcard.errors import SoftCardError
from softcard.stack import VirtualReaders

from .story import APDU_DELAY_MS, NEWS, SCENES, Check, Scene, Stage
from .system import CommandFailedError, System

_WIDTH = 100

# Of the tree the last screen shows what somebody would look for.
_LEFT_OUT = re.compile(r"\./(Card|DevDetail|Inbox)\b|\./DMAcc/\d+/AppAuth\b")


@dataclass(frozen=True, slots=True)
class Played:
    """A scene and what became of it."""

    scene: Scene
    checks: list[Check]
    seconds: float
    result: pb.ProvisioningResult

    @property
    def held(self) -> bool:
        return bool(self.checks) and all(check.holds for check in self.checks)


def main() -> int:
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--svg", type=Path, help="write the last screen as a picture")
    options = parser.parse_args()
    console = Console(width=_WIDTH, highlight=False)
    try:
        played, last = _tell(console)
    except KeyboardInterrupt:
        console.print(Text("Ended. Nothing is left running.", style="bold"))
        return 130
    except (SoftCardError, CommandFailedError, cardea.CardeaError, TimeoutError) as error:
        console.print(Text(f"The demonstration broke off: {error}", style="bold red"))
        return 1
    console.print(last)
    if options.svg is not None:
        picture = Console(width=_WIDTH, record=True, file=io.StringIO(), force_terminal=True)
        picture.print(last)
        # Without the fonts that it would fetch from afar: the reader's own will do.
        svg = re.sub(
            r"@font-face \{.*?\}\s*", "", picture.export_svg(title="make demo"), flags=re.S
        )
        options.svg.write_text(svg)
    return 0 if all(each.held for each in played) and len(played) == len(SCENES) else 1


def _tell(console: Console) -> tuple[list[Played], RenderableType]:
    started = time.monotonic()
    console.print(Text("Cardea, the main job in five scenes", style="bold"))
    console.print(
        Text(
            "A real pcscd with a virtual reader; cards in software that answer in "
            f"{APDU_DELAY_MS} ms;\ndmsd and cardd as processes; TLS on loopback. "
            "Everything is private to this run\nand goes when it ends.",
            style="dim",
        )
    )
    with tempfile.TemporaryDirectory(prefix="cardea-") as name, _parts(Path(name)) as system:
        console.print(Text(f"pcscd, dmsd and cardd are up after {_since(started)}", style="dim"))
        with cardea.Client(str(system.socket)) as client:
            stage = Stage(system, client, console.print)
            stage.register()
            played = [_play(console, stage, scene) for scene in SCENES]
            last = _last_screen(stage, played, _since(started))
    return played, last


@contextmanager
def _parts(folder: Path) -> Iterator[System]:
    with VirtualReaders(folder / "pcsc") as readers, System(folder, readers) as system:
        yield system


def _play(console: Console, stage: Stage, scene: Scene) -> Played:
    console.print()
    console.rule(Text(f"({scene.letter}) {scene.title}", style="bold"), align="left")
    console.print(Text(scene.tells, style="dim"))
    started = time.monotonic()
    results = len(stage.results)
    try:
        checks = scene.play(stage)
    except (cardea.CardeaError, CommandFailedError, TimeoutError) as error:
        checks = [Check(holds=False, text=str(error))]
    for check in checks:
        mark, style = ("✓", "green") if check.holds else ("✗", "bold red")
        console.print(Text.assemble((f"  {mark} ", style), check.text))
    result = stage.results[-1] if len(stage.results) > results else pb.ProvisioningResult()
    return Played(scene, checks, time.monotonic() - started, result)


def _last_screen(stage: Stage, played: list[Played], elapsed: str) -> RenderableType:
    answer = stage.client.nodes(".")
    shown = [node for node in answer.nodes if not _LEFT_OUT.match(node.path)]
    return Group(
        Text(),
        _summary(played),
        Text("Card and network: what the run waited for. cardd: the daemon's own time.", "dim"),
        Text(),
        _command("cardctl tree", "  here without ./Card, ./DevDetail and credentials"),
        screen.tree_view(shown, answer.revision),
        Text(),
        _command(f"cardctl explain {NEWS}"),
        screen.explain_view(stage.client.explain(NEWS), NEWS),
        Text(),
        _verdict(played, elapsed),
    )


def _command(line: str, remark: str = "") -> Text:
    return Text.assemble((f"$ {line}", "bold"), (remark, "dim"))


def _summary(played: list[Played]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in ("Scene", "", "Trust"):
        table.add_column(column)
    for column in ("APDUs", "Card", "Network", "cardd", "In all"):
        table.add_column(column, justify="right")
    for each in played:
        mark = Text("✓ held", "green") if each.held else Text("✗ broken", "bold red")
        result = each.result
        card, network = _ms(result.card_time), _ms(result.network_time)
        total = _ms(result.total_time)
        table.add_row(
            f"({each.scene.letter}) {each.scene.title}",
            mark,
            ", ".join(result.trust),
            str(result.apdus),
            f"{card:.0f} ms",
            f"{network:.0f} ms",
            f"{max(total - card - network, 0):.0f} ms",
            f"{total:.0f} ms",
        )
    return table


def _verdict(played: list[Played], elapsed: str) -> Panel:
    held = sum(each.held for each in played)
    good = held == len(SCENES)
    text = f"{held} of {len(SCENES)} scenes held, in {elapsed}. Nothing is left running."
    return Panel(Text(text, style="bold green" if good else "bold red"), expand=False)


def _ms(duration: Duration) -> float:
    return duration.ToMicroseconds() / 1000


def _since(started: float) -> str:
    return f"{time.monotonic() - started:.1f} s"


if __name__ == "__main__":
    sys.exit(main())
