"""Programs that know nothing of this project, on our card in a real pcscd."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from support.stack import Pcsc


def _run(*command: str, **environment: str) -> str:
    program = shutil.which(command[0])
    assert program, f"apt-get install opensc, for {command[0]}"
    result = subprocess.run(
        [program, *command[1:]],
        capture_output=True,
        text=True,
        timeout=30,
        env=dict(os.environ, **environment),
        check=False,
    )
    return result.stdout + result.stderr


def test_opensc_lists_the_card_and_its_atr(pcsc: Pcsc) -> None:
    card = pcsc.insert("operator")
    assert "Yes" in _run("opensc-tool", "--list-readers")
    atr = _run("opensc-tool", "--reader", pcsc.names[0], "--atr")
    assert card.atr.hex(":") in atr


@pytest.mark.parametrize("profile", ["operator", "token"])
def test_opensc_sends_commands(pcsc: Pcsc, profile: str) -> None:
    card = pcsc.insert(profile)
    output = _run(
        "opensc-tool",
        "--reader",
        pcsc.names[0],
        "--send-apdu",
        "00A4040C0CA000000063504B43532D3135",
        "--send-apdu",
        "00A4000C025031",
        "--send-apdu",
        "00B0000008",
        OPENSC_DRIVER="default",
    )
    assert output.count("SW1=0x90, SW2=0x00") == 3
    assert card.read_file("EF.ODF")[:8].hex(" ").upper() in output


@pytest.mark.parametrize("profile", ["operator", "second-operator", "token"])
def test_opensc_finds_the_document_by_its_object_identifier(
    pcsc: Pcsc, tmp_path: Path, profile: str
) -> None:
    """From EF(DIR) over ODF and DODF to the bytes, by a PKCS#15 reader that is not ours."""
    # OpenSC knows opaqueDO entries only.
    card = pcsc.insert(profile, pkcs15={"entry": "opaque"})
    # It takes a PKCS#15 application from any card that it has a driver for: name a plain one.
    settings = tmp_path / "opensc.conf"
    settings.write_text(
        f'app default {{ card_atr {card.atr.hex(":")} {{ driver = "mcrd"; }} }}', "utf-8"
    )
    output = tmp_path / "document"
    dump = _run("pkcs15-tool", "--dump", OPENSC_CONF=str(settings))
    assert f"PKCS#15 Card [{'Cardea Token' if profile == 'token' else 'Provisioning'}]" in dump
    assert "applicationOID:  2.23.43.5.1" in dump
    _run(
        "pkcs15-tool",
        "--read-data-object",
        "2.23.43.5.1",
        "--raw",
        "--output",
        str(output),
        OPENSC_CONF=str(settings),
    )
    assert output.read_bytes() == card.read_file("Bootstrap")


def test_opensc_lists_keys_certificates_and_the_pin(pcsc: Pcsc) -> None:
    """By its own driver for cards of this kind, without any configuration."""
    pcsc.insert("keys")
    dump = _run("pkcs15-tool", "--dump")
    for line in (
        "PKCS#15 Card [Cardea Keys]",
        "PIN [PIN]",
        "Private RSA Key [RSA key]",
        "Private EC Key [EC key]",
        "Public RSA Key [RSA key]",
        "Public EC Key [EC key]",
        "X.509 Certificate [RSA key]",
        "X.509 Certificate [EC key]",
    ):
        assert line in dump


@pytest.mark.parametrize(
    ("key", "mechanism"),
    [("01", "SHA256-RSA-PKCS"), ("01", "SHA256-RSA-PKCS-PSS"), ("02", "ECDSA-SHA256")],
)
def test_opensc_signs_with_the_pin(pcsc: Pcsc, tmp_path: Path, key: str, mechanism: str) -> None:
    card = pcsc.insert("keys")
    message, signature = tmp_path / "message", tmp_path / "signature"
    message.write_bytes(b"to be signed")
    _run(
        *("pkcs11-tool", "--login", "--pin", "1234", "--sign", "--id", key),
        *("--mechanism", mechanism, "--signature-format", "openssl"),
        *("--input-file", str(message), "--output-file", str(signature)),
    )
    kind = "EC" if mechanism.startswith("ECDSA") else "RSA"
    certificate = x509.load_der_x509_certificate(card.read_file(f"Certificate {kind} key"))
    public, signed = certificate.public_key(), signature.read_bytes()
    if isinstance(public, ec.EllipticCurvePublicKey):
        public.verify(signed, b"to be signed", ec.ECDSA(hashes.SHA256()))
        return
    assert isinstance(public, rsa.RSAPublicKey)
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    scheme = pss if mechanism.endswith("PSS") else padding.PKCS1v15()
    public.verify(signed, b"to be signed", scheme, hashes.SHA256())


def test_opensc_deciphers_with_the_pin(pcsc: Pcsc, tmp_path: Path) -> None:
    card = pcsc.insert("keys")
    public = x509.load_der_x509_certificate(card.read_file("Certificate RSA key")).public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    cryptogram = tmp_path / "cryptogram"
    cryptogram.write_bytes(public.encrypt(b"for the card", padding.PKCS1v15()))
    command = ("pkcs15-crypt", "--decipher", "--key", "01", "--pin", "1234", "--pkcs1", "--raw")
    assert "for the card" in _run(*command, "--input", str(cryptogram))


def test_wrong_pin_of_opensc_costs_a_try(pcsc: Pcsc) -> None:
    card = pcsc.insert("keys")
    assert "incorrect" in _run("pkcs15-tool", "--verify-pin", "--pin", "9999")
    assert card.tries(0x01) == 2
