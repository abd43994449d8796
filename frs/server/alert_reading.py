"""The alerts of ``ReviewService``, for those in charge of a deployment: listed, shown and followed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from frs.audit.actions import Action
from frs.errors import FrsError, Reason
from frs.review.alerts import Alert, Alerts, AlertState, FeedEntry
from frs.server import names
from frs.server.caller import caller
from frs.server.consultations import Consultations
from frs.server.conversions.review import alert_message, alert_state, case_message, feed_message
from frs.server.journal import Journal
from frs.server.paging import page_size
from frs.server.ringing import listening
from frs.server.waiting import Stopping
from frs.server.workers import Workers
from frs.types import Actor, Json, Page, References
from frs.v1 import review_pb2

FEED_BATCH = 50


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
        self._alerts, self._journal, self._consultations = alerts, journal, consultations
        self._workers, self._waiting, self._stopping = workers, waiting, stopping

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
        actor, position = caller(), request.after_position
        deployment = names.optional_id(names.DEPLOYMENT, request.deployment)
        await self._waiting.run(self._alerts.require_feed, position, deployment, actor.scope)
        references = References(deployment=deployment)
        opened: dict[str, Json] = {"after_position": position, "with_images": request.with_images}
        await self._waiting.run(self._journal.record, actor, Action.ALERT_FEED_OPENED, opened, references)
        try:
            with listening(self._alerts.bell) as bell:
                while True:
                    self._stopping.require()
                    entries = await self._waiting.run(self._alerts.feed, position, deployment, FEED_BATCH, actor.scope)
                    if entries and not request.with_images:
                        await self._waiting.run(self._tell_of, actor, entries, deployment)
                    for entry in entries:
                        yield await self._waiting.run(self._feed_answer, actor, entry, request.with_images)
                        position = entry.position
                    if not entries:
                        await self._stopping.wait_for(bell)
        finally:
            closed: dict[str, Json] = {"position": position}
            await self._waiting.run(self._journal.record, actor, Action.ALERT_FEED_CLOSED, closed, references)

    def _feed_answer(self, actor: Actor, entry: FeedEntry, with_images: bool) -> review_pb2.WatchAlertsResponse:
        if with_images:
            try:
                return feed_message(entry, case_message(self._alerts.get(actor, entry.alert.id)))
            except FrsError as error:
                if error.reason not in {
                    Reason.ERASED,
                    Reason.KEY_MISSING,
                }:  # its pictures have been erased; the change is still told
                    raise
                self._tell_of(actor, [entry], None)
        return feed_message(entry, alert_message(entry.alert))

    def _tell_of(self, actor: Actor, entries: Sequence[FeedEntry], deployment: str | None) -> None:
        asked: dict[str, Json] = {"asked": "feed", "positions": [entries[0].position, entries[-1].position]}
        self._consultations.alerts(actor, [entry.alert for entry in entries], asked, deployment)

    def _read(
        self, actor: Actor, state: AlertState | None, deployment: str | None, size: int, token: str
    ) -> Page[Alert]:
        page = self._alerts.list(state, deployment, size, token, actor.scope)
        asked: dict[str, Json] = {"asked": "list", "state": state, "first_page": not token}
        self._consultations.alerts(actor, page.items, asked, deployment)
        return page
