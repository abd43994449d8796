"""A deployment with alerts as rows, reviewers, and known pairs that enter the queue by a seeded chance."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from frs.match.alerting import PROBE, REFERENCE, RaisedAlert
from frs.match.candidate_records import candidate_columns
from frs.match.tally import StreamCounts, add_camera_counts
from frs.oversight.statistics import Statistics
from frs.review.cases import Cases
from frs.review.explanations import Explanations
from frs.review.pictures import CasePictures
from frs.review.vigilance import Vigilance
from frs.review.vigilance_ageing import VigilanceAgeing
from frs.review.vigilance_pair import PairDraft
from frs.review.vigilance_pairs import VigilancePairs
from frs.settings import ReviewSettings
from frs.store.schema import (
    alert,
    alert_feed,
    camera_count,
    camera_hour,
    deployment,
    review_case,
    review_case_watchlist,
    review_decision,
    subject,
    vigilance_pair,
)
from frs.store.transaction import Transaction
from frs.types import Actor, Candidate, Quality, Role, new_id
from tests.installation import Installation
from tests.match.stage import OFFICER, Stage

RITA, OMAR = (Actor(name, frozenset({Role.REVIEWER}), f"certificate:{name}") for name in ("rita", "omar"))
OMBUD = Actor("ombud", frozenset({Role.OVERSIGHT}), "certificate:0b")
QUALITY = Quality(size=90.0, sharpness=210.0, pose=0.1, brightness=120.0, detector_score=0.9)
THRESHOLD = 0.96


class VigilanceHouse:
    """Everything that checks touch, over one installation."""

    def __init__(self, installation: Installation, pictures: Sequence[bytes], **review: Any) -> None:
        self.at, self.clock = installation, installation.clock
        review = {"vigilance_rate": 1.0, "saliency_grid": 3, **review}
        self.settings = installation.settings.model_copy(update={"review": ReviewSettings(**review)})
        self.stage = Stage(installation, self.clock, self.settings)
        store, audit, lists, model = (
            installation.store,
            installation.audit,
            installation.watchlists,
            installation.engine.model,
        )
        self.database, self.vault, self.model = store.database, store.vault, model
        self.chance = random.Random(4)
        pictured = CasePictures(store.vault, lists)
        self.cases = Cases(store.database, store.vault, audit, pictured, self.settings, self.clock, lambda: 1, model)
        self.vigilance = Vigilance(
            store.database, audit, self.cases, lists, model, self.settings, self.clock, self.chance
        )
        self.pairs = VigilancePairs(store.database, store.vault, audit, installation.engine, self.settings, self.clock)
        self.ageing = VigilanceAgeing(store.database, store.vault, self.cases, self.settings.retention, self.clock)
        self.explanations = Explanations(
            *(store.database, audit, pictured, installation.engine, self.settings.review, self.clock)
        )
        self.statistics = Statistics(store.database, audit, self.settings.statistics)
        self.cases.on_settled(self.vigilance.decided)
        self.cases.on_closed(self.vigilance.closed)
        self.pairs.heed_removals(self.vigilance.pair_removed)
        self.begun = 0
        """Of the log's events, the first of the test that runs."""
        self.pictures = tuple(pictures)
        self.people = self.stage.activate("wanted", [("NOM-0", pictures[0]), ("NOM-1", pictures[1])], THRESHOLD)
        self.references = {name: lists.get_subject(who).images[0].id for name, who in self.people.items()}
        self.version = lists.get("wanted").version
        self.where = self.stage.open("wanted", hours=100.0).id

    def pair(self, probe: int, reference: int, nominal: str = "") -> str:
        """Add the pair of these two pictures; returns its id."""
        draft = PairDraft(probe == reference, nominal or f"T-{probe}-{reference}", "volunteers of the school")
        return self.pairs.add(OFFICER, draft, self.pictures[probe], self.pictures[reference]).id

    def alerts(self, count: int = 1, grading: str = "amber") -> list[str]:
        """Raise alerts a second apart in one act, as live matching does; returns the ids of their cases."""

        def act(tx: Transaction) -> list[str]:
            return [self._raise(tx, grading, timedelta(seconds=n)) for n in range(count)]

        return self.database.write(act)

    def draw(self, count: int) -> None:
        """Have chance say for so many alerts whether a check is due, without the alerts."""
        raised = RaisedAlert(new_id(), self.where, "cam-1", "wanted", "amber", self.clock.now(), self.clock.now())

        def act(tx: Transaction) -> None:
            for _ in range(count):
                self.vigilance.alert_raised(tx, raised)

        self.database.write(act)

    def soon(self, seconds: float = 61.0) -> None:
        """Let the checks that are due enter, each at its time."""
        until = self.clock.now() + timedelta(seconds=seconds)
        while (wait := self.vigilance.look()) is not None and self.clock.now() + timedelta(seconds=wait) <= until:
            self.clock.advance(seconds=max(wait, 0.001))
        self.clock.at = max(until, self.clock.at)

    def checks(self) -> list[sa.Row[Any]]:
        """Return the cases that are checks, oldest first."""
        query = sa.select(review_case).where(review_case.c.kind == "vigilance").order_by(review_case.c.opened_at)
        with self.database.read() as connection:
            return list(connection.execute(query))

    def fresh(self) -> None:
        """Forget all pairs, alerts and cases, and let the deployment run as it was opened."""
        gone = (review_decision, review_case_watchlist, review_case, alert_feed, alert, vigilance_pair)
        counts = (camera_hour, camera_count)
        stands = {"state": "open", "closed_at": None, "vigilance_rate": 1.0}

        def act(tx: Transaction) -> None:
            for table in (*gone, *counts):
                tx.connection.execute(sa.delete(table))
            tx.connection.execute(sa.update(deployment).values(stands))

        self.vigilance._due.clear()
        self.clock.advance(hours=1)
        self.database.write(act)
        self.everybody_is("amber")

    def rate(self, rate: float) -> None:
        """Set the deployment's rate of checks."""
        self.database.write(lambda tx: tx.connection.execute(sa.update(deployment).values(vigilance_rate=rate)))

    def everybody_is(self, grading: str) -> None:
        """Grade everybody on the lists so."""
        self.database.write(lambda tx: tx.connection.execute(sa.update(subject).values(grading=grading)))

    def _raise(self, tx: Transaction, grading: str, later: timedelta) -> str:
        name, where, now = new_id(), self.where, self.clock.now() + later
        camera = f"cam-{self.chance.randrange(3)}"
        captured = now - timedelta(seconds=self.chance.uniform(0.4, 2.0))
        captured -= timedelta(microseconds=captured.microsecond % 1000)
        owner, nominal = f"alert:{name}", self.chance.choice(sorted(self.people))
        found = Candidate(
            1,
            *("wanted", self.version, self.people[nominal], nominal, grading, self.references[nominal]),
            *(round(self.chance.uniform(0.962, 0.99), 6), THRESHOLD, self.chance.uniform(0.02, 0.1)),
            model=self.model.id,
            profile=self.model.profile,
            probe_quality=QUALITY,
            reference_quality=QUALITY,
            notice=self.model.notice,
            frames=self.chance.randint(3, 9),
        )
        row = {
            "id": name,
            "deployment_id": where,
            "camera_id": camera,
            "track_id": "t-1",
            "state": "pending",
            "decided_at": captured,
            "captured_at": captured,
            "first_seen_at": captured - timedelta(seconds=1),
            "created_at": now,
            "seen_seconds": self.chance.uniform(0.5, 4.0),
            "gallery_size": 2,
            "model": self.model.id,
            "profile": self.model.profile,
            "notice": self.model.notice,
            "probe_quality": QUALITY.as_json(),
            "probe_sealed": self.vault.seal(owner, self.pictures[0], PROBE),
            "reference_sealed": self.vault.seal(owner, self.pictures[0], REFERENCE),
        }
        tx.connection.execute(sa.insert(alert).values({**row, **candidate_columns(found)}))
        add_camera_counts(tx.connection, where, camera, StreamCounts(faces_seen=1, alerts=1), now)
        raised = RaisedAlert(name, where, camera, "wanted", grading, captured, now)
        case = self.cases.open_alert(tx, raised)
        self.vigilance.alert_raised(tx, raised)
        return case


def midnight_to_midnight(at: datetime) -> tuple[datetime, datetime]:
    """Return the day around an instant."""
    begin = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return begin, begin + timedelta(days=1)
