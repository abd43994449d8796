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
from frs.store.schema import (
    alert,
    deployment,
    deployment_watchlist,
    review_case,
    review_decision,
    vigilance_pair,
    watchlist,
)
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
    escalations: int | None = None
    """How often its case has escalated; None without a case."""

    @property
    def adjudicated(self) -> bool:
        return self.state not in ("pending", "expired", "unreviewed")

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


def case_row(at: datetime, kind: str, **values: Any) -> dict[str, Any]:
    """Return the row of a case that was opened ``at``."""
    nobody = dict.fromkeys(("alert_id", "pair_id", "decision", "deployment_id"))
    numbers = {"urgency": 1, "reviewers": 1, "decided": 0, "escalations": 0}
    facts = {"id": new_id(), "kind": kind, "grading": "amber", "state": "pending", "opened_at": at}
    return {**facts, **nobody, **numbers, **values}


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
            "site": "",
            "reviewers": 1,
            "officers_before_adjudication": False,
            "vigilance_rate": 0.0,
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
        cases = [
            case_row(item.created_at, "alert", alert_id=row["id"], escalations=item.escalations)
            for item, row in zip(raised, rows, strict=True)
            if item.escalations is not None
        ]
        if rows:
            self._write(lambda tx: tx.connection.execute(sa.insert(alert), rows))
        self.open_cases(*cases)

    def open_cases(self, *cases: dict[str, Any]) -> None:
        """Put cases there: see :func:`case_row`."""
        if cases:
            self._write(lambda tx: tx.connection.execute(sa.insert(review_case), list(cases)))

    def check(self, matching: bool, at: datetime, decided: dict[str, str], look_seconds: float = 8.0) -> None:
        """Put a vigilance check there that these reviewers decided so."""
        pair = {"matching": matching, "nominal": "T-1", "source": "school", "score": 0.9, "model": "m@1"}
        of_pair = {"profile": "plain", "probe_quality": QUALITY, "reference_quality": QUALITY}
        added = {"id": new_id(), "sha256": new_id(), "created_at": at, "created_by": "sue", **pair, **of_pair}
        case = case_row(at, "vigilance", pair_id=added["id"])
        rows = [
            {
                "case_id": case["id"],
                "reviewer": name,
                "decision": decision,
                "look_seconds": look_seconds,
                **dict.fromkeys(("claimed_at", "viewed_at", "observed_at", "decided_at"), at),
            }
            for name, decision in decided.items()
        ]

        def act(tx: Transaction) -> None:
            tx.connection.execute(sa.insert(vigilance_pair).values(added))
            tx.connection.execute(sa.insert(review_case).values(case))
            tx.connection.execute(sa.insert(review_decision), rows)

        self._write(act)

    def clear(self) -> None:
        """Forget all alerts."""
        self._write(lambda tx: tx.connection.execute(sa.delete(review_case)))
        self._write(lambda tx: tx.connection.execute(sa.delete(alert)))

    def _write(self, act: Any) -> None:
        self.store.database.write(act)

    def _list(self) -> dict[str, Any]:
        now = self.clock.now()
        when = {"created_at": now, "updated_at": now, "expires_at": now + timedelta(days=30), "created_by": "max"}
        what = {"purpose": "p", "category": "wanted", "legal_basis": "PACE", "authorising_officer": "AO"}
        return {"id": "wanted", "state": "active", "grading": "red", "version": 3, "revision": 1, **when, **what}
