"""KeyService: which keys a card has, and their use."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from cardea.v1 import keys_pb2 as pb
from cardea.v1 import keys_pb2_grpc as pb_grpc
from cardea_core import Secret
from google.protobuf.duration_pb2 import Duration

from cardd.card import keys
from cardd.card.directory import ApplicationKind
from cardd.card.errors import KeyUseUnsupported, NoSuchKey
from cardd.card.keys import CardKey, Scheme
from cardd.card.padding import Hash
from cardd.card.pins import pin_id
from cardd.card.token import KeyKind, PinObject
from cardd.card.uicc import FileSystem
from cardd.card.usim import SyncFailure, Usim
from cardd.reader.events import ReaderStatus

from . import convert
from .call import Call, current_call
from .card_jobs import CardJobs, OpenCard, PinValue
from .card_leases import card_name
from .card_rules import AUTHENTICATING
from .pins import PinOperations
from .refusals import ArgumentInvalidError

__all__ = ["DerivedKey", "DeriverPort", "KeyService"]

_KEYS = "keys/"
_SUBSCRIBER = "usim"
_PKCS15, _USIM = ApplicationKind.PKCS15.value, ApplicationKind.USIM.value
_UA_HTTP_DIGEST = bytes.fromhex("0100000002")  # TS 33.220 annex H, TS 24.109
_MAX_DATA = 1 << 20
_AKA_LENGTH = 16

_ALGORITHMS = {
    pb.SIGNATURE_ALGORITHM_RSA_PKCS1_SHA256: (Scheme.PKCS1, Hash.SHA256),
    pb.SIGNATURE_ALGORITHM_RSA_PKCS1_SHA384: (Scheme.PKCS1, Hash.SHA384),
    pb.SIGNATURE_ALGORITHM_RSA_PKCS1_SHA512: (Scheme.PKCS1, Hash.SHA512),
    pb.SIGNATURE_ALGORITHM_RSA_PSS_SHA256: (Scheme.PSS, Hash.SHA256),
    pb.SIGNATURE_ALGORITHM_RSA_PSS_SHA384: (Scheme.PSS, Hash.SHA384),
    pb.SIGNATURE_ALGORITHM_RSA_PSS_SHA512: (Scheme.PSS, Hash.SHA512),
    pb.SIGNATURE_ALGORITHM_ECDSA_SHA256: (Scheme.ECDSA, Hash.SHA256),
    pb.SIGNATURE_ALGORITHM_ECDSA_SHA384: (Scheme.ECDSA, Hash.SHA384),
    pb.SIGNATURE_ALGORITHM_ECDSA_SHA512: (Scheme.ECDSA, Hash.SHA512),
}
_KINDS = {KeyKind.RSA: pb.KEY_KIND_RSA, KeyKind.EC: pb.KEY_KIND_EC}


@dataclass(frozen=True, slots=True)
class DerivedKey:
    """Ks_NAF for one application server. ``expires_ms`` is Unix time."""

    btid: str
    expires_ms: int
    key: Secret = field(repr=False)


class DeriverPort(Protocol):
    """Bootstraps with the network; raises what card and servers raise."""

    async def derive(self, status: ReaderStatus, server: str, ua_protocol: bytes) -> DerivedKey: ...


class KeyService(pb_grpc.KeyServiceServicer):
    """Each call: which key, may they, the PIN, the card layer, back."""

    def __init__(self, jobs: CardJobs, pin_operations: PinOperations, deriver: DeriverPort) -> None:
        self._jobs = jobs
        self._pins = pin_operations
        self._deriver = deriver

    async def ListKeys(self, request: pb.ListKeysRequest, context: Any) -> pb.ListKeysResponse:
        call = current_call()
        status = await self._jobs.find(request.card, "", call)

        def look(open_card: OpenCard) -> list[pb.Key]:
            found = [_key_message(open_card.name, key) for key in keys.keys_of(open_card.tokens)]
            if any(open_card.rules.allow(aid, AUTHENTICATING) for aid in _usims(open_card)):
                name = f"{card_name(open_card.name)}/{_KEYS}{_SUBSCRIBER}"
                found.append(pb.Key(name=name, label="USIM", kind=pb.KEY_KIND_SUBSCRIBER))
            return found

        found = await self._jobs.run(status, "", call, "ListKeys", _wait(request), look)
        return pb.ListKeysResponse(keys=[key for key in found if _may(call, status, key)])

    async def GetPublicKey(
        self, request: pb.GetPublicKeyRequest, context: Any
    ) -> pb.GetPublicKeyResponse:
        from cardd.card import publickeys  # loads cryptography

        value = await self._read(request, "GetPublicKey", publickeys.read_public_key)
        return pb.GetPublicKeyResponse(public_key=value)

    async def GetCertificate(
        self, request: pb.GetCertificateRequest, context: Any
    ) -> pb.GetCertificateResponse:
        from cardd.card import publickeys  # loads cryptography

        value = await self._read(request, "GetCertificate", publickeys.read_certificate)
        return pb.GetCertificateResponse(certificate=value)

    async def Sign(self, request: pb.SignRequest, context: Any) -> pb.SignResponse:
        call = current_call()
        scheme, hash, digest = _to_sign(request)
        status, name = await self._find(request.name, request.session, call)

        def find(open_card: OpenCard) -> CardKey:
            key = _key_for(scheme.name, open_card, name)
            if not key.can_sign(scheme):  # before anybody is asked for a PIN, or a try is spent
                raise KeyUseUnsupported(name, scheme.name)
            return key

        def sign(open_card: OpenCard, given: PinValue | None) -> bytes:
            from cardd.card import publickeys  # loads cryptography

            key = find(open_card)
            public = publickeys.read_public_key(open_card.files, key)
            open_card.unlock(key.needed_pin, given)
            salt = secrets.token_bytes(hash.size)
            signature = keys.sign(open_card.files, key, scheme, hash, digest, salt)
            if public:
                publickeys.check_signature(public, scheme, hash, digest, signature)
            return signature

        given = await self._given(request, status, find, call)
        signature = await self._jobs.run(
            status,
            request.session,
            call,
            "Sign",
            _wait(request),
            lambda open_card: sign(open_card, given),
        )
        return pb.SignResponse(signature=signature)

    async def Decrypt(self, request: pb.DecryptRequest, context: Any) -> pb.DecryptResponse:
        call = current_call()
        if request.algorithm != pb.DECRYPTION_ALGORITHM_RSA_PKCS1:
            raise ArgumentInvalidError("algorithm", "is none that is known")
        status, name = await self._find(request.name, request.session, call)

        def find(open_card: OpenCard) -> CardKey:
            key = _key_for("decryption", open_card, name)
            if not key.can_decrypt:
                raise KeyUseUnsupported(name, "decryption")
            if len(request.ciphertext) != key.size:
                raise ArgumentInvalidError("ciphertext", f"must be {key.size} bytes")
            return key

        def decrypt(open_card: OpenCard, given: PinValue | None) -> bytes:
            key = find(open_card)
            open_card.unlock(key.needed_pin, given)
            return keys.decrypt(open_card.files, key, request.ciphertext)

        given = await self._given(request, status, find, call)
        plaintext = await self._jobs.run(
            status,
            request.session,
            call,
            "Decrypt",
            _wait(request),
            lambda open_card: decrypt(open_card, given),
        )
        return pb.DecryptResponse(plaintext=plaintext)

    async def Authenticate(
        self, request: pb.AuthenticateRequest, context: Any
    ) -> pb.AuthenticateResponse:
        call = current_call()
        for field_name in ("rand", "autn"):
            if len(getattr(request, field_name)) != _AKA_LENGTH:
                raise ArgumentInvalidError(field_name, f"must be {_AKA_LENGTH} bytes")
        status, _ = await self._find(request.name, request.session, call, subscriber=True)
        if request.with_session_keys:
            call.with_right("keys.derive").require(
                reader=status.name, application=_USIM, key=_SUBSCRIBER
            )

        def authenticate(open_card: OpenCard, given: PinValue | None) -> pb.AuthenticateResponse:
            for aid in _usims(open_card):
                open_card.rules.require(aid, AUTHENTICATING)
            open_card.unlock(_usim_pin(open_card), given)
            usim = Usim.open(open_card.files, open_card.applications)
            answer = usim.authenticate(request.rand, request.autn)
            if isinstance(answer, SyncFailure):
                return pb.AuthenticateResponse(auts=answer.auts)
            told = pb.AkaAnswer(res=answer.res.expose())
            if request.with_session_keys:
                told.ck, told.ik = answer.ck.expose(), answer.ik.expose()
            return pb.AuthenticateResponse(answer=told)

        given = await self._pins.value_for(status, request.session, call, request.pin, _usim_pin)
        return await self._jobs.run(
            status,
            request.session,
            call,
            "Authenticate",
            _wait(request),
            lambda open_card: authenticate(open_card, given),
        )

    async def DeriveKey(self, request: pb.DeriveKeyRequest, context: Any) -> pb.DeriveKeyResponse:
        call = current_call()
        if not request.server or len(request.server) > 253:
            raise ArgumentInvalidError("server", "must be the name of an application server")
        ua_protocol = request.ua_protocol or _UA_HTTP_DIGEST
        if len(ua_protocol) != len(_UA_HTTP_DIGEST):
            raise ArgumentInvalidError("ua_protocol", "must be 5 bytes")
        card, name = _split(request.name)
        if name != _SUBSCRIBER:
            raise NoSuchKey(name)
        status = await self._jobs.find(card, "", call)
        server = request.server.lower()
        call.require(reader=status.name, application=_USIM, key=f"naf/{server}")
        status = await self._jobs.ready(status, call)
        await self._jobs.require_authentication(status, call)
        derived = await self._deriver.derive(status, server, ua_protocol)
        return pb.DeriveKeyResponse(
            btid=derived.btid,
            key=derived.key.expose(),
            expires_at=convert.timestamp(derived.expires_ms),
        )

    async def _read(
        self,
        request: pb.GetPublicKeyRequest | pb.GetCertificateRequest,
        purpose: str,
        read: Callable[[FileSystem, CardKey], bytes],
    ) -> bytes:
        """What is public of a key; NoSuchKey if the card does not have it."""
        call = current_call()
        status, name = await self._find(request.name, "", call)
        value = await self._jobs.run(
            status,
            "",
            call,
            purpose,
            _wait(request),
            lambda open_card: read(open_card.files, keys.find_key(open_card.tokens, name)),
        )
        if not value:
            raise NoSuchKey(name)
        return value

    async def _find(
        self, name: str, session: str, call: Call, *, subscriber: bool = False
    ) -> tuple[ReaderStatus, str]:
        """The reader and the key that are meant, if the caller may use the key."""
        card, key = _split(name)
        if subscriber and key != _SUBSCRIBER:
            raise NoSuchKey(key)
        status = await self._jobs.find(card, session, call)
        application = _USIM if key == _SUBSCRIBER else _PKCS15
        call.require(reader=status.name, application=application, key=key)
        return status, key

    async def _given(
        self,
        request: pb.SignRequest | pb.DecryptRequest,
        status: ReaderStatus,
        find: Callable[[OpenCard], CardKey],
        call: Call,
    ) -> PinValue | None:
        return await self._pins.value_for(
            status,
            request.session,
            call,
            request.pin,
            lambda open_card: find(open_card).needed_pin,
        )


def _split(name: str) -> tuple[str, str]:
    """cards/{card}/keys/{key}, or keys/{key} of the only card."""
    card, slash, key = name.rpartition(_KEYS)
    if not slash or not key or "/" in key or (card and not card.endswith("/")):
        raise ArgumentInvalidError("name", "is not cards/{card}/keys/{key}")
    return card.removesuffix("/"), key


def _to_sign(request: pb.SignRequest) -> tuple[Scheme, Hash, bytes]:
    if request.algorithm not in _ALGORITHMS:
        raise ArgumentInvalidError("algorithm", "is none that is known")
    scheme, hash = _ALGORITHMS[request.algorithm]
    if request.HasField("digest"):
        if len(request.digest) != hash.size:
            raise ArgumentInvalidError("digest", f"must be {hash.size} bytes")
        return scheme, hash, request.digest
    if not request.HasField("data"):
        raise ArgumentInvalidError("input", "is neither data nor a digest")
    if len(request.data) > _MAX_DATA:
        raise ArgumentInvalidError("data", f"is longer than {_MAX_DATA} bytes; send its digest")
    return scheme, hash, hash.of(request.data)


def _key_for(use: str, open_card: OpenCard, name: str) -> CardKey:
    """The key of that name; NoSuchKey, and KeyUseUnsupported for the subscriber's."""
    if name == _SUBSCRIBER and _usims(open_card):
        raise KeyUseUnsupported(name, use)
    return keys.find_key(open_card.tokens, name)


