"""THE table of full method names to the roles that may call them.

A method that is not here is refused. Nothing else grants anything: there is no superuser, and the first administrator
that ``frs init`` makes is an administrator alone. Emergency acts (stopping a deployment, withdrawing a person) are open
to everyone who may first see the need; but reviewers withdraw nobody: of a vigilance check there is nobody to withdraw,
so whoever tried would be told which of their cases are checks.

What a method acts on must lie within the caller's scope; the rooms see to that. What concerns the installation as a
whole is in the scope of nobody who is limited, so services are closed to limited identities unless :data:`OF_A_PART`
opens them.
"""

from __future__ import annotations

from frs.errors import FrsError, Reason
from frs.types import Actor, Role

_FEED = Role.FEED
_OFFICER = Role.OFFICER
_INVESTIGATOR = Role.INVESTIGATOR
_REVIEWER = Role.REVIEWER
_MANAGER = Role.WATCHLIST_MANAGER
_AUTHORISING = Role.AUTHORISING_OFFICER
_OVERSIGHT = Role.OVERSIGHT
_PROTECTION = Role.DATA_PROTECTION_OFFICER
_ADMINISTRATOR = Role.ADMINISTRATOR

EVERYONE = frozenset(Role)
_LIST_READERS = frozenset({_MANAGER, _AUTHORISING, _INVESTIGATOR, _OFFICER, _OVERSIGHT})
_SUBJECT_READERS = frozenset({_MANAGER, _AUTHORISING, _OVERSIGHT})
_DEPLOYMENT_READERS = frozenset({_AUTHORISING, _FEED, _REVIEWER, _OFFICER, _MANAGER, _OVERSIGHT})
_INVESTIGATORS = frozenset({_INVESTIGATOR})

