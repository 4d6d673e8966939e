"""WriteCard: an authority with the administrative key replaces provisioning files."""

from __future__ import annotations

import hashlib
import time

from cardea.v1 import cards_pb2 as pb
from cardea_core import Secret

from cardd.card.credentials import ADM1, Credential
from cardd.card.directory import PKCS15_AID
from cardd.card.errors import ContentTooLong
from cardd.card.provisioning_files import ProvisioningFile, survey
from cardd.provisioning.ports import JournalPort
from cardd.reader.errors import CardAbsent
from cardd.reader.events import ReaderStatus
from cardd.reader.lease import Lease
from cardd.reader.rejections import RejectionsByCard

from .call import Call
from .card_leases import CardLeases
from .card_rules import WRITING, CallerRules, CardRules
from .idempotency import IdempotentCalls
from .refusals import ArgumentInvalidError, DocumentNotOnCardError

__all__ = ["CardWriter"]

_ADM_LENGTHS = range(4, 17)
_MAX_WRITES = 16


class CardWriter:
    """Checks everything that can be checked before the first byte is written."""

    def __init__(
        self,
        leases: CardLeases,
        journal: JournalPort,
        rejections: RejectionsByCard,
        rules: CardRules,
        *,
        retry_floor: int,
    ) -> None:
        self._leases = leases
        self._journal = journal
        self._rejections = rejections
        self._rules = rules
        self._retry_floor = retry_floor
        self._idempotent: IdempotentCalls[pb.WriteCardResponse] = IdempotentCalls()

    async def write(self, request: pb.WriteCardRequest, call: Call) -> pb.WriteCardResponse:
        if len(request.adm) not in _ADM_LENGTHS:
            raise ArgumentInvalidError("adm", "must be 4 to 16 bytes")
        if not 1 <= len(request.writes) <= _MAX_WRITES:
            raise ArgumentInvalidError("writes", f"must be 1 to {_MAX_WRITES}")
        status = await self._leases.find(request.name, call)
        call.require(reader=status.name, application="pkcs15")
        # Who hangs up would else leave half a document.
        key = (call.caller.uid, request.request_id)
        return await self._idempotent.to_its_end(
            key, _fingerprint(request), lambda: self._write(request, status, call)
        )

    async def _write(
        self, request: pb.WriteCardRequest, status: ReaderStatus, call: Call
    ) -> pb.WriteCardResponse:
        credential = Credential(ADM1, Secret(request.adm))
        writes = [(write.oid, write.data) for write in request.writes]

        def job(lease: Lease) -> pb.WriteCardResponse:
            return self._write_all(lease, writes, credential, self._rules.judge(call, lease))

        return await self._leases.work(status, call, "WriteCard", None, job)

    def _write_all(
        self,
        lease: Lease,
        writes: list[tuple[str, bytes]],
        credential: Credential,
        rules: CallerRules,
    ) -> pb.WriteCardResponse:
        # Loads whatever reads documents: not before somebody writes one.
        from cardd.provisioning import card_update

        if lease.identity is None:
            raise CardAbsent(lease.reader)
        rejections = self._rejections.of(lease.identity, lease.reader, lease.insertion)
        found = survey(lease.transmit, lease.identity.applications)
        by_oid = {file.oid: file for file in reversed(found.files)}
        for oid, data in writes:
            file = _fitting(by_oid, oid, data)
            rules.require(file.path.aid or PKCS15_AID, WRITING)
        response = pb.WriteCardResponse(apdus=found.apdus)
        for oid, data in writes:
            done = card_update.write(
                lease.transmit,
                lease.identity.name,
                self._journal,
                by_oid[oid],
                data,
                credential,
                rejections=rejections,
                floor=self._retry_floor,
                now_ms=time.time_ns() // 1_000_000,
            )
            by_oid[oid] = done.file
            response.sha256.append(hashlib.sha256(done.file.data[: len(data)]).digest())
            response.changed.append(done.changed)
            response.apdus += done.apdus
        return response


def _fitting(files: dict[str, ProvisioningFile], oid: str, data: bytes) -> ProvisioningFile:
    file = files.get(oid)
    if file is None:
        raise DocumentNotOnCardError(oid)
    if len(data) > file.size:
        raise ContentTooLong(str(file.path), file.size, len(data))
    return file


def _fingerprint(request: pb.WriteCardRequest) -> bytes:
    """Of everything but the key, which is kept nowhere."""
    digest = hashlib.sha256(request.name.encode())
    for write in request.writes:
        for part in (write.oid.encode(), write.data):
            digest.update(len(part).to_bytes(4, "big") + part)
    return digest.digest()
