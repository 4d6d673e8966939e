"""The contract of PINs: what automation may spend, whose a verified PIN is, who is asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import cardea
import pytest
from cardea.v1 import pins_pb2
from softcard import SoftCard
from support.client import Client, eventually
from support.daemon import RunningDaemon
from support.inserted import inserted
from support.stack import Pcsc

PIN1 = 0x01
PIN, PUK = "1234", "12345678"


def reason_of(call: Callable[[], object]) -> str:
    with pytest.raises(cardea.CardeaError) as caught:
        call()
    return caught.value.reason


def verifications(card: SoftCard) -> list[str]:
    """The values that were sent with VERIFY, as digits."""
    return [
        e.command[5:].rstrip(b"\xff").decode()
        for e in card.trace
        if e.command[1] == 0x20 and len(e.command) > 5
    ]


def test_status_tells_every_pin_and_spends_nothing(pcsc: Pcsc, daemon: RunningDaemon) -> None:
    card = inserted(pcsc, daemon, "operator")
    with daemon.client() as client:
        pins = client.pins()
    assert [pin.name for pin in pins] == [
        f"cards/8900101000000000019/pins/{name}" for name in ("pin1", "pin2", "adm1")
    ]
    assert [(pin.enabled, pin.tries_left, pin.floor) for pin in pins] == [
        (False, 3, 2),
        (True, 3, 2),
        (True, 3, 2),
    ]
    assert [pin.HasField("unblock_tries_left") for pin in pins] == [True, True, False]
    assert not verifications(card)


def test_right_pin_is_right_and_stays_verified_for_nobody(
    pcsc: Pcsc, daemon: RunningDaemon
) -> None:
    card = inserted(pcsc, daemon, "keys")
    with daemon.client() as client:
        client.verify_pin(PIN)
        assert [pin.verified for pin in client.pins()] == [False, False]
        assert reason_of(lambda: client.sign("keys/02", "ECDSA_SHA256", b"x")) == "PIN_REQUIRED"
    assert verifications(card) == [PIN]


def test_wrong_value_is_spent_once_and_then_known_over_restarts(
    pcsc: Pcsc, daemon: RunningDaemon
) -> None:
    card = inserted(pcsc, daemon, "dialects", pins={"pin1": {"retries": 10}})
    with daemon.client() as client:
        for _ in range(3):
            assert reason_of(lambda: client.verify_pin("9999")) == "CREDENTIAL_REJECTED"
    assert daemon.stop(signal.SIGKILL)
    daemon.start()
    with daemon.client() as client:
        assert reason_of(lambda: client.verify_pin("9999")) == "CREDENTIAL_REJECTED"
        assert reason_of(lambda: client.verify_pin("8888")) == "CREDENTIAL_REJECTED"
        client.verify_pin(PIN)
        assert reason_of(lambda: client.verify_pin("9999")) == "CREDENTIAL_REJECTED"
    assert verifications(card) == ["9999", "8888", PIN]
    assert "9999" not in daemon.log()


def test_last_tries_are_a_persons(pcsc: Pcsc, daemon: RunningDaemon) -> None:
    card = inserted(pcsc, daemon, "keys")
    with daemon.client() as client:
        assert reason_of(lambda: client.verify_pin("9999")) == "CREDENTIAL_REJECTED"
        assert reason_of(lambda: client.verify_pin(PIN)) == "RETRY_FLOOR"
        # Of another number than the card's the person knows nothing.
        stale = cardea.PinValue(PIN, confirmed_tries=3)
        assert reason_of(lambda: client.verify_pin(stale)) == "RETRY_FLOOR"
        assert card.tries(PIN1) == 2
        client.verify_pin(cardea.PinValue(PIN, confirmed_tries=2))
        assert card.tries(PIN1) == 3
        client.verify_pin(PIN)


def test_what_cannot_be_the_pin_is_not_presented(pcsc: Pcsc, daemon: RunningDaemon) -> None:
    card = inserted(pcsc, daemon, "keys")
    with daemon.client() as client:
        for value in ("", "123", "123456789", "12a4"):
            assert reason_of(partial(client.verify_pin, value)) == "ARGUMENT_INVALID"
        assert reason_of(lambda: client.verify_pin(PIN, pin="pin7")) == "PIN_NOT_FOUND"
        assert reason_of(lambda: client.verify_pin(None)) == "ARGUMENT_INVALID"
        for code in ("", "123", "123456789"):
            assert reason_of(partial(client.unblock_pin, code, "4321")) == "ARGUMENT_INVALID"
        assert client.pins()[0].unblock_tries_left == 10
    assert not verifications(card)


def test_pin_is_verified_within_its_session_and_for_its_caller_alone(
    pcsc: Pcsc, daemon: RunningDaemon
) -> None:
    card = inserted(pcsc, daemon, "keys")
    with daemon.client() as client:
        with client.session() as session:
            client.verify_pin(PIN, session=session)
            assert client.pins(session=session)[0].verified
            for _ in range(2):
                assert client.sign("keys/02", "ECDSA_SHA256", b"x", session=session)
            # The same user, another program: the name of a session is no key to it.
            script = (
                "import sys, cardea\n"
                "from cardea.v1 import keys_pb2 as k\n"
                "client = cardea.Client(sys.argv[1])\n"
                "try: client._keys.Sign(k.SignRequest(name='keys/02', algorithm=7, data=b'x', "
                "session=sys.argv[2]))\n"
                "except Exception as error: print(error.code().name)\n"
            )
            other = subprocess.run(
                [
                    sys.executable,
                    "-c",
                    script,
                    daemon.socket,
                    session.granted.session,
                ],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert other.stdout.strip() == "NOT_FOUND", other.stderr
        assert reason_of(lambda: client.sign("keys/02", "ECDSA_SHA256", b"x")) == "PIN_REQUIRED"
        assert reason_of(lambda: client.pins(session=session)) == "SESSION_NOT_FOUND"
    assert verifications(card) == [PIN]


def test_pin_that_another_program_verified_counts_for_nothing(
    pcsc: Pcsc, daemon: RunningDaemon
) -> None:
    card = inserted(pcsc, daemon, "keys")
    with daemon.client() as client, Client() as other, other.connection(pcsc.names[0]) as send:
        assert send("0020000108" + b"1234\xff\xff\xff\xff".hex()) == "9000"
        assert client.pins()[0].verified
        assert reason_of(lambda: client.sign("keys/02", "ECDSA_SHA256", b"x")) == "PIN_REQUIRED"
        # A wrong value is found out although the card would not have asked.
        assert reason_of(lambda: client.verify_pin("9999")) == "CREDENTIAL_REJECTED"
    assert verifications(card) == [PIN, "9999"]


def test_session_on_a_card_without_logical_channels_keeps_its_pin(
    pcsc: Pcsc, daemon: RunningDaemon
) -> None:
    """The session's own APDUs and its PIN and key calls share the one channel there is."""
    inserted(pcsc, daemon, "keys", card={"channels": 1})
    with daemon.client() as client, client.session() as session:
        client.verify_pin(PIN, session=session)
        for _ in range(2):
            session.transmit(bytes.fromhex("00A4000C023F00"))
            assert client.sign("keys/02", "ECDSA_SHA256", b"x", session=session)


