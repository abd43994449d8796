"""Deployments."""

from __future__ import annotations

from frs.match.deployments import CameraCount, Deployment, DeploymentDraft, DeploymentState
from frs.server import names
from frs.server.conversions.common import list_version_messages, watchlist_ids
from frs.server.instants import instant, optional_instant, stamp
from frs.v1 import deployment_pb2

STATES: dict[DeploymentState, deployment_pb2.DeploymentState.ValueType] = {
    DeploymentState.SCHEDULED: deployment_pb2.DEPLOYMENT_STATE_SCHEDULED,
    DeploymentState.RUNNING: deployment_pb2.DEPLOYMENT_STATE_RUNNING,
    DeploymentState.ENDED: deployment_pb2.DEPLOYMENT_STATE_ENDED,
    DeploymentState.STOPPED: deployment_pb2.DEPLOYMENT_STATE_STOPPED,
}


def draft(message: deployment_pb2.Deployment) -> DeploymentDraft:
    """Return what a person asks to open."""
    policy = message.review_policy
    return DeploymentDraft(
        purpose=message.purpose.strip(),
        place=message.place.strip(),
        authorising_officer=message.authorising_officer.strip(),
        watchlists=watchlist_ids(message.watchlists),
        starts_at=optional_instant(message.start_time, message.HasField("start_time")),
        ends_at=instant(message.end_time),
        cooldown_seconds=message.cooldown_seconds if message.HasField("cooldown_seconds") else None,
        site=message.site,
        reviewers=policy.reviewers or None,
        officers_before_adjudication=(
            policy.officers_before_adjudication if policy.HasField("officers_before_adjudication") else None
        ),
        vigilance_rate=policy.vigilance_rate if policy.HasField("vigilance_rate") else None,
    )


def deployment_message(value: Deployment) -> deployment_pb2.Deployment:
    """Return a deployment as it stands."""
    return deployment_pb2.Deployment(
        name=names.make(names.DEPLOYMENT, value.id),
        purpose=value.purpose,
        place=value.place,
        authorising_officer=value.authorising_officer,
        watchlists=[names.make(names.WATCHLIST, item) for item in value.list_ids],
        start_time=stamp(value.starts_at),
        end_time=stamp(value.ends_at),
        cooldown_seconds=value.cooldown_seconds,
        site=value.site,
        review_policy=deployment_pb2.ReviewPolicy(
            reviewers=value.reviewers,
            officers_before_adjudication=value.officers_before_adjudication,
            vigilance_rate=value.vigilance_rate,
        ),
        state=STATES[value.state],
        versions_at_open=list_version_messages(value.watchlists),
        opened_by=value.opened_by,
        open_time=stamp(value.opened_at),
        close_time=stamp(value.closed_at),
        closed_by=value.closed_by or "",
        close_reason=value.close_reason or "",
        cameras=[_camera(count) for count in value.cameras],
    )


def _camera(count: CameraCount) -> deployment_pb2.CameraCount:
    return deployment_pb2.CameraCount(
        camera_id=count.camera_id,
        faces_seen=count.faces_seen,
        frames_received=count.frames_received,
        frames_processed=count.frames_processed,
        frames_dropped=count.frames_dropped,
        frames_rejected=count.frames_rejected,
        alerts=count.alerts,
    )
