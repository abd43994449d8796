"""An alert as reviewers see it: whom the system proposes, what a person decided, what came of it.

States (South Wales Police's definitions): ``pending`` -> ``true`` or ``false`` by adjudication; ``true`` ->
``confirmed-true`` or ``confirmed-false`` after somebody spoke to the person, ``unconfirmed`` when nobody did. One that
is erased while pending is ``unreviewed``: it still counts, and nobody can decide it any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from frs.match.candidate_records import candidate_from_columns
from frs.store.schema import alert
from frs.types import Candidate, Quality


class AlertState(StrEnum):
    """Where an alert stands."""

    PENDING = "pending"
    TRUE = "true"
    FALSE = "false"
    CONFIRMED_TRUE = "confirmed-true"
    CONFIRMED_FALSE = "confirmed-false"
    UNCONFIRMED = "unconfirmed"
    """Adjudicated true, and nobody engaged."""
    CANNOT_TELL = "cannot-tell"
    """Adjudicated, and the pictures did not tell."""
    EXPIRED = "expired"
    """Nobody decided while it was worth acting on."""
    UNREVIEWED = "unreviewed"
    """Nobody decided before it was erased."""


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert without its pictures."""

    id: str
    deployment: str
    camera_id: str
    track_id: str
    captured_at: datetime
    """Capture time of the best frame."""
    first_seen_at: datetime
    """Capture time of the track's first usable frame."""
    created_at: datetime
    candidate: Candidate
    state: AlertState
    adjudicated_at: datetime | None
    adjudicated_by: str | None
    adjudication_reason: str | None
    engagement_at: datetime | None
    engagement_by: str | None
    engagement_note: str | None
    self_defined_group: str | None
    """As the person described themself to the officer; never inferred."""
    erased_at: datetime | None
    """When what names the person was erased: the nominal is a pseudonym since, and texts are empty."""


@dataclass(frozen=True, slots=True)
class AlertCase:
    """An alert with what a reviewer looks at."""

    alert: Alert
    probe: bytes
    """JPEG of the face on the camera."""
    reference: bytes
    """JPEG of the reference face as it was when the alert was raised."""


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """One change of one alert, in the order of commits."""

    position: int
    change: str
    """``raised``, ``adjudicated``, ``engaged`` or ``erased``."""
    alert: Alert
    """As it stands now."""


_PICTURES = frozenset({"probe_sealed", "reference_sealed", "frame_sealed", "frame_faces"})
WITHOUT_PICTURES = tuple(column for column in alert.c if column.name not in _PICTURES)
"""What a listing reads."""

_AS_STORED = (
    *("id", "camera_id", "track_id", "captured_at", "first_seen_at", "created_at"),
    *("adjudicated_at", "adjudicated_by", "adjudication_reason"),
    *("engagement_at", "engagement_by", "engagement_note", "self_defined_group", "erased_at"),
)


def alert_from(row: sa.Row[Any]) -> Alert:
    """Make an alert of a row that holds :data:`WITHOUT_PICTURES`."""
    values = row._mapping
    return Alert(
        deployment=values["deployment_id"],
        candidate=candidate_from_columns(
            values,
            rank=1,
            model=values["model"],
            profile=values["profile"],
            probe_quality=Quality.from_json(values["probe_quality"]),
            notice=values["notice"],
        ),
        state=AlertState(values["state"]),
        **{name: values[name] for name in _AS_STORED},
    )