def _usims(open_card: OpenCard) -> list[bytes]:
    return [a.aid for a in open_card.applications if a.kind is ApplicationKind.USIM]


def _usim_pin(open_card: OpenCard) -> PinObject | None:
    """AUTHENTICATE needs the first PIN of a UICC, if that is enabled (TS 31.102 §7.1.1)."""
    in_use = (pin for pin, enabled in open_card.all_pins if enabled)
    return next((pin for pin in in_use if pin_id(pin) == "pin1"), None)


def _may(call: Call, status: ReaderStatus, key: pb.Key) -> bool:
    name = key.name.rpartition("/")[2]
    application = _USIM if key.kind == pb.KEY_KIND_SUBSCRIBER else _PKCS15
    return call.may(reader=status.name, application=application, key=name)


def _wait(request: Any) -> Duration | None:
    return request.max_wait if request.HasField("max_wait") else None


def _key_message(card: str, key: CardKey) -> pb.Key:
    owner = card_name(card)
    return pb.Key(
        name=f"{owner}/{_KEYS}{key.name}",
        label=key.private.label,
        kind=_KINDS[key.private.kind],
        bits=key.private.bits or 0,
        signature_algorithms=[
            number for number, (scheme, _) in _ALGORITHMS.items() if key.can_sign(scheme)
        ],
        decryption_algorithms=([pb.DECRYPTION_ALGORITHM_RSA_PKCS1] if key.can_decrypt else []),
        pin=f"{owner}/pins/{pin_id(key.pin)}" if key.pin is not None else "",
        has_certificate=any(
            entry.identifier == key.private.identifier for entry in key.token.certificates
        ),
    )
