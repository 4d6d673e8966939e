"""The demo authority: certificates that verifiers accept, keys that stay private."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from dmsd import ca
from dmsd.errors import ConflictError, InputError

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def files(tmp_path: Path) -> ca.CaFiles:
    made = ca.init_ca(tmp_path / "ca", now=NOW)
    ca.issue(made, "dm", ["dm.example.org", "127.0.0.1"], now=NOW)
    return made


def load(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_a_server_certificate_verifies_for_its_names_only(files: ca.CaFiles) -> None:
    builder = PolicyBuilder().store(Store([load(files.certificate)])).time(NOW)
    leaf = load(files.server_certificate("dm"))
    builder.build_server_verifier(x509.DNSName("dm.example.org")).verify(leaf, [])
    with pytest.raises(VerificationError):
        builder.build_server_verifier(x509.DNSName("other.example.org")).verify(leaf, [])


def test_keys_are_on_p256_and_private(files: ca.CaFiles) -> None:
    public = load(files.certificate).public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert public.curve.name == "secp256r1"
    for path in (files.key, files.server_key("dm")):
        assert path.stat().st_mode & 0o777 == 0o600


def test_an_authority_is_never_overwritten(files: ca.CaFiles) -> None:
    with pytest.raises(ConflictError):
        ca.init_ca(files.directory)


def test_names_are_needed_and_stay_in_the_directory(files: ca.CaFiles) -> None:
    with pytest.raises(InputError):
        ca.issue(files, "x", [])
    with pytest.raises(InputError):
        ca.issue(files, "../x", ["x"])
