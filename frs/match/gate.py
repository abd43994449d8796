"""The gate of a running deployment: one flag in memory that every session asks before it works and before it alerts.

An emergency stop shuts it before anything is written, so the sessions halt even while the database is slow or has
failed. It never opens again; the database remains the authority, and an alert asks that too, in its own transaction.
"""

from __future__ import annotations

import threading

from frs.clock import Clock
from frs.errors import FrsError, Reason
from frs.match.deployment import Deployment, DeploymentState


def require_running(deployment: Deployment) -> Deployment:
    """Return the deployment; FrsError DEPLOYMENT_NOT_OPEN before its start, DEPLOYMENT_ENDED after its end."""
    if deployment.state is DeploymentState.SCHEDULED:
        raise FrsError(
            Reason.DEPLOYMENT_NOT_OPEN,
            f"The deployment starts at {deployment.starts_at.isoformat()}.",
            start_time=deployment.starts_at.isoformat(),
        )
    if deployment.state is not DeploymentState.RUNNING:
        raise closed(deployment.state)
    return deployment


def closed(state: DeploymentState) -> FrsError:
    """Return the error of one who comes after the end."""
    return FrsError(Reason.DEPLOYMENT_ENDED, f"The deployment has been {state}.", state=str(state))


class Gate:
    """Whether a deployment still runs, without asking the database. Thread-safe."""

    def __init__(self, deployment: Deployment, clock: Clock) -> None:
        self.site = deployment.site
        """What a stop by somebody with a scope is judged by."""
        self._ends_at = deployment.ends_at
        self._clock = clock
        self._lock = threading.Lock()
        self._shut: DeploymentState | None = None

    @property
    def shut_as(self) -> DeploymentState | None:
        """ENDED or STOPPED once it is shut; None while it is open. Its time may have run out all the same."""
        return self._shut

    @property
    def lapsed(self) -> bool:
        """Whether the end time has come and nobody has shut the gate."""
        return self._shut is None and self._clock.now() >= self._ends_at

    def shut(self, state: DeploymentState) -> None:
        """Close it for good; the first to do so says why."""
        with self._lock:
            self._shut = self._shut or state

    def require_open(self) -> None:
        """Do nothing while the deployment runs; else FrsError DEPLOYMENT_ENDED."""
        if self._shut is not None:
            raise closed(self._shut)
        if self._clock.now() >= self._ends_at:
            raise closed(DeploymentState.ENDED)
