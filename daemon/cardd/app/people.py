"""From the thread of the runs to the people in front of the machine, and back."""

from __future__ import annotations

import asyncio

from omadm.interaction import Reply

from cardd.provisioning.people import Asked
from cardd.rpc.questions import OpenQuestions

__all__ = ["People"]


class People:
    """A `PeoplePort`. Its questions belong to ``loop``; who asks is on another thread."""

    def __init__(self, questions: OpenQuestions, loop: asyncio.AbstractEventLoop) -> None:
        self._questions = questions
        self._loop = loop

    def ask(self, asked: Asked) -> Reply:
        """Wait for the answer. Raises StoreError."""
        return asyncio.run_coroutine_threadsafe(self._questions.ask(asked), self._loop).result()
