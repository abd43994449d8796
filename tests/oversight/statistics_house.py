"""A house with deployments and alerts as live matching and review leave them, for figures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from frs.match.tally import StreamCounts, add_camera_counts
from frs.oversight.statistics import Statistics
from frs.settings import Settings
from frs.store.durable import make_folder
from frs.store.keyring import create_keyring
from frs.store.schema import alert, deployment, deployment_watchlist, watchlist
from frs.store.transaction import Transaction
from frs.types import new_id
from tests.audit_house import AuditHouse
from tests.manual_clock import ManualClock

QUALITY = {"size": 90.0, "sharpness": 210.0, "pose": 0.1, "brightness": 120.0, "detector_score": 0.9, "reasons": []}
ENGAGED = ("confirmed-true", "confirmed-false", "unconfirmed")


@dataclass(frozen=True, slots=True)
class Raised:
    """An alert and what became of it."""

    deployment: str
    created_at: datetime
    state: str = "pending"
    camera: str = "cam-1"
    reviewer: str = "rita"
    group: str | None = None
    decided_after: float = 10.0
    engaged_after: float = 60.0

    @property
    def adjudicated(self) -> bool:
        return self.state not in ("pending", "unreviewed")

    @property
    def engaged(self) -> bool:
        return self.state in ENGAGED

    def at(self, deployment: str) -> Raised:
        """Return the same in another deployment."""
        return replace(self, deployment=deployment)

    def row(self) -> dict[str, Any]:
        """Return the row of the database."""
        decided = self.created_at + timedelta(seconds=self.decided_after) if self.adjudicated else None
        engaged = decided + timedelta(seconds=self.engaged_after) if decided is not None and self.engaged else None
        when = dict.fromkeys(("captured_at", "first_seen_at", "decided_at", "created_at"), self.created_at)
        whom = {"watchlist_id": "wanted", "watchlist_version": 3, "subject_id": new_id(), "nominal": "N-100"}
        how = {"score": 0.97, "threshold": 0.95, "frames": 5, "model": "m@1", "profile": "plain", "notice": ""}
        return {
            "id": new_id(),
            "deployment_id": self.deployment,
            "camera_id": self.camera,
            "track_id": "t-1",
            "reference_id": new_id(),
            "grading": "red",
            "probe_quality": QUALITY,
            "reference_quality": QUALITY,
            "state": self.state,
            "adjudicated_at": decided,
            "adjudicated_by": self.reviewer if self.adjudicated else None,
            "engagement_at": engaged,
            "self_defined_group": self.group if self.engaged else None,
            **when,
            **whom,
            **how,
        }


class StatisticsHouse(AuditHouse):
    """Store, log and figures."""

    clock: ManualClock

    def __init__(self, settings: Settings, clock: ManualClock) -> None:
        make_folder(settings.data_dir)
        create_keyring(settings.keyring_path)
        super().__init__(settings, clock)
        self.statistics = Statistics(self.store.database, self.log, settings.statistics)
        self._write(lambda tx: tx.connection.execute(sa.insert(watchlist).values(self._list())))

    def deploy(self, starts_at: datetime, hours: float = 4.0, **changes: Any) -> str:
        """Put a deployment there; returns its id."""
        row = {
            "id": new_id(),
            "purpose": "Find wanted people",
            "place": "Station Road",
            "authorising_officer": "Supt A. Ray",
            "starts_at": starts_at,
            "ends_at": starts_at + timedelta(hours=hours),
            "state": "open",
            "cooldown_seconds": 60.0,
            "opened_by": "ada",
            "opened_at": starts_at,
            **changes,
        }
        listed = {"version_at_open": 3, "category": "wanted", "subjects_at_open": 1200, "threshold_at_open": 0.62}
        key = {"deployment_id": row["id"], "watchlist_id": "wanted", "model_at_open": "m@1"}

        def act(tx: Transaction) -> None:
            tx.connection.execute(sa.insert(deployment).values(row))
            tx.connection.execute(sa.insert(deployment_watchlist).values(**key, **listed))

        self._write(act)
        return str(row["id"])

    def count(self, where: str, camera: str, at: datetime, faces: int) -> None:
        """Write faces down, as a camera's event or alert does."""
        counts = StreamCounts(faces_seen=faces)
        self._write(lambda tx: add_camera_counts(tx.connection, where, camera, counts, at))

    def raise_alerts(self, *raised: Raised) -> None:
        """Put alerts there."""
        rows = [item.row() for item in raised]
        if rows:
            self._write(lambda tx: tx.connection.execute(sa.insert(alert), rows))

    def clear(self) -> None:
        """Forget all alerts."""
        self._write(lambda tx: tx.connection.execute(sa.delete(alert)))

    def _write(self, act: Any) -> None:
        self.store.database.write(act)

    def _list(self) -> dict[str, Any]:
        now = self.clock.now()
        when = {"created_at": now, "updated_at": now, "expires_at": now + timedelta(days=30), "created_by": "max"}
        what = {"purpose": "p", "category": "wanted", "legal_basis": "PACE", "authorising_officer": "AO"}
        return {"id": "wanted", "state": "active", "grading": "red", "version": 3, "revision": 1, **when, **what}
