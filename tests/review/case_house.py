"""Cases over an installation whose alerts, jobs and people are rows: what gives rise to them is tested elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from frs.audit.log import EventFilter
from frs.match.alerting import PROBE, REFERENCE
from frs.match.candidate_records import candidate_columns, candidate_json, probe_owner
from frs.match.outcomes import OutcomeState
from frs.review.case import Case, CaseKind
from frs.review.cases import Cases, Settled
from frs.review.pictures import CasePictures
from frs.review.shown import ShownCheck
from frs.settings import ReviewSettings
from frs.store.database import Transaction
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
    review_case,
    review_decision,
    subject,
    upload,
    watchlist,
)
from frs.types import Actor, Candidate, Quality, Role, Scope, new_id
from frs.watchlist.rebuilding import CROP
from tests.deciding import open_case
from tests.installation import Installation

QUALITY = Quality(size=90.0, sharpness=210.0, pose=0.1, brightness=120.0, detector_score=0.9)
POLICY = 7


def reviewer(name: str, scope: Scope | None = None) -> Actor:
    """Return a reviewer."""
    return Actor(name, frozenset({Role.REVIEWER}), f"certificate:{name}", scope or Scope())


RITA, OMAR, SARA, LENA = (reviewer(name) for name in ("rita", "omar", "sara", "lena"))
OVERSIGHT = Actor("ombud", frozenset({Role.OVERSIGHT}), "certificate:0b")


class CaseHouse:
    """Cases, and what they come from."""

    def __init__(self, installation: Installation, **review: Any) -> None:
        self.at, self.clock = installation, installation.clock
        self.database, self.vault, self.audit = (
            installation.store.database,
            installation.store.vault,
            installation.audit,
        )
        self.settings = installation.settings.model_copy(update={"review": ReviewSettings(**review)})
        self.pictures = CasePictures(self.vault, installation.watchlists)
        self.cases = self.compose()
        self.lists: dict[str, str] = {}
        self.settled: list[Settled] = []
        self.closed: list[tuple[str, CaseKind, str | None, str]] = []
        self.cases.on_settled(lambda _, told: self.settled.append(told))
        self.cases.on_closed(lambda _, *told: self.closed.append(told))

    def compose(self) -> Cases:
        """Return cases as another start of the service builds them."""
        parts = (self.database, self.vault, self.audit, self.pictures, self.settings, self.clock)
        return Cases(*parts, lambda: POLICY)

    # --- what gives rise to cases ---

    def listed(self, name: str = "wanted", enrolled_by: str = "mary", added_by: str = "mary") -> tuple[str, str]:
        """Put a person on a list; returns the ids of subject and reference."""
        person, picture, now = new_id(), new_id(), self.clock.now()
        self.lists[person] = name
        owner = f"subject:{person}"
        texts = ("purpose", "category", "legal_basis", "authorising_officer", "grading", "created_by")
        of_list = {"id": name, "state": "active", "version": 3, "revision": 3, **dict.fromkeys(texts, "x")}
        of_list |= {"expires_at": now + timedelta(days=1), "created_at": now, "updated_at": now}
        entry = {
            "id": person,
            "watchlist_id": name,
            "nominal": f"N-{person[:6]}",
            "justification": "warrant",
            "grading": "red",
            "under_18": False,
            "under_18_rationale": "",
            "lawfully_held": True,
            "state": "enrolled",
            "created_at": now,
            "created_by": enrolled_by,
        }
        reference = {
            "id": picture,
            "subject_id": person,
            "watchlist_id": name,
            "source": "custody",
            "taken_on": "2025-06-01",
            "sha256": "00" * 32,
            "quality": QUALITY.as_json(),
            "model": "m@1",
            "profile": "plain",
            "template_sealed": b"",
            "created_at": now,
            "created_by": added_by,
        }

        def act(tx: Transaction) -> None:
            if tx.connection.scalar(sa.select(watchlist.c.id).where(watchlist.c.id == name)) is None:
                tx.connection.execute(watchlist.insert().values(of_list))
            tx.connection.execute(subject.insert().values(entry))
            reference["crop_sealed"] = self.vault.seal(owner, b"reference of " + person.encode(), CROP)
            tx.connection.execute(reference_image.insert().values(reference))

        self.database.write(act)
        return person, picture

    def deployment(self, reviewers: int = 1, opened_by: str = "ada", site: str = "") -> str:
        """Open a deployment."""
        name, now = new_id(), self.clock.now()
        who = {"purpose": "p", "place": "Square", "authorising_officer": "AO", "opened_by": opened_by}
        when = {"starts_at": now, "ends_at": now + timedelta(hours=9), "opened_at": now, "cooldown_seconds": 60.0}
        row = {"id": name, "state": "open", "reviewers": reviewers, "site": site, **who, **when}
        self.database.write(lambda tx: tx.connection.execute(deployment.insert().values(row)))
        return name

    def alert(self, where: str, grading: str = "red", person: tuple[str, str] | None = None, on: str = "wanted") -> str:
        """Raise an alert as live matching does; returns the id of its case."""
        shown = self.candidate(person or self.listed(on), on, grading, 0.97)
        name, now = new_id(), self.clock.now()

        def act(tx: Transaction) -> str:
            owner = f"alert:{name}"
            row = {
                "id": name,
                "deployment_id": where,
                "camera_id": "cam-1",
                "track_id": "t-1",
                "state": "pending",
                **dict.fromkeys(("captured_at", "first_seen_at", "decided_at", "created_at"), now),
                **candidate_columns(shown),
                "model": "m@1",
                "profile": "plain",
                "notice": "for trials only",
                "probe_quality": QUALITY.as_json(),
                "probe_sealed": self.vault.seal(owner, b"probe picture", PROBE),
                "reference_sealed": self.vault.seal(owner, b"reference picture", REFERENCE),
            }
            tx.connection.execute(alert.insert().values(row))
            tx.connection.execute(alert_feed.insert().values(alert_id=name, kind="raised", created_at=now))
            return open_case(tx, self.cases, name)

        return self.database.write(act)

    def check(self, where: str, grading: str = "green", now: Any = None) -> str:
        """Have a vigilance check enter the queue; returns the id of its case."""
        shown = ShownCheck(
            self.candidate((new_id(), new_id()), "wanted", grading, 0.97),
            *("cam-1", self.clock.now(), 1.5, 100, "custody", "2025-06-01"),
            with_frame=False,
        )
        of: dict[str, Any] = {"deployment": where, "watchlist": "wanted", "grading": grading, "shown": shown.as_json()}
        return self.database.write(
            lambda tx: self.cases.open_check(tx, pair_id=new_id(), now=now or self.clock.now(), **of)
        )

    def candidates(self, *people: tuple[str, str], submitted_by: str = "iris", scores: Sequence[float] = ()) -> str:
        """Have a job find people for one face; returns the id of its case."""
        (job_id, probe_id, upload_id), now = (new_id(), new_id(), new_id()), self.clock.now()
        shown = people or (self.listed(), self.listed())
        of_job = {
            "id": job_id,
            "state": "done",
            "reason": "robbery",
            "incident": "I",
            "authorisation": "A",
            "authorisation_expires_at": now,
            "watchlists": [],
            "max_candidates": 5,
            "model": "m@1",
            "profile": "plain",
            "faces": 1,
            "created_by": submitted_by,
            "created_at": now,
            "finished_at": now,
        }
        of_upload = {
            "id": upload_id,
            "kind": "still",
            "file_name": "till.jpg",
            "size": 1,
            "sha256": "0",
            "committed": 1,
            "stored": 1,
            "state": "destroyed",
            "created_by": submitted_by,
            "created_at": now,
        }
        of_item = {"job_id": job_id, "position": 0, "upload_id": upload_id, "state": "done", "frames": 1, "faces": 1}
        of_probe = {
            "id": probe_id,
            "job_id": job_id,
            "position": 0,
            "number": 1,
            "quality": QUALITY.as_json(),
            **dict.fromkeys(("first_ms", "last_ms", "best_ms"), 0),
        }
        found = [
            self.candidate(person, self.lists[person[0]], "amber", score, rank)
            for rank, (person, score) in enumerate(zip(shown, scores or (0.99, 0.98, 0.97), strict=False), 1)
        ]

        def act(tx: Transaction) -> str:
            tx.connection.execute(job.insert().values(of_job))
            tx.connection.execute(upload.insert().values(of_upload))
            tx.connection.execute(job_item.insert().values(**of_item, reached_ms=0))
            sealed = self.vault.seal(probe_owner(probe_id), b"probe picture")
            tx.connection.execute(job_probe.insert().values(**of_probe, crop_sealed=sealed))
            rows = [{"job_id": job_id, "probe_id": probe_id, "rank": c.rank, **candidate_columns(c)} for c in found]
            tx.connection.execute(job_candidate.insert(), rows)
            return self.cases.open_candidates(tx, job_id, probe_id, found)

        return self.database.write(act)

    def search(self, officer: str = "olga", state: OutcomeState = OutcomeState.OWED) -> str:
        """Put an operator search there."""
        name = new_id()
        found = candidate_json(self.candidate((new_id(), new_id()), "wanted", "red", 0.97))
        row = {
            "id": name,
            "officer": officer,
            "reason": "r",
            "legal_power": "p",
            "device": "phone",
            "created_at": self.clock.now(),
            "candidates": [found],
            "outcome": str(state),
        }
        self.database.write(lambda tx: tx.connection.execute(operator_search.insert().values(row)))
        return name

    def candidate(self, person: tuple[str, str], on: str, grading: str, score: float, rank: int = 1) -> Candidate:
        """Return somebody who was found."""
        who = {"subject": person[0], "nominal": f"N-{person[0][:6]}", "reference": person[1]}
        how = {"score": score, "threshold": 0.95, "margin": 0.2, "model": "m@1", "profile": "plain", "frames": 5}
        return Candidate(
            rank=rank,
            watchlist=on,
            watchlist_version=3,
            grading=grading,
            probe_quality=QUALITY,
            reference_quality=QUALITY,
            notice="for trials only",
            **who,  # type: ignore[arg-type]  # names and values of the fields
            **how,  # type: ignore[arg-type]
        )

    # --- what is there ---

    def execute(self, statement: str, **values: Any) -> None:
        """Change the rows as another room does."""
        self.database.write(lambda tx: tx.connection.execute(sa.text(statement), values))

    def clear(self) -> None:
        """Have nothing wait."""
        self.execute("UPDATE review_case SET state = 'unreviewed', closed_at = opened_at WHERE closed_at IS NULL")

    def overdue(self) -> int:
        """Count the outcomes that the log calls overdue."""
        return len(self.audit.list(EventFilter(action="operator.outcome-overdue"), 100, "").items)

    def row(self, case_id: str) -> sa.Row[Any]:
        """Return a case's row."""
        with self.database.read() as connection:
            return connection.execute(sa.select(review_case).where(review_case.c.id == case_id)).one()

    def alert_row(self, case_id: str) -> sa.Row[Any]:
        """Return the row of a case's alert."""
        query = sa.select(alert).join(review_case, review_case.c.alert_id == alert.c.id)
        with self.database.read() as connection:
            return connection.execute(query.where(review_case.c.id == case_id)).one()

    def work(self, case_id: str) -> list[sa.Row[Any]]:
        """Return what reviewers did on a case, by name."""
        query = sa.select(review_decision).where(review_decision.c.case_id == case_id)
        with self.database.read() as connection:
            return list(connection.execute(query.order_by(review_decision.c.reviewer)))

    def feed(self, case_id: str) -> list[str]:
        """Return how the feed tells of a case's alert."""
        query = sa.select(alert_feed.c.kind).where(alert_feed.c.alert_id == self.row(case_id).alert_id)
        with self.database.read() as connection:
            return list(connection.scalars(query.order_by(alert_feed.c.position)))

    def events(self, case_id: str) -> list[str]:
        """Return what the log says of a case, oldest first."""
        row = self.row(case_id)
        concerned = EventFilter(alert=row.alert_id) if row.alert_id else EventFilter(job=row.job_id)
        return [event.action for event in self.audit.list(concerned, 1000, "").items]

    def payload(self, action: str) -> dict[str, Any]:
        """Return the details of the newest event of an action."""
        newest = self.audit.list(EventFilter(action=action), 1, "", newest_first=True).items[0]
        opened = self.audit.get(newest.seq, open_payload=True).payload
        assert opened is not None
        return {"actor": opened["actor"], **opened["details"]}  # type: ignore[dict-item]  # details are an object

    def shown(self, actor: Actor, case_id: str) -> Case:
        """Return a case as somebody sees it."""
        return self.cases.get(actor, case_id).case
