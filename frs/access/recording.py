"""THE table of full method names to the events that a successful call logs, or to why it logs none.

Section 62 of the Data Protection Act 2018 asks for a record of every collection, alteration, consultation, disclosure,
combination and erasure. So each method either logs, or has a reason here that oversight can read. A test makes a
successful call of every method of the service descriptors and compares the log with this table.

A read is a *consultation* when the answer names or shows a person, or tells what was said of a case; it is logged
before it is answered, also when the page is empty, and one that cannot be logged is not answered. A call that is
refused to an identity logs ``access.refused`` (:mod:`frs.server.refusals`) whatever this table says.
"""

from __future__ import annotations

from dataclasses import dataclass

from frs.audit.actions import Action


@dataclass(frozen=True, slots=True)
class Logs:
    """What a successful call logs."""

    actions: frozenset[Action]
    """Each of these, at least once."""
    only_if: str = ""
    """When it is logged, where a successful call may do nothing worth an event; empty: always."""


@dataclass(frozen=True, slots=True)
class LogsNothing:
    """A call that leaves no event."""

    why: str


def _logs(*actions: Action, only_if: str = "") -> Logs:
    return Logs(frozenset(actions), only_if=only_if)


_NAMES_NOBODY = LogsNothing("It names and shows no member of the public: purpose, place, times, lists and counts.")
_STANDARD = LogsNothing("A standard service: whether the server is well and which methods it has.")

