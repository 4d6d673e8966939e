"""PINs: where a call gets one from, how they stand, and answering for people as an agent."""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, TypedDict

from cardea.v1 import cards_pb2, cards_pb2_grpc, pins_pb2, pins_pb2_grpc

from .durations import duration
from .errors import readable_errors
from .session import Session
from .streams import Connection

__all__ = ["AskPerson", "PinCalls", "PinInput", "PinValue", "pin_source", "session_name"]

# How long the daemon waits for a person: unless it is told, and at most.
_PERSON_S, _PERSON_AT_MOST_S = 60.0, 300.0


@dataclass(frozen=True, slots=True)
class PinValue:
    """A PIN as a person typed it.

    ``confirmed_tries``: the person was shown that so many tries are left, and wants to spend one
    nevertheless. Without it the daemon spends no try at or below its floor.
    """

    value: str | bytes = field(repr=False)
    confirmed_tries: int | None = None


@dataclass(frozen=True, slots=True)
class AskPerson:
    """Let the daemon ask a person, through the agent that has registered."""

    purpose: str = ""
    max_wait_s: float | None = None


PinInput: TypeAlias = str | bytes | PinValue | AskPerson | None
"""None: the PIN is not needed, or was verified in the session."""

Answer: TypeAlias = tuple[PinValue, str | bytes] | None
"""What an agent's person gives: the value asked for, and a new one or nothing; None refuses."""


class _Replacement(TypedDict):
    name: str
    pin: str
    source: pins_pb2.PinSource | None
    new_value: bytes
    session: str


class PinCalls:
    """The part of the client that is about PINs."""

    _cards: cards_pb2_grpc.CardServiceStub
    _connection: Connection
    _timeout_s: float
    target: str

    def pins(self, name: str = "", *, session: Session | None = None) -> Sequence[pins_pb2.Pin]:
        """The card's PINs with the tries that are left; asking spends none."""
        with readable_errors(self.target):
            request = cards_pb2.PinStatusRequest(name=name, session=session_name(session))
            return self._cards.PinStatus(request, timeout=self._timeout_s).pins

    def verify_pin(
        self, value: PinInput, *, name: str = "", pin: str = "", session: Session | None = None
    ) -> None:
        """Present a PIN. Within a session it stays verified; else this tells if it is right."""
        with readable_errors(self.target):
            request = cards_pb2.VerifyPinRequest(
                name=name, pin=pin, source=pin_source(value), session=session_name(session)
            )
            self._cards.VerifyPin(request, timeout=answer_limit_s(value, self._timeout_s))

    def change_pin(
        self,
        value: PinInput,
        new_value: str | bytes = "",
        *,
        name: str = "",
        pin: str = "",
        session: Session | None = None,
    ) -> None:
        """Give a PIN another value; with :class:`AskPerson` both come from the person."""
        with readable_errors(self.target):
            about = _replacement(name, pin, value, new_value, session)
            self._cards.ChangePin(
                cards_pb2.ChangePinRequest(**about),
                timeout=answer_limit_s(value, self._timeout_s),
            )

    def unblock_pin(
        self,
        code: PinInput,
        new_value: str | bytes = "",
        *,
        name: str = "",
        pin: str = "",
        session: Session | None = None,
    ) -> None:
        """Give a PIN another value with its unblocking code."""
        with readable_errors(self.target):
            about = _replacement(name, pin, code, new_value, session)
            self._cards.UnblockPin(
                cards_pb2.UnblockPinRequest(**about),
                timeout=answer_limit_s(code, self._timeout_s),
            )

    def serve_pins(
        self,
        answer: Callable[[pins_pb2.PinPrompt], Answer],
        *,
        name: str = "",
        ready: Callable[[], None] = lambda: None,
        withdrawn: Callable[[str], None] = lambda prompt: None,
    ) -> None:
        """Be an agent: ``answer`` is called for each prompt, one at a time, for ever.

        ``withdrawn`` gets the ids of prompts that nobody waits for any more.
        """
        outgoing: queue.SimpleQueue[pins_pb2.ServePinsRequest | None] = queue.SimpleQueue()
        registration = pins_pb2.PinAgentRegistration(name=name)
        outgoing.put(pins_pb2.ServePinsRequest(register=registration))
        stub = pins_pb2_grpc.PinAgentServiceStub(self._connection.channel)
        prompts = self._connection.stream(stub.ServePins(iter(outgoing.get, None)))
        try:
            for message in prompts:
                if message.HasField("registered"):
                    ready()
                elif message.HasField("withdrawn"):
                    withdrawn(message.withdrawn.prompt)
                else:
                    outgoing.put(_answer(message.prompt, answer(message.prompt)))
        finally:
            outgoing.put(None)
            prompts.close()


def pin_source(value: PinInput) -> pins_pb2.PinSource | None:
    """The message for what a caller gives as a PIN."""
    if value is None:
        return None
    if isinstance(value, AskPerson):
        asked = pins_pb2.PinPrompting(purpose=value.purpose, max_wait=duration(value.max_wait_s))
        return pins_pb2.PinSource(agent=asked)
    if not isinstance(value, PinValue):
        value = PinValue(value)
    return pins_pb2.PinSource(
        value=_octets(value.value), confirmed_tries_left=value.confirmed_tries
    )


def answer_limit_s(given: PinInput, timeout_s: float) -> float:
    """How long a call may take: a person may take time that the daemon does not."""
    if not isinstance(given, AskPerson):
        return timeout_s
    person_s = _PERSON_S if given.max_wait_s is None else given.max_wait_s
    return timeout_s + min(person_s, _PERSON_AT_MOST_S)


def session_name(session: Session | None) -> str:
    """sessions/{id}, or nothing."""
    return "" if session is None else session.granted.session


def _replacement(
    name: str, pin: str, given: PinInput, new_value: str | bytes, session: Session | None
) -> _Replacement:
    """The fields that changing and unblocking a PIN have in common."""
    return {
        "name": name,
        "pin": pin,
        "source": pin_source(given),
        "new_value": _octets(new_value),
        "session": session_name(session),
    }


def _answer(prompt: pins_pb2.PinPrompt, given: Answer) -> pins_pb2.ServePinsRequest:
    answer = pins_pb2.PinAnswer(prompt=prompt.id)
    if given is None:
        answer.refusal.SetInParent()
    else:
        answer.value = _octets(given[0].value)
        answer.new_value = _octets(given[1])
        if given[0].confirmed_tries is not None:
            answer.confirmed_tries_left = given[0].confirmed_tries
    return pins_pb2.ServePinsRequest(answer=answer)


def _octets(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value