def test_session_of_one_card_does_not_serve_for_another(pcsc: Pcsc, daemon: RunningDaemon) -> None:
    inserted(pcsc, daemon, "keys")
    other = pcsc.card("keys", pkcs15={"serial": "00C0FFEE0009"})
    pcsc.readers.insert(1, other)
    with daemon.client() as client:
        eventually(lambda: bool(client.readers()[1].card))
        with client.session("cards/00c0ffee0008") as session:
            client.verify_pin(PIN, session=session)
            for call in (
                partial(client.sign, "cards/00c0ffee0009/keys/02", "ECDSA_SHA256", b"x"),
                partial(client.verify_pin, PIN, name="cards/00c0ffee0009"),
            ):
                assert reason_of(partial(call, session=session)) == "ARGUMENT_INVALID"
            key = "cards/00c0ffee0008/keys/02"
            assert client.sign(key, "ECDSA_SHA256", b"x", session=session)
    assert not verifications(other)


def test_pins_take_a_right_to_the_whole_card(pcsc: Pcsc) -> None:
    card = pcsc.insert("keys")
    rows = (
        "[provisioning]\non_insert = false\n[access]\nbuiltin = false\n[[access.grant]]\n"
        f'uids = [{os.getuid()}]\nrights = ["pins.*", "keys.*"]\nkeys = ["02"]\n'
    )
    with RunningDaemon(pcsc.readers.socket, rows) as daemon, daemon.client() as client:
        assert client.sign("keys/02", "ECDSA_SHA256", b"x", pin=PIN)
        assert client.pins()
        assert reason_of(lambda: client.verify_pin(PIN)) == "ACCESS_DENIED"
    assert verifications(card) == [PIN]


