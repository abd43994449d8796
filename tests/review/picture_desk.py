"""A desk with an alert of which the frame shows two people, one of them listed, and its case under review."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from frs.review.pictures import CasePictures
from frs.settings import ReviewSettings, Settings
from frs.store.schema import alert, review_case, review_case_watchlist, review_decision
from frs.store.transaction import Transaction
from frs.types import Actor, Role, Scope, new_id
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
