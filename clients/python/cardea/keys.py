"""Keys on cards: listing, signing, decrypting, AKA, derived keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cardea.v1 import keys_pb2, keys_pb2_grpc

from .errors import readable_errors
from .pins import PinInput, answer_limit_s, pin_source, session_name
from .session import Session

__all__ = ["AkaResult", "DerivedKey", "KeyCalls"]

_PREFIX = "SIGNATURE_ALGORITHM_"


@dataclass(frozen=True, slots=True)
class AkaResult:
    """The card's answer to a challenge. ``auts`` is set, and nothing else, where the network has
    to resynchronise; ``ck`` and ``ik`` are empty unless they were asked for."""

    res: bytes = b""
    ck: bytes = field(default=b"", repr=False)
    ik: bytes = field(default=b"", repr=False)
    auts: bytes = b""


@dataclass(frozen=True, slots=True)
class DerivedKey:
    """Ks_NAF for one server, and how that server is told which; ``expires_at`` is Unix time."""

    btid: str
    key: bytes = field(repr=False)
    expires_at: float


class KeyCalls:
    """The part of the client that is about keys. A key is named ``cards/{card}/keys/{key}``, or
    ``keys/{key}`` on the only card."""

    _keys: keys_pb2_grpc.KeyServiceStub
    _timeout_s: float
    target: str

    def card_keys(self, card: str = "") -> Sequence[keys_pb2.Key]:
        """The keys that the caller has a right to, and what they can be used for."""
        with readable_errors(self.target):
            request = keys_pb2.ListKeysRequest(card=card)
            return self._keys.ListKeys(request, timeout=self._timeout_s).keys

    def public_key(self, name: str) -> bytes:
        """SubjectPublicKeyInfo, DER."""
        with readable_errors(self.target):
            request = keys_pb2.GetPublicKeyRequest(name=name)
            return self._keys.GetPublicKey(request, timeout=self._timeout_s).public_key

    def certificate(self, name: str) -> bytes:
        """X.509, DER."""
        with readable_errors(self.target):
            request = keys_pb2.GetCertificateRequest(name=name)
            return self._keys.GetCertificate(request, timeout=self._timeout_s).certificate

    def sign(
        self,
        name: str,
        algorithm: str,
        data: bytes | None = None,
        *,
        digest: bytes | None = None,
        pin: PinInput = None,
        session: Session | None = None,
    ) -> bytes:
        """Sign data, or a digest of it; algorithms are ``RSA_PSS_SHA256``, ``ECDSA_SHA256``, …

        Raises ValueError for an algorithm that does not exist.
        """
        number = keys_pb2.SignatureAlgorithm.Value(_PREFIX + algorithm)
        limit_s = answer_limit_s(pin, self._timeout_s)
        with readable_errors(self.target):
            request = keys_pb2.SignRequest(
                name=name,
                algorithm=number,
                pin=pin_source(pin),
                session=session_name(session),
            )
            if digest is None:
                request.data = data or b""
            else:
                request.digest = digest
            return self._keys.Sign(request, timeout=limit_s).signature

    def decrypt(
        self,
        name: str,
        ciphertext: bytes,
        *,
        pin: PinInput = None,
        session: Session | None = None,
    ) -> bytes:
        """Decipher RSAES-PKCS1-v1_5."""
        limit_s = answer_limit_s(pin, self._timeout_s)
        with readable_errors(self.target):
            request = keys_pb2.DecryptRequest(
                name=name,
                algorithm=keys_pb2.DECRYPTION_ALGORITHM_RSA_PKCS1,
                ciphertext=ciphertext,
                pin=pin_source(pin),
                session=session_name(session),
            )
            return self._keys.Decrypt(request, timeout=limit_s).plaintext

    def authenticate(
        self,
        rand: bytes,
        autn: bytes,
        *,
        name: str = "keys/usim",
        with_session_keys: bool = False,
        pin: PinInput = None,
        session: Session | None = None,
    ) -> AkaResult:
        """Run AKA with the subscriber's key."""
        limit_s = answer_limit_s(pin, self._timeout_s)
        with readable_errors(self.target):
            request = keys_pb2.AuthenticateRequest(
                name=name,
                rand=rand,
                autn=autn,
                with_session_keys=with_session_keys,
                pin=pin_source(pin),
                session=session_name(session),
            )
            outcome = self._keys.Authenticate(request, timeout=limit_s)
        if outcome.auts:
            return AkaResult(auts=outcome.auts)
        answer = outcome.answer
        return AkaResult(answer.res, answer.ck, answer.ik)

    def derive_key(
        self, server: str, *, name: str = "keys/usim", ua_protocol: bytes = b""
    ) -> DerivedKey:
        """Bootstrap with the network and derive the key for one application server."""
        with readable_errors(self.target):
            request = keys_pb2.DeriveKeyRequest(name=name, server=server, ua_protocol=ua_protocol)
            derived = self._keys.DeriveKey(request, timeout=self._timeout_s)
        expires_at = derived.expires_at.ToMilliseconds() / 1000
        return DerivedKey(derived.btid, derived.key, expires_at)
