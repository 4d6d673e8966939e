"""The programs of the load, each a process of its own: `programs NAME DOOR SOCKET READER …`.

They answer in lines of JSON; times are CLOCK_MONOTONIC, which all processes share.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from bench.chaos.apdus import (
    IMSI,
    IMSI_SCRIPT,
    READ_ICCID,
    READ_IMSI,
    SCRIPT,
    SELECT_ICCID,
    VERIFY,
)
from bench.chaos.streams import beside, empty_server, hostile, reads
from bench.chaos.talk import Words, expect, listen, one, say
from bench.chaos.transports import (
    CardeaTransport,
    LostError,
    PyscardTransport,
    Transmit,
    Transport,
    open_transport,
)

__all__ = ["PROGRAMS"]

_RELY_S = 2.0


def transactions(transport: Transport, seconds: str) -> None:
    """Transactions of five APDUs without a pause; each as [asked, granted, done]."""
    one(transport)
    say("ready")
    listen()
    done: list[tuple[float, float, float]] = []
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        done.append(one(transport))
    say(done)


def holder(transport: Transport, ending: str) -> None:
    """Verifies the PIN, selects a file, and keeps the card: for ever, or until told to end."""
    listen()
    with transport.hold() as transmit:
        for command in IMSI_SCRIPT:
            expect(transmit(command), b"\x90\x00")
        expect(transmit(READ_IMSI), IMSI)
        say(time.monotonic())
        if ending == "ended":
            listen()
            before = time.monotonic()
        else:
            time.sleep(3600)
    say(before)


def follower(transport: Transport) -> None:
    """Waits for the card; says when it had it, then stays until told."""
    say("ready")
    while listen():
        with transport.hold():
            say(time.monotonic())
            listen()
        say("gave it back")


def session(transport: Transport, pause_s: str) -> None:
    """One APDU after the other within one hold; at each word the latencies since the last."""
    taken: list[float] = []
    with transport.hold() as transmit:
        transmit(SELECT_ICCID)
        answer = transmit(READ_ICCID)
        say("ready")
        words = Words()
        while not words.ended:
            before = time.monotonic()
            expect(transmit(READ_ICCID), answer)
            taken.append(time.monotonic() - before)
            if words.pending():
                say(taken)
                taken = []
            time.sleep(float(pause_s))


def calls(transport: Transport, what: str, pause_s: str) -> None:
    """One call after the other: "list", "read", "transaction"; latencies at each word."""
    call = _call(transport, what)
    call()
    say("ready")
    words = Words()
    taken: list[float] = []
    while not words.ended:
        before = time.monotonic()
        call()
        taken.append(time.monotonic() - before)
        if words.pending():
            say(taken)
            taken = []
        time.sleep(float(pause_s))


def stateful(transport: Transport, pause_s: str, state: str) -> None:
    """Builds up a state that a reset takes away ("pin", "selection"), and relies on it for a
    while or until it is told of the loss.

    For each word: how many answers came from a lost state, by what the hold ended and when, and
    after how long a new hold with a new state had its first right answer.
    """
    script = IMSI_SCRIPT if state == "pin" else tuple(c for c in IMSI_SCRIPT if c[1] != VERIFY)
    say("ready")
    while listen():
        wrong, ended = 0, ""
        try:
            keep = (
                transport.connected()
                if isinstance(transport, PyscardTransport)
                else transport.hold()
            )
            with keep as transmit:
                build(transmit, script)
                say("built")
                give_up_at = time.monotonic() + _RELY_S
                while time.monotonic() < give_up_at:
                    wrong += transmit(READ_IMSI) != IMSI
                    ended_at = time.monotonic()
                    time.sleep(float(pause_s))
        except LostError as error:
            ended = str(error)
            ended_at = time.monotonic()
        say([wrong, ended, ended_at, rebuild(transport, script, time.monotonic())])


def resetter(transport: PyscardTransport) -> None:
    """Resets the card at each word, as any program may: connect, reset, disconnect."""
    transport.disconnect()
    say("ready")
    while listen():
        transport.connect()
        transport.reset()
        say(time.monotonic())
        transport.disconnect()


def deadline(transport: CardeaTransport, apdu: str) -> None:
    """Calls a card that hangs with `apdu`, at each word with so many seconds; how long it took."""
    say("ready")
    while word := listen():
        kind, _, limit = word.partition(" ")
        before, reason = time.monotonic(), "answered"
        try:
            if kind == "deadline":
                transport.client._timeout_s = float(limit)
                transport.client.transmit(transport.name, bytes.fromhex(apdu), max_wait_s=60)
            elif kind == "wait":
                transport.client.transmit(
                    transport.name, bytes.fromhex(apdu), max_wait_s=float(limit)
                )
            else:
                with transport.client.session(transport.name, max_wait_s=float(limit)) as leased:
                    leased.transmit(bytes.fromhex(apdu))
        except Exception as error:  # noqa: BLE001  whatever it is, it is the answer
            reason = getattr(error, "reason", repr(error))
        say([time.monotonic() - before, reason])


def hang(transport: PyscardTransport) -> None:
    """Sends one APDU and says when it is back, if ever."""
    say("ready")
    listen()
    before = time.monotonic()
    with suppress(LostError):
        transport.transmit(READ_ICCID)
    say(time.monotonic() - before)


def script(transport: Transport, give_up_s: str) -> None:
    """`run ICCID`: the script once, and how many answers were those of another card, and the end.
    `until ICCID`: again and again until that card answers; when that was, or null."""
    say("ready")
    while word := listen():
        kind, _, iccid = word.partition(" ")
        right = bytes.fromhex(iccid) + b"\x90\x00"
        if kind == "run":
            say(_run(transport, right))
            continue
        give_up_at = time.monotonic() + float(give_up_s)
        while True:
            _, ended = _run(transport, right)
            if not ended or time.monotonic() > give_up_at:
                break
            time.sleep(0.005)
            if isinstance(transport, PyscardTransport):
                with suppress(LostError):
                    transport.disconnect()
                    transport.connect()
        say(None if ended else time.monotonic())


def _run(transport: Transport, right: bytes) -> tuple[int, str]:
    wrong = 0
    try:
        with transport.hold() as transmit:
            for command in SCRIPT:
                answer = transmit(command)
                if answer[-2:] != b"\x90\x00":
                    raise LostError(f"status {answer[-2:].hex()}")
                wrong += command == READ_ICCID and answer != right
    except LostError as error:
        return wrong, str(error)
    return wrong, "another card" if wrong else ""


def build(transmit: Transmit, script: Sequence[bytes]) -> None:
    for command in script:
        expect(transmit(command), b"\x90\x00")
    expect(transmit(READ_IMSI), IMSI)


def rebuild(transport: Transport, script: Sequence[bytes], since: float) -> float | None:
    """Seconds until a new hold works; None if it does not within five."""
    while time.monotonic() - since < 5.0:
        try:
            if isinstance(transport, PyscardTransport):
                transport.disconnect()
                transport.connect()
            with transport.hold() as transmit:
                build(transmit, script)
        except LostError:
            time.sleep(0.01)
            continue
        return time.monotonic() - since
    return None


def _call(transport: Transport, what: str) -> Callable[[], object]:
    if what == "transaction":
        return lambda: one(transport)
    if isinstance(transport, PyscardTransport):
        return lambda: _read_bare(transport)
    assert isinstance(transport, CardeaTransport)
    if what == "list":
        return transport.client.readers
    return lambda: transport.client.read(transport.name, "EF.ICCID")


def _read_bare(transport: PyscardTransport) -> None:
    with transport.hold() as transmit:
        transmit(SELECT_ICCID)
        transmit(READ_ICCID)


PROGRAMS: dict[str, Callable[..., Any]] = {
    program.__name__: program
    for program in (
        transactions,
        holder,
        follower,
        session,
        calls,
        stateful,
        resetter,
        deadline,
        hang,
        beside,
        reads,
        empty_server,
        script,
        hostile,
    )
}


def main() -> None:
    name, kind, socket, reader, *arguments = sys.argv[1:]
    PROGRAMS[name](open_transport(kind, socket, reader), *arguments)


if __name__ == "__main__":
    main()
