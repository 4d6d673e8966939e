"""The device's reports on their way: which were sent where, and which the server has answered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from omadm.messages import Alert, Message, Status
from omadm.status import AlertCode, StatusCode

from cardd.dm.events import Report, ReportAnswered

__all__ = ["Reports"]

# DM Protocol 1.2 §8.7.1: the server has received the alert.
_ACKNOWLEDGED = (StatusCode.OK, StatusCode.ACCEPTED)


class Reports:
    """A report goes out again until an authentic server has acknowledged it."""

    def __init__(self, reports: tuple[Report, ...]) -> None:
        self._reports = reports
        self._done: set[int] = set()
        self._sent: dict[tuple[int, int], int] = {}

    @property
    def acknowledged(self) -> tuple[Report, ...]:
        return tuple(self._reports[index] for index in sorted(self._done))

    def alerts(self) -> list[Alert]:
        """The alerts for all that is not acknowledged, in order."""
        return [self._reports[index].alert() for index in self._open()]

    def sent(self, message: Message) -> None:
        """Note under which MsgID and CmdID the alerts went out."""
        left = [(index, self._reports[index].alert()) for index in self._open()]
        for command in message.commands:
            if isinstance(command, Alert) and command.code == AlertCode.GENERIC:
                # A package may take several messages: its place says nothing.
                bare = replace(command, cmd_id=0)
                found = next((each for each in left if each[1] == bare), None)
                if found is not None:
                    left.remove(found)
                    self._sent[message.header.msg_id, command.cmd_id] = found[0]

    def answered(self, statuses: Iterable[Status]) -> list[ReportAnswered]:
        """Take the statuses of an authentic server."""
        codes: dict[int, list[int]] = {}
        for status in statuses:
            index = self._sent.get((status.msg_ref, status.cmd_ref))
            if index is not None and status.cmd == "Alert":
                codes.setdefault(index, []).append(status.code)
        events = []
        for index, each in codes.items():
            # Items may be answered one by one: the worst answer counts.
            good = all(code in _ACKNOWLEDGED for code in each)
            if good:
                self._done.add(index)
            events.append(ReportAnswered(self._reports[index], max(each), good))
        return events

    def _open(self) -> list[int]:
        return [index for index in range(len(self._reports)) if index not in self._done]
