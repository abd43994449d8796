"""A desk with an alert of which the frame shows two people, one of them listed, and its case under review."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from frs.match.alerting import PROBE, REFERENCE
from frs.match.candidate_records import candidate_columns, probe_owner
from frs.review.pictures import CasePictures
from frs.review.shown import ShownCheck
from frs.review.vigilance_pair import pair_owner
from frs.settings import ReviewSettings, Settings
from frs.store.schema import (
    alert,
    job,
    job_candidate,
    job_item,
    job_probe,
    review_case,
    review_case_watchlist,
    review_decision,
    upload,
    vigilance_pair,
)
from frs.store.transaction import Transaction
from frs.types import Actor, Candidate, Role, Scope, new_id
from tests.installation import Installation
from tests.match.film import film
from tests.match.stage import FEED, Stage, play

REVIEWER = Actor("rita", frozenset({Role.REVIEWER}), "certificate:21")
CHIEF = Actor("ada", frozenset({Role.AUTHORISING_OFFICER}), "certificate:22")
OVERSIGHT = Actor("ombud", frozenset({Role.OVERSIGHT}), "certificate:23")
ELSEWHERE = Actor("far", CHIEF.roles | REVIEWER.roles, "certificate:24", Scope(watchlists=frozenset({"other"})))


@dataclass
class PictureDesk:
    stage: Stage
    pictures: CasePictures
    alert: str
    case: str

    @property
    def row(self) -> sa.Row[Any]:
        """Return the alert's row."""
        with self.stage.installation.store.database.read() as connection:
            return connection.execute(sa.select(alert).where(alert.c.id == self.alert)).one()

    def write(self, *statements: sa.Executable) -> None:
        """Execute statements as one act."""

        def act(tx: Transaction) -> None:
            for statement in statements:
                tx.connection.execute(statement)

        self.stage.installation.store.database.write(act)

    def change(self, **values: object) -> None:
        """Change the alert's row."""
        self.write(sa.update(alert).where(alert.c.id == self.alert).values(values))

    def claim(self, who: Actor, until: datetime) -> None:
        """Have somebody hold the case."""
        held = {"state": "claimed", "claimed_by": who.name, "claimed_at": self.stage.clock.now(), "claim_until": until}
        self.write(sa.update(review_case).where(review_case.c.id == self.case).values(held))

    def observed(self, who: Actor, at: datetime | None) -> None:
        """Put down whether somebody has recorded what they see."""
        work = {"case_id": self.case, "reviewer": who.name, "claimed_at": self.stage.clock.now(), "observed_at": at}
        theirs = sa.and_(review_decision.c.case_id == self.case, review_decision.c.reviewer == who.name)
        self.write(sa.delete(review_decision).where(theirs), sa.insert(review_decision).values(work))

    def close(self) -> None:
        """Close the case."""
        values = {"state": "adjudicated", "closed_at": self.stage.clock.now(), "decision": "true"}
        self.write(sa.update(review_case).where(review_case.c.id == self.case).values(values))

    def plant_check(self, picture: bytes, like: Candidate) -> tuple[ShownCheck, str]:
        """Put a vigilance check of a picture against itself under review, shown like a candidate; no frame."""
        pair, case, now = new_id(), new_id(), self.stage.clock.now()
        seal, owner = self.stage.installation.store.vault.seal, pair_owner(pair)
        candidate = replace(like, subject=new_id(), reference=new_id(), nominal="N-77")
        shown = ShownCheck(candidate, "cam-1", now, 0.4, 3, "custody", "2025-06-02", with_frame=False)
        quality = like.probe_quality.as_json()
        facts = {"id": pair, "matching": True, "nominal": "N-77", "source": "set", "sha256": pair, "score": 0.99}
        made = {"model": like.model, "profile": like.profile, "probe_quality": quality, "reference_quality": quality}
        pictures = {"probe_sealed": seal(owner, picture, PROBE), "reference_sealed": seal(owner, picture, REFERENCE)}
        row = {**facts, **made, **pictures, "created_at": now, "created_by": "ada"}
        self.write(
            sa.insert(vigilance_pair).values(row),
            sa.insert(review_case).values(
                **_case(case, "vigilance", now),
                pair_id=pair,
                deployment_id=self.row.deployment_id,
                shown=shown.as_json(),
            ),
        )
        return shown, case

    def plant_list(self, picture: bytes, like: Candidate) -> tuple[str, tuple[str, str]]:
        """Put a candidate list of two under review, as a job leaves it; returns the case and both subjects."""
        job_id, probe, case, now = new_id(), new_id(), new_id(), self.stage.clock.now()
        media, people = new_id(), (like.subject, new_id())
        texts = {"reason": "r", "incident": "i", "authorisation": "a", "created_by": "inga", "created_at": now}
        searched = {"watchlists": [{"watchlist": "wanted", "version": 1}], "max_candidates": 5, "faces": 1}
        made = {"model": like.model, "profile": like.profile, "authorisation_expires_at": now, "state": "done"}
        file = {"file_name": "clip.mp4", "kind": "video", "size": 1, "sha256": "0" * 64, "committed": 1, "stored": 1}
        sealed = self.stage.installation.store.vault.seal(probe_owner(probe), picture)
        found = [replace(like, rank=rank, subject=person, frames=1) for rank, person in enumerate(people, 1)]
        self.write(
            sa.insert(upload).values(id=media, state="complete", created_by="inga", created_at=now, **file),
            sa.insert(job).values(id=job_id, **texts, **searched, **made),
            sa.insert(job_item).values(
                job_id=job_id, position=0, upload_id=media, state="done", frames=9, faces=1, reached_ms=-1
            ),
            sa.insert(job_probe).values(
                id=probe,
                job_id=job_id,
                position=0,
                number=1,
                first_ms=500,
                last_ms=2000,
                best_ms=900,
                quality=like.probe_quality.as_json(),
                crop_sealed=sealed,
            ),
            *(
                sa.insert(job_candidate).values(
                    job_id=job_id, probe_id=probe, rank=each.rank, **candidate_columns(each)
                )
                for each in found
            ),
            sa.insert(review_case).values(**_case(case, "candidates", now), job_id=job_id, probe_id=probe),
        )
        return case, people


