"""A card that answers from a script: `command -> response` lines, in order, in hexadecimal."""

from __future__ import annotations

__all__ = ["ScriptedCard"]


class ScriptedCard:
    """Fails at the first command that is not the next one. Text after # is a remark."""

    def __init__(self, script: str) -> None:
        self._lines = []
        for line in script.strip().splitlines():
            text = line.partition("#")[0].replace(" ", "")
            if text:
                command, _, response = text.partition("->")
                self._lines.append((bytes.fromhex(command), bytes.fromhex(response)))
        self._next = 0

    def __call__(self, command: bytes) -> bytes:
        assert self._next < len(self._lines), f"unexpected {command.hex(' ')}"
        expected, response = self._lines[self._next]
        assert command == expected, f"got {command.hex(' ')}, script has {expected.hex(' ')}"
        self._next += 1
        return response

    @property
    def finished(self) -> bool:
        return self._next == len(self._lines)
