"""``ReviewService``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from frs.server.alert_reading import AlertReading
from frs.server.caller import caller
from frs.server.case_looking import CaseLooking
from frs.server.case_review import CaseReview
from frs.server.review_work import ReviewWork
from frs.v1 import review_pb2, review_pb2_grpc


class ReviewServicer(review_pb2_grpc.ReviewServiceServicer):
    """Shows alerts and cases to people and takes their decisions."""

    def __init__(self, alerts: AlertReading, cases: CaseReview, work: ReviewWork, looking: CaseLooking) -> None:
        self._alerts, self._cases, self._work, self._looking = alerts, cases, work, looking

    async def ListAlerts(self, request: review_pb2.ListAlertsRequest, context: Any) -> review_pb2.ListAlertsResponse:
        """Return a page, newest first, without images."""
        return await self._alerts.page(request)

    async def GetAlert(self, request: review_pb2.GetAlertRequest, context: Any) -> review_pb2.Alert:
        """Return one with both images."""
        return await self._alerts.one(request)

    async def WatchAlerts(
        self, request: review_pb2.WatchAlertsRequest, context: Any
    ) -> AsyncIterator[review_pb2.WatchAlertsResponse]:
        """Send every change after the position, then each as it happens, until the client leaves."""
        async with aclosing(self._alerts.watch(request)) as answers:
            async for answer in answers:
                yield answer

    async def ListCases(self, request: review_pb2.ListCasesRequest, context: Any) -> review_pb2.ListCasesResponse:
        """Return a page of cases without images, the most urgent first."""
        return await self._cases.page(request)

    async def GetCase(self, request: review_pb2.GetCaseRequest, context: Any) -> review_pb2.Case:
        """Return one, with images for who holds it."""
        return await self._cases.one(request)

    async def Work(
        self, request_iterator: AsyncIterator[review_pb2.WorkRequest], context: Any
    ) -> AsyncIterator[review_pb2.WorkResponse]:
        """Send cases as the caller can take them, each claimed for them."""
        async with aclosing(self._work.serve(caller(), request_iterator)) as answers:
            async for answer in answers:
                yield answer

    async def ClaimCase(self, request: review_pb2.ClaimCaseRequest, context: Any) -> review_pb2.Case:
        """Take one, or extend the claim on it."""
        return await self._cases.claim(request)

    async def ReleaseCase(self, request: review_pb2.ReleaseCaseRequest, context: Any) -> review_pb2.Case:
        """Give one back."""
        return await self._cases.release(request)

    async def RecordObservation(self, request: review_pb2.RecordObservationRequest, context: Any) -> review_pb2.Case:
        """Record what the caller sees; the answer carries the score."""
        return await self._cases.observe(request)

    async def DecideCase(self, request: review_pb2.DecideCaseRequest, context: Any) -> review_pb2.Case:
        """Record the caller's decision."""
        return await self._cases.decide(request)

    async def ExplainCase(self, request: review_pb2.ExplainCaseRequest, context: Any) -> review_pb2.Explanation:
        """Say why the system proposes somebody."""
        return await self._looking.explain(request)

    async def UnblurFrame(self, request: review_pb2.UnblurFrameRequest, context: Any) -> review_pb2.UnblurFrameResponse:
        """Show the whole frame, with a reason."""
        return await self._looking.unblur(request)
