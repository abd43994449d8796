"""``RetentionService``: erasure requests, their decisions and certificates, and subject access."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from frs.audit.actions import Action
from frs.errors import FrsError, Reason
from frs.oversight.subject_access import Package, SubjectAccess
from frs.retention.certificate import Certificates
from frs.retention.erasure import Erasure, Erasures, ErasureState
from frs.server import names
from frs.server.caller import caller
from frs.server.instants import stamp
from frs.server.journal import Journal
from frs.server.paging import page_size
from frs.server.workers import Workers
from frs.types import Actor, Json, Page, References
from frs.v1 import retention_pb2 as pb

PART = 512 * 1024
"""Bytes of a file in one message."""
STATES: dict[ErasureState, pb.ErasureState.ValueType] = {
    ErasureState.UNDECIDED: pb.ERASURE_STATE_UNDECIDED,
    ErasureState.DONE: pb.ERASURE_STATE_DONE,
    ErasureState.REFUSED: pb.ERASURE_STATE_REFUSED,
}


@dataclass(frozen=True, slots=True)
class PersonRights:
    """What answers requests of people: erasure and access."""

    erasures: Erasures
    certificates: Certificates
    access: SubjectAccess


class ErasureMethods:
    """The methods of ``RetentionService`` that answer requests of people; the servicer inherits them."""

    _rights: PersonRights
    _journal: Journal
    _workers: Workers
    _waiting: Workers

    async def RequestErasure(self, request: pb.RequestErasureRequest, context: Any) -> pb.Erasure:
        """Erase at once, or record the request for a decision where a hold stands against it."""
        nominal, reason, by = request.nominal.strip(), request.reason.strip(), request.requested_by.strip()
        done = await self._workers.run(self._rights.erasures.request, caller(), nominal, reason, by)
        return await self._workers.run(self._with_certificate, done)

    async def DecideErasure(self, request: pb.DecideErasureRequest, context: Any) -> pb.Erasure:
        """Decide an erasure that a hold stands against."""
        name = names.last_id(names.ERASURE, request.name)
        erase = request.decision == pb.ERASURE_DECISION_ERASE
        decide = self._rights.erasures.decide
        done = await self._workers.run(decide, caller(), name, erase, request.reason.strip())
        return await self._workers.run(self._with_certificate, done)

    async def GetErasure(self, request: pb.GetErasureRequest, context: Any) -> pb.Erasure:
        """Return one with its certificate, made anew; logged."""
        return await self._workers.run(self._get, caller(), names.last_id(names.ERASURE, request.name))

    async def ListErasures(self, request: pb.ListErasuresRequest, context: Any) -> pb.ListErasuresResponse:
        """Return a page, newest first, without certificates; logged."""
        page = await self._workers.run(self._list, caller(), page_size(request.page_size), request.page_token)
        return pb.ListErasuresResponse(
            erasures=[erasure_message(item) for item in page.items], next_page_token=page.next_token
        )

    async def SubjectAccess(
        self, request: pb.SubjectAccessRequest, context: Any
    ) -> AsyncIterator[pb.SubjectAccessResponse]:
        """Send the files of a person's package one after the other, each in parts; logged before the first byte."""
        package = await self._waiting.run(self._package, caller(), request)
        for path, data in package.files.items():
            for start in range(0, max(len(data), 1), PART):
                yield pb.SubjectAccessResponse(path=path, data=data[start : start + PART])

    def _package(self, actor: Actor, request: pb.SubjectAccessRequest) -> Package:
        nominal = request.nominal.strip()
        if bool(nominal) == bool(request.photograph):
            message = "A request names a nominal or brings a photograph, exactly one of the two."
            raise FrsError(Reason.INVALID_FIELD, message, field="nominal")
        access, reason, recipient = self._rights.access, request.reason.strip(), request.recipient.strip()
        if nominal:
            return access.of_nominal(actor, nominal, reason, recipient)
        return access.of_photograph(actor, request.photograph, reason, recipient)

    def _get(self, actor: Actor, erasure_id: str) -> pb.Erasure:
        found = self._rights.erasures.get(erasure_id)
        said: dict[str, Json] = {"asked": "erasure", "erasure": erasure_id}
        self._journal.record(actor, Action.RETENTION_READ, said, References(subjects=(found.subject,)))
        return self._with_certificate(found)

    def _list(self, actor: Actor, size: int, token: str) -> Page[Erasure]:
        page = self._rights.erasures.list(size, token)
        people = tuple(dict.fromkeys(item.subject for item in page.items))[:MOST_PEOPLE]
        said: dict[str, Json] = {"asked": "erasures", "shown": len(page.items)}
        self._journal.record(actor, Action.RETENTION_READ, said, References(subjects=people))
        return page

    def _with_certificate(self, found: Erasure) -> pb.Erasure:
        message = erasure_message(found)
        certificate = self._rights.certificates.make(found)
        if certificate is not None:
            message.certificate_json = json.dumps(certificate, ensure_ascii=False)
        return message


MOST_PEOPLE = 200
"""Most people that one event refers to."""


def erasure_message(value: Erasure) -> pb.Erasure:
    """Return a request and what became of it, without the certificate."""
    return pb.Erasure(
        name=names.make(names.ERASURE, value.id),
        state=STATES[value.state],
        subject=value.subject,
        reason=value.reason,
        requested_by=value.requested_by,
        request_time=stamp(value.requested_at),
        recorded_by=value.recorded_by,
        holds=[names.make(names.HOLD, each) for each in value.holds],
        decide_time=stamp(value.decided_at),
        decided_by=value.decided_by or "",
        decision_reason=value.decision_reason or "",
    )
