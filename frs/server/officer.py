"""``OfficerService``: alerts that were adjudicated, for officers on the ground.

The room logs its acts and who was shown pictures; what is told without pictures is logged here, before it is sent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from frs.audit.actions import Action
from frs.errors import FrsError, Reason
from frs.review.assignment import Assignment, AssignmentEntry, AssignmentState
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
from frs.server.journal import Journal
from frs.server.paging import page_size
from frs.server.ringing import listening
from frs.server.waiting import Stopping
from frs.server.workers import Workers
from frs.types import Actor, Json, Page, References
from frs.v1 import officer_pb2, officer_pb2_grpc

FEED_BATCH = 50
_GONE = (Reason.ERASED, Reason.KEY_MISSING)


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
        self._assignments, self._journal, self._consultations = assignments, journal, consultations
        self._workers, self._waiting, self._stopping = workers, waiting, stopping

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
        actor, position = caller(), request.after_position
        deployment = names.optional_id(names.DEPLOYMENT, request.deployment)
        feed, waiting = self._assignments.feed, self._waiting
        await waiting.run(feed.require, actor.scope, position, deployment)
        references = References(deployment=deployment)
        opened: dict[str, Json] = {"after_position": position, "with_images": request.with_images}
        await waiting.run(self._journal.record, actor, Action.ASSIGNMENT_FEED_OPENED, opened, references)
        try:
            with listening(self._assignments.bell) as bell:
                while True:
                    self._stopping.require()
                    entries = await waiting.run(feed.after, actor.scope, position, deployment, FEED_BATCH)
                    if entries and not request.with_images:
                        await waiting.run(self._tell_of, actor, entries, deployment)
                    for entry in entries:
                        yield await waiting.run(self._answer, actor, entry, request.with_images)
                        position = entry.position
                    if not entries:
                        await self._stopping.wait_for(bell)
        finally:
            closed: dict[str, Json] = {"position": position}
            await waiting.run(self._journal.record, actor, Action.ASSIGNMENT_FEED_CLOSED, closed, references)

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

    def _answer(self, actor: Actor, entry: AssignmentEntry, with_images: bool) -> officer_pb2.WatchAssignmentsResponse:
        if with_images:
            try:
                return change_message(entry, shown_message(self._assignments.view(actor, entry.assignment.id)))
            except FrsError as error:
                if error.reason not in _GONE:  # its pictures have been erased; the change is still told
                    raise
                self._tell_of(actor, [entry], None)
        return change_message(entry, assignment_message(entry.assignment))

    def _tell_of(self, actor: Actor, entries: Sequence[AssignmentEntry], deployment: str | None) -> None:
        asked: dict[str, Json] = {"asked": "feed", "positions": [entries[0].position, entries[-1].position]}
        self._consultations.assignments(actor, [entry.assignment for entry in entries], asked, deployment)

    def _read(
        self, actor: Actor, state: AssignmentState | None, deployment: str | None, size: int, token: str
    ) -> Page[Assignment]:
        page = self._assignments.list(actor, state, deployment, size, token)
        asked: dict[str, Json] = {"asked": "list", "state": state, "first_page": not token}
        self._consultations.assignments(actor, page.items, asked, deployment)
        return page
