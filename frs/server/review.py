"""``ReviewService``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from frs.server.alert_reading import AlertReading
from frs.v1 import review_pb2, review_pb2_grpc


class ReviewServicer(review_pb2_grpc.ReviewServiceServicer):
    """Shows alerts and cases to people and takes their decisions."""

    def __init__(self, alerts: AlertReading) -> None:
        self._alerts = alerts

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