RECORDING: dict[str, Logs | LogsNothing] = {
    "/frs.v1.WatchlistService/CreateWatchlist": _logs(Action.WATCHLIST_CREATED),
    "/frs.v1.WatchlistService/GetWatchlist": _logs(Action.WATCHLIST_READ),
    "/frs.v1.WatchlistService/ListWatchlists": _logs(Action.WATCHLIST_READ),
    "/frs.v1.WatchlistService/UpdateWatchlist": _logs(Action.WATCHLIST_UPDATED),
    "/frs.v1.WatchlistService/ApproveWatchlist": _logs(Action.WATCHLIST_APPROVED),
    "/frs.v1.WatchlistService/ActivateWatchlist": _logs(Action.WATCHLIST_ACTIVATED),
    "/frs.v1.WatchlistService/ReviewWatchlist": _logs(Action.WATCHLIST_REVIEWED),
    "/frs.v1.WatchlistService/RetireWatchlist": _logs(Action.WATCHLIST_RETIRED),
    "/frs.v1.WatchlistService/EnrolSubject": _logs(Action.SUBJECT_ENROLLED),
    "/frs.v1.WatchlistService/AddSubjectImage": _logs(Action.SUBJECT_IMAGE_ADDED),
    "/frs.v1.WatchlistService/RemoveSubjectImage": _logs(Action.SUBJECT_IMAGE_REMOVED),
    "/frs.v1.WatchlistService/GetSubject": _logs(Action.SUBJECT_READ),
    "/frs.v1.WatchlistService/ListSubjects": _logs(Action.SUBJECT_READ),
    "/frs.v1.WatchlistService/WithdrawSubject": _logs(Action.SUBJECT_WITHDRAWN),
    "/frs.v1.DeploymentService/OpenDeployment": _logs(Action.DEPLOYMENT_OPENED),
    "/frs.v1.DeploymentService/GetDeployment": _NAMES_NOBODY,
    "/frs.v1.DeploymentService/ListDeployments": _NAMES_NOBODY,
    "/frs.v1.DeploymentService/EndDeployment": _logs(Action.DEPLOYMENT_ENDED),
    "/frs.v1.DeploymentService/StopDeployment": _logs(Action.DEPLOYMENT_STOPPED),
    # What happens within a stream has events of its own: a minute, an alert.
    "/frs.v1.LiveService/Stream": _logs(Action.LIVE_STREAM_OPENED, Action.LIVE_STREAM_CLOSED),
    "/frs.v1.RetrospectiveService/SearchStill": _logs(Action.SEARCH_STILL),
    "/frs.v1.RetrospectiveService/CreateUpload": _logs(Action.UPLOAD_CREATED),
    "/frs.v1.RetrospectiveService/WriteUpload": LogsNothing(
        "It brings the bytes that upload.created announced with their SHA-256; other bytes are refused."
    ),
    "/frs.v1.RetrospectiveService/GetUpload": LogsNothing(
        "It tells callers how far their own upload has come: no picture and no other person's data."
    ),
    "/frs.v1.RetrospectiveService/DeleteUpload": _logs(Action.UPLOAD_DESTROYED),
    "/frs.v1.RetrospectiveService/CreateJob": _logs(Action.SEARCH_JOB_SUBMITTED),
    "/frs.v1.RetrospectiveService/GetJob": _logs(
        Action.SEARCH_JOB_READ,
        only_if="the identity has not read the same job in the minute before: a program that asks again and again for "
        "its progress consults it once a minute",
    ),
    "/frs.v1.RetrospectiveService/ListJobs": _logs(Action.SEARCH_JOB_READ),
    "/frs.v1.RetrospectiveService/WatchJob": _logs(Action.SEARCH_JOB_READ),  # once, however long it lasts
    "/frs.v1.RetrospectiveService/CancelJob": _logs(Action.SEARCH_JOB_CANCELLED),
    "/frs.v1.RetrospectiveService/ListJobResults": _logs(Action.SEARCH_CANDIDATES_READ),
    "/frs.v1.RetrospectiveService/ListJobSubjects": _logs(Action.SEARCH_CANDIDATES_READ),
    "/frs.v1.OperatorService/Identify": _logs(Action.OPERATOR_SEARCH),
    "/frs.v1.OperatorService/RecordOutcome": _logs(Action.OPERATOR_OUTCOME),
    "/frs.v1.OperatorService/ListSearches": _logs(Action.OPERATOR_LISTED),
    "/frs.v1.ReviewService/ListAlerts": _logs(Action.ALERT_LISTED),
    "/frs.v1.ReviewService/GetAlert": _logs(Action.ALERT_VIEWED),
    # Each message of the feed is a consultation too: alert.viewed with pictures, alert.listed without.
    "/frs.v1.ReviewService/WatchAlerts": _logs(Action.ALERT_FEED_OPENED, Action.ALERT_FEED_CLOSED),
    "/frs.v1.ReviewService/ListCases": _logs(Action.REVIEW_LISTED),
    "/frs.v1.ReviewService/GetCase": _logs(Action.REVIEW_VIEWED),
    # Each case that it sends is a claim and a consultation too.
    "/frs.v1.ReviewService/Work": _logs(Action.REVIEW_WORK_OPENED, Action.REVIEW_WORK_CLOSED),
    "/frs.v1.ReviewService/ClaimCase": _logs(Action.REVIEW_CLAIMED, Action.REVIEW_VIEWED),
    "/frs.v1.ReviewService/ReleaseCase": _logs(Action.REVIEW_RELEASED),
    "/frs.v1.ReviewService/RecordObservation": _logs(Action.REVIEW_OBSERVED),
    "/frs.v1.ReviewService/DecideCase": _logs(Action.REVIEW_DECIDED),  # alert.adjudicated too when it was the last
    "/frs.v1.ReviewService/ExplainCase": _logs(Action.REVIEW_EXPLAINED),
    "/frs.v1.ReviewService/UnblurFrame": _logs(Action.REVIEW_UNBLURRED),
    "/frs.v1.OfficerService/ListAssignments": _logs(Action.ASSIGNMENT_LISTED),
    # Each message is a consultation too: assignment.viewed with pictures, assignment.listed without.
    "/frs.v1.OfficerService/WatchAssignments": _logs(Action.ASSIGNMENT_FEED_OPENED, Action.ASSIGNMENT_FEED_CLOSED),
    "/frs.v1.OfficerService/Acknowledge": _logs(Action.ASSIGNMENT_ACKNOWLEDGED, Action.ASSIGNMENT_VIEWED),
    "/frs.v1.OfficerService/RecordEngagement": _logs(Action.ALERT_ENGAGEMENT),
    "/frs.v1.VigilanceService/AddPair": _logs(Action.VIGILANCE_PAIR_ADDED),
    "/frs.v1.VigilanceService/ListPairs": _logs(Action.VIGILANCE_LISTED),
    "/frs.v1.VigilanceService/RemovePair": _logs(Action.VIGILANCE_PAIR_REMOVED),
    "/frs.v1.IdentityService/WhoAmI": LogsNothing("It tells callers about themselves; their sign-in is logged."),
    "/frs.v1.IdentityService/ListIdentities": _logs(Action.IDENTITY_READ),
    "/frs.v1.IdentityService/LimitIdentity": _logs(Action.IDENTITY_LIMITED),
    "/frs.v1.IdentityService/RevokeIdentity": _logs(Action.IDENTITY_REVOKED),
    "/frs.v1.IdentityService/RestoreIdentity": _logs(Action.IDENTITY_RESTORED),
    "/frs.v1.OversightService/ListEvents": _logs(Action.LOG_READ),
    "/frs.v1.OversightService/GetEvent": _logs(Action.LOG_EVENT_READ),
    "/frs.v1.OversightService/GetCheckpoint": _logs(Action.LOG_PROOF_READ),
    "/frs.v1.OversightService/GetConsistencyProof": _logs(Action.LOG_PROOF_READ),
    "/frs.v1.OversightService/StreamLeaves": _logs(Action.LOG_EXPORTED),
    "/frs.v1.OversightService/WatchEvents": _logs(Action.LOG_WATCHED),
    "/frs.v1.OversightService/ExportEvents": _logs(Action.LOG_EXPORTED),
    "/frs.v1.OversightService/Statistics": _logs(Action.STATISTICS_READ),
    "/frs.v1.RetentionService/GetRetentionPolicy": LogsNothing(
        "The periods in force concern nobody in particular; every version of them is in the log as policy.changed."
    ),
    "/frs.v1.RetentionService/PlanRetention": _logs(Action.RETENTION_READ),
    "/frs.v1.RetentionService/RunRetention": _logs(Action.RETENTION_RUN, only_if="anything was due"),
    "/frs.v1.RetentionService/PlaceHold": _logs(Action.HOLD_PLACED),
    "/frs.v1.RetentionService/ReleaseHold": _logs(Action.HOLD_RELEASED),
    "/frs.v1.RetentionService/ListHolds": _logs(Action.RETENTION_READ),
    "/frs.v1.RetentionService/RequestErasure": _logs(Action.ERASURE_REQUESTED),  # erasure.done too unless it is held
    "/frs.v1.RetentionService/DecideErasure": _logs(Action.ERASURE_DECIDED),  # erasure.done too when it is done
    "/frs.v1.RetentionService/GetErasure": _logs(Action.RETENTION_READ),
    "/frs.v1.RetentionService/ListErasures": _logs(Action.RETENTION_READ),
    "/frs.v1.RetentionService/SubjectAccess": _logs(Action.SUBJECT_ACCESS_GIVEN),
    "/frs.v1.AdministrationService/CreateBackup": _logs(Action.BACKUP_MADE),
    "/frs.v1.AdministrationService/BackupKeyring": _logs(Action.KEYRING_BACKED_UP),
    "/frs.v1.AdministrationService/RotateKey": _logs(Action.KEYRING_ROTATED),
    "/grpc.health.v1.Health/Check": _STANDARD,
    "/grpc.health.v1.Health/List": _STANDARD,
    "/grpc.health.v1.Health/Watch": _STANDARD,
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": _STANDARD,
}

