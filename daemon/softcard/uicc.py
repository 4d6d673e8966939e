"""The card's operating system: from command bytes to response bytes."""

import os
from collections.abc import Callable
from dataclasses import replace
from enum import Enum

from softcard import content, operations, pins, selection
from softcard.apdu import Command, Reply, parse
from softcard.fcp import RuleStyle
from softcard.files import Condition
from softcard.ota import OtaSpec, RemoteManagement, Target
from softcard.security import DomainRights
from softcard.session import CardSession, Selection
from softcard.usim import is_usim
from softcard.words import Refusal, Word

__all__ = ["Protocol", "Uicc"]

_Handler = Callable[[CardSession, int, Command], Reply]

_GET_RESPONSE = 0xC0
_TERMINAL_PROFILE, _ENVELOPE = 0x10, 0xC2
_CHUNK = 256
_CHAINED = 0x10
_CHAIN_LIMIT = 4096


class Protocol(Enum):
    """Transmission protocol, and with it the manners of the card."""

    T0 = "T=0"
    T1 = "T=1"


class Uicc:
    """A UICC without its connector. `process` never raises, whatever bytes come."""

    def __init__(
        self,
        card: CardSession,
        protocol: Protocol,
        style: RuleStyle,
        ota: OtaSpec | None = None,
    ) -> None:
        self._card = card
        self._protocol = protocol
        self._style = style
        self._remote = None if ota is None else RemoteManagement(ota, card.memory, self._shell)
        self._waiting: tuple[int, bytes] | None = None
        self._chain: tuple[bytes, bytes] | None = None  # header of the commands, data so far

    @property
    def session(self) -> CardSession:
        """What the commands see; for tests that look behind the APDUs."""
        return self._card

    def reset(self) -> None:
        """Power-up or warm reset."""
        self._waiting = self._chain = None
        self._card.reset()
        if self._remote is not None:
            self._remote.reset()

    def process(self, apdu: bytes) -> bytes:
        """Response data and status word."""
        try:
            return self._process(apdu)
        except Refusal as refusal:
            return refusal.word.to_bytes(2, "big")
        except OSError:
            # The state could not be saved: nothing has changed.
            return Word.MEMORY_PROBLEM.to_bytes(2, "big")

    def _process(self, apdu: bytes) -> bytes:
        command = parse(apdu)
        if command.extended and self._protocol is Protocol.T0:
            raise Refusal(Word.WRONG_LENGTH)
        chained = self._chained(command)
        if chained is None:
            return Word.OK.to_bytes(2, "big")
        command = chained
        proprietary, channel = _class(command.cla)
        waiting, self._waiting = self._waiting, None
        if command.ins == _GET_RESPONSE and not proprietary:
            return self._get_response(channel, command, waiting)
        before = self._card.snapshot() if command.ins in _OUTGOING else None
        reply = self._execute(proprietary, channel, command)
        answer = self._answer_t0 if self._protocol is Protocol.T0 else self._answer_t1
        response = answer(channel, command, reply)
        if before is not None and response[-2] == Word.WRONG_LE >> 8:
            # A wrong Le has no effect: no channel is open, no record pointer has moved.
            self._card.channels = before
        return response

    def _chained(self, command: Command) -> Command | None:
        """The whole command at its last part, None before (ISO/IEC 7816-4 §5.3.3)."""
        chain, self._chain = self._chain, None
        more = command.ins in _CHAINABLE and command.cla & 0xF0 == _CHAINED
        if chain is None and not more:
            return command
        header = bytes([command.cla & ~_CHAINED, command.ins, command.p1, command.p2])
        before = b"" if chain is None else chain[1]
        if (chain is not None and chain[0] != header) or len(before) > _CHAIN_LIMIT:
            raise Refusal(Word.LAST_COMMAND_EXPECTED)
        if more:
            self._chain = header, before + command.data
            return None
        return replace(command, data=before + command.data)

    def _execute(self, proprietary: bool, channel: int, command: Command) -> Reply:
        if proprietary:
            if command.ins in (_TERMINAL_PROFILE, _ENVELOPE) and self._remote is not None:
                return self._toolkit(self._remote, channel, command)
            if command.ins == 0xCA and self._card.access_rules is not None:
                return operations.get_access_rules(self._card, channel, command)
            if command.ins != 0xF2:
                known = command.ins in _HANDLERS or command.ins in (0xA4, _GET_RESPONSE)
                raise Refusal(Word.UNKNOWN_CLASS if known else Word.UNKNOWN_INSTRUCTION)
            return selection.status(self._card, channel, command, self._style)
        if command.ins == 0xA4:
            return selection.select(self._card, channel, command, self._style)
        handler = _HANDLERS.get(command.ins)
        if handler is None:
            word = Word.UNKNOWN_CLASS if command.ins == 0xF2 else Word.UNKNOWN_INSTRUCTION
            raise Refusal(word)
        if command.ins in _OUTGOING and command.data:
            raise Refusal(Word.WRONG_LENGTH)
        return handler(self._card, channel, command)

    def _toolkit(self, remote: RemoteManagement, channel: int, command: Command) -> Reply:
        """TS 102 221 §11.2: on the basic channel only."""
        if channel != 0:
            raise Refusal(Word.CHANNEL_NOT_SUPPORTED)
        if command.ins == _TERMINAL_PROFILE:
            return remote.terminal_profile(command)
        return remote.envelope(command)

    def _shell(self, target: Target) -> Callable[[bytes], bytes]:
        """A card within the card: its files, a selection of its own, what the target may."""
        rights = DomainRights(self._card.memory, target.access)
        session = CardSession(self._card.filesystem, self._card.memory, rights, None, 1)
        if target.in_usim:
            usim = next(df for df in self._card.filesystem.applications if is_usim(df))
            session.channels[0] = Selection(usim, application=usim)
        return Uicc(session, Protocol.T0, self._style).process

    def _answer_t0(self, channel: int, command: Command, reply: Reply) -> bytes:
        """TS 102 221 §7.3.1.1: data of a case 4 command has to be fetched, Le must fit."""
        word = reply.word.to_bytes(2, "big")
        if not reply.data:
            return word
        if command.ins in _INCOMING:
            self._waiting = channel, reply.data
            return _more(len(reply.data))
        available = reply.data[:_CHUNK]
        le = command.le or _CHUNK
        if le > len(available) or (le < len(available) and not reply.divisible):
            return (Word.WRONG_LE | len(available) & 0xFF).to_bytes(2, "big")
        return available[:le] + word

    def _answer_t1(self, channel: int, command: Command, reply: Reply) -> bytes:
        """ISO 7816-4 §5.1: Le bounds the data; what does not fit waits for GET RESPONSE."""
        word = reply.word.to_bytes(2, "big")
        if not reply.data or command.le is None:
            return word
        if command.ins in _INCOMING:
            if command.le < len(reply.data):
                self._waiting = channel, reply.data[command.le :]
                return reply.data[: command.le] + _more(len(self._waiting[1]))
            return reply.data + word
        if reply.divisible:
            if command.le > len(reply.data) and not command.le_is_maximum:
                word = Word.END_OR_NOT_FOUND.to_bytes(2, "big")
            return reply.data[: command.le] + word
        if command.le != len(reply.data) and not command.le_is_maximum:
            return (Word.WRONG_LE | len(reply.data) & 0xFF).to_bytes(2, "big")
        return reply.data + word

    def _get_response(
        self, channel: int, command: Command, waiting: tuple[int, bytes] | None
    ) -> bytes:
        self._card.selection(channel)
        if command.p1 or command.p2:
            raise Refusal(Word.WRONG_P1P2)
        if waiting is None or waiting[0] != channel:
            raise Refusal(Word.CONDITIONS_NOT_SATISFIED)
        data = waiting[1]
        le = command.le or _CHUNK
        if le > len(data) and not (command.le_is_maximum and self._protocol is Protocol.T1):
            self._waiting = waiting
            return (Word.WRONG_LE | len(data) & 0xFF).to_bytes(2, "big")
        if le < len(data):
            self._waiting = channel, data[le:]
            return data[:le] + _more(len(data) - le)
        return data + Word.OK.to_bytes(2, "big")