def test_changed_pin_is_the_new_one(pcsc: Pcsc, daemon: RunningDaemon) -> None:
    inserted(pcsc, daemon, "keys")
    with daemon.client() as client:
        assert reason_of(lambda: client.change_pin(PIN, "12")) == "ARGUMENT_INVALID"
        client.change_pin(PIN, "4321")
        client.verify_pin("4321")
        assert reason_of(lambda: client.verify_pin(PIN)) == "CREDENTIAL_REJECTED"


def test_unblocking_gives_tries_back_and_its_code_has_the_same_care(
    pcsc: Pcsc, daemon: RunningDaemon
) -> None:
    card = inserted(pcsc, daemon, "keys")
    with daemon.client() as client:
        for left, wrong in ((3, "9999"), (2, "9998"), (1, "9997")):
            value = cardea.PinValue(wrong, confirmed_tries=left)
            assert reason_of(partial(client.verify_pin, value)) == "CREDENTIAL_REJECTED"
        assert reason_of(lambda: client.verify_pin(PIN)) == "PIN_BLOCKED"
        for _ in range(2):
            refused = reason_of(lambda: client.unblock_pin("00000000", "4321"))
            assert refused == "CREDENTIAL_REJECTED"
        assert client.pins()[0].unblock_tries_left == 9
        client.unblock_pin(PUK, "9999")
        # What was wrong before may be right now.
        client.verify_pin("9999")
    assert card.tries(PIN1) == 3


@contextmanager
def agent(
    daemon: RunningDaemon, answer: Callable[[pins_pb2.PinPrompt], object]
) -> Iterator[list[pins_pb2.PinPrompt]]:
    """An agent on a connection of its own; the prompts that it has got."""
    prompts: list[pins_pb2.PinPrompt] = []
    ready = threading.Event()

    def on_prompt(prompt: pins_pb2.PinPrompt) -> object:
        prompts.append(prompt)
        return answer(prompt)

    client = daemon.client()

    def serve() -> None:
        try:
            client.serve_pins(on_prompt, name="test", ready=ready.set)  # type: ignore[arg-type]
        except (cardea.CardeaError, ValueError):
            return  # closed

    thread = threading.Thread(target=serve)
    thread.start()
    assert ready.wait(20)
    try:
        yield prompts
    finally:
        client.close()
        thread.join(20)
        assert not thread.is_alive()


def test_agent_is_asked_and_the_program_never_sees_the_pin(
    pcsc: Pcsc, daemon: RunningDaemon
) -> None:
    inserted(pcsc, daemon, "keys")
    ask = cardea.AskPerson("to sign a letter")
    with daemon.client() as client:
        assert reason_of(lambda: client.verify_pin(ask)) == "PIN_AGENT_MISSING"
        with agent(daemon, lambda _: (cardea.PinValue(PIN), b"")) as prompts:
            assert client.sign("keys/02", "ECDSA_SHA256", b"a letter", pin=ask)
    (prompt,) = prompts
    assert prompt.kind == pins_pb2.PIN_PROMPT_KIND_VERIFY
    assert prompt.pin.name == "cards/00c0ffee0008/pins/pin1"
    assert (prompt.pin.tries_left, prompt.pin.floor) == (3, 2)
    assert prompt.purpose == "to sign a letter"
    assert prompt.caller == f"uid {os.getuid()}, pid {os.getpid()}"
    assert prompt.program


def test_nobody_is_asked_for_what_is_not_needed_or_cannot_be_used(
    pcsc: Pcsc, daemon: RunningDaemon
) -> None:
    inserted(pcsc, daemon, "keys", pins={"adm1": None})
    ask = cardea.AskPerson()
    give: Callable[[object], object] = lambda _: (cardea.PinValue("9999"), b"")  # noqa: E731
    with daemon.client() as client, agent(daemon, give) as prompts:
        assert reason_of(lambda: client.verify_pin(ask, pin="adm1")) == "PIN_NOT_FOUND"
        with client.session() as session:
            client.verify_pin(PIN, session=session)
            assert client.sign("keys/02", "ECDSA_SHA256", b"x", pin=ask, session=session)
        for left, wrong in ((3, "9998"), (2, "9997"), (1, "9996")):
            value = cardea.PinValue(wrong, confirmed_tries=left)
            assert reason_of(partial(client.verify_pin, value)) == "CREDENTIAL_REJECTED"
        assert reason_of(lambda: client.verify_pin(ask)) == "PIN_BLOCKED"
    assert not prompts


