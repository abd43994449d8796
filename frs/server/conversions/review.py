"""Alerts, their feed and what people decide about them."""

from __future__ import annotations

from frs.review.alerts import Alert, AlertCase, AlertState, FeedEntry
from frs.server import names
from frs.server.conversions.common import candidate_message
from frs.server.instants import stamp
from frs.v1 import review_pb2

STATES: dict[AlertState, review_pb2.AlertState.ValueType] = {
    AlertState.PENDING: review_pb2.ALERT_STATE_PENDING,
    AlertState.TRUE: review_pb2.ALERT_STATE_TRUE,
    AlertState.FALSE: review_pb2.ALERT_STATE_FALSE,
    AlertState.CONFIRMED_TRUE: review_pb2.ALERT_STATE_CONFIRMED_TRUE,
    AlertState.CONFIRMED_FALSE: review_pb2.ALERT_STATE_CONFIRMED_FALSE,
    AlertState.UNCONFIRMED: review_pb2.ALERT_STATE_UNCONFIRMED,
    AlertState.UNREVIEWED: review_pb2.ALERT_STATE_UNREVIEWED,
    AlertState.CANNOT_TELL: review_pb2.ALERT_STATE_CANNOT_TELL,
    AlertState.EXPIRED: review_pb2.ALERT_STATE_EXPIRED,
}
CHANGES: dict[str, review_pb2.AlertChange.ValueType] = {
    "raised": review_pb2.ALERT_CHANGE_RAISED,
    "adjudicated": review_pb2.ALERT_CHANGE_ADJUDICATED,
    "engaged": review_pb2.ALERT_CHANGE_ENGAGED,
    "erased": review_pb2.ALERT_CHANGE_ERASED,
    "expired": review_pb2.ALERT_CHANGE_EXPIRED,
}
_STATES_BACK = {number: state for state, number in STATES.items()}


def alert_state(value: review_pb2.AlertState.ValueType) -> AlertState | None:
    """Return the state that a listing is limited to; None for all."""
    return _STATES_BACK.get(value)


def alert_message(value: Alert, probe: bytes = b"", reference: bytes = b"") -> review_pb2.Alert:
    """Return an alert, with pictures where they are given."""
    candidate = value.candidate
    return review_pb2.Alert(
        name=names.make(names.ALERT, value.id),
        deployment=names.make(names.DEPLOYMENT, value.deployment),
        camera_id=value.camera_id,
        track_id=value.track_id,
        capture_time=stamp(value.captured_at),
        first_seen_time=stamp(value.first_seen_at),
        create_time=stamp(value.created_at),
        candidate=candidate_message(candidate, {candidate.reference: reference}),
        state=STATES[value.state],
        probe_image_jpeg=probe,
        adjudicate_time=stamp(value.adjudicated_at),
        adjudicated_by=value.adjudicated_by or "",
        adjudication_reason=value.adjudication_reason or "",
        engagement_time=stamp(value.engagement_at),
        engagement_by=value.engagement_by or "",
        engagement_note=value.engagement_note or "",
        erase_time=stamp(value.erased_at),
        self_defined_group=value.self_defined_group or "",
    )


def case_message(case: AlertCase) -> review_pb2.Alert:
    """Return an alert with both pictures."""
    return alert_message(case.alert, case.probe, case.reference)


def feed_message(entry: FeedEntry, alert: review_pb2.Alert) -> review_pb2.WatchAlertsResponse:
    """Return a change of the feed with the alert as the caller may see it."""
    return review_pb2.WatchAlertsResponse(position=entry.position, change=CHANGES[entry.change], alert=alert)
