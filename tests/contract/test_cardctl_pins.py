"""cardctl's PIN and key commands: real processes, PINs over descriptors, a real agent."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from support.client import LIMIT_S
from support.daemon import RunningDaemon
from support.inserted import inserted
from support.stack import Pcsc

PIN, PUK = "1234", "12345678"


def start(
    daemon: RunningDaemon, *arguments: str, lines: tuple[str, ...] = ()
) -> subprocess.Popen[str]:
    """cardctl with descriptor 3 to read PINs from, and no terminal."""
    reading, writing = os.pipe()
    os.write(writing, "".join(f"{line}\n" for line in lines).encode())
    os.close(writing)
    command = [sys.executable, "-m", "cardctl", "--socket", str(daemon.socket), *arguments]
    try:
        return subprocess.Popen(
            ["bash", "-c", f'exec 3<&{reading}; exec "$@"', "bash", *command],
            pass_fds=(reading,),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        os.close(reading)


def cardctl(
    daemon: RunningDaemon, *arguments: str, lines: tuple[str, ...] = ()
) -> tuple[int, str, str]:
    process = start(daemon, *arguments, lines=lines)
    out, err = process.communicate(timeout=LIMIT_S)
    return process.returncode, out, err


def reason(answer: tuple[int, str, str]) -> Any:
    return json.loads(answer[2])["error"]["reason"]


def test_pins_are_shown_verified_changed_and_unblocked(pcsc: Pcsc, daemon: RunningDaemon) -> None:
    inserted(pcsc, daemon, "keys")
    code, out, _ = cardctl(daemon, "pin", "status", "--json")
    assert code == 0
    pin = json.loads(out)["pins"][0]
    assert (pin["name"], pin["tries_left"]) == ("cards/00c0ffee0008/pins/pin1", 3)
    assert cardctl(daemon, "pin", "verify", "--pin-fd", "3", lines=(PIN,))[0] == 0
    changed = cardctl(daemon, "pin", "change", "--pin-fd", "3", lines=(PIN, "4321"))
    assert (changed[0], changed[1].strip()) == (0, "The PIN is the new one.")
    unblocked = cardctl(daemon, "pin", "unblock", "--pin-fd", "3", lines=(PUK, PIN))
    assert unblocked[0] == 0
    assert cardctl(daemon, "pin", "verify", "--pin-fd", "3", lines=(PIN,))[0] == 0


def test_a_program_spends_no_last_try(pcsc: Pcsc, daemon: RunningDaemon) -> None:
    card = inserted(pcsc, daemon, "keys")
    wrong = cardctl(daemon, "pin", "verify", "--json", "--pin-fd", "3", lines=("9999",))
    assert (wrong[0], reason(wrong)) == (5, "CREDENTIAL_REJECTED")
    right = cardctl(daemon, "pin", "verify", "--json", "--pin-fd", "3", lines=(PIN,))
    assert (right[0], reason(right)) == (5, "RETRY_FLOOR")
    assert card.tries(0x01) == 2


def test_without_terminal_and_descriptor_nobody_is_asked(pcsc: Pcsc, daemon: RunningDaemon) -> None:
    inserted(pcsc, daemon, "keys")
    code, _, err = cardctl(daemon, "pin", "verify")
    assert code == 2
    assert "--pin-fd" in err


@contextmanager
def agent(daemon: RunningDaemon, *lines: str) -> Iterator[subprocess.Popen[str]]:
    process = start(daemon, "pin", "agent", "--json", "--pin-fd", "3", lines=lines)
    assert process.stdout is not None
    assert json.loads(process.stdout.readline()) == {"serving": True}
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=LIMIT_S)


def test_agent_process_gives_the_pin_to_the_daemon_alone(
    pcsc: Pcsc, daemon: RunningDaemon, tmp_path: Path
) -> None:
    inserted(pcsc, daemon, "keys")
    letter, signature = tmp_path / "letter", tmp_path / "signature"
    letter.write_bytes(b"Dear all")
    arguments = ("sign", "keys/02", str(letter), "--out", str(signature), "--ask")
    refused = cardctl(daemon, *arguments, "--json")
    assert (refused[0], reason(refused)) == (4, "PIN_AGENT_MISSING")
    with agent(daemon, PIN) as process:
        assert cardctl(daemon, *arguments)[0] == 0
        assert process.stdout is not None
        prompt = json.loads(process.stdout.readline())["prompt"]
        assert prompt["kind"] == "verify"
        assert prompt["purpose"] == f"sign {letter}"
        assert prompt["program"]
        # The descriptor has no more: as if the person went away.
        gone = cardctl(daemon, *arguments, "--json")
        assert (gone[0], reason(gone)) == (4, "PIN_PROMPT_REFUSED")
    public = load_pem_public_key(cardctl(daemon, "public-key", "keys/02")[1].encode())
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(signature.read_bytes(), b"Dear all", ec.ECDSA(hashes.SHA256()))


def test_keys_sign_and_decrypt(pcsc: Pcsc, daemon: RunningDaemon, tmp_path: Path) -> None:
    inserted(pcsc, daemon, "keys")
    code, out, _ = cardctl(daemon, "keys")
    assert code == 0
    assert "cards/00c0ffee0008/keys/01" in out
    assert "sign RSA_PKCS1, sign RSA_PSS, decrypt" in out
    public = load_pem_public_key(cardctl(daemon, "public-key", "keys/01")[1].encode())
    assert isinstance(public, rsa.RSAPublicKey)
    secret = tmp_path / "secret"
    secret.write_bytes(public.encrypt(b"for the card", padding.PKCS1v15()))
    done = cardctl(daemon, "decrypt", "keys/01", str(secret), "--pin-fd", "3", lines=(PIN,))
    assert bytes.fromhex(done[1]) == b"for the card"
    arguments = ("sign", "keys/01", str(secret), "--algorithm", "rsa_pss_sha512")
    signed = json.loads(cardctl(daemon, *arguments, "--json", "--pin-fd", "3", lines=(PIN,))[1])
    assert signed["algorithm"] == "rsa_pss_sha512"
    pss = padding.PSS(padding.MGF1(hashes.SHA512()), padding.PSS.DIGEST_LENGTH)
    public.verify(bytes.fromhex(signed["signature"]), secret.read_bytes(), pss, hashes.SHA512())
    assert cardctl(daemon, "certificate", "keys/01")[1].startswith("-----BEGIN CERTIFICATE-----")


def test_a_person_at_a_terminal_is_asked_without_echo_and_before_a_last_try(
    pcsc: Pcsc, daemon: RunningDaemon
) -> None:
    card = inserted(pcsc, daemon, "keys")
    card.transmit(bytes.fromhex("00A4040C0CA000000063504B43532D3135"))
    card.transmit(bytes.fromhex("0020000108") + b"9999\xff\xff\xff\xff")
    answers = (("Spend one?", "y"), ("PIN", PIN))
    shown = _at_terminal(daemon, ("pin", "verify"), answers)
    assert "Only 2 tries are left" in shown
    assert "The PIN is right." in shown
    assert PIN not in shown
    assert card.tries(0x01) == 3


def _at_terminal(
    daemon: RunningDaemon, arguments: tuple[str, ...], answers: tuple[tuple[str, str], ...]
) -> str:
    """Everything that a pseudo-terminal shows."""
    master, slave = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "cardctl", "--socket", str(daemon.socket), *arguments],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        env=os.environ | {"NO_COLOR": "1", "TERM": "dumb"},
    )
    os.close(slave)
    shown = b""
    waiting = list(answers)
    seen = 0
    while True:
        assert select.select([master], [], [], LIMIT_S)[0], shown
        try:
            chunk = os.read(master, 4096)
        except OSError:  # the other end is closed
            break
        shown += chunk
        if waiting and waiting[0][0].encode() in shown[seen:]:
            seen = len(shown)
            os.write(master, waiting.pop(0)[1].encode() + b"\n")
    assert process.wait(LIMIT_S) == 0, shown
    os.close(master)
    return shown.decode()
