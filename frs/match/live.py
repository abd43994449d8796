"""Live matching: the streams of all cameras of all deployments.

One stream per camera in a deployment at a time. Opening one is logged before its first frame is looked at.
What happens to a frame is :mod:`frs.match.live_session`; how a match is decided is in ``docs/live.md``.
"""

from __future__ import annotations

import threading

import sqlalchemy as sa

from frs.audit.log import AuditLog
from frs.clock import Clock
from frs.embed.engine import FaceEngine
from frs.errors import FrsError, Reason
from frs.index.galleries import Galleries
from frs.match.alerting import Alerting
from frs.match.bell import Bell
from frs.match.cooldown import Cooldown
from frs.match.deployment import Deployment
from frs.match.deployments import Deployments
from frs.match.frames import FrameKeeping
from frs.match.live_frame import FrameOutcome, LiveFrame
from frs.match.live_log import LiveLog
from frs.match.live_session import LiveParts, LiveSession
from frs.match.tally import StreamCounts, Tally
from frs.settings import Settings
from frs.store.database import Database, Transaction
from frs.store.schema import alert
from frs.store.vault import Vault
from frs.types import Actor, Mode, new_id
from frs.watchlist.registry import Watchlists

__all__ = ["FrameOutcome", "LiveFrame", "LiveMatching", "LiveSession", "StreamCounts"]


class LiveMatching:
    """Opens streams. Thread-safe; each session it gives is used by one thread at a time."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        audit: AuditLog,
        galleries: Galleries,
        watchlists: Watchlists,
        deployments: Deployments,
        engine: FaceEngine,
        alert_bell: Bell,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._database, self._audit = database, audit
        self._deployments, self._settings, self._clock = deployments, settings, clock
        frames = FrameKeeping(engine, settings.review)
        alerting = Alerting(database, vault, audit, watchlists, alert_bell, clock, frames)
        self.heed_alerts = alerting.heed
        self._parts = LiveParts(galleries, watchlists, deployments, engine, alerting, settings.live)
        self._lock = threading.Lock()
        self._open: set[tuple[str, str]] = set()
        self._cooldowns: dict[tuple[str, str], Cooldown] = {}

    @property
    def streams(self) -> int:
        """How many streams are open."""
        return len(self._open)

    def open_stream(self, actor: Actor, deployment: str, camera_id: str) -> LiveSession:
        """Open a camera's stream and log it.

        FrsError: DEPLOYMENT_NOT_FOUND, DEPLOYMENT_NOT_OPEN, DEPLOYMENT_ENDED, CAMERA_BUSY, TOO_MANY_STREAMS, or what
        the log or the storage refuses.
        """
        found = self._deployments.require_running(deployment, actor.scope)
        place = (deployment, camera_id)
        self._claim(place)
        try:
            return self._session(actor, found, camera_id)
        except BaseException:
            self._release(place)
            raise

    def alert_again(self, tx: Transaction, alert_id: str) -> None:
        """End the cooldown of an alert that was found to be false, once that is committed."""
        columns = (alert.c.deployment_id, alert.c.camera_id, alert.c.nominal, alert.c.decided_at)
        row = tx.connection.execute(sa.select(*columns).where(alert.c.id == alert_id)).one()

        def forget() -> None:
            with self._lock:
                cooldown = self._cooldowns.get((row.deployment_id, row.camera_id))
            if cooldown is not None:
                cooldown.forget(row.nominal, row.decided_at)

        tx.after_commit(forget)

    def _session(self, actor: Actor, deployment: Deployment, camera: str) -> LiveSession:
        gate = self._deployments.gate(deployment.id)
        gate.require_open()
        stream, tally = new_id(), Tally()
        with self._database.read() as connection:
            cooldown = Cooldown.resume(connection, deployment.id, camera, deployment.cooldown_seconds)
        with self._lock:
            self._cooldowns[deployment.id, camera] = cooldown
        log = LiveLog(
            self._database,
            self._audit,
            self._settings,
            self._clock,
            actor,
            deployment,
            camera,
            stream,
            self._parts.engine.model,
            tally,
        )
        log.searched(self._parts.watchlists.matchable(deployment.list_ids, Mode.LIVE))
        log.opened()
        return LiveSession(
            self._parts,
            actor,
            deployment,
            camera,
            stream,
            gate,
            cooldown,
            log,
            tally,
            lambda: self._release((deployment.id, camera)),
        )

    def _claim(self, place: tuple[str, str]) -> None:
        with self._lock:
            if place in self._open:
                raise FrsError(
                    Reason.CAMERA_BUSY, f"Camera {place[1]} already has a stream in this deployment.", camera=place[1]
                )
            if len(self._open) >= self._settings.live.max_streams:
                raise FrsError(
                    Reason.TOO_MANY_STREAMS, f"{len(self._open)} streams are open, as many as live.max_streams allows."
                )
            self._open.add(place)

    def _release(self, place: tuple[str, str]) -> None:
        with self._lock:
            self._open.discard(place)
            self._cooldowns.pop(place, None)
