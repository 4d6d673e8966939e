"""Which agent is asked for whom, and how a prompt ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from cardd.rpc.access import Policy
from cardd.rpc.call import Call
from cardd.rpc.peer import Caller
from cardd.rpc.pin_agents import Given, PinAgents
from cardd.rpc.refusals import (
    ArgumentInvalidError,
    PinAgentMissingError,
    PinPromptRefusedError,
)
from cardea.v1 import pins_pb2 as pb
from cardea_core import Secret

ALICE, BOB, ROOT = 1000, 1001, 0


def call_of(uid: int) -> Call:
    caller = Caller(uid, frozenset(), 1)
    return Call("0", "/cardea.v1.CardService/VerifyPin", "pins.verify", caller, Policy(()))


class Agent:
    """The far end of an agent's stream."""

    def __init__(self, agents: PinAgents, uid: int) -> None:
        self.requests: asyncio.Queue[pb.ServePinsRequest | None] = asyncio.Queue()
        self._stream = agents.serve(uid, self._sent())

    async def _sent(self) -> AsyncIterator[pb.ServePinsRequest]:
        while (request := await self.requests.get()) is not None:
            yield request

    async def hear(self) -> pb.ServePinsResponse:
        return await asyncio.wait_for(anext(self._stream), 20)

    def answer(self, prompt: str, value: bytes | None) -> None:
        answer = pb.PinAnswer(prompt=prompt, value=value or b"")
        if value is None:
            answer.refusal.SetInParent()
        self.requests.put_nowait(pb.ServePinsRequest(answer=answer))

    async def close(self) -> None:
        self.requests.put_nowait(None)
        await self._stream.aclose()  # type: ignore[attr-defined]  # it is a generator


@asynccontextmanager
async def agent(agents: PinAgents, uid: int) -> AsyncIterator[Agent]:
    made = Agent(agents, uid)
    made.requests.put_nowait(pb.ServePinsRequest(register=pb.PinAgentRegistration()))
    assert (await made.hear()).HasField("registered")
    try:
        yield made
    finally:
        await made.close()


def ask(agents: PinAgents, uid: int, wait_s: float = 20) -> asyncio.Task[Given]:
    return asyncio.create_task(agents.ask(call_of(uid), pb.PinPrompt(purpose="test"), wait_s))


async def test_agent_of_another_user_is_not_asked() -> None:
    agents = PinAgents()
    async with agent(agents, BOB):
        with pytest.raises(PinAgentMissingError):
            await ask(agents, ALICE)


async def test_agent_of_root_serves_users_without_one() -> None:
    agents = PinAgents()
    async with agent(agents, ROOT) as system, agent(agents, BOB) as desktop:
        for uid, asked in ((ALICE, system), (BOB, desktop)):
            given = ask(agents, uid)
            prompt = (await asked.hear()).prompt
            assert prompt.caller.startswith(f"uid {uid}, ")
            asked.answer(prompt.id, b"1234")
            assert (await given).pin.value == Secret(b"1234")


async def test_answer_to_anothers_prompt_counts_for_nothing() -> None:
    agents = PinAgents()
    async with agent(agents, ALICE) as first:
        given = ask(agents, ALICE)
        prompt = (await first.hear()).prompt
        async with agent(agents, BOB) as other:
            other.answer(prompt.id, b"9999")
            first.answer("no such prompt", b"9999")
            first.answer(prompt.id, b"1234")
            assert (await given).pin.value == Secret(b"1234")


async def test_prompt_is_withdrawn_when_its_caller_leaves() -> None:
    agents = PinAgents()
    async with agent(agents, ALICE) as asked:
        given = ask(agents, ALICE)
        prompt = (await asked.hear()).prompt
        given.cancel()
        assert (await asked.hear()).withdrawn.prompt == prompt.id
        # What comes too late is no error: the person could not know.
        asked.answer(prompt.id, b"1234")
        again = ask(agents, ALICE)
        asked.answer((await asked.hear()).prompt.id, None)
        with pytest.raises(PinPromptRefusedError):
            await again


async def test_what_an_agent_does_not_take_is_not_piled_up() -> None:
    agents = PinAgents()
    async with agent(agents, ALICE) as asked:
        for _ in range(1000):
            given = ask(agents, ALICE)
            await asyncio.sleep(0)
            given.cancel()
            await asyncio.wait([given])
        with pytest.raises(PinPromptRefusedError):
            await ask(agents, ALICE)
        for _ in range(32):
            prompt = (await asked.hear()).prompt
            assert (await asked.hear()).withdrawn.prompt == prompt.id
        again = ask(agents, ALICE)
        asked.answer((await asked.hear()).prompt.id, b"1234")
        assert (await again).pin.value == Secret(b"1234")


async def test_agent_that_goes_away_refuses() -> None:
    agents = PinAgents()
    async with agent(agents, ALICE) as asked:
        given = ask(agents, ALICE)
        await asked.hear()
    with pytest.raises(PinPromptRefusedError):
        await given
    with pytest.raises(PinAgentMissingError):
        await ask(agents, ALICE)


async def test_what_an_agent_leaves_unanswered_is_for_the_one_before() -> None:
    """Whoever goes is known to have gone a little later: a prompt may still come its way."""
    agents = PinAgents()
    async with agent(agents, ALICE) as before:
        async with agent(agents, ALICE) as latest:
            given = ask(agents, ALICE)
            gone = (await latest.hear()).prompt
        prompt = (await before.hear()).prompt
        assert (prompt.caller, prompt.purpose) == (gone.caller, gone.purpose)
        assert prompt.id != gone.id
        before.answer(prompt.id, b"1234")
        assert (await given).pin.value == Secret(b"1234")


async def test_agent_registers_first_and_then_answers() -> None:
    agents = PinAgents()
    early = Agent(agents, ALICE)
    early.answer("1", b"1234")
    with pytest.raises(ArgumentInvalidError):
        await early.hear()
    async with agent(agents, ALICE) as twice:
        twice.requests.put_nowait(pb.ServePinsRequest(register=pb.PinAgentRegistration()))
        with pytest.raises(ArgumentInvalidError):
            await twice.hear()
