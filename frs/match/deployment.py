"""A deployment: one use of live facial recognition, at a place, for a purpose, with a start and an end.

What is stored is whether a person has closed it (``open``, ``ended``, ``stopped``); whether an open one is scheduled,
running or over follows from the clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from frs.store.schema import camera_count, deployment, deployment_watchlist
from frs.types import ListVersion

LONGEST = timedelta(days=31)
"""No deployment lasts longer."""


class DeploymentState(StrEnum):
    """Where a deployment stands."""

    SCHEDULED = "scheduled"
    RUNNING = "running"
    ENDED = "ended"
    """Over: ended by a person or by its end time."""
    STOPPED = "stopped"
    """Stopped in an emergency."""


@dataclass(frozen=True, slots=True)
class CameraCount:
    """Totals of one camera in a deployment. A face seen is one track with a usable face."""

    camera_id: str
    faces_seen: int
    frames_received: int
    frames_processed: int
    frames_dropped: int
    frames_rejected: int
    alerts: int


@dataclass(frozen=True, slots=True)
class DeploymentDraft:
    """What a person asks for when opening a deployment."""

    purpose: str
    place: str
    authorising_officer: str
    watchlists: tuple[str, ...]
    starts_at: datetime | None
    """None, or an instant that has passed, is now."""
    ends_at: datetime
    cooldown_seconds: float | None
    """None takes ``live.cooldown_seconds``."""
    site: str = ""
    """What identities may be limited to; empty for none."""
    reviewers: int | None = None
    """Independent reviewers for each alert; None takes ``review.reviewers``."""
    officers_before_adjudication: bool | None = None
    """Whether officers are sent alerts that nobody has compared yet; None takes the setting of that name."""
    vigilance_rate: float | None = None
    """Vigilance checks for each alert; None takes ``review.vigilance_rate``."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment as it stands now."""

    id: str
    purpose: str
    place: str
    authorising_officer: str
    watchlists: tuple[ListVersion, ...]
    """The lists as they stood at the opening."""
    starts_at: datetime
    ends_at: datetime
    cooldown_seconds: float
    site: str
    reviewers: int
    officers_before_adjudication: bool
    vigilance_rate: float
    state: DeploymentState
    opened_by: str
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    close_reason: str | None
    cameras: tuple[CameraCount, ...]

    @property
    def list_ids(self) -> tuple[str, ...]:
        """The watchlists it searches."""
        return tuple(entry.watchlist for entry in self.watchlists)


def state_of(stored: str, starts_at: datetime, ends_at: datetime, now: datetime) -> DeploymentState:
    """Return the state that follows from what is stored (``open``, ``ended``, ``stopped``) and the clock."""
    if stored != "open":
        return DeploymentState(stored)
    if now >= ends_at:
        return DeploymentState.ENDED
    return DeploymentState.RUNNING if now >= starts_at else DeploymentState.SCHEDULED


def load_deployments(connection: sa.Connection, rows: Sequence[sa.Row[Any]], now: datetime) -> tuple[Deployment, ...]:
    """Make deployments of rows of the ``deployment`` table, in their order, with their lists and cameras."""
    ids = [row.id for row in rows]
    lists: dict[str, list[ListVersion]] = {}
    for entry in connection.execute(
        sa.select(deployment_watchlist)
        .where(deployment_watchlist.c.deployment_id.in_(ids))
        .order_by(deployment_watchlist.c.watchlist_id)
    ):
        lists.setdefault(entry.deployment_id, []).append(ListVersion(entry.watchlist_id, entry.version_at_open))
    cameras: dict[str, list[CameraCount]] = {}
    for count in connection.execute(
        sa.select(camera_count).where(camera_count.c.deployment_id.in_(ids)).order_by(camera_count.c.camera_id)
    ).mappings():
        counted = {name: count[name] for name in CameraCount.__slots__}
        cameras.setdefault(count["deployment_id"], []).append(CameraCount(**counted))
    return tuple(
        _deployment(row._mapping, tuple(lists.get(row.id, ())), tuple(cameras.get(row.id, ())), now) for row in rows
    )


def load_deployment(connection: sa.Connection, deployment_id: str, now: datetime) -> Deployment | None:
    """Read one deployment, or None."""
    rows = connection.execute(sa.select(deployment).where(deployment.c.id == deployment_id)).all()
    return load_deployments(connection, rows, now)[0] if rows else None


def _deployment(
    row: sa.RowMapping, lists: tuple[ListVersion, ...], cameras: tuple[CameraCount, ...], now: datetime
) -> Deployment:
    same = ("id", "purpose", "place", "site", "authorising_officer", "starts_at", "ends_at", "cooldown_seconds")
    review = ("reviewers", "officers_before_adjudication", "vigilance_rate")
    closing = ("opened_by", "opened_at", "closed_at", "closed_by", "close_reason")
    return Deployment(
        watchlists=lists,
        state=state_of(row["state"], row["starts_at"], row["ends_at"], now),
        cameras=cameras,
        **{name: row[name] for name in same + review + closing},
    )
