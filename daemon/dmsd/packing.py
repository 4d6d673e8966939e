"""Small steps in making a message: statuses, numbers, sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from omadm import codec
from omadm.messages import Alert, Command, Header, Message, Status
from omadm.status import StatusCode

__all__ = ["cost", "numbered", "status_for"]

_BARE = Header("1", 1, "a", "b")


def status_for(message: Message, command: Command, code: StatusCode) -> Status:
    """The status of one command of a message; its CmdID is given when it is packed."""
    return Status(0, message.header.msg_id, command.cmd_id, command.name, code)


def numbered(commands: Sequence[Command]) -> list[Command]:
    """Give the statuses and alerts in front their CmdIDs, from 1 on; commands have theirs."""
    return [
        replace(command, cmd_id=index + 1) if isinstance(command, Status | Alert) else command
        for index, command in enumerate(commands)
    ]


def cost(command: Command, encoding: codec.Encoding) -> int:
    """How many bytes a command adds to a message, at most."""
    alone = codec.encode(Message(_BARE, (command,)), encoding=encoding)
    return len(alone) - _bare_size(encoding)


@cache
def _bare_size(encoding: codec.Encoding) -> int:
    return len(codec.encode(Message(_BARE), encoding=encoding))
