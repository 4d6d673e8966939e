"""From the thread of the runs to the people in front of the machine, and back."""

from __future__ import annotations

import asyncio

from omadm.interaction import Reply

from cardd.provisioning.people import Asked
from cardd.rpc.questions import OpenQuestions

from .serial_executor import SerialExecutor

__all__ = ["People"]


class People:
    """A `PeoplePort`. Its questions belong to ``loop``; who asks is on the thread of ``runs``."""

    def __init__(
        self, questions: OpenQuestions, loop: asyncio.AbstractEventLoop, runs: SerialExecutor
    ) -> None:
        self._questions = questions
        self._loop = loop
        self._runs = runs

    def ask(self, asked: Asked) -> Reply:
        """Wait for the answer. Raises StoreError."""
        return asyncio.run_coroutine_threadsafe(self._questions.ask(asked), self._loop).result()

    def ask_aside(self, asked: Asked) -> Reply:
        """The same, while other runs have their turn."""
        return self._runs.aside(lambda: self.ask(asked))
