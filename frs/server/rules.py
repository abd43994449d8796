"""THE table of request rules: each message a client may send, by full name, with a rule for each of its fields.

A test walks the service descriptors: every request message, every message nested in one and every field stands here,
and nothing else. A key with ``#`` is a second reading of a message, for one request only. What depends on state (does
it exist, is it active, is a category allowed) is for the rooms.
"""

from __future__ import annotations

from frs.server import names
from frs.server.fields import (
    Choice,
    Day,
    Flag,
    Free,
    Many,
    Name,
    Nested,
    Number,
    Octets,
    OutputOnly,
    Paths,
    PictureBytes,
    Rules,
    Text,
    When,
    Whole,
)

_INT32 = 2**31 - 1
_INT64 = 2**63 - 1
_MIB = 1024 * 1024

REASON = Text(3, 1000)
OPTIONAL_REASON = Text(0, 1000)
PAGE_SIZE = Whole(0, 1000)
IMAGE_PAGE_SIZE = Whole(0, 100)
PAGE_TOKEN = Text(0, 1000)
CAMERA = r"[A-Za-z0-9._:-]+"
CAMERA_FORM = "letters, digits, '.', '_', ':' and '-'"
SITE = r"(?:[a-z][a-z0-9-]*)?"
SITE_FORM = "lower-case letters, digits and hyphens, beginning with a letter"
ACTION = Text(0, 100, r"[a-z0-9.-]*", "an action's name or its beginning, for example operator.search")
LISTS = Many(Name(names.WATCHLIST), 1, 20, distinct=True)

_WATCHLIST: Rules = {
    "name": OutputOnly(),
    "purpose": REASON,
    "category": Text(1, 100),
    "legal_basis": REASON,
    "authorising_officer": Text(1, 200),
    "expire_time": When(),
    "default_grading": Choice(required=False),
    "thresholds": Many(Nested("frs.v1.Threshold"), 0, 3),
    **dict.fromkeys(
        (
            "state", "version", "subject_count", "image_count", "create_time", "created_by", "update_time",
            "approve_time", "approved_by", "review_time", "reviewed_by", "reviewed_version", "expired",
        ),
        OutputOnly(),
    ),
}  # fmt: skip
UPDATABLE = (
    "purpose", "category", "legal_basis", "authorising_officer", "expire_time", "default_grading", "thresholds",
)  # fmt: skip

