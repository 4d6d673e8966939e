"""The contract of keys: signatures and plaintexts are judged by another library, and by OpenSC."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import cardea
import pytest
from cardea.v1 import keys_pb2 as pb
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key
from softcard import SoftCard
from softcard.milenage import Milenage
from support.daemon import RunningDaemon
from support.inserted import inserted
from support.stack import Pcsc

PIN = "1234"
MESSAGE = b"to be signed"
HASHES = {"SHA256": hashes.SHA256(), "SHA384": hashes.SHA384(), "SHA512": hashes.SHA512()}


def confirm(public_der: bytes, algorithm: str, signature: bytes) -> None:
    """Raises InvalidSignature."""
    scheme, _, name = algorithm.rpartition("_")
    public, hash = load_der_public_key(public_der), HASHES[name]
    if isinstance(public, ec.EllipticCurvePublicKey):
        public.verify(signature, MESSAGE, ec.ECDSA(hash))
        return
    assert isinstance(public, rsa.RSAPublicKey)
    pss = padding.PSS(padding.MGF1(hash), padding.PSS.DIGEST_LENGTH)
    kind = pss if scheme == "RSA_PSS" else padding.PKCS1v15()
    public.verify(signature, MESSAGE, kind, hash)


def test_keys_are_listed_with_their_uses(pcsc: Pcsc, daemon: RunningDaemon) -> None:
    inserted(pcsc, daemon, "keys")
    with daemon.client() as client:
        rsa_key, ec_key = client.card_keys()
    assert rsa_key.name == "cards/00c0ffee0008/keys/01"
    assert (rsa_key.label, rsa_key.kind, rsa_key.bits) == ("RSA key", pb.KEY_KIND_RSA, 2048)
    assert (ec_key.label, ec_key.kind, ec_key.bits) == ("EC key", pb.KEY_KIND_EC, 256)
    assert len(rsa_key.signature_algorithms) == 6
    assert len(ec_key.signature_algorithms) == 3
    assert list(rsa_key.decryption_algorithms) == [pb.DECRYPTION_ALGORITHM_RSA_PKCS1]
    assert rsa_key.pin == "cards/00c0ffee0008/pins/pin1"
    assert rsa_key.has_certificate


@pytest.mark.parametrize("hash", HASHES)
@pytest.mark.parametrize(
    ("name", "scheme"), [("01", "RSA_PKCS1"), ("01", "RSA_PSS"), ("02", "ECDSA")]
)
def test_signatures_verify_elsewhere(
    pcsc: Pcsc, daemon: RunningDaemon, name: str, scheme: str, hash: str
) -> None:
    inserted(pcsc, daemon, "keys")
    algorithm, key = f"{scheme}_{hash}", f"keys/{name}"
    digest = hashlib.new(hash.lower(), MESSAGE).digest()
    with daemon.client() as client:
        public = client.public_key(key)
        confirm(public, algorithm, client.sign(key, algorithm, MESSAGE, pin=PIN))
        confirm(public, algorithm, client.sign(key, algorithm, digest=digest, pin=PIN))


def test_public_key_is_that_of_the_certificate(pcsc: Pcsc, daemon: RunningDaemon) -> None:
    inserted(pcsc, daemon, "keys")
    with daemon.client() as client:
        for name in ("cards/00c0ffee0008/keys/01", "keys/02"):
            certificate = x509.load_der_x509_certificate(client.certificate(name))
            assert certificate.public_key() == load_der_public_key(client.public_key(name))


def test_decryption_gives_the_message(pcsc: Pcsc, daemon: RunningDaemon) -> None:
    inserted(pcsc, daemon, "keys")
    with daemon.client() as client:
        public = load_der_public_key(client.public_key("keys/01"))
        assert isinstance(public, rsa.RSAPublicKey)
        cryptogram = public.encrypt(b"for the card", padding.PKCS1v15())
        assert client.decrypt("keys/01", cryptogram, pin=PIN) == b"for the card"
        with pytest.raises(cardea.CardeaError) as caught:
            client.decrypt("keys/01", bytes(256), pin=PIN)
        assert caught.value.reason == "CARD_REFUSED"


@pytest.mark.parametrize(
    ("name", "algorithm", "reason"),
    [
        ("keys/03", "ECDSA_SHA256", "KEY_NOT_FOUND"),
        ("keys/02", "RSA_PSS_SHA256", "KEY_USE_UNSUPPORTED"),
        ("cards/1/keys/02", "ECDSA_SHA256", "CARD_NOT_FOUND"),
        ("keys/02/3", "ECDSA_SHA256", "ARGUMENT_INVALID"),
        ("02", "ECDSA_SHA256", "ARGUMENT_INVALID"),
        ("keys/usim", "ECDSA_SHA256", "KEY_NOT_FOUND"),
    ],
)
def test_what_cannot_be_is_refused_by_name(
    pcsc: Pcsc, daemon: RunningDaemon, name: str, algorithm: str, reason: str
) -> None:
    card = inserted(pcsc, daemon, "keys")
    with daemon.client() as client, pytest.raises(cardea.CardeaError) as caught:
        client.sign(name, algorithm, MESSAGE, pin=PIN)
    assert caught.value.reason == reason
    # And no PIN was presented for it.
    assert not [each for each in card.trace if each.command[1] == 0x20 and len(each.command) > 5]


def test_the_subscribers_key_is_there_and_does_not_sign_or_decrypt(
    pcsc: Pcsc, daemon: RunningDaemon
) -> None:
    inserted(pcsc, daemon, "operator")
    with daemon.client() as client:
        assert "keys/usim" in client.card_keys()[-1].name
        uses: list[Callable[[], bytes]] = [
            lambda: client.sign("keys/usim", "ECDSA_SHA256", MESSAGE),
            lambda: client.decrypt("keys/usim", bytes(256)),
        ]
        for use in uses:
            with pytest.raises(cardea.CardeaError) as caught:
                use()
            assert (caught.value.reason, caught.value.facts["key"]) == (
                "KEY_USE_UNSUPPORTED",
                "usim",
            )


def test_digest_has_the_length_of_its_hash(pcsc: Pcsc, daemon: RunningDaemon) -> None:
    inserted(pcsc, daemon, "keys")
    with daemon.client() as client, pytest.raises(cardea.CardeaError) as caught:
        client.sign("keys/02", "ECDSA_SHA256", digest=bytes(31), pin=PIN)
    assert (caught.value.reason, caught.value.facts["field"]) == ("ARGUMENT_INVALID", "digest")


def test_signature_of_a_disturbed_card_does_not_leave_the_daemon(
    pcsc: Pcsc, daemon: RunningDaemon
) -> None:
    card = inserted(pcsc, daemon, "keys")
    # PSS is raw RSA to this card: 256 bytes, in two parts.
    card.faults.distort(bytes(256) + b"\x90\x00", 2, ins=0x2A)
    with daemon.client() as client, pytest.raises(cardea.CardeaError) as caught:
        client.sign("keys/01", "RSA_PSS_SHA256", MESSAGE, pin=PIN)
    assert caught.value.reason == "CARD_DATA_MALFORMED"


def test_rights_are_for_single_keys(pcsc: Pcsc) -> None:
    pcsc.insert("keys")
    rows = (
        "[provisioning]\non_insert = false\n[access]\nbuiltin = false\n"
        f'[[access.grant]]\nuids = [{os.getuid()}]\nrights = ["keys.*"]\nkeys = ["02"]\n'
    )
    with RunningDaemon(pcsc.readers.socket, rows) as daemon, daemon.client() as client:
        assert [key.name[-2:] for key in client.card_keys()] == ["02"]
        assert client.sign("keys/02", "ECDSA_SHA256", MESSAGE, pin=PIN)
        with pytest.raises(cardea.CardeaError) as caught:
            client.sign("keys/01", "RSA_PSS_SHA256", MESSAGE, pin=PIN)
        assert (caught.value.reason, caught.value.facts["key"]) == ("ACCESS_DENIED", "01")


def run_opensc(pcsc: Pcsc, *command: str) -> str:
    program = shutil.which(command[0])
    assert program, f"apt-get install opensc, for {command[0]}"
    environment = os.environ | {"PCSCLITE_CSOCK_NAME": str(pcsc.readers.socket)}
    done = subprocess.run(
        [program, *command[1:]],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        check=False,
    )
    return done.stdout + done.stderr


def test_opensc_and_the_daemon_use_the_same_key_in_turn(
    pcsc: Pcsc, daemon: RunningDaemon, tmp_path: Path
) -> None:
    card = inserted(pcsc, daemon, "keys")
    message, theirs = tmp_path / "message", tmp_path / "signature"
    message.write_bytes(MESSAGE)
    with daemon.client() as client:
        public = client.public_key("keys/01")
        for _ in range(3):
            ours = client.sign("keys/01", "RSA_PKCS1_SHA256", MESSAGE, pin=PIN)
            run_opensc(
                pcsc,
                *("pkcs11-tool", "--login", "--pin", PIN, "--sign", "--id", "01"),
                *("--mechanism", "SHA256-RSA-PKCS"),
                *("--input-file", str(message), "--output-file", str(theirs)),
            )
            confirm(public, "RSA_PKCS1_SHA256", ours)
            # PKCS #1 v1.5 signatures have no chance in them: both are the same to the byte.
            assert theirs.read_bytes() == ours
            theirs.unlink()
        dump = run_opensc(pcsc, "pkcs15-tool", "--read-certificate", "01")
        assert x509.load_pem_x509_certificate(
            dump[dump.index("-----BEGIN") :].encode()
        ) == x509.load_der_x509_certificate(client.certificate("keys/01"))
    assert card.tries(0x01) == 3


RAND = bytes.fromhex("23553cbe9637a89d218ae64dae47bf35")


def challenge(card: SoftCard, sqn: int) -> tuple[bytes, bytes, Milenage]:
    """RAND and AUTN of a network that knows the card's key (TS 33.102 §6.3.2)."""
    assert card.profile.usim is not None
    keys = card.profile.usim.milenage
    number, amf = sqn.to_bytes(6, "big"), b"\x80\x00"
    hidden = bytes(a ^ b for a, b in zip(number, keys.f5(RAND), strict=True))
    return RAND, hidden + amf + keys.f1(RAND, number, amf), keys


