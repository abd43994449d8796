"""``OfficerService``: alerts that were adjudicated, for officers on the ground.

The room logs its acts and who was shown pictures; what is told without pictures is logged here, before it is sent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from frs.audit.actions import Action
from frs.review.assignment import Assignment, AssignmentState
from frs.review.assignments import Assignments
from frs.server import names
from frs.server.caller import caller
from frs.server.consultations import Consultations
from frs.server.conversions.officer import (
    assignment_message,
    assignment_state,
    change_message,
    engagement,
    shown_message,
)
from frs.server.feed_stream import Feed, FeedStreams
from frs.server.journal import Journal
from frs.server.paging import page_size
from frs.server.waiting import Stopping
from frs.server.workers import Workers
from frs.types import Actor, Json, Page
from frs.v1 import officer_pb2, officer_pb2_grpc


class OfficerServicer(officer_pb2_grpc.OfficerServiceServicer):
    """Sends assignments to officers and takes what came of them."""

    def __init__(
        self,
        assignments: Assignments,
        journal: Journal,
        consultations: Consultations,
        workers: Workers,
        waiting: Workers,
        stopping: Stopping,
    ) -> None:
        self._assignments, self._consultations, self._workers = assignments, consultations, workers
        self._feeds = FeedStreams(journal, waiting, stopping)

    async def ListAssignments(
        self, request: officer_pb2.ListAssignmentsRequest, context: Any
    ) -> officer_pb2.ListAssignmentsResponse:
        """Return a page, newest first, without images; reading is logged."""
        page = await self._workers.run(
            self._read,
            caller(),
            assignment_state(request.state),
            names.optional_id(names.DEPLOYMENT, request.deployment),
            page_size(request.page_size),
            request.page_token,
        )
        return officer_pb2.ListAssignmentsResponse(
            assignments=[assignment_message(each) for each in page.items], next_page_token=page.next_token
        )

    async def WatchAssignments(
        self, request: officer_pb2.WatchAssignmentsRequest, context: Any
    ) -> AsyncIterator[officer_pb2.WatchAssignmentsResponse]:
        """Send every change after the position, then each as it happens, until the client leaves.

        Whom it tells of is logged before it is sent.
        """
        actor, deployment = caller(), names.optional_id(names.DEPLOYMENT, request.deployment)
        room = self._assignments
        feed = Feed(
            actor,
            deployment,
            room.bell,
            Action.ASSIGNMENT_FEED_OPENED,
            Action.ASSIGNMENT_FEED_CLOSED,
            require=lambda position: room.feed.require(actor.scope, position, deployment),
            after=lambda position, most: room.feed.after(actor.scope, position, deployment, most),
            tell_of=lambda entries, asked: self._consultations.assignments(
                actor, [entry.assignment for entry in entries], asked, deployment
            ),
            plain=lambda entry: change_message(entry, assignment_message(entry.assignment)),
            shown=lambda entry: change_message(entry, shown_message(room.view(actor, entry.assignment.id))),
        )
        async with aclosing(
            self._feeds.follow(feed, request.after_position, with_images=request.with_images)
        ) as changes:
            async for change in changes:
                yield change

    async def Acknowledge(self, request: officer_pb2.AcknowledgeRequest, context: Any) -> officer_pb2.Assignment:
        """Take one, once; the answer carries the images, which is logged."""
        name = names.last_id(names.ASSIGNMENT, request.name)
        return shown_message(await self._workers.run(self._assignments.acknowledge, caller(), name))

    async def RecordEngagement(
        self, request: officer_pb2.RecordEngagementRequest, context: Any
    ) -> officer_pb2.Assignment:
        """Record what came of one that the caller acknowledged."""
        engaged = await self._workers.run(
            self._assignments.engage,
            caller(),
            names.last_id(names.ASSIGNMENT, request.name),
            engagement(request.engagement),
            request.note,
            request.self_defined_group,
        )
        return assignment_message(engaged)

    def _read(
        self, actor: Actor, state: AssignmentState | None, deployment: str | None, size: int, token: str
    ) -> Page[Assignment]:
        page = self._assignments.list(actor, state, deployment, size, token)
        asked: dict[str, Json] = {"asked": "list", "state": state, "first_page": not token}
        self._consultations.assignments(actor, page.items, asked, deployment)
        return page
