"""PINs: how they stand, and presenting, changing and unblocking them for a caller."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from cardea.v1 import cards_pb2 as pb
from cardea.v1 import pins_pb2
from cardea_core import Secret

from cardd.card import apdu, pins
from cardd.card.credentials import ADM1
from cardd.card.errors import NoSuchPin, PinBlocked
from cardd.card.pins import PinState
from cardd.card.token import PinObject
from cardd.reader.events import ReaderStatus
from cardd.sharing.ticket import Priority

from .call import Call
from .card_jobs import CardJobs, OpenCard, PinValue
from .card_leases import card_name
from .pin_agents import Given, PinAgents
from .refusals import ArgumentInvalidError

__all__ = ["PinOperations"]

_PinRequest = TypeVar("_PinRequest", pb.VerifyPinRequest, pb.ChangePinRequest, pb.UnblockPinRequest)

_PROMPT_S, _LONGEST_PROMPT_S = 60.0, 300.0
_LONGEST_PURPOSE = 200


class PinOperations:
    """Each call: whose card, may they, whence the value, then the card layer's Presenter."""

    def __init__(self, jobs: CardJobs, agents: PinAgents) -> None:
        self._jobs = jobs
        self._agents = agents

    async def status(self, request: pb.PinStatusRequest, call: Call) -> pb.PinStatusResponse:
        status = await self._jobs.find(request.name, request.session, call)
        max_wait = request.max_wait if request.HasField("max_wait") else None

        def look(open_card: OpenCard) -> list[pins_pb2.Pin]:
            states = (
                pins.pin_state(open_card.files, open_card.presenter(), pin, enabled=enabled)
                for pin, enabled in open_card.pins
            )
            return [self._message(open_card.name, state) for state in states if state is not None]

        found = await self._jobs.run(status, request.session, call, "PinStatus", max_wait, look)
        return pb.PinStatusResponse(pins=found)

    async def verify(self, request: pb.VerifyPinRequest, call: Call) -> pb.VerifyPinResponse:
        await self._present(request, call, pins_pb2.PIN_PROMPT_KIND_VERIFY, _verify)
        return pb.VerifyPinResponse()

    async def change(self, request: pb.ChangePinRequest, call: Call) -> pb.ChangePinResponse:
        await self._present(request, call, pins_pb2.PIN_PROMPT_KIND_CHANGE, _change)
        return pb.ChangePinResponse()

    async def unblock(self, request: pb.UnblockPinRequest, call: Call) -> pb.UnblockPinResponse:
        await self._present(request, call, pins_pb2.PIN_PROMPT_KIND_UNBLOCK, _unblock)
        return pb.UnblockPinResponse()

    async def value_for(
        self,
        status: ReaderStatus,
        session: str,
        call: Call,
        source: pins_pb2.PinSource,
        find: Callable[[OpenCard], PinObject | None],
    ) -> PinValue | None:
        """The PIN of the request, or from a person; None if there is neither a value nor a need."""
        if source.HasField("value"):
            return _given(source).pin
        if not source.HasField("agent"):
            return None
        given = await self._prompt(
            status,
            session,
            call,
            source,
            pins_pb2.PIN_PROMPT_KIND_VERIFY,
            lambda open_card: open_card.missing(find(open_card)),
        )
        return None if given is None else given.pin

    async def _present(
        self,
        request: _PinRequest,
        call: Call,
        kind: pins_pb2.PinPromptKind.ValueType,
        use: Callable[[OpenCard, _PinRequest, Given], None],
    ) -> None:
        status = await self._jobs.find(request.name, request.session, call)
        # A PIN opens what it opens: that takes a right to the whole card.
        call.require(reader=status.name, application="*", file="*", key="*")
        if request.source.HasField("agent"):
            given = await self._prompt(
                status,
                request.session,
                call,
                request.source,
                kind,
                lambda open_card: _pin(open_card, request.pin),
            )
        else:
            given = _given(request.source)
        assert given is not None
        max_wait = request.max_wait if request.HasField("max_wait") else None
        purpose = pins_pb2.PinPromptKind.Name(kind).rpartition("_")[2].title() + "Pin"
        # A person who has just typed a PIN waits in front of a screen.
        typed = request.source.HasField("agent") or given.pin.confirmed_tries is not None
        await self._jobs.run(
            status,
            request.session,
            call,
            purpose,
            max_wait,
            lambda open_card: use(open_card, request, given),
            Priority.INTERACTIVE if typed else Priority.NORMAL,
        )

    async def _prompt(
        self,
        status: ReaderStatus,
        session: str,
        call: Call,
        source: pins_pb2.PinSource,
        kind: pins_pb2.PinPromptKind.ValueType,
        find: Callable[[OpenCard], PinObject | None],
    ) -> Given | None:
        """Look at the counter, let the card go, and ask; None where no PIN is needed.

        Nobody is asked for what cannot be used: NoSuchPin, PinBlocked; nor in words that could
        pass for more than the program's own: ArgumentInvalidError.
        """
        asked = source.agent
        if len(asked.purpose) > _LONGEST_PURPOSE or not asked.purpose.isprintable():
            raise ArgumentInvalidError(
                "purpose", f"must be {_LONGEST_PURPOSE} printable characters"
            )

        def look(open_card: OpenCard) -> pins_pb2.Pin | None:
            pin = find(open_card)
            if pin is None:
                return None
            state = pins.pin_state(open_card.files, open_card.presenter(), pin, enabled=True)
            if state is None:
                raise NoSuchPin(pins.pin_id(pin))
            unblocking = kind == pins_pb2.PIN_PROMPT_KIND_UNBLOCK
            if (state.unblock_tries_left if unblocking else state.tries_left) == 0:
                raise PinBlocked(pin.reference, open_card.floor)
            return self._message(open_card.name, state)

        pin = await self._jobs.run(status, session, call, "PinStatus", None, look)
        if pin is None:
            return None
        # Not by a timedelta: that does not hold every Duration.
        wait_s = asked.max_wait.seconds + asked.max_wait.nanos / 1e9
        wait_s = min(wait_s, _LONGEST_PROMPT_S) if wait_s > 0 else _PROMPT_S
        prompt = pins_pb2.PinPrompt(kind=kind, pin=pin, purpose=asked.purpose)
        return await self._agents.ask(call, prompt, wait_s)

    def _message(self, card: str, state: PinState) -> pins_pb2.Pin:
        return pins_pb2.Pin(
            name=f"{card_name(card)}/pins/{pins.pin_id(state.pin)}",
            label=state.pin.label,
            enabled=state.enabled,
            verified=state.verified,
            tries_left=state.tries_left,
            unblock_tries_left=state.unblock_tries_left,
            min_length=state.pin.min_length,
            max_length=state.pin.max_length,
            floor=self._jobs.floor,
        )