def test_subscribers_key_answers_a_challenge(pcsc: Pcsc, daemon: RunningDaemon) -> None:
    card = inserted(pcsc, daemon, "operator")
    rand, autn, keys = challenge(card, 32)
    with daemon.client() as client:
        assert [key.name[-4:] for key in client.card_keys()] == ["usim"]
        answer = client.authenticate(rand, autn)
        assert (answer.res, answer.ck, answer.ik) == (keys.f2(rand), b"", b"")
        # The same challenge again is out of sequence.
        assert len(client.authenticate(rand, autn).auts) == 14
        rand, autn, keys = challenge(card, 64)
        full = client.authenticate(rand, autn, with_session_keys=True)
        assert (full.ck, full.ik) == (keys.f3(rand), keys.f4(rand))
        with pytest.raises(cardea.CardeaError) as caught:
            client.authenticate(rand, autn[:-1] + bytes([autn[-1] ^ 1]))
        assert caught.value.reason == "SERVER_NOT_AUTHENTIC"


def test_subscribers_key_asks_for_the_pin_where_it_is_enabled(
    pcsc: Pcsc, daemon: RunningDaemon
) -> None:
    card = inserted(pcsc, daemon, "operator", pins={"pin1": {"enabled": True}})
    rand, autn, keys = challenge(card, 32)
    with daemon.client() as client:
        with pytest.raises(cardea.CardeaError) as caught:
            client.authenticate(rand, autn)
        assert (caught.value.reason, caught.value.facts["pin"]) == ("PIN_REQUIRED", "pin1")
        assert client.authenticate(rand, autn, pin=PIN).res == keys.f2(rand)


def test_session_keys_take_a_right_of_their_own(pcsc: Pcsc) -> None:
    card = pcsc.insert("operator")
    rand, autn, keys = challenge(card, 32)
    rows = (
        "[provisioning]\non_insert = false\n[access]\nbuiltin = false\n"
        f'[[access.grant]]\nuids = [{os.getuid()}]\nrights = ["keys.authenticate"]\n'
    )
    with RunningDaemon(pcsc.readers.socket, rows) as daemon, daemon.client() as client:
        with pytest.raises(cardea.CardeaError) as caught:
            client.authenticate(rand, autn, with_session_keys=True)
        assert (caught.value.reason, caught.value.facts["right"]) == (
            "ACCESS_DENIED",
            "keys.derive",
        )
        assert client.authenticate(rand, autn).res == keys.f2(rand)
