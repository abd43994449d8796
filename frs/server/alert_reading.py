"""The alerts of ``ReviewService``, for those in charge of a deployment: listed, shown and followed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from frs.audit.actions import Action
from frs.review.alerts import Alert, Alerts, AlertState
from frs.server import names
from frs.server.caller import caller
from frs.server.consultations import Consultations
from frs.server.conversions.review import alert_message, alert_state, case_message, feed_message
from frs.server.feed_stream import Feed, FeedStreams
from frs.server.journal import Journal
from frs.server.paging import page_size
from frs.server.waiting import Stopping
from frs.server.workers import Workers
from frs.types import Actor, Json, Page
from frs.v1 import review_pb2


class AlertReading:
    """Shows alerts and logs that it did."""

    def __init__(
        self,
        alerts: Alerts,
        journal: Journal,
        consultations: Consultations,
        workers: Workers,
        waiting: Workers,
        stopping: Stopping,
    ) -> None:
        self._alerts, self._consultations, self._workers = alerts, consultations, workers
        self._feeds = FeedStreams(journal, waiting, stopping)

    async def page(self, request: review_pb2.ListAlertsRequest) -> review_pb2.ListAlertsResponse:
        """Return a page, newest first, without images; reading is logged."""
        page = await self._workers.run(
            self._read,
            caller(),
            alert_state(request.state),
            names.optional_id(names.DEPLOYMENT, request.deployment),
            page_size(request.page_size),
            request.page_token,
        )
        return review_pb2.ListAlertsResponse(
            alerts=[alert_message(item) for item in page.items], next_page_token=page.next_token
        )

    async def one(self, request: review_pb2.GetAlertRequest) -> review_pb2.Alert:
        """Return one with both images; being shown them is logged."""
        name = names.last_id(names.ALERT, request.name)
        return case_message(await self._workers.run(self._alerts.get, caller(), name))

    async def watch(self, request: review_pb2.WatchAlertsRequest) -> AsyncGenerator[review_pb2.WatchAlertsResponse]:
        """Send every change after the position, then each as it happens, until the client leaves.

        Whom it tells of is logged before it is sent.
        """
        actor, deployment = caller(), names.optional_id(names.DEPLOYMENT, request.deployment)
        feed = Feed(
            actor,
            deployment,
            self._alerts.bell,
            Action.ALERT_FEED_OPENED,
            Action.ALERT_FEED_CLOSED,
            require=lambda position: self._alerts.require_feed(position, deployment, actor.scope),
            after=lambda position, most: self._alerts.feed(position, deployment, most, actor.scope),
            tell_of=lambda entries, asked: self._consultations.alerts(
                actor, [entry.alert for entry in entries], asked, deployment
            ),
            plain=lambda entry: feed_message(entry, alert_message(entry.alert)),
            shown=lambda entry: feed_message(entry, case_message(self._alerts.get(actor, entry.alert.id))),
        )
        async with aclosing(
            self._feeds.follow(feed, request.after_position, with_images=request.with_images)
        ) as changes:
            async for change in changes:
                yield change

    def _read(
        self, actor: Actor, state: AlertState | None, deployment: str | None, size: int, token: str
    ) -> Page[Alert]:
        page = self._alerts.list(state, deployment, size, token, actor.scope)
        asked: dict[str, Json] = {"asked": "list", "state": state, "first_page": not token}
        self._consultations.alerts(actor, page.items, asked, deployment)
        return page