def _pin(open_card: OpenCard, name: str) -> PinObject:
    return pins.find_pin(open_card.pins, name)


def _given(source: pins_pb2.PinSource) -> Given:
    if not source.HasField("value"):
        raise ArgumentInvalidError("source", "says neither a value nor an agent")
    confirmed = source.confirmed_tries_left if source.HasField("confirmed_tries_left") else None
    return Given(PinValue(Secret(source.value), confirmed), Secret(b""))


def _verify(open_card: OpenCard, request: pb.VerifyPinRequest, given: Given) -> None:
    open_card.prove(_pin(open_card, request.pin), given.pin)


def _change(open_card: OpenCard, request: pb.ChangePinRequest, given: Given) -> None:
    pin = _replaceable(open_card, request.pin)
    old = pins.credential(pin, given.pin.value)
    new = pins.credential(pin, _new_value(request, given))
    with open_card.presenting(pin, apdu.CHANGE_PIN, given.pin) as presenter:
        presenter.change(old, new)


def _unblock(open_card: OpenCard, request: pb.UnblockPinRequest, given: Given) -> None:
    pin = _replaceable(open_card, request.pin)
    code = pins.unblocking_credential(pin, open_card.tokens, given.pin.value)
    new = pins.credential(pin, _new_value(request, given))
    with open_card.presenting(pin, apdu.UNBLOCK_PIN, given.pin) as presenter:
        presenter.unblock(code, new)


def _replaceable(open_card: OpenCard, name: str) -> PinObject:
    pin = _pin(open_card, name)
    if pin.reference == ADM1:
        raise ArgumentInvalidError("pin", "an administrative key is not changed by this")
    return pin


def _new_value(request: pb.ChangePinRequest | pb.UnblockPinRequest, given: Given) -> Secret:
    return given.new_value if len(given.new_value) else Secret(request.new_value)
