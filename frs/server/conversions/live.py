"""The messages of the live stream, from the rooms' values."""

from __future__ import annotations

from frs.errors import FrsError
from frs.match.deployments import Deployment
from frs.match.live import StreamCounts
from frs.server import names
from frs.server.conversions.deployments import STATES
from frs.server.instants import stamp
from frs.types import ModelInfo
from frs.v1 import live_pb2


def state_message(deployment: Deployment, model: ModelInfo) -> live_pb2.StreamResponse:
    """Return the deployment's state with the model in use."""
    return live_pb2.StreamResponse(
        state=live_pb2.StreamState(
            deployment_state=STATES[deployment.state],
            end_time=stamp(deployment.ends_at),
            model=model.id,
            notice=model.notice,
            provider=model.provider,
        )
    )


def progress_message(counts: StreamCounts, acknowledged: int, credit: int, *, done: bool) -> live_pb2.StreamProgress:
    """Return the counts since the stream was opened, with credit."""
    return live_pb2.StreamProgress(
        acknowledged_sequence=acknowledged,
        credit=credit,
        frames_received=counts.frames_received,
        frames_processed=counts.frames_processed,
        frames_dropped=counts.frames_dropped,
        frames_rejected=counts.frames_rejected,
        faces_seen=counts.faces_seen,
        alerts=counts.alerts,
        done=done,
    )


def problem_message(sequence: int, problem: FrsError) -> live_pb2.StreamResponse:
    """Return what was wrong with a frame."""
    return live_pb2.StreamResponse(
        problem=live_pb2.FrameProblem(sequence=sequence, reason=str(problem.reason), message=problem.message)
    )


def alert_message(alert: str) -> live_pb2.StreamResponse:
    """Return that an alert was raised: its name and nothing else."""
    return live_pb2.StreamResponse(alert=live_pb2.AlertRaised(alert=names.make(names.ALERT, alert)))
