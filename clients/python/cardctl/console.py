"""The console that screens are put on."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

__all__ = ["new_console"]

# A pipe has no width: wide enough that nothing a program or a person greps for is broken.
_PIPE_WIDTH = 200

# What a terminal takes for a command (C0 but for the line feed, DEL, C1), or for another direction
# of writing (Unicode's bidirectional controls).
_RANGES = ((0x00, 0x0A), (0x0B, 0x20), (0x7F, 0xA0), (0x202A, 0x202F), (0x2066, 0x206A))
_COMMANDS = dict.fromkeys(
    (c for each in _RANGES for c in range(*each)), "\N{REPLACEMENT CHARACTER}"
)


def new_console(*, stderr: bool = False) -> Console:
    console = _Console(stderr=stderr, highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    return console


class _Console(Console):
    """Commands of a terminal are the console's own: what is shown was named by servers, cards and
    other programs."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            text, style, control = segment
            if control or text.isprintable():
                yield segment
            else:
                yield Segment(text.translate(_COMMANDS), style)
