"""The cases of ``ReviewService``: listed, shown, claimed, observed and decided."""

from __future__ import annotations

from frs.review.case import Case, CaseKind, CaseState
from frs.review.cases import Cases
from frs.server import names
from frs.server.caller import caller
from frs.server.consultations import Consultations
from frs.server.conversions.cases import case_kind, case_message, case_state, decision, observation, shown_message
from frs.server.paging import page_size
from frs.server.workers import Workers
from frs.types import Actor, Json, Page
from frs.v1 import review_pb2


class CaseReview:
    """Puts cases before people. The room logs its acts and who was shown pictures; listings are logged here."""

    def __init__(self, cases: Cases, consultations: Consultations, workers: Workers) -> None:
        self._cases, self._consultations, self._workers = cases, consultations, workers

    async def page(self, request: review_pb2.ListCasesRequest) -> review_pb2.ListCasesResponse:
        """Return a page of cases without images; reading is logged."""
        page, pending = await self._workers.run(
            self._read,
            caller(),
            case_state(request.state),
            names.optional_id(names.DEPLOYMENT, request.deployment),
            case_kind(request.kind),
            request.mine,
            page_size(request.page_size),
            request.page_token,
        )
        return review_pb2.ListCasesResponse(
            cases=[case_message(each) for each in page.items], next_page_token=page.next_token, pending_count=pending
        )

    async def one(self, request: review_pb2.GetCaseRequest) -> review_pb2.Case:
        """Return one, with its images where the caller may see them."""
        return shown_message(await self._workers.run(self._cases.get, caller(), _id(request.name)))

    async def claim(self, request: review_pb2.ClaimCaseRequest) -> review_pb2.Case:
        """Claim a case for the caller, or extend their claim; with its images."""
        return shown_message(await self._workers.run(self._cases.claim, caller(), _id(request.name)))

    async def release(self, request: review_pb2.ReleaseCaseRequest) -> review_pb2.Case:
        """Give a claim back."""
        return case_message(await self._workers.run(self._cases.release, caller(), _id(request.name)))

    async def observe(self, request: review_pb2.RecordObservationRequest) -> review_pb2.Case:
        """Record what the caller sees; the answer carries the score."""
        seen = observation(request.observation)
        return case_message(await self._workers.run(self._cases.observe, caller(), _id(request.name), seen))

    async def decide(self, request: review_pb2.DecideCaseRequest) -> review_pb2.Case:
        """Record the caller's decision."""
        decided = await self._workers.run(
            self._cases.decide,
            caller(),
            _id(request.name),
            decision(request.decision),
            request.reason.strip(),
            names.optional_id(names.SUBJECT, request.subject),
        )
        return case_message(decided)

    def _read(
        self,
        actor: Actor,
        state: CaseState | None,
        deployment: str | None,
        kind: CaseKind | None,
        mine: bool,
        size: int,
        token: str,
    ) -> tuple[Page[Case], int]:
        page, pending = self._cases.list(
            actor, state=state, deployment=deployment, kind=kind, mine=mine, page_size=size, page_token=token
        )
        asked: dict[str, Json] = {"asked": "list", "state": state, "kind": kind, "mine": mine, "first_page": not token}
        self._consultations.cases(actor, page.items, asked, deployment)
        return page, pending


def _id(name: str) -> str:
    return names.last_id(names.CASE, name)
