"""Assignments and their feed."""

from __future__ import annotations

from frs.review.assignment import Assignment, AssignmentEntry, AssignmentState, ShownAssignment
from frs.server import names
from frs.server.conversions.common import GRADINGS
from frs.server.instants import stamp
from frs.v1 import officer_pb2

STATES: dict[AssignmentState, officer_pb2.AssignmentState.ValueType] = {
    AssignmentState.OFFERED: officer_pb2.ASSIGNMENT_STATE_OFFERED,
    AssignmentState.ACKNOWLEDGED: officer_pb2.ASSIGNMENT_STATE_ACKNOWLEDGED,
    AssignmentState.ENGAGED: officer_pb2.ASSIGNMENT_STATE_ENGAGED,
    AssignmentState.WITHDRAWN: officer_pb2.ASSIGNMENT_STATE_WITHDRAWN,
}
CHANGES: dict[str, officer_pb2.AssignmentChange.ValueType] = {
    "offered": officer_pb2.ASSIGNMENT_CHANGE_OFFERED,
    "adjudicated": officer_pb2.ASSIGNMENT_CHANGE_ADJUDICATED,
    "acknowledged": officer_pb2.ASSIGNMENT_CHANGE_ACKNOWLEDGED,
    "engaged": officer_pb2.ASSIGNMENT_CHANGE_ENGAGED,
    "withdrawn": officer_pb2.ASSIGNMENT_CHANGE_WITHDRAWN,
}
ENGAGEMENTS: dict[str, officer_pb2.Engagement.ValueType] = {
    "confirmed-true": officer_pb2.ENGAGEMENT_CONFIRMED_TRUE,
    "confirmed-false": officer_pb2.ENGAGEMENT_CONFIRMED_FALSE,
    "not-engaged": officer_pb2.ENGAGEMENT_NOT_ENGAGED,
}
_STATES_BACK = {number: state for state, number in STATES.items()}
_ENGAGEMENTS_BACK = {number: word for word, number in ENGAGEMENTS.items()}


def assignment_state(value: officer_pb2.AssignmentState.ValueType) -> AssignmentState | None:
    """Return the state that a listing is limited to; None for all."""
    return _STATES_BACK.get(value)


def engagement(value: officer_pb2.Engagement.ValueType) -> str:
    """Return what came of it, as the room says it."""
    return _ENGAGEMENTS_BACK[value]


def assignment_message(value: Assignment, probe: bytes = b"", reference: bytes = b"") -> officer_pb2.Assignment:
    """Return an assignment, with pictures where they are given."""
    return officer_pb2.Assignment(
        name=names.make(names.ASSIGNMENT, value.id),
        alert=names.make(names.ALERT, value.alert),
        deployment=names.make(names.DEPLOYMENT, value.deployment),
        place=value.place,
        camera_id=value.camera,
        capture_time=stamp(value.captured_at),
        grading=GRADINGS[value.grading],
        nominal=value.nominal,
        watchlist=names.make(names.WATCHLIST, value.watchlist),
        justification=value.justification,
        state=STATES[value.state],
        adjudicated=value.adjudicated,
        adjudication_reason=value.adjudication_reason,
        offer_time=stamp(value.offered_at),
        acknowledged_by=value.acknowledged_by or "",
        acknowledge_time=stamp(value.acknowledged_at),
        engagement=ENGAGEMENTS[value.engagement] if value.engagement else officer_pb2.ENGAGEMENT_UNSPECIFIED,
        engagement_time=stamp(value.engaged_at),
        engagement_note=value.engagement_note,
        self_defined_group=value.self_defined_group or "",
        probe_image_jpeg=probe,
        reference_image_jpeg=reference,
        notice=value.notice,
    )


def shown_message(value: ShownAssignment) -> officer_pb2.Assignment:
    """Return an assignment with both pictures."""
    return assignment_message(value.assignment, value.probe, value.reference)


def change_message(entry: AssignmentEntry, assignment: officer_pb2.Assignment) -> officer_pb2.WatchAssignmentsResponse:
    """Return a change of the feed with the assignment as the caller may see it."""
    return officer_pb2.WatchAssignmentsResponse(
        position=entry.position, change=CHANGES[entry.change], assignment=assignment
    )