NO_METHOD: dict[Action, str] = {
    Action.SERVICE_STARTED: "the service, when it is ready",
    Action.SERVICE_STOPPED: "the service, when it has drained",
    Action.POLICY_CHANGED: "the service, at the first start with other settings",
    Action.MODEL_CHANGED: "the service, at the first start with another model",
    Action.ACCESS_REFUSED: "the edge, for a call that its caller may not make",
    Action.ACCESS_SIGNED_IN: "the edge, for the first call of a credential, and the first after a pause",
    Action.ACCESS_CREDENTIALS_LOADED: "the service, when the certificates or the authority's revocations changed",
    Action.ENROLMENT_REFUSED: "a refused enrolment",
    Action.SEARCH_REFUSED: "a refused search of an investigator",
    Action.OPERATOR_REFUSED: "a refused search of an officer",
    Action.LIVE_MINUTE: "each camera, once a minute",
    Action.ALERT_RAISED: "a track that reached a threshold",
    Action.ALERT_ADJUDICATED: "the decision that settles the case of an alert",
    Action.ALERT_EXPIRED: "an alert that nobody decided while it was worth acting on",
    Action.SEARCH_ADJUDICATED: "the decision that settles the case of a candidate list",
    Action.REVIEW_ESCALATED: "a case that nobody took in time",
    Action.REVIEW_UNREVIEWED: "a case that nobody decided before its retention ended",
    Action.ASSIGNMENT_OFFERED: "an alert that goes to officers",
    Action.ASSIGNMENT_WITHDRAWN: "an assignment whose alert was decided otherwise, erased or expired",
    Action.VIGILANCE_RAISED: "a known pair that enters the queue",
    Action.VIGILANCE_DECIDED: "the decision on a known pair",
    Action.OPERATOR_OVERDUE: "an outcome that is owed for too long",
    Action.SEARCH_JOB_FINISHED: "a job that came to its end",
    Action.SEARCH_JOB_LISTS_CHANGED: "a job whose lists changed while it ran",
    Action.OPERATOR_PROBE_DESTROYED: "an outcome, where policy kept the photograph until then",
    Action.SUBJECT_ERASED: "retention, for people on watchlists whose time was over, and a restoration",
    Action.ERASURE_DONE: "an erasure that was carried out",
    Action.LOG_ORIGIN_STARTED: "a restoration from a backup",
}
"""Who logs the actions that no successful call logs by itself."""