RULES: dict[str, Rules] = {
    # --- shared ---------------------------------------------------------------------------------------------------
    "frs.v1.SearchAuthority": {
        "reason": REASON,
        "incident": Text(1, 200),
        "authorisation": Text(1, 200),
        "authorisation_expire_time": When(),
    },
    # --- watchlists -----------------------------------------------------------------------------------------------
    "frs.v1.Threshold": {
        "mode": Choice(),
        "score": Number(maximum=1.0, above=-1.0),
        "model": Text(0, 200),
        "profile": Text(0, 16, "plain|mirror", "plain or mirror"),
        "source": OutputOnly(),
    },
    "frs.v1.Watchlist": _WATCHLIST,
    "frs.v1.Watchlist#update": {**_WATCHLIST, "name": Name(names.WATCHLIST), "version": Whole(0, _INT32)},
    "frs.v1.Subject": {
        "name": OutputOnly(),
        "nominal": Text(1, 100),
        "justification": Text(3, 2000),
        "grading": Choice(required=False),
        "under_18": Flag(),
        "under_18_rationale": Text(0, 2000),
        "lawfully_held": Flag(),
        **dict.fromkeys(
            ("state", "images", "create_time", "created_by", "withdraw_time", "withdrawn_by", "withdraw_reason"),
            OutputOnly(),
        ),
    },
    "frs.v1.ImageDraft": {"data": PictureBytes(), "source": Text(1, 200), "taken_on": Day()},
    "frs.v1.CreateWatchlistRequest": {
        "watchlist_id": Text(
            1, 63, "[a-z][a-z0-9-]*", "lower-case letters, digits and hyphens, beginning with a letter"
        ),
        "watchlist": Nested("frs.v1.Watchlist"),
    },
    "frs.v1.GetWatchlistRequest": {"name": Name(names.WATCHLIST)},
    "frs.v1.ListWatchlistsRequest": {
        "page_size": PAGE_SIZE,
        "page_token": PAGE_TOKEN,
        "state": Choice(required=False),
    },
    "frs.v1.UpdateWatchlistRequest": {
        "watchlist": Nested("frs.v1.Watchlist#update", mask="update_mask", always=("name", "version")),
        "update_mask": Paths(UPDATABLE),
    },
    "frs.v1.ApproveWatchlistRequest": {"name": Name(names.WATCHLIST), "version": Whole(0, _INT32)},
    "frs.v1.ActivateWatchlistRequest": {"name": Name(names.WATCHLIST)},
    "frs.v1.ReviewWatchlistRequest": {"name": Name(names.WATCHLIST), "version": Whole(0, _INT32)},
    "frs.v1.RetireWatchlistRequest": {"name": Name(names.WATCHLIST), "reason": REASON},
    "frs.v1.EnrolSubjectRequest": {
        "parent": Name(names.WATCHLIST),
        "subject": Nested("frs.v1.Subject"),
        "images": Many(Nested("frs.v1.ImageDraft"), 1, 20),
    },
    "frs.v1.AddSubjectImageRequest": {"parent": Name(names.SUBJECT), "image": Nested("frs.v1.ImageDraft")},
    "frs.v1.RemoveSubjectImageRequest": {"name": Name(names.IMAGE), "reason": REASON},
    "frs.v1.GetSubjectRequest": {"name": Name(names.SUBJECT)},
    "frs.v1.ListSubjectsRequest": {
        "parent": Name(names.WATCHLIST),
        "page_size": PAGE_SIZE,
        "page_token": PAGE_TOKEN,
        "state": Choice(required=False),
    },
    "frs.v1.WithdrawSubjectRequest": {"name": Name(names.SUBJECT), "reason": REASON},
    # --- deployments and the live stream --------------------------------------------------------------------------
    "frs.v1.Deployment": {
        "name": OutputOnly(),
        "purpose": REASON,
        "place": Text(1, 500),
        "authorising_officer": Text(1, 200),
        "watchlists": LISTS,
        "start_time": When(required=False),
        "end_time": When(),
        "cooldown_seconds": Number(minimum=0.0, maximum=86_400.0),
        "site": Text(0, 63, SITE, SITE_FORM),
        "review_policy": Nested("frs.v1.ReviewPolicy", required=False),
        **dict.fromkeys(
            (
                "state",
                "versions_at_open",
                "opened_by",
                "open_time",
                "close_time",
                "closed_by",
                "close_reason",
                "cameras",
            ),
            OutputOnly(),
        ),
    },
    "frs.v1.ReviewPolicy": {
        "reviewers": Whole(0, 2),
        "officers_before_adjudication": Flag(),
        "vigilance_rate": Number(minimum=0.0, maximum=1.0),
    },
    "frs.v1.OpenDeploymentRequest": {"deployment": Nested("frs.v1.Deployment")},
    "frs.v1.GetDeploymentRequest": {"name": Name(names.DEPLOYMENT)},
    "frs.v1.ListDeploymentsRequest": {"page_size": PAGE_SIZE, "page_token": PAGE_TOKEN},
    "frs.v1.EndDeploymentRequest": {"name": Name(names.DEPLOYMENT), "reason": OPTIONAL_REASON},
    "frs.v1.StopDeploymentRequest": {"name": Name(names.DEPLOYMENT), "reason": REASON},
    "frs.v1.StreamRequest": {
        "open": Nested("frs.v1.StreamOpen", required=False),
        "frame": Nested("frs.v1.Frame", required=False),
    },
    "frs.v1.StreamOpen": {
        "deployment": Name(names.DEPLOYMENT),
        "camera_id": Text(1, 100, CAMERA, CAMERA_FORM),
        "lossless": Flag(),
    },
    "frs.v1.Frame": {
        "data": Free("the decoder's: a picture that cannot be used is the frame's problem, and the stream goes on"),
        "capture_time": When(),
        "camera_id": Text(0, 100, CAMERA, CAMERA_FORM),
        "sequence": Whole(1, _INT64),
    },
    # --- retrospective --------------------------------------------------------------------------------------------
    "frs.v1.SearchStillRequest": {
        "image": PictureBytes(),
        "authority": Nested("frs.v1.SearchAuthority"),
        "watchlists": LISTS,
        "max_candidates": Whole(0, 1000),
    },
    "frs.v1.Upload": {
        "name": OutputOnly(),
        "kind": Choice(),
        "file_name": Text(1, 255),
        "size": Whole(1, _INT64),
        "sha256": Text(64, 64, "[0-9a-fA-F]*", "64 hexadecimal digits"),
        "committed_size": OutputOnly(),
        "state": OutputOnly(),
        "create_time": OutputOnly(),
    },
    "frs.v1.CreateUploadRequest": {"upload": Nested("frs.v1.Upload")},
    "frs.v1.WriteUploadRequest": {
        "name": Name(names.UPLOAD, required=False),
        "offset": Whole(0, _INT64),
        "data": Octets(1, 4 * _MIB),
    },
    "frs.v1.GetUploadRequest": {"name": Name(names.UPLOAD)},
    "frs.v1.DeleteUploadRequest": {"name": Name(names.UPLOAD)},
    "frs.v1.CreateJobRequest": {
        "authority": Nested("frs.v1.SearchAuthority"),
        "watchlists": LISTS,
        "uploads": Many(Name(names.UPLOAD), 1, 1000, distinct=True),
        "max_candidates": Whole(0, 1000),
    },
    "frs.v1.GetJobRequest": {"name": Name(names.JOB)},
    "frs.v1.ListJobsRequest": {"page_size": PAGE_SIZE, "page_token": PAGE_TOKEN},
    "frs.v1.WatchJobRequest": {"name": Name(names.JOB)},
    "frs.v1.CancelJobRequest": {"name": Name(names.JOB)},
    "frs.v1.ListJobResultsRequest": {
        "parent": Name(names.JOB),
        "page_size": IMAGE_PAGE_SIZE,
        "page_token": PAGE_TOKEN,
    },
    "frs.v1.ListJobSubjectsRequest": {
        "parent": Name(names.JOB),
        "page_size": IMAGE_PAGE_SIZE,
        "page_token": PAGE_TOKEN,
    },
    # --- operator-initiated ---------------------------------------------------------------------------------------
    "frs.v1.IdentifyRequest": {
        "photograph": PictureBytes(),
        "reason": REASON,
        "legal_power": Text(1, 500),
        "device": Text(1, 200),
        "watchlists": Many(Name(names.WATCHLIST), 0, 20, distinct=True),
        "max_candidates": Whole(0, 100),
    },
    "frs.v1.RecordOutcomeRequest": {"name": Name(names.SEARCH), "outcome": Choice(), "reason": REASON},
    "frs.v1.ListSearchesRequest": {
        "page_size": PAGE_SIZE,
        "page_token": PAGE_TOKEN,
        "outcome_state": Choice(required=False),
    },
    # --- review ---------------------------------------------------------------------------------------------------
    "frs.v1.ListAlertsRequest": {
        "page_size": PAGE_SIZE,
        "page_token": PAGE_TOKEN,
        "state": Choice(required=False),
        "deployment": Name(names.DEPLOYMENT, required=False),
    },
    "frs.v1.GetAlertRequest": {"name": Name(names.ALERT)},
    "frs.v1.WatchAlertsRequest": {
        "after_position": Whole(0, _INT64),
        "deployment": Name(names.DEPLOYMENT, required=False),
        "with_images": Flag(),
    },
    "frs.v1.ListCasesRequest": {
        "page_size": PAGE_SIZE,
        "page_token": PAGE_TOKEN,
        "state": Choice(required=False),
        "deployment": Name(names.DEPLOYMENT, required=False),
        "kind": Choice(required=False),
        "mine": Flag(),
    },
    "frs.v1.GetCaseRequest": {"name": Name(names.CASE)},
    "frs.v1.WorkRequest": {
        "credit": Whole(0, 8),
        "deployment": Name(names.DEPLOYMENT, required=False),
        "kind": Choice(required=False),
    },
    "frs.v1.ClaimCaseRequest": {"name": Name(names.CASE)},
    "frs.v1.ReleaseCaseRequest": {"name": Name(names.CASE)},
    "frs.v1.FeatureFinding": {"feature": Choice(), "finding": Choice()},
    "frs.v1.Observation": {
        "features": Many(Nested("frs.v1.FeatureFinding"), 1, 9),
        "probe_quality": Choice(),
        "reference_quality": Choice(),
        "occlusions": Many(Choice(), 1, 7, distinct=True),
        "note": OPTIONAL_REASON,
        "observe_time": OutputOnly(),
    },
    "frs.v1.RecordObservationRequest": {"name": Name(names.CASE), "observation": Nested("frs.v1.Observation")},
    "frs.v1.DecideCaseRequest": {
        "name": Name(names.CASE),
        "decision": Choice(),
        "reason": REASON,
        "subject": Name(names.SUBJECT, required=False),
    },
    "frs.v1.ExplainCaseRequest": {
        "name": Name(names.CASE),
        "subject": Name(names.SUBJECT, required=False),
        "with_saliency": Flag(),
    },
    "frs.v1.UnblurFrameRequest": {"name": Name(names.CASE), "reason": REASON},
    # --- officers -------------------------------------------------------------------------------------------------
    "frs.v1.ListAssignmentsRequest": {
        "page_size": PAGE_SIZE,
        "page_token": PAGE_TOKEN,
        "state": Choice(required=False),
        "deployment": Name(names.DEPLOYMENT, required=False),
    },
    "frs.v1.WatchAssignmentsRequest": {
        "after_position": Whole(0, _INT64),
        "deployment": Name(names.DEPLOYMENT, required=False),
        "with_images": Flag(),
    },
    "frs.v1.AcknowledgeRequest": {"name": Name(names.ASSIGNMENT)},
    "frs.v1.RecordEngagementRequest": {
        "name": Name(names.ASSIGNMENT),
        "engagement": Choice(),
        "note": OPTIONAL_REASON,
        "self_defined_group": Text(0, 100),
    },
    # --- vigilance ------------------------------------------------------------------------------------------------
    "frs.v1.VigilancePair": {
        "name": OutputOnly(),
        "matching": Flag(),
        "nominal": Text(1, 100),
        "source": REASON,
        **dict.fromkeys(("score", "create_time", "created_by", "shown_count"), OutputOnly()),
    },
    "frs.v1.AddPairRequest": {
        "pair": Nested("frs.v1.VigilancePair"),
        "probe": PictureBytes(),
        "reference": PictureBytes(),
    },
    "frs.v1.ListPairsRequest": {"page_size": PAGE_SIZE, "page_token": PAGE_TOKEN},
    "frs.v1.RemovePairRequest": {"name": Name(names.PAIR), "reason": REASON},
    # --- identities -----------------------------------------------------------------------------------------------
    "frs.v1.Scope": {
        "watchlists": Many(Name(names.WATCHLIST), 0, 100, distinct=True),
        "deployments": Many(Name(names.DEPLOYMENT), 0, 100, distinct=True),
        "sites": Many(Text(1, 63, SITE, SITE_FORM), 0, 100, distinct=True),
    },
    "frs.v1.WhoAmIRequest": {},
    "frs.v1.ListIdentitiesRequest": {"page_size": PAGE_SIZE, "page_token": PAGE_TOKEN},
    "frs.v1.LimitIdentityRequest": {
        "name": Name(names.IDENTITY),
        "roles": Many(Text(1, 64), 0, 20, distinct=True),
        "scope": Nested("frs.v1.Scope", required=False),
        "reason": REASON,
    },
    "frs.v1.RevokeIdentityRequest": {"name": Name(names.IDENTITY), "reason": REASON},
    "frs.v1.RestoreIdentityRequest": {"name": Name(names.IDENTITY), "reason": REASON},
    # --- oversight ------------------------------------------------------------------------------------------------
    "frs.v1.ListEventsRequest": {
        "page_size": PAGE_SIZE,
        "page_token": PAGE_TOKEN,
        "since": When(required=False),
        "until": When(required=False),
        "actor": Text(0, 200),
        "action": ACTION,
        "watchlist": Name(names.WATCHLIST, required=False),
        "subject": Text(0, 300),
        "deployment": Name(names.DEPLOYMENT, required=False),
        "alert": Name(names.ALERT, required=False),
        "search": Name(names.SEARCH, required=False),
        "job": Name(names.JOB, required=False),
        "newest_first": Flag(),
    },
    "frs.v1.GetEventRequest": {"name": Name(names.EVENT)},
    "frs.v1.GetCheckpointRequest": {},
    "frs.v1.GetConsistencyProofRequest": {"old_size": Whole(1, _INT64), "new_size": Whole(1, _INT64)},
    "frs.v1.StreamLeavesRequest": {"first_index": Whole(0, _INT64), "end_index": Whole(0, _INT64)},
    "frs.v1.EventFilter": {
        "since": When(required=False),
        "until": When(required=False),
        "actor": Text(0, 200),
        "action": ACTION,
        "watchlist": Name(names.WATCHLIST, required=False),
        "subject": Text(0, 300),
        "deployment": Name(names.DEPLOYMENT, required=False),
        "alert": Name(names.ALERT, required=False),
        "search": Name(names.SEARCH, required=False),
        "job": Name(names.JOB, required=False),
    },
    "frs.v1.WatchEventsRequest": {
        "from_index": Whole(0, _INT64),
        "filter": Nested("frs.v1.EventFilter", required=False),
    },
    "frs.v1.ExportEventsRequest": {
        "filter": Nested("frs.v1.EventFilter", required=False),
        "recipient": Text(1, 200),
        "reason": REASON,
        "with_payloads": Flag(),
        "first_index": Whole(0, _INT64),
        "tree_size": Whole(0, _INT64),
    },
    "frs.v1.StatisticsRequest": {
        "since": When(),
        "until": When(),
        "deployment": Name(names.DEPLOYMENT, required=False),
    },
    # --- retention ------------------------------------------------------------------------------------------------
    "frs.v1.GetRetentionPolicyRequest": {},
    "frs.v1.PlanRetentionRequest": {
        "until": When(required=False),
        "page_size": PAGE_SIZE,
        "page_token": PAGE_TOKEN,
    },
    "frs.v1.RunRetentionRequest": {},
    "frs.v1.PlaceHoldRequest": {
        "target": Text(1, 300),
        "reason": REASON,
        "owner": Text(1, 200),
        "end_time": When(),
    },
    "frs.v1.ReleaseHoldRequest": {"name": Name(names.HOLD), "reason": REASON},
    "frs.v1.ListHoldsRequest": {"page_size": PAGE_SIZE, "page_token": PAGE_TOKEN, "all": Flag()},
    "frs.v1.RequestErasureRequest": {"nominal": Text(1, 100), "reason": REASON, "requested_by": Text(1, 200)},
    "frs.v1.DecideErasureRequest": {"name": Name(names.ERASURE), "decision": Choice(), "reason": REASON},
    "frs.v1.GetErasureRequest": {"name": Name(names.ERASURE)},
    "frs.v1.ListErasuresRequest": {"page_size": PAGE_SIZE, "page_token": PAGE_TOKEN},
    "frs.v1.SubjectAccessRequest": {
        "nominal": Text(0, 100),
        "photograph": Free("the servicer: exactly one of nominal and photograph; the decoder judges the rest"),
        "reason": REASON,
        "recipient": Text(1, 200),
    },
    # --- administration -------------------------------------------------------------------------------------------
    "frs.v1.CreateBackupRequest": {"kept_at": Text(1, 300)},
    "frs.v1.BackupKeyringRequest": {"kept_at": Text(1, 300)},
    "frs.v1.RotateKeyRequest": {"reason": REASON},
}
