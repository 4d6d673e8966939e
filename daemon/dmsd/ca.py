"""A certificate authority for the demo and for tests: EC P-256, keys with mode 0600."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from dmsd.errors import ConflictError, InputError

__all__ = ["CaFiles", "init_ca", "issue"]

_LIFETIME = timedelta(days=825)
# Clocks of devices run behind.
_BACKDATE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class CaFiles:
    """Where things are in the directory of the authority."""

    directory: Path

    @property
    def certificate(self) -> Path:
        return self.directory / "ca.pem"

    @property
    def key(self) -> Path:
        return self.directory / "ca-key.pem"

    def server_certificate(self, name: str) -> Path:
        return self.directory / f"{name}.pem"

    def server_key(self, name: str) -> Path:
        return self.directory / f"{name}-key.pem"


def init_ca(directory: Path, *, now: datetime | None = None) -> CaFiles:
    """Make an authority; a directory that has one already is left as it is."""
    files = CaFiles(directory)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if files.key.exists():
        raise ConflictError("certificate authority", str(directory), "is there already")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Cardea demo CA")])
    moment = now or datetime.now(UTC)
    certificate = (
        _builder(name, name, key.public_key(), moment)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(key_cert_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write_key(files.key, key)
    files.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return files


def issue(
    files: CaFiles, file_name: str, names: Sequence[str], *, now: datetime | None = None
) -> None:
    """Make ``<file_name>.pem`` and its key for a server with these host names and addresses."""
    if not names:
        raise InputError("names", "a server certificate needs a host name or an address")
    if not file_name or "/" in file_name or file_name.startswith("."):
        raise InputError("file_name", "must be a plain file name")
    authority, authority_key = _load(files)
    key = ec.generate_private_key(ec.SECP256R1())
    # RFC 5280 ub-common-name; verifiers look at the alternative names only.
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    certificate = (
        _builder(subject, authority.subject, key.public_key(), now or datetime.now(UTC))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_san(name) for name in names]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()),
            critical=False,
        )
        .sign(authority_key, hashes.SHA256())
    )
    _write_key(files.server_key(file_name), key)
    files.server_certificate(file_name).write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
    )


def _load(files: CaFiles) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = serialization.load_pem_private_key(files.key.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise InputError(str(files.key), "is not an elliptic curve key")
    return x509.load_pem_x509_certificate(files.certificate.read_bytes()), key


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, moment: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - _BACKDATE)
        .not_valid_after(moment + _LIFETIME)
    )


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=key_cert_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _san(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    data = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        os.fchmod(stream.fileno(), 0o600)
        stream.write(data)