def _case(name: str, kind: str, opened_at: datetime) -> dict[str, object]:
    counts = {"urgency": 2, "reviewers": 1, "decided": 0, "escalations": 0}
    return {"id": name, "kind": kind, "state": "pending", "grading": "green", "opened_at": opened_at, **counts}


def open_desk(installation: Installation, people: tuple[bytes, ...]) -> PictureDesk:
    """Play two people past a camera, of whom the first is on a list of three."""
    review = ReviewSettings(frame_pixels=512, saliency_grid=5)
    settings: Settings = installation.settings.model_copy(update={"review": review})
    stage = Stage(installation, installation.clock, settings)
    stage.activate("wanted", [("N-0", people[0]), ("N-3", people[3]), ("N-4", people[4])])
    deployment = stage.open("wanted")
    session = stage.live.open_stream(FEED, deployment.id, "cam-1")
    play(session, film(people[:2], 5, start=stage.clock.now()))
    session.finish("closed")
    (raised,) = stage.alerts.list().items
    place = installation.store
    desk = PictureDesk(stage, CasePictures(place.vault, installation.watchlists), raised.id, new_id())
    now = stage.clock.now()
    row: dict[str, object] = {
        "id": desk.case,
        "kind": "alert",
        "alert_id": raised.id,
        "deployment_id": deployment.id,
        "state": "pending",
    }
    row |= {"grading": raised.candidate.grading, "urgency": 2, "reviewers": 1, "decided": 0, "escalations": 0}
    desk.write(
        sa.insert(review_case).values({**row, "opened_at": now}),
        sa.insert(review_case_watchlist).values(case_id=desk.case, watchlist_id="wanted"),
    )
    return desk
