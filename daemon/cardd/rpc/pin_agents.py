"""PIN agents: who asks people for PINs, and what they are asked."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cardea.v1 import pins_pb2 as pb
from cardea.v1 import pins_pb2_grpc as pb_grpc
from cardea_core import Secret

from . import convert
from .call import Call, current_call
from .card_jobs import PinValue
from .refusals import ArgumentInvalidError, PinAgentMissingError, PinPromptRefusedError

__all__ = ["Given", "PinAgentService", "PinAgents"]

_ROOT = 0
# An agent that takes no more of what it is told has stopped to ask anybody.
_MOST_UNTAKEN = 64


@dataclass(frozen=True, slots=True)
class Given:
    """What a person has given: the value that was asked for, and perhaps a new one."""

    pin: PinValue
    new_value: Secret


@dataclass(slots=True, eq=False)
class _Agent:
    uid: int
    outgoing: asyncio.Queue[pb.ServePinsResponse] = field(default_factory=asyncio.Queue)
    open: dict[str, asyncio.Future[Given]] = field(default_factory=dict)


class _AgentGoneError(PinPromptRefusedError):
    """It has not answered."""


class PinAgents:
    """The agents that are there. Belongs to the event loop."""

    def __init__(self) -> None:
        self._agents: list[_Agent] = []

    async def ask(self, call: Call, prompt: pb.PinPrompt, max_wait_s: float) -> Given:
        """What the person gives whom an agent asks; if it goes meanwhile, the one before it.

        Raises:
            PinAgentMissingError, PinPromptRefusedError.
        """
        prompt.caller = str(call.caller)
        prompt.program = _program(call.caller.pid)
        prompt.max_wait.CopyFrom(convert.duration(max_wait_s))
        agent = self._agent_for(call.caller.uid)
        if agent is None:
            raise PinAgentMissingError
        try:
            async with asyncio.timeout(max_wait_s):
                while True:
                    try:
                        return await self._ask(agent, prompt)
                    except _AgentGoneError:
                        # Nobody has refused: it may have gone before it could ask anybody.
                        agent = self._agent_for(call.caller.uid)
                        if agent is None:
                            raise
        except TimeoutError:
            raise PinPromptRefusedError("nobody answered in time") from None

    async def _ask(self, agent: _Agent, prompt: pb.PinPrompt) -> Given:
        if agent.outgoing.qsize() >= _MOST_UNTAKEN:
            raise PinPromptRefusedError("the agent does not take its prompts")
        prompt.id = secrets.token_hex(8)
        answer: asyncio.Future[Given] = asyncio.get_running_loop().create_future()
        agent.open[prompt.id] = answer
        agent.outgoing.put_nowait(pb.ServePinsResponse(prompt=prompt))
        try:
            return await answer
        finally:
            if agent.open.pop(prompt.id, None) is not None:
                withdrawn = pb.PinPromptWithdrawn(prompt=prompt.id)
                agent.outgoing.put_nowait(pb.ServePinsResponse(withdrawn=withdrawn))

    async def serve(
        self, uid: int, requests: AsyncIterator[pb.ServePinsRequest]
    ) -> AsyncIterator[pb.ServePinsResponse]:
        """One agent's stream, from its registration to its end."""
        first = await anext(requests, None)
        if first is None or not first.HasField("register"):
            raise ArgumentInvalidError("message", "an agent begins by registering")
        agent = _Agent(uid)
        self._agents.append(agent)
        agent.outgoing.put_nowait(pb.ServePinsResponse(registered=pb.PinAgentRegistered()))
        listening = asyncio.ensure_future(_listen(agent, requests))
        coming = asyncio.ensure_future(agent.outgoing.get())
        try:
            while True:
                await asyncio.wait((coming, listening), return_when=asyncio.FIRST_COMPLETED)
                if not coming.done():
                    await listening  # raises what the agent has done wrong
                    return
                yield coming.result()
                coming = asyncio.ensure_future(agent.outgoing.get())
        finally:
            self._agents.remove(agent)
            coming.cancel()
            listening.cancel()
            for answer in agent.open.values():
                if not answer.done():
                    answer.set_exception(_AgentGoneError("the agent has gone"))

    def _agent_for(self, uid: int) -> _Agent | None:
        for serves in (uid, _ROOT):
            for agent in reversed(self._agents):
                if agent.uid == serves:
                    return agent
        return None


class PinAgentService(pb_grpc.PinAgentServiceServicer):
    """The agents' side."""

    def __init__(self, agents: PinAgents) -> None:
        self._agents = agents

    async def ServePins(
        self, request_iterator: AsyncIterator[pb.ServePinsRequest], context: Any
    ) -> AsyncIterator[pb.ServePinsResponse]:
        caller = current_call().caller
        async for response in self._agents.serve(caller.uid, aiter(request_iterator)):
            yield response


async def _listen(agent: _Agent, requests: AsyncIterator[pb.ServePinsRequest]) -> None:
    async for request in requests:
        if not request.HasField("answer"):
            raise ArgumentInvalidError("message", "is no answer")
        answer = request.answer
        waiting = agent.open.pop(answer.prompt, None)
        if waiting is None or waiting.done():
            continue  # withdrawn meanwhile
        if answer.HasField("value"):
            confirmed = (
                answer.confirmed_tries_left if answer.HasField("confirmed_tries_left") else None
            )
            given = PinValue(Secret(answer.value), confirmed)
            waiting.set_result(Given(given, Secret(answer.new_value)))
        else:
            waiting.set_exception(PinPromptRefusedError("the person refused"))


def _program(pid: int) -> str:
    """What a process calls itself (proc(5), comm), as far as people can read it."""
    try:
        name = Path(f"/proc/{pid}/comm").read_text("utf-8", "replace").strip()
    except OSError:
        return ""
    return "".join(letter if letter.isprintable() else "?" for letter in name)
