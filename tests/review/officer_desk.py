"""Alerts, assignments and officers over one data directory, for tests of what officers are sent."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa

from frs.audit.log import EventFilter
from frs.match.alerting import PROBE, REFERENCE, RaisedAlert
from frs.match.bell import Bell
from frs.review.alert import AlertState
from frs.review.alerts import Alerts
from frs.review.assignments import Assignments
from frs.settings import Settings
from frs.store.database import Transaction
from frs.store.keyring import create_keyring
from frs.store.schema import alert, deployment, subject, watchlist
from frs.types import Actor, Quality, Role, Scope, new_id
from tests.audit_house import AuditHouse
from tests.manual_clock import ManualClock

QUALITY = Quality(size=90.0, sharpness=210.0, pose=0.1, brightness=120.0, detector_score=0.9)


def officer(name: str, scope: Scope | None = None) -> Actor:
    """Return an officer."""
    return Actor(name, frozenset({Role.OFFICER}), f"certificate:{name}", scope or Scope())


class OfficerDesk:
    """The parts, with one watchlist and one person on it."""

    def __init__(self, folder: Path) -> None:
        settings = Settings(data_dir=folder / "data")
        settings.data_dir.mkdir()
        create_keyring(settings.keyring_path)
        self.clock = ManualClock()
        self.house = AuditHouse(settings, self.clock)
        self.database, self.vault = self.house.store.database, self.house.store.vault
        groups = settings.statistics.groups
        self.alerts = Alerts(self.database, self.vault, self.house.log, Bell(), self.clock, groups)
        self.assignments = Assignments(self.database, self.vault, self.house.log, self.alerts, self.clock)
        self.person = new_id()
        now = self.clock.now()
        listed = {
            "id": self.person,
            "watchlist_id": "wanted",
            "nominal": "N-100",
            "justification": "warrant 12/26",
            "grading": "red",
            "under_18": False,
            "under_18_rationale": "",
            "lawfully_held": True,
            "state": "enrolled",
            "created_at": now,
            "created_by": "mary",
        }
        texts = ("purpose", "category", "legal_basis", "authorising_officer", "grading", "created_by")
        wanted = {"id": "wanted", "state": "active", "version": 3, "revision": 3, **dict.fromkeys(texts, "x")}
        wanted |= {"expires_at": now + timedelta(days=1), "created_at": now, "updated_at": now}

        def act(tx: Transaction) -> None:
            tx.connection.execute(sa.insert(watchlist).values(wanted))
            tx.connection.execute(sa.insert(subject).values(listed))

        self.database.write(act)

    def deployment(self, *, at_once: bool = False, site: str = "") -> str:
        """Open a deployment; ``at_once`` sends officers what no reviewer has decided."""
        name, now = new_id(), self.clock.now()
        who = {"purpose": "p", "place": "Market Square", "authorising_officer": "AO", "opened_by": "ada"}
        when = {"starts_at": now, "ends_at": now + timedelta(hours=9), "opened_at": now, "cooldown_seconds": 60.0}
        how = {"site": site, "reviewers": 1, "officers_before_adjudication": at_once, "vigilance_rate": 0.0}
        row = {"id": name, "state": "open", **who, **when, **how}
        self.database.write(lambda tx: tx.connection.execute(sa.insert(deployment).values(row)))
        return name

    def alert(self, where: str, watchlist_id: str = "wanted") -> str:
        """Raise an alert there as live matching does."""
        self.clock.advance(seconds=1)
        name, now = new_id(), self.clock.now()
        seal = self.vault.seal

        def act(tx: Transaction) -> None:
            row = {
                "id": name,
                "deployment_id": where,
                "camera_id": "cam-1",
                "track_id": "t-1",
                "state": "pending",
                **dict.fromkeys(("captured_at", "first_seen_at", "decided_at", "created_at"), now),
                "watchlist_id": watchlist_id,
                "watchlist_version": 3,
                "subject_id": self.person,
                "nominal": "N-100",
                "reference_id": new_id(),
                "grading": "red",
                "score": 0.97,
                "threshold": 0.95,
                "frames": 5,
                "model": "m@1",
                "profile": "plain",
                "notice": "for trials only",
                **dict.fromkeys(("probe_quality", "reference_quality"), QUALITY.as_json()),
                "probe_sealed": seal(f"alert:{name}", b"probe picture", PROBE),
                "reference_sealed": seal(f"alert:{name}", b"reference picture", REFERENCE),
            }
            tx.connection.execute(sa.insert(alert).values(row))
            self.assignments.alert_raised(tx, RaisedAlert(name, where, "cam-1", watchlist_id, "red", now, now))

        self.database.write(act)
        return name

    def adjudicate(self, name: str, state: AlertState = AlertState.TRUE) -> None:
        """Write down what reviewers decided, and tell officers."""
        now = self.clock.now()
        values = {"state": str(state), "adjudicated_at": now, "adjudicated_by": "rita", "adjudication_reason": "ears"}

        def act(tx: Transaction) -> None:
            tx.connection.execute(sa.update(alert).where(alert.c.id == name).values(values))
            self.assignments.alert_adjudicated(tx, name, state is AlertState.TRUE)

        self.database.write(act)

    def offered(self, where: str | None = None) -> str:
        """Return an assignment that waits for an officer."""
        name = self.alert(where or self.deployment())
        self.adjudicate(name)
        return self.of(name)

    def of(self, alert_id: str) -> str:
        """Return the assignment of an alert."""
        found = self.assignments.list(officer("anyone"), page_size=1000).items
        (one,) = [each.id for each in found if each.alert == alert_id]
        return one

    def events(self, alert_id: str) -> list[str]:
        """Return what the log says of an alert, oldest first."""
        return [event.action for event in self.house.log.list(EventFilter(alert=alert_id), 100, "").items]