def _more(count: int) -> bytes:
    # 6100 stands for 256 bytes or more (ISO 7816-4 §5.3.4).
    return (Word.MORE_DATA | (count if count < _CHUNK else 0)).to_bytes(2, "big")


def _class(cla: int) -> tuple[bool, int]:
    """Whether the class is proprietary, and the logical channel (TS 102 221 §10.1.1)."""
    family = cla & 0xF0
    if family in (0x00, 0x80):
        secured, channel = cla & 0x0C, cla & 0x03
    elif cla & 0x40 and not cla & 0x10:
        secured, channel = cla & 0x20, 4 + (cla & 0x0F)
    elif family in (0x10, 0x90, 0x50, 0x70, 0xD0, 0xF0) and cla != 0xFF:
        raise Refusal(Word.CHAINING_NOT_SUPPORTED)
    else:
        raise Refusal(Word.UNKNOWN_CLASS)
    if secured:
        raise Refusal(Word.SECURE_MESSAGING_NOT_SUPPORTED)
    return bool(cla & 0x80), channel


def _get_challenge(card: CardSession, channel: int, command: Command) -> Reply:
    """TS 102 221 §11.1.15; a maximal Le gets 8 bytes."""
    card.selection(channel)
    if command.p1 or command.p2:
        raise Refusal(Word.WRONG_P1P2)
    size = 8 if command.le is None or command.le_is_maximum else command.le
    return Reply(os.urandom(size))


