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
    ACCESS_SIGNED_IN = "access.signed-in"
    ACCESS_CREDENTIALS_LOADED = "access.credentials-loaded"
    IDENTITY_READ = "identity.read"
    IDENTITY_LIMITED = "identity.limited"
    IDENTITY_REVOKED = "identity.revoked"
    IDENTITY_RESTORED = "identity.restored"

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
    ALERT_EXPIRED = "alert.expired"

    REVIEW_LISTED = "review.listed"
    REVIEW_VIEWED = "review.viewed"
    REVIEW_WORK_OPENED = "review.work-opened"
    REVIEW_WORK_CLOSED = "review.work-closed"
    REVIEW_CLAIMED = "review.claimed"
    REVIEW_RELEASED = "review.released"
    REVIEW_OBSERVED = "review.observed"
    REVIEW_DECIDED = "review.decided"
    REVIEW_EXPLAINED = "review.explained"
    REVIEW_UNBLURRED = "review.unblurred"
    REVIEW_ESCALATED = "review.escalated"
    REVIEW_UNREVIEWED = "review.unreviewed"

    ASSIGNMENT_OFFERED = "assignment.offered"
    ASSIGNMENT_WITHDRAWN = "assignment.withdrawn"
    ASSIGNMENT_LISTED = "assignment.listed"
    ASSIGNMENT_VIEWED = "assignment.viewed"
    ASSIGNMENT_FEED_OPENED = "assignment.feed-opened"
    ASSIGNMENT_FEED_CLOSED = "assignment.feed-closed"
    ASSIGNMENT_ACKNOWLEDGED = "assignment.acknowledged"

    VIGILANCE_PAIR_ADDED = "vigilance.pair-added"
    VIGILANCE_PAIR_REMOVED = "vigilance.pair-removed"
    VIGILANCE_LISTED = "vigilance.listed"
    VIGILANCE_RAISED = "vigilance.raised"
    VIGILANCE_DECIDED = "vigilance.decided"

    SEARCH_STILL = "search.still"
    SEARCH_JOB_SUBMITTED = "search.job-submitted"
    SEARCH_JOB_LISTS_CHANGED = "search.job-lists-changed"
    SEARCH_JOB_FINISHED = "search.job-finished"
    SEARCH_JOB_CANCELLED = "search.job-cancelled"
    SEARCH_CANDIDATES_READ = "search.candidates-read"
    SEARCH_ADJUDICATED = "search.adjudicated"
    SEARCH_REFUSED = "search.refused"
    UPLOAD_CREATED = "upload.created"
    SEARCH_JOB_READ = "search.job-read"
    UPLOAD_DESTROYED = "upload.destroyed"

    OPERATOR_SEARCH = "operator.search"
    OPERATOR_REFUSED = "operator.refused"
    OPERATOR_OUTCOME = "operator.outcome"
    OPERATOR_OVERDUE = "operator.outcome-overdue"
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
        Action.VIGILANCE_PAIR_ADDED,
    ),
    Operation.ALTERATION: (
        Action.WATCHLIST_UPDATED,
        Action.WATCHLIST_ACTIVATED,
        Action.WATCHLIST_RETIRED,
        Action.POLICY_CHANGED,
        Action.MODEL_CHANGED,
        Action.HOLD_PLACED,
        Action.HOLD_RELEASED,
        Action.IDENTITY_LIMITED,
        Action.IDENTITY_REVOKED,
        Action.IDENTITY_RESTORED,
    ),
    Operation.CONSULTATION: (
        Action.IDENTITY_READ,
        Action.REVIEW_LISTED,
        Action.REVIEW_VIEWED,
        Action.REVIEW_WORK_OPENED,
        Action.REVIEW_WORK_CLOSED,
        Action.REVIEW_EXPLAINED,
        Action.REVIEW_UNBLURRED,
        Action.ASSIGNMENT_LISTED,
        Action.ASSIGNMENT_VIEWED,
        Action.ASSIGNMENT_FEED_OPENED,
        Action.ASSIGNMENT_FEED_CLOSED,
        Action.VIGILANCE_LISTED,
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
        Action.VIGILANCE_PAIR_REMOVED,
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
        Action.ASSIGNMENT_OFFERED,
        Action.ASSIGNMENT_WITHDRAWN,
        Action.VIGILANCE_RAISED,
    ),
    Operation.REVIEW: (
        Action.WATCHLIST_APPROVED,
        Action.WATCHLIST_REVIEWED,
        Action.ALERT_ADJUDICATED,
        Action.ALERT_ENGAGEMENT,
        Action.ALERT_EXPIRED,
        Action.REVIEW_CLAIMED,
        Action.REVIEW_RELEASED,
        Action.REVIEW_OBSERVED,
        Action.REVIEW_DECIDED,
        Action.REVIEW_ESCALATED,
        Action.REVIEW_UNREVIEWED,
        Action.ASSIGNMENT_ACKNOWLEDGED,
        Action.VIGILANCE_DECIDED,
        Action.SEARCH_ADJUDICATED,
        Action.OPERATOR_OUTCOME,
        Action.OPERATOR_OVERDUE,
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
        Action.ACCESS_SIGNED_IN,
        Action.ACCESS_CREDENTIALS_LOADED,
        Action.LOG_ORIGIN_STARTED,
        Action.KEYRING_ROTATED,
    ),
}

OPERATION: dict[Action, Operation] = {
    action: operation for operation, actions in _BY_OPERATION.items() for action in actions
}
"""The operation of each action; a test proves that none is missing or named twice."""
