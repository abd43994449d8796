"""What the log records: every action, with the statutory operation it is (Data Protection Act 2018, section 62).

An action's name is dotted, lower-case and stable: filters match whole parts, so that ``watchlist`` finds
``watchlist.created``.
"""

from __future__ import annotations

from enum import StrEnum


class Operation(StrEnum):
    """Section 62's operations, and three of our own for acts that it does not name."""

    COLLECTION = "collection"
    ALTERATION = "alteration"
    CONSULTATION = "consultation"
    DISCLOSURE = "disclosure"
    COMBINATION = "combination"
    ERASURE = "erasure"
    USE = "use"
    """The system is put to use: a deployment, a stream."""
    REVIEW = "review"
    """A person's assessment: of a watchlist, an alert, an outcome."""
    SYSTEM = "system"
    """The service itself: starting, stopping, refusing."""


class Action(StrEnum):
    """Every action, grouped by what it concerns."""

    SERVICE_STARTED = "service.started"
    SERVICE_STOPPED = "service.stopped"
    POLICY_CHANGED = "policy.changed"
    MODEL_CHANGED = "model.changed"
    ACCESS_REFUSED = "access.refused"

    WATCHLIST_CREATED = "watchlist.created"
    WATCHLIST_UPDATED = "watchlist.updated"
    WATCHLIST_APPROVED = "watchlist.approved"
    WATCHLIST_ACTIVATED = "watchlist.activated"
    WATCHLIST_REVIEWED = "watchlist.reviewed"
    WATCHLIST_RETIRED = "watchlist.retired"
    SUBJECT_ENROLLED = "subject.enrolled"
    SUBJECT_IMAGE_ADDED = "subject.image-added"
    SUBJECT_IMAGE_REMOVED = "subject.image-removed"
    SUBJECT_WITHDRAWN = "subject.withdrawn"
    SUBJECT_ERASED = "subject.erased"
    WATCHLIST_READ = "watchlist.read"
    SUBJECT_READ = "subject.read"
    ENROLMENT_REFUSED = "enrolment.refused"

    DEPLOYMENT_OPENED = "deployment.opened"
    DEPLOYMENT_ENDED = "deployment.ended"
    DEPLOYMENT_STOPPED = "deployment.stopped"
    LIVE_STREAM_OPENED = "live.stream-opened"
    LIVE_STREAM_CLOSED = "live.stream-closed"
    LIVE_MINUTE = "live.minute"

    ALERT_RAISED = "alert.raised"
    ALERT_VIEWED = "alert.viewed"
    ALERT_LISTED = "alert.listed"
    ALERT_FEED_OPENED = "alert.feed-opened"
    ALERT_FEED_CLOSED = "alert.feed-closed"
    ALERT_ADJUDICATED = "alert.adjudicated"
    ALERT_ENGAGEMENT = "alert.engagement"

    SEARCH_STILL = "search.still"
    SEARCH_JOB_SUBMITTED = "search.job-submitted"
    SEARCH_JOB_LISTS_CHANGED = "search.job-lists-changed"
    SEARCH_JOB_FINISHED = "search.job-finished"
    SEARCH_JOB_CANCELLED = "search.job-cancelled"
    SEARCH_CANDIDATES_READ = "search.candidates-read"
    SEARCH_REFUSED = "search.refused"
    UPLOAD_CREATED = "upload.created"
    SEARCH_JOB_READ = "search.job-read"
    UPLOAD_DESTROYED = "upload.destroyed"

    OPERATOR_SEARCH = "operator.search"
    OPERATOR_REFUSED = "operator.refused"
    OPERATOR_OUTCOME = "operator.outcome"
    OPERATOR_PROBE_DESTROYED = "operator.probe-destroyed"
    OPERATOR_LISTED = "operator.listed"

    LOG_READ = "log.read"
    LOG_EVENT_READ = "log.event-read"
    LOG_PROOF_READ = "log.proof-read"
    LOG_EXPORTED = "log.exported"
    LOG_WATCHED = "log.watched"
    LOG_ORIGIN_STARTED = "log.origin-started"
    STATISTICS_READ = "statistics.read"

    RETENTION_READ = "retention.read"
    RETENTION_RUN = "retention.run"
    HOLD_PLACED = "hold.placed"
    HOLD_RELEASED = "hold.released"
    ERASURE_REQUESTED = "erasure.requested"
    ERASURE_DECIDED = "erasure.decided"
    ERASURE_DONE = "erasure.done"
    SUBJECT_ACCESS_GIVEN = "subject.access-given"

    BACKUP_MADE = "backup.made"
    KEYRING_BACKED_UP = "keyring.backed-up"
    KEYRING_ROTATED = "keyring.rotated"


