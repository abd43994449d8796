"""An installation with something of every kind in it, written as the rooms write it, with planted bytes in each."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from frs.audit.actions import Action
from frs.audit.log import EventFilter
from frs.audit.report import VerificationReport
from frs.audit.verify import verify_database
from frs.match.bell import Bell
from frs.match.candidate_records import probe_owner
from frs.match.upload_records import MediaKind
from frs.match.uploads import Uploads
from frs.retention.erasers import Erasers
from frs.retention.holds import Hold, Holds
from frs.retention.plan import Plan, Planning
from frs.retention.runs import RetentionRuns, Run
from frs.settings import RetentionSettings
from frs.store.database import Database, Transaction
from frs.store.schema import (
    alert,
    alert_feed,
    deployment,
    job,
    job_candidate,
    job_item,
    job_probe,
    operator_search,
    reference_image,
    subject,
    watchlist,
)
from frs.store.vault import Vault
from frs.types import Actor, Event, Json, ListVersion, Quality, References, Role, new_id
from tests.installation import Installation
from tests.manual_clock import ManualClock

PROTECTION = Actor("petra", frozenset({Role.DATA_PROTECTION_OFFICER}), "certificate:0d")
OFFICER = Actor("olga", frozenset({Role.OFFICER}), "certificate:0e")
QUALITY = Quality(100.0, 50.0, 0.1, 120.0, 0.9).as_json()
HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)


@dataclass
class Policy:
    """A version of the policy that a test sets."""

    version: int = 1


@dataclass
class Archive:
    """Retention over an installation."""

    at: Installation
    settings: RetentionSettings = field(default_factory=RetentionSettings)
    policy: Policy = field(default_factory=Policy)

    def __post_init__(self) -> None:
        self.compose()

    def compose(self, settings: RetentionSettings | None = None) -> None:
        """Build the rooms, as the service does at its start."""
        self.settings = settings or self.settings
        at, clock = self.at, self.at.clock
        database, vault, audit = self.database, self.vault, at.audit
        whole = at.settings.model_copy(update={"retention": self.settings})
        self.uploads = Uploads(database, vault, audit, whole, clock)
        self.holds = Holds(database, vault, audit, clock)
        self.uploads.heed(self.holds.uploads_held)
        self.planning = Planning(database, self.settings, clock)
        self.bell = Bell()
        self.erasers = Erasers(
            database, vault, audit, at.galleries, at.watchlists.erasing, self.uploads, whole, clock, self.bell
        )
        self.runs = RetentionRuns(
            database, audit, self.erasers, at.watchlists, self.holds, self.policy, self.settings, clock
        )

    @property
    def database(self) -> Database:
        return self.at.store.database

    @property
    def vault(self) -> Vault:
        return self.at.store.vault

    @property
    def clock(self) -> ManualClock:
        return self.at.clock

    def restart(self) -> None:
        """Close and open as a service that is started anew."""
        self.at.restart()
        self.compose()

    # --- acts ---

    def run(self) -> Run:
        return self.runs.run(PROTECTION)

    def plan(self, until: datetime | None = None, size: int = 1000, token: str = "") -> Plan:
        return self.planning.plan(until, size, token)

    def names(self, until: datetime | None = None) -> list[str]:
        """Return what is due and held by nothing, as ``kind name``."""
        return [f"{item.kind} {item.name}" for item in self.plan(until).page.items if item.hold is None]

    def hold(self, target: str, hours: float = 1000) -> Hold:
        return self.holds.place(PROTECTION, target, "a complaint is being looked into", "Insp. Orla", self.now(hours))

    def now(self, hours: float = 0) -> datetime:
        return self.clock.now() + timedelta(hours=hours)

    # --- what lies there ---

    def listed(
        self, *nominals: str, name: str = "", expires: float = 1000, retired: bool = False
    ) -> tuple[str, dict[str, str]]:
        """Make an active list of people without the embedder; returns its id and the subjects' by nominal."""
        list_id, now = name or f"list-{new_id()[:8]}", self.clock.now()

        def act(tx: Transaction) -> dict[str, str]:
            tx.connection.execute(
                watchlist.insert().values(
                    id=list_id, purpose="find them", category="wanted", legal_basis="an Act",
                    authorising_officer="Insp. Orla", grading="amber", expires_at=self.now(expires),
                    state="retired" if retired else "active", version=1, revision=0, created_at=now, created_by="mary",
                    updated_at=now, retired_at=now if retired else None,
                )
            )  # fmt: skip
            made = {}
            for nominal in nominals:
                made[nominal] = self._entry(tx, list_id, nominal)
            return made

        return list_id, self.database.write(act)

    def _entry(self, tx: Transaction, list_id: str, nominal: str) -> str:
        subject_id, owner, now = new_id(), "subject:", self.clock.now()
        owner += subject_id
        tx.connection.execute(
            subject.insert().values(
                id=subject_id, watchlist_id=list_id, nominal=nominal, justification=f"why {nominal} is sought",
                grading="amber", under_18=False, under_18_rationale="", lawfully_held=True, state="enrolled",
                created_at=now, created_by="mary",
            )
        )  # fmt: skip
        model = self.at.engine.model
        template = np.random.default_rng().standard_normal(model.dimension).astype("<f4")
        template /= np.linalg.norm(template)
        tx.connection.execute(
            reference_image.insert().values(
                id=new_id(), subject_id=subject_id, watchlist_id=list_id, source="custody", taken_on="2025-06-01",
                sha256="00" * 32, quality=QUALITY, model=model.id, profile=model.profile, created_at=now,
                template_sealed=self.vault.seal(owner, template.tobytes(), b"template"),
                crop_sealed=self.vault.seal(owner, bytes(300), b"crop"),
            )
        )  # fmt: skip
        self._log(
            tx, Action.SUBJECT_ENROLLED, References((ListVersion(list_id, 1),), (nominal,)), {"subject": subject_id}
        )
        return subject_id

    def withdraw(self, subject_id: str) -> None:
        self.at.watchlists.withdraw(PROTECTION, subject_id, "no longer sought")

    def alert(self, nominal: str, state: str = "pending", on: str = "night") -> str:
        """Raise an alert with pictures; returns its id."""
        alert_id, now = new_id(), self.clock.now()

        def act(tx: Transaction) -> str:
            self._deployment(tx)
            owner = f"alert:{alert_id}"
            tx.connection.execute(
                alert.insert().values(
                    id=alert_id, deployment_id="square", camera_id="north", track_id="7", captured_at=now,
                    first_seen_at=now, decided_at=now, created_at=now, watchlist_id=on, watchlist_version=1,
                    subject_id=new_id(), nominal=nominal, reference_id=new_id(), grading="amber", score=0.97,
                    threshold=0.96, frames=5, model="m@1", profile="mirror", notice="", probe_quality=QUALITY,
                    reference_quality=QUALITY, probe_sealed=self.vault.seal(owner, bytes(500), b"probe"),
                    reference_sealed=self.vault.seal(owner, bytes(500), b"reference"), state=state,
                    frame_sealed=self.vault.seal(owner, bytes(900), b"frame"), frame_faces=[[1.0, 1.0, 9.0, 9.0]],
                    adjudicated_at=None if state == "pending" else now, adjudicated_by=None,
                    adjudication_reason=None if state == "pending" else f"looks like {nominal}",
                )
            )  # fmt: skip
            tx.connection.execute(alert_feed.insert().values(alert_id=alert_id, kind="raised", created_at=now))
            references = References((ListVersion(on, 1),), (nominal,), deployment="square", alert=alert_id)
            self._log(tx, Action.ALERT_RAISED, references, {"score": 0.97})
            return alert_id

        return self.database.write(act)

    def upload(self) -> str:
        """Announce and send an upload whole; returns its id."""
        data = secrets.token_bytes(3000)
        record = self.uploads.create(OFFICER, MediaKind.STILL, "still.jpg", len(data), hashlib.sha256(data).hexdigest())
        self.uploads.write(OFFICER, record.id, 0, data)
        return record.id

    def job(self, *nominals: str, upload_id: str | None = None, state: str = "done") -> str:
        """Make a job with a probe and a candidate for each person; returns its id."""
        job_id, now = new_id(), self.clock.now()

        def act(tx: Transaction) -> str:
            tx.connection.execute(
                job.insert().values(
                    id=job_id, state=state, reason=f"robbery {job_id}", incident="INC-7", authorisation="AUTH-3",
                    authorisation_expires_at=self.now(1), watchlists=[], max_candidates=5, model="m@1",
                    profile="mirror", faces=len(nominals), created_by="iris", created_at=now, started_at=now,
                    finished_at=now if state == "done" else None,
                )
            )  # fmt: skip
            if upload_id is not None:
                tx.connection.execute(
                    job_item.insert().values(
                        job_id=job_id, position=0, upload_id=upload_id, state=state, frames=1, faces=1, reached_ms=0
                    )
                )
            for number, nominal in enumerate(nominals):
                self._probe(tx, job_id, number, nominal)
            self._log(
                tx, Action.SEARCH_JOB_FINISHED, References(subjects=nominals, job=job_id), {"faces": len(nominals)}
            )
            return job_id

        return self.database.write(act)

    def _probe(self, tx: Transaction, job_id: str, number: int, nominal: str) -> None:
        probe_id = new_id()
        tx.connection.execute(
            job_probe.insert().values(
                id=probe_id, job_id=job_id, position=0, number=number, first_ms=0, last_ms=0, best_ms=0,
                quality=QUALITY, crop_sealed=self.vault.seal(probe_owner(probe_id), bytes(400)),
            )
        )  # fmt: skip
        tx.connection.execute(
            job_candidate.insert().values(
                job_id=job_id, probe_id=probe_id, rank=1, watchlist_id="night", watchlist_version=1,
                subject_id=new_id(), nominal=nominal, grading="amber", reference_id=new_id(), score=0.97,
                threshold=0.96, frames=1, reference_quality=QUALITY,
            )
        )  # fmt: skip

    def search(self, *nominals: str) -> str:
        """Record an operator search with a kept probe; returns its id."""
        search_id = new_id()

        def act(tx: Transaction) -> str:
            found = [
                {"rank": rank, "watchlist": "night", "watchlist_version": 1, "subject": new_id(), "nominal": nominal}
                for rank, nominal in enumerate(nominals, 1)
            ]
            tx.connection.execute(
                operator_search.insert().values(
                    id=search_id, officer="olga", reason=f"will not say their name {search_id}", legal_power="s.24",
                    device="d", created_at=self.clock.now(), candidates=found,
                    outcome="owed" if nominals else "none-owed",
                    probe_sealed=self.vault.seal(f"search:{search_id}", bytes(600)),
                )
            )  # fmt: skip
            self._log(tx, Action.OPERATOR_SEARCH, References(subjects=nominals, search=search_id), {"device": "d"})
            return search_id

        return self.database.write(act)

    def event(self, nominal: str | None = None) -> int:
        """Log a read; returns its index."""
        references = References(subjects=() if nominal is None else (nominal,))
        return self.database.write(lambda tx: self._log(tx, Action.SUBJECT_READ, references, {"shown": 1}))

    def _deployment(self, tx: Transaction) -> None:
        if tx.connection.scalar(sa.select(deployment.c.id)) is None:
            now = self.clock.now()
            tx.connection.execute(
                deployment.insert().values(
                    id="square", purpose="p", place="Market Square", authorising_officer="A", starts_at=now,
                    ends_at=self.now(4), state="open", cooldown_seconds=60, opened_by="ada", opened_at=now,
                )
            )  # fmt: skip

    def _log(self, tx: Transaction, action: Action, references: References, details: dict[str, Json]) -> int:
        return self.at.audit.append(tx, Event(action, OFFICER, references, details))

    # --- what is left ---

    def value(self, column: sa.Column[object], where: sa.ColumnElement[bool]) -> object:
        with self.database.read() as connection:
            return connection.scalar(sa.select(column).where(where))

    def rows(self, table: sa.Table) -> int:
        with self.database.read() as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0

    def sealed(self) -> dict[str, bytes]:
        """Return the middle of every sealed value, by what it is; media from their files."""
        found: dict[str, bytes] = {}
        columns = {
            "probe": alert.c.probe_sealed,
            "reference": alert.c.reference_sealed,
            "frame": alert.c.frame_sealed,
            "crop": job_probe.c.crop_sealed,
            "kept probe": operator_search.c.probe_sealed,
            "template": reference_image.c.template_sealed,
            "face": reference_image.c.crop_sealed,
        }
        with self.database.read() as connection:
            for name, column in columns.items():
                for number, value in enumerate(connection.scalars(sa.select(column).where(column.is_not(None)))):
                    found[f"{name} {number}"] = value[40:104]
        folder = self.at.settings.data_dir / "uploads"
        for number, path in enumerate(sorted(folder.iterdir())):
            found[f"media {number}"] = path.read_bytes()[40:104]
        return found

    def in_files(self, *pieces: bytes) -> set[bytes]:
        """Return which pieces are in some file of the data directory."""
        files = [path for path in Path(self.at.settings.data_dir).rglob("*") if path.is_file()]
        held = b"\x00".join(path.read_bytes() for path in files)
        return {piece for piece in pieces if piece in held}

    def verify(self) -> VerificationReport:
        with self.database.read() as connection:
            return verify_database(connection, self.at.audit.vkey, self.vault)

    def actions(self, nominal: str | None = None, action: str | None = None) -> list[str]:
        wanted = EventFilter(subject=nominal, action=action)
        return [event.action for event in self.at.audit.list(wanted, 1000, "").items]

    def filter(self, action: str) -> EventFilter:
        """Return a filter for one action."""
        return EventFilter(action=action)

    def details(self, seq: int) -> dict[str, Json]:
        """Return what the opened payload of an event says of the act."""
        payload = self.at.audit.get(seq, open_payload=True).payload
        assert payload is not None
        said = payload["details"]
        assert isinstance(said, dict)
        return said