def test_agent_may_refuse_and_be_late(pcsc: Pcsc, daemon: RunningDaemon) -> None:
    card = inserted(pcsc, daemon, "keys")
    gate = threading.Event()

    def slowly(_: pins_pb2.PinPrompt) -> object:
        gate.wait(20)
        return (cardea.PinValue(PIN), b"")

    with daemon.client() as client:
        with agent(daemon, lambda _: None):
            ask = cardea.AskPerson()
            assert reason_of(lambda: client.verify_pin(ask)) == "PIN_PROMPT_REFUSED"
        with agent(daemon, slowly):
            soon = cardea.AskPerson(max_wait_s=0.3)
            assert reason_of(lambda: client.verify_pin(soon)) == "PIN_PROMPT_REFUSED"
            # The card is not held while a person thinks.
            assert client.pins()
            gate.set()
    assert not verifications(card)


@pytest.mark.parametrize("purpose", ["x" * 201, "to log in\nBy  your bank", "\x1b[2J", "\u202e"])
def test_nobody_is_asked_in_words_that_could_deceive(
    pcsc: Pcsc, daemon: RunningDaemon, purpose: str
) -> None:
    inserted(pcsc, daemon, "keys")
    with daemon.client() as client, agent(daemon, lambda _: None) as prompts:
        ask = cardea.AskPerson(purpose)
        assert reason_of(lambda: client.verify_pin(ask)) == "ARGUMENT_INVALID"
    assert not prompts


def test_a_person_may_be_given_any_time_that_the_message_can_say(
    pcsc: Pcsc, daemon: RunningDaemon
) -> None:
    inserted(pcsc, daemon, "keys")
    with daemon.client() as client, agent(daemon, lambda _: (cardea.PinValue(PIN), b"")):
        client.verify_pin(cardea.AskPerson(max_wait_s=1e15))


def test_agent_changes_and_unblocks_with_both_values(pcsc: Pcsc, daemon: RunningDaemon) -> None:
    inserted(pcsc, daemon, "keys")
    ask = cardea.AskPerson()
    with daemon.client() as client:
        with agent(daemon, lambda _: (cardea.PinValue(PIN), "4321")):
            client.change_pin(ask)
        with agent(daemon, lambda _: (cardea.PinValue(PUK), "5678")) as prompts:
            client.unblock_pin(ask)
        client.verify_pin("5678")
    assert prompts[0].kind == pins_pb2.PIN_PROMPT_KIND_UNBLOCK


def test_latest_agent_is_asked_and_the_one_before_when_it_has_gone(
    pcsc: Pcsc, daemon: RunningDaemon
) -> None:
    inserted(pcsc, daemon, "keys")
    ask = cardea.AskPerson()
    give: Callable[[object], object] = lambda _: (cardea.PinValue(PIN), b"")  # noqa: E731
    with daemon.client() as client, agent(daemon, give) as first:
        with agent(daemon, give) as second:
            client.verify_pin(ask)
        assert (len(first), len(second)) == (0, 1)
        client.verify_pin(ask)
        assert (len(first), len(second)) == (1, 1)


def test_no_pin_and_no_code_is_in_the_log_whatever_becomes_of_it(pcsc: Pcsc) -> None:
    settings = '[provisioning]\non_insert = false\n[logging]\nlevel = "debug"'
    wrong, new, code = "90817263", "71625344", "18273645"
    with RunningDaemon(pcsc.readers.socket, settings) as daemon, daemon.client() as client:
        card = inserted(pcsc, daemon, "keys", pins={"pin1": {"value": "55443322", "puk": code}})
        card.faults.distort(b"\x65\x81", 3, ins=0x20)
        for call in (
            partial(client.verify_pin, wrong),
            partial(client.verify_pin, "55443322"),  # whose answer is distorted
            partial(client.verify_pin, wrong, pin="pin7"),
            partial(client.change_pin, wrong, new),
            partial(client.unblock_pin, wrong, new),
            partial(client.sign, "keys/02", "ECDSA_SHA256", b"x", pin=wrong),
        ):
            reason_of(call)
        client.unblock_pin(code, new)
        client.verify_pin(new)
        log = daemon.log()
    assert "VerifyPin" in log
    for value in (wrong, new, code, "55443322"):
        assert value not in log
        assert value.encode().hex() not in log.lower()