METHODS: dict[str, frozenset[Role]] = {
    # Watchlists: the manager drafts and enrols, the authorising officer decides, and alone adds to an active list.
    "/frs.v1.WatchlistService/CreateWatchlist": frozenset({_MANAGER}),
    "/frs.v1.WatchlistService/GetWatchlist": _LIST_READERS,
    "/frs.v1.WatchlistService/ListWatchlists": _LIST_READERS,
    "/frs.v1.WatchlistService/UpdateWatchlist": frozenset({_MANAGER}),
    "/frs.v1.WatchlistService/ApproveWatchlist": frozenset({_AUTHORISING}),
    "/frs.v1.WatchlistService/ActivateWatchlist": frozenset({_AUTHORISING}),
    "/frs.v1.WatchlistService/ReviewWatchlist": frozenset({_AUTHORISING}),
    "/frs.v1.WatchlistService/RetireWatchlist": frozenset({_AUTHORISING, _MANAGER}),
    "/frs.v1.WatchlistService/EnrolSubject": frozenset({_MANAGER, _AUTHORISING}),
    "/frs.v1.WatchlistService/AddSubjectImage": frozenset({_MANAGER, _AUTHORISING}),
    "/frs.v1.WatchlistService/RemoveSubjectImage": frozenset({_MANAGER}),
    "/frs.v1.WatchlistService/GetSubject": _SUBJECT_READERS,
    "/frs.v1.WatchlistService/ListSubjects": _SUBJECT_READERS,
    "/frs.v1.WatchlistService/WithdrawSubject": frozenset({_MANAGER, _AUTHORISING}),
    # Deployments: the authorising officer's; anyone on duty may stop one.
    "/frs.v1.DeploymentService/OpenDeployment": frozenset({_AUTHORISING}),
    "/frs.v1.DeploymentService/GetDeployment": _DEPLOYMENT_READERS,
    "/frs.v1.DeploymentService/ListDeployments": _DEPLOYMENT_READERS,
    "/frs.v1.DeploymentService/EndDeployment": frozenset({_AUTHORISING}),
    "/frs.v1.DeploymentService/StopDeployment": frozenset({_AUTHORISING, _REVIEWER, _MANAGER}),
    # The camera's adapter sends frames and learns nothing about people.
    "/frs.v1.LiveService/Stream": frozenset({_FEED}),
    # Retrospective searches.
    "/frs.v1.RetrospectiveService/SearchStill": _INVESTIGATORS,
    "/frs.v1.RetrospectiveService/CreateUpload": _INVESTIGATORS,
    "/frs.v1.RetrospectiveService/WriteUpload": _INVESTIGATORS,
    "/frs.v1.RetrospectiveService/GetUpload": _INVESTIGATORS,
    "/frs.v1.RetrospectiveService/DeleteUpload": _INVESTIGATORS,
    "/frs.v1.RetrospectiveService/CreateJob": _INVESTIGATORS,
    "/frs.v1.RetrospectiveService/GetJob": _INVESTIGATORS,
    "/frs.v1.RetrospectiveService/ListJobs": _INVESTIGATORS,
    "/frs.v1.RetrospectiveService/WatchJob": _INVESTIGATORS,
    "/frs.v1.RetrospectiveService/CancelJob": _INVESTIGATORS,
    "/frs.v1.RetrospectiveService/ListJobResults": _INVESTIGATORS,
    "/frs.v1.RetrospectiveService/ListJobSubjects": _INVESTIGATORS,
    # Operator-initiated searches: the officer's own; oversight sees that they happened.
    "/frs.v1.OperatorService/Identify": frozenset({_OFFICER}),
    "/frs.v1.OperatorService/RecordOutcome": frozenset({_OFFICER}),
    "/frs.v1.OperatorService/ListSearches": frozenset({_OFFICER, _OVERSIGHT}),
    # Alerts with their scores: those in charge of a deployment. Reviewers see cases, without the score at first.
    "/frs.v1.ReviewService/ListAlerts": frozenset({_AUTHORISING}),
    "/frs.v1.ReviewService/GetAlert": frozenset({_AUTHORISING}),
    "/frs.v1.ReviewService/WatchAlerts": frozenset({_AUTHORISING}),
    "/frs.v1.ReviewService/ListCases": frozenset({_REVIEWER, _AUTHORISING, _OVERSIGHT}),
    "/frs.v1.ReviewService/GetCase": frozenset({_REVIEWER, _OVERSIGHT}),
    "/frs.v1.ReviewService/Work": frozenset({_REVIEWER}),
    "/frs.v1.ReviewService/ClaimCase": frozenset({_REVIEWER}),
    "/frs.v1.ReviewService/ReleaseCase": frozenset({_REVIEWER}),
    "/frs.v1.ReviewService/RecordObservation": frozenset({_REVIEWER}),
    "/frs.v1.ReviewService/DecideCase": frozenset({_REVIEWER}),
    "/frs.v1.ReviewService/ExplainCase": frozenset({_REVIEWER, _OVERSIGHT}),
    "/frs.v1.ReviewService/UnblurFrame": frozenset({_AUTHORISING}),
    # Officers on the ground: what reviewers adjudicated.
    "/frs.v1.OfficerService/ListAssignments": frozenset({_OFFICER}),
    "/frs.v1.OfficerService/WatchAssignments": frozenset({_OFFICER}),
    "/frs.v1.OfficerService/Acknowledge": frozenset({_OFFICER}),
    "/frs.v1.OfficerService/RecordEngagement": frozenset({_OFFICER}),
    # The set of known pairs: whoever sees it knows the answers, so no reviewer.
    "/frs.v1.VigilanceService/AddPair": frozenset({_AUTHORISING}),
    "/frs.v1.VigilanceService/ListPairs": frozenset({_AUTHORISING, _OVERSIGHT}),
    "/frs.v1.VigilanceService/RemovePair": frozenset({_AUTHORISING, _PROTECTION}),
    # Identities: nobody changes their own, whatever their roles.
    "/frs.v1.IdentityService/WhoAmI": EVERYONE,
    "/frs.v1.IdentityService/ListIdentities": frozenset({_ADMINISTRATOR, _OVERSIGHT}),
    "/frs.v1.IdentityService/LimitIdentity": frozenset({_ADMINISTRATOR}),
    "/frs.v1.IdentityService/RevokeIdentity": frozenset({_ADMINISTRATOR}),
    "/frs.v1.IdentityService/RestoreIdentity": frozenset({_ADMINISTRATOR}),
    # The log.
    "/frs.v1.OversightService/ListEvents": frozenset({_OVERSIGHT}),
    "/frs.v1.OversightService/GetEvent": frozenset({_OVERSIGHT, _PROTECTION}),  # payloads: frs.access.payloads
    "/frs.v1.OversightService/GetCheckpoint": frozenset({_OVERSIGHT}),
    "/frs.v1.OversightService/GetConsistencyProof": frozenset({_OVERSIGHT}),
    "/frs.v1.OversightService/StreamLeaves": frozenset({_OVERSIGHT}),
    "/frs.v1.OversightService/WatchEvents": frozenset({_OVERSIGHT}),
    "/frs.v1.OversightService/ExportEvents": frozenset({_OVERSIGHT}),
    "/frs.v1.OversightService/Statistics": frozenset({_OVERSIGHT, _AUTHORISING}),
    # Retention: the data protection officer's; oversight sees it all.
    "/frs.v1.RetentionService/GetRetentionPolicy": frozenset({_PROTECTION, _OVERSIGHT, _AUTHORISING}),
    "/frs.v1.RetentionService/PlanRetention": frozenset({_PROTECTION, _OVERSIGHT}),
    "/frs.v1.RetentionService/RunRetention": frozenset({_PROTECTION}),
    "/frs.v1.RetentionService/PlaceHold": frozenset({_PROTECTION, _AUTHORISING}),
    "/frs.v1.RetentionService/ReleaseHold": frozenset({_PROTECTION, _AUTHORISING}),
    "/frs.v1.RetentionService/ListHolds": frozenset({_PROTECTION, _AUTHORISING, _OVERSIGHT}),
    "/frs.v1.RetentionService/RequestErasure": frozenset({_PROTECTION}),
    "/frs.v1.RetentionService/DecideErasure": frozenset({_PROTECTION}),
    "/frs.v1.RetentionService/GetErasure": frozenset({_PROTECTION, _OVERSIGHT}),
    "/frs.v1.RetentionService/ListErasures": frozenset({_PROTECTION, _OVERSIGHT}),
    "/frs.v1.RetentionService/SubjectAccess": frozenset({_PROTECTION}),
    # Backups and keys: sealed bytes pass through the administrator's hands, nothing is opened.
    "/frs.v1.AdministrationService/CreateBackup": frozenset({_ADMINISTRATOR}),
    "/frs.v1.AdministrationService/BackupKeyring": frozenset({_ADMINISTRATOR}),
    "/frs.v1.AdministrationService/RotateKey": frozenset({_ADMINISTRATOR}),
    # Standard services: any identity may ask whether the service is well and what it offers.
    "/grpc.health.v1.Health/Check": EVERYONE,
    "/grpc.health.v1.Health/List": EVERYONE,
    "/grpc.health.v1.Health/Watch": EVERYONE,
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": EVERYONE,
}