_BY_OPERATION: dict[Operation, tuple[Action, ...]] = {
    Operation.COLLECTION: (
        Action.WATCHLIST_CREATED,
        Action.SUBJECT_ENROLLED,
        Action.SUBJECT_IMAGE_ADDED,
        Action.UPLOAD_CREATED,
    ),
    Operation.ALTERATION: (
        Action.WATCHLIST_UPDATED,
        Action.WATCHLIST_ACTIVATED,
        Action.WATCHLIST_RETIRED,
        Action.POLICY_CHANGED,
        Action.MODEL_CHANGED,
        Action.HOLD_PLACED,
        Action.HOLD_RELEASED,
    ),
    Operation.CONSULTATION: (
        Action.ALERT_VIEWED,
        Action.ALERT_FEED_OPENED,
        Action.ALERT_FEED_CLOSED,
        Action.SEARCH_JOB_SUBMITTED,
        Action.SEARCH_JOB_LISTS_CHANGED,
        Action.SEARCH_JOB_CANCELLED,
        Action.SEARCH_CANDIDATES_READ,
        Action.LOG_READ,
        Action.LOG_EVENT_READ,
        Action.LOG_PROOF_READ,
        Action.LOG_WATCHED,
        Action.WATCHLIST_READ,
        Action.SUBJECT_READ,
        Action.ALERT_LISTED,
        Action.SEARCH_JOB_READ,
        Action.OPERATOR_LISTED,
        Action.STATISTICS_READ,
        Action.RETENTION_READ,
    ),
    # A face in a picture was compared with the people on lists, and what is known of both put together.
    Operation.COMBINATION: (
        Action.ALERT_RAISED,
        Action.SEARCH_STILL,
        Action.SEARCH_JOB_FINISHED,
        Action.OPERATOR_SEARCH,
    ),
    Operation.DISCLOSURE: (
        Action.LOG_EXPORTED,
        Action.SUBJECT_ACCESS_GIVEN,
        Action.BACKUP_MADE,
        Action.KEYRING_BACKED_UP,
    ),
    Operation.ERASURE: (
        Action.SUBJECT_IMAGE_REMOVED,
        Action.SUBJECT_WITHDRAWN,
        Action.SUBJECT_ERASED,
        Action.UPLOAD_DESTROYED,
        Action.OPERATOR_PROBE_DESTROYED,
        Action.RETENTION_RUN,
        Action.ERASURE_DONE,
    ),
    Operation.USE: (
        Action.DEPLOYMENT_OPENED,
        Action.DEPLOYMENT_ENDED,
        Action.DEPLOYMENT_STOPPED,
        Action.LIVE_STREAM_OPENED,
        Action.LIVE_STREAM_CLOSED,
        Action.LIVE_MINUTE,
    ),
    Operation.REVIEW: (
        Action.WATCHLIST_APPROVED,
        Action.WATCHLIST_REVIEWED,
        Action.ALERT_ADJUDICATED,
        Action.ALERT_ENGAGEMENT,
        Action.OPERATOR_OUTCOME,
        Action.ERASURE_REQUESTED,
        Action.ERASURE_DECIDED,
    ),
    Operation.SYSTEM: (
        Action.SERVICE_STARTED,
        Action.SERVICE_STOPPED,
        Action.ENROLMENT_REFUSED,
        Action.SEARCH_REFUSED,
        Action.OPERATOR_REFUSED,
        Action.ACCESS_REFUSED,
        Action.LOG_ORIGIN_STARTED,
        Action.KEYRING_ROTATED,
    ),
}

OPERATION: dict[Action, Operation] = {
    action: operation for operation, actions in _BY_OPERATION.items() for action in actions
}
"""The operation of each action; a test proves that none is missing or named twice."""
