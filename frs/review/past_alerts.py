"""What real alerts looked like, so that a vigilance check can look like one.

A check shows figures that its pair does not have: how many frames agreed, over how long, how long it took. They are
those of one past alert of the same model, so that they belong together, moved a little so that they are no copy. A
score that the pair does not reach is drawn between two past ones (a smoothed bootstrap: B. W. Silverman, "Density
Estimation for Statistics and Data Analysis", 1986, 6.4), never below the threshold.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from frs.store.schema import alert
from frs.types import ModelInfo

_NEWEST = 200
"""Past alerts that are looked at."""
_MARGIN = 0.02
"""A margin where past alerts have none: the difference that two pictures of one person easily make."""
_STEPS = (1_000_000, 100_000, 10_000, 1_000)
"""Microseconds: how exactly cameras tell the time."""


@dataclass(frozen=True, slots=True)
class PastAlert:
    """The figures of one alert."""

    score: float
    margin: float | None
    frames: int
    seen_seconds: float
    gallery_size: int
    captured_at: datetime
    lag_seconds: float
    """From the best frame to the alert."""


class PastAlerts:
    """Alerts of one model, those of the deployment where there are any."""

    def __init__(self, alerts: tuple[PastAlert, ...], chance: random.Random) -> None:
        self._alerts, self._chance = alerts, chance

    @classmethod
    def of(
        cls, connection: sa.Connection, model: ModelInfo, deployment: str, chance: random.Random
    ) -> PastAlerts | None:
        """Read the newest alerts of a model; None when it has raised none yet."""
        made_by = sa.and_(alert.c.model == model.id, alert.c.profile == model.profile)
        for where in (sa.and_(made_by, alert.c.deployment_id == deployment), made_by):
            query = sa.select(alert).with_only_columns(*_COLUMNS).where(where)
            rows = connection.execute(query.order_by(alert.c.created_at.desc()).limit(_NEWEST)).all()
            if rows:
                return cls(tuple(_past(row) for row in rows), chance)
        return None

    def one(self) -> PastAlert:
        """Return one of them at random, with its spans of time moved a little."""
        drawn = self._chance.choice(self._alerts)
        return PastAlert(
            drawn.score,
            drawn.margin,
            drawn.frames,
            drawn.seen_seconds * self._chance.uniform(0.8, 1.25),
            drawn.gallery_size,
            drawn.captured_at,
            drawn.lag_seconds * self._chance.uniform(0.8, 1.25),
        )

    def score(self, threshold: float) -> float:
        """Return a score as past alerts had them, at the threshold or above."""
        known = sorted({threshold, *(each.score for each in self._alerts if each.score >= threshold)})
        if len(known) == 1:
            return threshold + self._chance.random() * (1.0 - threshold) / 2
        place = self._chance.randrange(len(known) - 1)
        return self._chance.uniform(known[place], known[place + 1])

    def margin(self, drawn: PastAlert, score: float) -> float | None:
        """Return what a margin may be beside such a score; None where that alert had no second subject."""
        if drawn.margin is None:
            return None
        return min(score, max(0.0, drawn.margin) * self._chance.uniform(0.7, 1.3) + _MARGIN * self._chance.random())

    def told(self, instant: datetime) -> datetime:
        """Return an instant as exact as those of these alerts' cameras, not later than it."""
        for step in _STEPS:
            if all(each.captured_at.microsecond % step == 0 for each in self._alerts):
                return instant - timedelta(microseconds=instant.microsecond % step)
        return instant


_COLUMNS = tuple(
    alert.c[name]
    for name in (
        "score",
        "margin",
        "frames",
        "seen_seconds",
        "gallery_size",
        "captured_at",
        "first_seen_at",
        "created_at",
    )
)


def _past(row: sa.Row[Any]) -> PastAlert:
    seen = row.seen_seconds
    if seen is None:
        seen = (row.captured_at - row.first_seen_at).total_seconds()
    lag = max(0.0, (row.created_at - row.captured_at).total_seconds())
    size = row.gallery_size or 0
    return PastAlert(row.score, row.margin, row.frames, max(0.0, seen), size, row.captured_at, lag)
