"""The database's tables. Changing one means a new migration in ``migrations/versions``.

Conventions: ids are 32 hexadecimal digits unless a person chose them; instants are ISO 8601 UTC text with
microseconds and a trailing ``Z`` (:class:`Instant`), so that they sort; ``*_sealed`` columns hold bytes from
:class:`frs.store.vault.Vault` and are the only place where biometrics lie.
"""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator


class Instant(TypeDecorator[datetime]):
    """A timezone-aware UTC datetime, stored as sortable text."""

    impl = sa.String(27)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:  # noqa: ARG002  # SQLAlchemy's signature
        """Write as ``YYYY-MM-DDTHH:MM:SS.ffffffZ``."""
        if value is None:
            return None
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Read back as an aware datetime."""
        return None if value is None else datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


class Octets(TypeDecorator[bytes]):
    """Bytes, read as such even where somebody wrote text over them: the change is then found and is no crash."""

    impl = sa.LargeBinary
    cache_ok = True

    def process_result_value(self, value: bytes | str | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002
        """Read text as its UTF-8."""
        return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value


metadata = sa.MetaData()
Id = sa.String(64)

installation = sa.Table(
    "installation",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("installation_id", Id, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
)

key_destruction = sa.Table(
    "key_destruction",
    metadata,
    # The intent to destroy an owner's key, committed with the act that decided it; see frs.store.keyring.
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("requested_at", Instant, nullable=False),
    sqlite_autoincrement=True,
)

# --- watchlists ---------------------------------------------------------------------------------------------------

watchlist = sa.Table(
    "watchlist",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("category", sa.Text, nullable=False),
    sa.Column("legal_basis", sa.Text, nullable=False),
    sa.Column("authorising_officer", sa.Text, nullable=False),
    sa.Column("grading", sa.String(8), nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),  # any change of definition or content
    sa.Column("revision", sa.Integer, nullable=False),  # changes of the gallery alone: what the index must agree with
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("approved_at", Instant),
    sa.Column("approved_by", sa.Text),
    sa.Column("activated_at", Instant),
    sa.Column("retired_at", Instant),
    sa.Column("reviewed_at", Instant),
    sa.Column("reviewed_by", sa.Text),
    sa.Column("reviewed_version", sa.Integer),
)

watchlist_drafter = sa.Table(
    "watchlist_drafter",  # who created, changed or enrolled since the last approval: none of them may approve
    metadata,
    sa.Column("watchlist_id", Id, sa.ForeignKey("watchlist.id"), primary_key=True),
    sa.Column("name", sa.String(64), primary_key=True),
)

watchlist_threshold = sa.Table(
    "watchlist_threshold",
    metadata,
    sa.Column("watchlist_id", Id, sa.ForeignKey("watchlist.id"), primary_key=True),
    sa.Column("mode", sa.String(16), primary_key=True),
    sa.Column("score", sa.Float, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("profile", sa.String(16), nullable=False),
    sa.Column("source", sa.String(16), nullable=False),
)

subject = sa.Table(
    "subject",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("watchlist_id", Id, sa.ForeignKey("watchlist.id"), nullable=False, index=True),
    sa.Column("nominal", sa.Text, nullable=False, index=True),
    sa.Column("justification", sa.Text, nullable=False),
    sa.Column("grading", sa.String(8), nullable=False),
    sa.Column("under_18", sa.Boolean, nullable=False),
    sa.Column("under_18_rationale", sa.Text, nullable=False),
    sa.Column("lawfully_held", sa.Boolean, nullable=False),
    sa.Column(
        "state", sa.String(16), nullable=False
    ),  # enrolled | withdrawn | erased (the nominal is a pseudonym then)
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("withdrawn_at", Instant),
    sa.Column("withdrawn_by", sa.Text),
    sa.Column("withdrawn_reason", sa.Text),
    sa.Column("erased_at", Instant),
)

reference_image = sa.Table(
    "reference_image",
    metadata,
    sa.Column("key", sa.Integer, primary_key=True, autoincrement=True),  # the index's row id
    sa.Column("id", Id, nullable=False, unique=True),
    sa.Column("subject_id", Id, sa.ForeignKey("subject.id"), nullable=False, index=True),
    sa.Column("watchlist_id", Id, sa.ForeignKey("watchlist.id"), nullable=False, index=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("taken_on", sa.String(10), nullable=False),  # ISO date
    sa.Column("sha256", sa.String(64), nullable=False),  # of the picture's bytes as they came
    sa.Column("quality", sa.JSON, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("profile", sa.String(16), nullable=False),
    sa.Column("template_sealed", sa.LargeBinary, nullable=False),  # owner subject:<id>; float32 little-endian
    sa.Column("crop_sealed", sa.LargeBinary, nullable=False),  # owner subject:<id>; JPEG of the face with a margin
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("created_by", sa.Text),  # who added it
    sqlite_autoincrement=True,  # keys are never used again
)

# --- live ---------------------------------------------------------------------------------------------------------

deployment = sa.Table(
    "deployment",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("place", sa.Text, nullable=False),
    sa.Column("site", sa.String(63), nullable=False, default=""),  # what identities may be limited to; empty for none
    sa.Column("authorising_officer", sa.Text, nullable=False),
    sa.Column("starts_at", Instant, nullable=False),
    sa.Column("ends_at", Instant, nullable=False),
    sa.Column(
        "state", sa.String(16), nullable=False
    ),  # open | ended | stopped; scheduled and over follow from the clock
    sa.Column("cooldown_seconds", sa.Float, nullable=False),
    sa.Column("reviewers", sa.Integer, nullable=False, default=1),  # independent reviewers for each alert, 1 or 2
    sa.Column("officers_before_adjudication", sa.Boolean, nullable=False, default=False),
    sa.Column("vigilance_rate", sa.Float, nullable=False, default=0.0),  # vigilance checks for each alert, 0 to 1
    sa.Column("opened_by", sa.Text, nullable=False),
    sa.Column("opened_at", Instant, nullable=False),
    sa.Column("closed_at", Instant),
    sa.Column("closed_by", sa.Text),
    sa.Column("close_reason", sa.Text),
)

deployment_watchlist = sa.Table(
    "deployment_watchlist",
    metadata,
    sa.Column("deployment_id", Id, sa.ForeignKey("deployment.id"), primary_key=True),
    sa.Column("watchlist_id", Id, sa.ForeignKey("watchlist.id"), primary_key=True),
    sa.Column("version_at_open", sa.Integer, nullable=False),
    sa.Column("category", sa.Text, nullable=False),
    sa.Column("subjects_at_open", sa.Integer, nullable=False),
    sa.Column("threshold_at_open", sa.Float, nullable=False),
    sa.Column("model_at_open", sa.Text, nullable=False),
)

camera_count = sa.Table(
    "camera_count",
    metadata,
    sa.Column("deployment_id", Id, sa.ForeignKey("deployment.id"), primary_key=True),
    sa.Column("camera_id", sa.Text, primary_key=True),
    sa.Column("faces_seen", sa.Integer, nullable=False),
    sa.Column("frames_received", sa.Integer, nullable=False),
    sa.Column("frames_processed", sa.Integer, nullable=False),
    sa.Column("frames_dropped", sa.Integer, nullable=False),
    sa.Column("frames_rejected", sa.Integer, nullable=False),
    sa.Column("alerts", sa.Integer, nullable=False),
)

camera_hour = sa.Table(
    "camera_hour",
    metadata,
    # The same counts by the hour in which they were written: for figures of a period.
    sa.Column("deployment_id", Id, sa.ForeignKey("deployment.id"), primary_key=True),
    sa.Column("camera_id", sa.Text, primary_key=True),
    sa.Column("hour", Instant, primary_key=True),  # its beginning
    sa.Column("faces_seen", sa.Integer, nullable=False),
    sa.Column("frames_received", sa.Integer, nullable=False),
    sa.Column("frames_processed", sa.Integer, nullable=False),
    sa.Column("frames_dropped", sa.Integer, nullable=False),
    sa.Column("frames_rejected", sa.Integer, nullable=False),
    sa.Column("alerts", sa.Integer, nullable=False),
)

alert = sa.Table(
    "alert",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("deployment_id", Id, sa.ForeignKey("deployment.id"), nullable=False, index=True),
    sa.Column("camera_id", sa.Text, nullable=False),
    sa.Column("track_id", sa.Text, nullable=False),
    sa.Column("captured_at", Instant, nullable=False),  # the best frame's capture time
    sa.Column("first_seen_at", Instant, nullable=False),  # the track's first usable frame, capture time
    sa.Column("decided_at", Instant, nullable=False),  # the deciding frame's capture time; the cooldown runs from it
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("watchlist_id", Id, nullable=False, index=True),
    sa.Column("watchlist_version", sa.Integer, nullable=False),
    sa.Column("subject_id", Id, nullable=False, index=True),
    sa.Column("nominal", sa.Text, nullable=False, index=True),
    sa.Column("reference_id", Id, nullable=False),
    sa.Column("grading", sa.String(8), nullable=False),
    sa.Column("score", sa.Float, nullable=False),
    sa.Column("threshold", sa.Float, nullable=False),
    sa.Column("margin", sa.Float),
    sa.Column("frames", sa.Integer, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("profile", sa.String(16), nullable=False),
    sa.Column("notice", sa.Text, nullable=False),
    sa.Column("probe_quality", sa.JSON, nullable=False),
    sa.Column("reference_quality", sa.JSON, nullable=False),
    sa.Column("probe_sealed", sa.LargeBinary),  # owner alert:<id>; JPEG crop of the best frame
    sa.Column("reference_sealed", sa.LargeBinary),  # owner alert:<id>; JPEG crop of the reference as it was then
    sa.Column("frame_sealed", sa.LargeBinary),  # owner alert:<id>; JPEG of the best frame, nobody in it blurred
    # Boxes of the faces in that JPEG, [[x1, y1, x2, y2], ...] in its pixels, the alerted one first.
    sa.Column("frame_faces", sa.JSON),
    sa.Column("seen_seconds", sa.Float),  # from the first to the last usable frame; what erased alerts keep
    sa.Column("gallery_size", sa.Integer),  # people on the lists that were searched
    sa.Column("state", sa.String(20), nullable=False, index=True),
    sa.Column("adjudicated_at", Instant),
    sa.Column("adjudicated_by", sa.Text),
    sa.Column("adjudication_reason", sa.Text),
    sa.Column("engagement_at", Instant),
    sa.Column("engagement_by", sa.Text),
    sa.Column("engagement_note", sa.Text),
    sa.Column("self_defined_group", sa.Text),
    sa.Column("pictures_erased_at", Instant),
    sa.Column("erased_at", Instant),  # what names the person is gone; what is counted stays
)

alert_feed = sa.Table(
    "alert_feed",
    metadata,
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("alert_id", Id, sa.ForeignKey("alert.id"), nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),  # raised | adjudicated | engaged | erased
    sa.Column("created_at", Instant, nullable=False),
    sqlite_autoincrement=True,
)

# --- retrospective ------------------------------------------------------------------------------------------------

upload = sa.Table(
    "upload",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("kind", sa.String(8), nullable=False),  # still | video
    sa.Column("file_name", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("committed", sa.BigInteger, nullable=False),  # bytes of the media that are durable
    sa.Column("stored", sa.BigInteger, nullable=False),  # bytes of the sealed file that belong to them
    sa.Column("state", sa.String(16), nullable=False),  # receiving | complete | destroyed
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
)

job = sa.Table(
    "job",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("state", sa.String(16), nullable=False, index=True),  # queued | running | done | failed | cancelled
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("incident", sa.Text, nullable=False),
    sa.Column("authorisation", sa.Text, nullable=False),
    sa.Column("authorisation_expires_at", Instant, nullable=False),
    sa.Column("watchlists", sa.JSON, nullable=False),  # [{"watchlist", "version"}] as at submission
    sa.Column("max_candidates", sa.Integer, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("profile", sa.String(16), nullable=False),
    sa.Column("faces", sa.Integer, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("started_at", Instant),
    sa.Column("finished_at", Instant),
    sa.Column("error_reason", sa.Text),
    sa.Column("error_message", sa.Text),
    sa.Column("probes_matched", sa.Integer),  # once erased: how many there were
    sa.Column("erased_at", Instant),
)

job_item = sa.Table(
    "job_item",
    metadata,
    sa.Column("job_id", Id, sa.ForeignKey("job.id"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("upload_id", Id, sa.ForeignKey("upload.id"), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),  # queued | done | failed
    sa.Column("frames", sa.Integer, nullable=False),
    sa.Column("faces", sa.Integer, nullable=False),
    sa.Column("reached_ms", sa.BigInteger, nullable=False),  # results of a video up to here are committed
    sa.Column("error_reason", sa.Text),
    sa.Column("error_message", sa.Text),
)

job_probe = sa.Table(
    "job_probe",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("job_id", Id, sa.ForeignKey("job.id"), nullable=False, index=True),
    sa.Column("position", sa.Integer, nullable=False),  # the item
    sa.Column("number", sa.Integer, nullable=False),  # face in the still, track in the video
    sa.Column("first_ms", sa.BigInteger, nullable=False),
    sa.Column("last_ms", sa.BigInteger, nullable=False),
    sa.Column("best_ms", sa.BigInteger, nullable=False),
    sa.Column("quality", sa.JSON, nullable=False),
    sa.Column("crop_sealed", sa.LargeBinary, nullable=False),  # owner probe:<id>
)

job_candidate = sa.Table(
    "job_candidate",
    metadata,
    sa.Column("key", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("job_id", Id, sa.ForeignKey("job.id"), nullable=False, index=True),
    sa.Column("probe_id", Id, sa.ForeignKey("job_probe.id"), nullable=False, index=True),
    sa.Column("rank", sa.Integer, nullable=False),
    sa.Column("watchlist_id", Id, nullable=False),
    sa.Column("watchlist_version", sa.Integer, nullable=False),
    sa.Column("subject_id", Id, nullable=False, index=True),
    sa.Column("nominal", sa.Text, nullable=False, index=True),
    sa.Column("grading", sa.String(8), nullable=False),
    sa.Column("reference_id", Id, nullable=False),
    sa.Column("score", sa.Float, nullable=False),
    sa.Column("threshold", sa.Float, nullable=False),
    sa.Column("margin", sa.Float),
    sa.Column("frames", sa.Integer, nullable=False),
    sa.Column("reference_quality", sa.JSON, nullable=False),
    sqlite_autoincrement=True,
)

# --- operator-initiated -------------------------------------------------------------------------------------------

operator_search = sa.Table(
    "operator_search",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("officer", sa.Text, nullable=False, index=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("legal_power", sa.Text, nullable=False),
    sa.Column("device", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column(
        "candidates", sa.JSON, nullable=False
    ),  # [{rank, watchlist, version, subject, nominal, score, threshold}]
    sa.Column("outcome", sa.String(16), nullable=False),  # none-owed | owed | same | different | cannot-tell
    sa.Column("outcome_reason", sa.Text),
    sa.Column("outcome_by", sa.Text),
    sa.Column("outcome_at", Instant),
    sa.Column("overdue_at", Instant),  # when it was told that the outcome is owed for too long
    sa.Column("probe_sealed", sa.LargeBinary),  # owner search:<id>; only under keep_matched_probe, until the outcome
    sa.Column("erased_at", Instant),
)

# --- review -------------------------------------------------------------------------------------------------------

review_case = sa.Table(
    "review_case",
    metadata,
    # Something for a person to decide; frs.review.case has the state machine.
    sa.Column("id", Id, primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),  # alert | candidates | vigilance (shown as an alert)
    sa.Column("alert_id", Id, sa.ForeignKey("alert.id"), unique=True),
    sa.Column("job_id", Id, sa.ForeignKey("job.id"), index=True),
    sa.Column("probe_id", Id, unique=True),  # of a job; the case outlives it
    sa.Column("pair_id", Id),  # of a vigilance check; the case outlives it
    sa.Column("deployment_id", Id, sa.ForeignKey("deployment.id"), index=True),
    sa.Column("shown", sa.JSON),  # what a vigilance check shows in place of an alert's facts
    sa.Column("grading", sa.String(8), nullable=False),
    sa.Column("urgency", sa.Integer, nullable=False),  # 0 red, 1 amber, 2 green: the order of the queue
    sa.Column("state", sa.String(16), nullable=False),  # pending | claimed | adjudicated | expired | unreviewed
    sa.Column("reviewers", sa.Integer, nullable=False),  # independent reviewers needed; a dispute needs one more
    sa.Column("decided", sa.Integer, nullable=False),  # reviewers who have
    sa.Column("opened_at", Instant, nullable=False),
    sa.Column("escalates_at", Instant),  # unless somebody takes it; null once closed
    sa.Column("escalations", sa.Integer, nullable=False),
    sa.Column("stale_at", Instant),  # a live alert expires then; null for what does not
    sa.Column("claimed_by", sa.Text),
    sa.Column("claimed_at", Instant),
    sa.Column("claim_until", Instant),
    sa.Column("decision", sa.String(16)),  # true | false | cannot-tell, once adjudicated
    sa.Column("chosen_subject", Id),  # of a candidate list decided true
    sa.Column("closed_at", Instant),
    sa.Index("ix_review_case_queue", "state", "urgency", "opened_at", "id"),
    sa.Index("ix_review_case_due", "state", "escalates_at"),
    sa.Index("ix_review_case_newest", "state", "opened_at", "id"),
)

review_case_watchlist = sa.Table(
    "review_case_watchlist",
    metadata,
    # The lists whose people a case shows: who may not see one of them may not see the case.
    sa.Column("case_id", Id, sa.ForeignKey("review_case.id"), primary_key=True),
    sa.Column("watchlist_id", Id, primary_key=True),
)

review_decision = sa.Table(
    "review_decision",
    metadata,
    # One reviewer's work on one case, from the first claim to the decision.
    sa.Column("case_id", Id, sa.ForeignKey("review_case.id"), primary_key=True),
    sa.Column("reviewer", sa.String(64), primary_key=True),
    sa.Column("claimed_at", Instant, nullable=False),
    sa.Column("viewed_at", Instant),  # first shown the images
    sa.Column("observed_at", Instant),
    sa.Column("observation", sa.JSON),  # as frs.review.observation writes it; emptied with the alert
    sa.Column("decided_at", Instant),
    sa.Column("decision", sa.String(16)),  # true | false | cannot-tell
    sa.Column("chosen_subject", Id),
    sa.Column("reason", sa.Text),  # emptied with the alert
    sa.Column("look_seconds", sa.Float),
    sa.Column("policy", sa.Integer),  # version it was decided under
    sa.Index("ix_review_decision_reviewer", "reviewer", "decided_at"),
)

vigilance_pair = sa.Table(
    "vigilance_pair",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("matching", sa.Boolean, nullable=False),
    sa.Column("nominal", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False, unique=True),  # of both pictures' bytes as they came
    sa.Column("score", sa.Float, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("profile", sa.String(16), nullable=False),
    sa.Column("probe_quality", sa.JSON, nullable=False),
    sa.Column("reference_quality", sa.JSON, nullable=False),
    sa.Column("probe_sealed", sa.LargeBinary),  # owner pair:<id>; JPEG crop; null once removed
    sa.Column("reference_sealed", sa.LargeBinary),  # owner pair:<id>
    sa.Column("frame_sealed", sa.LargeBinary),  # owner pair:<id>; the whole photograph, shown as a frame
    sa.Column("frame_faces", sa.JSON),  # as an alert's
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("removed_at", Instant),
)

assignment = sa.Table(
    "assignment",
    metadata,
    # An alert that was sent to officers.
    sa.Column("id", Id, primary_key=True),
    sa.Column("alert_id", Id, sa.ForeignKey("alert.id"), nullable=False, unique=True),
    sa.Column("deployment_id", Id, sa.ForeignKey("deployment.id"), nullable=False, index=True),
    sa.Column("state", sa.String(16), nullable=False),  # offered | acknowledged | engaged | withdrawn
    sa.Column("offered_at", Instant, nullable=False),
    sa.Column("acknowledged_by", sa.Text),
    sa.Column("acknowledged_at", Instant),
    sa.Column("engagement", sa.String(20)),  # confirmed-true | confirmed-false | not-engaged
    sa.Column("closed_at", Instant),
)

assignment_feed = sa.Table(
    "assignment_feed",
    metadata,
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("assignment_id", Id, sa.ForeignKey("assignment.id"), nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),  # offered | adjudicated | acknowledged | engaged | withdrawn
    sa.Column("created_at", Instant, nullable=False),
    sqlite_autoincrement=True,
)

# --- identities ---------------------------------------------------------------------------------------------------

identity = sa.Table(
    "identity",
    metadata,
    # What the service knows of an identity besides its credentials: the most it may do, and whether it may at all.
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),  # active | revoked
    sa.Column("roles", sa.JSON),  # the most it may be; null sets no limit
    sa.Column("scope", sa.JSON),  # {"watchlists": [...], "deployments": [...], "sites": [...]}; null sets no limit
    sa.Column("updated_at", Instant),
    sa.Column("updated_by", sa.Text),
    sa.Column("reason", sa.Text),
    sa.Column("signed_in_at", Instant),  # last
)

# --- policy, retention and erasure --------------------------------------------------------------------------------

policy_version = sa.Table(
    "policy_version",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),  # from 1, without gaps
    sa.Column("settings", sa.JSON, nullable=False),  # every setting that decides, by dotted name
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("recorded_at", Instant, nullable=False),
)

hold = sa.Table(
    "hold",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),  # alert | upload | job | search | watchlist | event | nominal
    sa.Column("target", sa.Text, nullable=False, index=True),  # the id; for a person the nominal
    sa.Column("subject", sa.Text),  # pseudonym of the person held, by which the log's events are found
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("placed_at", Instant, nullable=False),
    sa.Column("placed_by", sa.Text, nullable=False),
    sa.Column("ends_at", Instant, nullable=False),
    sa.Column("released_at", Instant),
    sa.Column("released_by", sa.Text),
    sa.Column("release_reason", sa.Text),
)

retention_run = sa.Table(
    "retention_run",
    metadata,
    # The run that is under way, with what it has destroyed so far: it moves with each batch, so that an interrupted
    # run is logged by the next one. No row: none is under way, or it has destroyed nothing yet.
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),  # always 1
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("policy", sa.Integer, nullable=False),
    sa.Column("counts", sa.JSON, nullable=False),  # by kind
)

erasure = sa.Table(
    "erasure",
    metadata,
    # A request to erase what is held on a person, and what became of it.
    sa.Column("id", Id, primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),  # undecided | done | refused
    sa.Column("subject", sa.Text, nullable=False, index=True),  # pseudonym
    sa.Column("nominal", sa.Text),  # only while undecided
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("requested_by", sa.Text, nullable=False),
    sa.Column("requested_at", Instant, nullable=False),
    sa.Column("recorded_by", sa.Text, nullable=False),
    sa.Column("holds", sa.JSON, nullable=False),  # ids of those that stood against it
    sa.Column("decided_at", Instant),
    sa.Column("decided_by", sa.Text),
    sa.Column("decision_reason", sa.Text),
    sa.Column("seq", sa.BigInteger),  # the event erasure.done
    sa.Column("done", sa.JSON),  # what was destroyed, by kind, and what lies outside: the certificate's contents
)

outside_copy = sa.Table(
    "outside_copy",
    metadata,
    # Copies that left the system's control, for erasure certificates.
    sa.Column("id", Id, primary_key=True),
    sa.Column("kind", sa.String(24), nullable=False),  # backup | keyring-backup | log-export | subject-access
    sa.Column("made_at", Instant, nullable=False, index=True),
    sa.Column("made_by", sa.Text, nullable=False),
    sa.Column("place", sa.Text, nullable=False),  # where it is kept, or who received it
    sa.Column("subject", sa.Text),  # pseudonym, where it concerns one person
    sa.Column("expires_at", Instant),
)

# What retention looks for, in the order in which it falls due: rows that are done with are not walked again.
sa.Index("ix_alert_pictures_due", alert.c.pictures_erased_at, alert.c.created_at, alert.c.id)
sa.Index("ix_alert_due", alert.c.erased_at, alert.c.created_at, alert.c.id)
# Figures are read from this index alone, and not from rows that hold pictures.
sa.Index(
    "ix_alert_figures",
    *(alert.c.created_at, alert.c.deployment_id, alert.c.camera_id, alert.c.state, alert.c.adjudicated_by),
    *(alert.c.self_defined_group, alert.c.adjudicated_at, alert.c.engagement_at),
)
sa.Index("ix_upload_due", upload.c.state, upload.c.created_at, upload.c.id)
sa.Index("ix_job_due", job.c.erased_at, job.c.finished_at, job.c.id)
sa.Index("ix_operator_search_due", operator_search.c.erased_at, operator_search.c.created_at, operator_search.c.id)
sa.Index("ix_subject_due", subject.c.state, subject.c.withdrawn_at, subject.c.id)
sa.Index("ix_subject_listed", subject.c.watchlist_id, subject.c.state)

# --- the log ------------------------------------------------------------------------------------------------------

audit_head = sa.Table(
    "audit_head",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),  # always 1: the row that is locked to take the next index
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column(
        "last_time", Instant, nullable=False
    ),  # of the newest event: a clock that goes back does not take the log with it
)

audit_event = sa.Table(
    "audit_event",
    metadata,
    sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
    sa.Column("time", Instant, nullable=False, index=True),
    sa.Column("action", sa.Text, nullable=False, index=True),
    sa.Column("actor", sa.String(64), nullable=False, index=True),  # pseudonym
    sa.Column("leaf", Octets, nullable=False),  # RFC 8785 canonical JSON
    sa.Index("ix_audit_event_actor_action", "actor", "action"),  # what somebody did of one kind, be it nothing
)

audit_reference = sa.Table(
    "audit_reference",
    metadata,
    sa.Column("kind", sa.String(16), primary_key=True),  # watchlist | subject | deployment | alert | search | job
    sa.Column("value", sa.Text, primary_key=True),
    sa.Column("seq", sa.BigInteger, sa.ForeignKey("audit_event.seq"), primary_key=True),
    sqlite_with_rowid=False,  # the key is the row: half the writes of an append
)

audit_payload = sa.Table(
    "audit_payload",
    metadata,
    sa.Column(
        "seq",
        sa.BigInteger().with_variant(sa.Integer, "sqlite"),
        sa.ForeignKey("audit_event.seq"),
        primary_key=True,
        autoincrement=False,
    ),
    sa.Column("sealed", sa.LargeBinary, nullable=False),  # owner event:<seq>
)

audit_node = sa.Table(
    "audit_node",
    metadata,
    # Hash of the complete subtree of 2**level leaves that begins at leaf number * 2**level (RFC 6962).
    sa.Column("level", sa.Integer, primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True),
    sa.Column("hash", sa.LargeBinary(32), nullable=False),
    sqlite_with_rowid=False,
)

audit_checkpoint = sa.Table(
    "audit_checkpoint",
    metadata,
    sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("note", sa.Text, nullable=False),  # as the log signed it
    sa.Column("cosigned", sa.Text),  # the same note with the witness's signature
    sa.Column("created_at", Instant, nullable=False),
)

audit_origin = sa.Table(
    "audit_origin",
    metadata,
    # The names under which this log has been signed: one, and one more for each restoration from a backup.
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),  # from 0
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("first_seq", sa.BigInteger, nullable=False),  # events from here on were appended under it
    sa.Column("started_at", Instant, nullable=False),
)