def _authenticate(card: CardSession, channel: int, command: Command) -> Reply:
    """TS 31.102 §7.1: within the USIM, with PIN1 given. Elsewhere INTERNAL AUTHENTICATE."""
    current = card.selection(channel)
    if (channel, 0xA4) in card.environments:
        return operations.internal_authenticate(card, channel, command)
    usim = card.authenticator
    if usim is None:
        raise Refusal(Word.UNKNOWN_INSTRUCTION)
    application = current.application
    if application is None or not is_usim(application):
        raise Refusal(Word.CONDITIONS_NOT_SATISFIED)
    card.keyring.require(Condition.PIN1)
    contexts = {0x80: usim.gsm, 0x81: usim.umts, 0x84: usim.gba}
    if command.p1 or command.p2 not in contexts:
        raise Refusal(Word.WRONG_P1P2)
    return Reply(contexts[command.p2](command.data))


_HANDLERS: dict[int, _Handler] = {
    0x20: pins.verify_pin,
    0x22: operations.manage_environment,
    0x24: pins.change_pin,
    0x26: pins.disable_pin,
    0x28: pins.enable_pin,
    0x2A: operations.perform_operation,
    0x2C: pins.unblock_pin,
    0x2E: pins.log_out,
    0x70: selection.manage_channel,
    0x84: _get_challenge,
    0x88: _authenticate,
    0xA2: content.search_record,
    0xB0: content.read_binary,
    0xB2: content.read_record,
    0xCA: operations.get_data,
    0xD6: content.update_binary,
    0xDC: content.update_record,
}

# Commands whose data go to the card: on T=0 their answers are fetched with GET RESPONSE.
_INCOMING = frozenset({0x2A, 0x88, 0xA2, 0xA4, _ENVELOPE})
_OUTGOING = frozenset({0x70, 0x84, 0xB0, 0xB2, 0xCA})
# Commands whose data may come in parts.
_CHAINABLE = frozenset({0x2A})