_OF_A_PART = (
    "WatchlistService/",
    "DeploymentService/",
    "LiveService/",
    "RetrospectiveService/",
    "OperatorService/",
    "ReviewService/",
    "OfficerService/",
    "OversightService/Statistics",
    "RetentionService/GetRetentionPolicy",
    "IdentityService/WhoAmI",
)

OF_A_PART = frozenset(
    method
    for method in METHODS
    if method.startswith("/grpc.") or method.removeprefix("/frs.v1.").startswith(_OF_A_PART)
)
"""Methods that a limited identity may call: each acts on a watchlist, a deployment or what is of one, and is kept
within the caller's scope; or it is about nobody."""


def authorise(actor: Actor, method: str) -> None:
    """Raise PERMISSION_DENIED unless one of the actor's roles may call the method; a method not listed is refused."""
    name = method.rpartition("/")[2][:100]
    allowed = METHODS.get(method, frozenset())
    if not allowed & actor.roles:
        takes = f"; it takes {' or '.join(sorted(allowed))}" * bool(allowed)
        raise FrsError(Reason.PERMISSION_DENIED, f"{actor.name} may not call {name}{takes}")
    if method not in OF_A_PART and not actor.scope.unlimited:
        message = f"{actor.name} may not call {name}: it concerns the whole installation, and this identity is limited"
        raise FrsError(Reason.PERMISSION_DENIED, message)
