"""No second alert for a person on a camera within a deployment's cooldown, in capture time and across tracks.

An alert that people found to be false ends its cooldown: the person themself may come by a moment later.

A stream that reconnects, or a server that restarts, starts from the alerts that the database holds.
"""

from __future__ import annotations

import threading
from datetime import datetime

import sqlalchemy as sa

from frs.store.schema import alert


class Cooldown:
    """When each person was last alerted for on one camera. Used by one thread at a time; :meth:`forget` by any."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last: dict[str, datetime] = {}
        self._lock = threading.Lock()

    @classmethod
    def resume(cls, connection: sa.Connection, deployment: str, camera: str, seconds: float) -> Cooldown:
        """Start from the alerts this camera has raised in the deployment."""
        cooldown = cls(seconds)
        if seconds > 0:
            newest = (
                sa.select(alert.c.nominal, sa.func.max(alert.c.decided_at, type_=alert.c.decided_at.type))
                .where(
                    alert.c.deployment_id == deployment,
                    alert.c.camera_id == camera,
                    alert.c.state != "false",
                )
                .group_by(alert.c.nominal)
            )
            for nominal, decided_at in connection.execute(newest):
                cooldown.raised(nominal, decided_at)
        return cooldown

    def raised(self, nominal: str, at: datetime) -> None:
        """Take note of an alert decided on a frame captured ``at``."""
        with self._lock:
            self._last[nominal] = at

    def forget(self, nominal: str, at: datetime) -> None:
        """Let the alert decided on a frame captured ``at`` hold nothing back any more."""
        with self._lock:
            if self._last.get(nominal) == at:
                del self._last[nominal]

    def holds(self, nominal: str, at: datetime) -> bool:
        """Whether an alert for the person on a frame captured ``at`` comes too soon after the last."""
        last = self._last.get(nominal)
        return last is not None and abs((at - last).total_seconds()) < self._seconds
