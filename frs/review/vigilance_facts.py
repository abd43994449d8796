"""What a check shows, drawn so that nothing in it tells it from an alert of the same deployment.

- The list is one that the deployment searches now, the grading that of somebody on it: amber or green, never red. Where
  everybody is red there is no check: an amber case would be known for one, and a red one could delay an alert.
- The camera is one of the deployment that has lately seen somebody; the time of capture lies as long ago as with past
  alerts, and is told as exactly.
- Score, margin, frames and spans of time are those of past alerts (:mod:`frs.review.past_alerts`); the score is the
  pair's own where it reaches the threshold.
- Subject and reference have identifiers of the usual form, the same each time the pair is shown for this list.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from frs.review.past_alerts import PastAlerts
from frs.review.shown import ShownCheck
from frs.store.schema import camera_hour, reference_image, subject
from frs.types import Candidate, ModelInfo, Quality
from frs.watchlist.model import Grading, SubjectState
from frs.watchlist.searchable import SearchableList

_SAMPLE = 500
"""People of a list who are looked at for a grading and a reference's facts."""
_LATELY = timedelta(hours=2)


class CheckFacts:
    """Draws what checks show. Not safe in threads: the writer's alone."""

    def __init__(self, model: ModelInfo, keep_frame: bool, chance: random.Random) -> None:
        self._model, self._keep_frame, self._chance = model, keep_frame, chance

    def draw(
        self,
        connection: sa.Connection,
        deployment: str,
        pair: sa.Row[Any],
        lists: Sequence[SearchableList],
        now: datetime,
    ) -> ShownCheck | None:
        """Return what a check shows of a row of ``vigilance_pair``; None where none can be shown (see the module)."""
        cameras = _cameras(connection, deployment, now)
        past = PastAlerts.of(connection, self._model, deployment, self._chance)
        people = _people(connection, [each.id for each in lists])
        if not cameras or past is None or not people:
            return None
        person = self._chance.choice(people)
        searched = next(each for each in lists if each.id == person.watchlist_id)
        threshold = searched.threshold.score
        own = (pair.model, pair.profile) == (self._model.id, self._model.profile) and pair.score >= threshold
        score = float(pair.score) if own else past.score(threshold)
        drawn = past.one()
        candidate = Candidate(
            rank=1,
            watchlist=searched.id,
            watchlist_version=searched.version,
            subject=_id("subject", pair.id, searched.id),
            nominal=pair.nominal,
            grading=person.grading,
            reference=_id("reference", pair.id, searched.id),
            score=round(score, 6),
            threshold=threshold,
            margin=past.margin(drawn, score),
            model=self._model.id,
            profile=self._model.profile,
            probe_quality=Quality.from_json(pair.probe_quality),
            reference_quality=Quality.from_json(pair.reference_quality),
            notice=self._model.notice,
            frames=drawn.frames,
        )
        return ShownCheck(
            candidate=candidate,
            camera=self._chance.choice(cameras),
            captured_at=past.told(now - timedelta(seconds=drawn.lag_seconds)),
            seen_seconds=drawn.seen_seconds,
            gallery_size=drawn.gallery_size,
            reference_source=Counter(each.source for each in people).most_common(1)[0][0],
            reference_taken_on=person.taken_on,
            with_frame=self._keep_frame,
        )


def _cameras(connection: sa.Connection, deployment: str, now: datetime) -> list[str]:
    table = camera_hour.c
    lately = sa.and_(table.deployment_id == deployment, table.hour > now - _LATELY, table.faces_seen > 0)
    return list(connection.scalars(sa.select(table.camera_id).where(lately).distinct().order_by(table.camera_id)))


def _people(connection: sa.Connection, lists: Sequence[str]) -> Sequence[sa.Row[str, str, str, str]]:
    """Return list, grading, and a reference's source and date, of people on the lists who are not red."""
    facts = (subject.c.watchlist_id, subject.c.grading, reference_image.c.source, reference_image.c.taken_on)
    enrolled = sa.and_(subject.c.watchlist_id.in_(lists), subject.c.state == str(SubjectState.ENROLLED))
    query = sa.select(*facts).join(reference_image, reference_image.c.subject_id == subject.c.id)
    return connection.execute(query.where(enrolled, subject.c.grading != str(Grading.RED)).limit(_SAMPLE)).all()


def _id(what: str, pair_id: str, watchlist: str) -> str:
    """Return an identifier that looks like any other and cannot be led back without the set."""
    return hashlib.sha256(f"{what} {pair_id} {watchlist}".encode()).hexdigest()[:32]
