"""Figures of a period for oversight: what was used, what it found, how often it was wrong, how long people took.

Promises: all figures of an answer are of one snapshot of the database, so they add up; reading them is an event before
they are given out; who asks with a scope is counted what is within it; retention does not change them, save that what
nobody decided in time turns from pending to unreviewed.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from frs.audit.actions import Action
from frs.audit.log import AuditLog
from frs.errors import FrsError, Reason
from frs.oversight import counting
from frs.oversight.counting import Scope
from frs.oversight.figures import DeploymentFigures, ListFigures, PeriodFigures
from frs.oversight.tallying import Tallies
from frs.oversight.vigilance_figures import vigilance
from frs.settings import StatisticsSettings
from frs.store.database import Database
from frs.store.schema import deployment
from frs.types import Actor, Event, Json, References


class Statistics:
    """Reads figures. Thread-safe."""

    def __init__(self, database: Database, audit: AuditLog, settings: StatisticsSettings) -> None:
        self._database, self._audit, self._settings = database, audit, settings

    def read(self, actor: Actor, since: datetime, until: datetime, deployment_id: str | None = None) -> PeriodFigures:
        """Return the figures from ``since`` on and before ``until``, of one deployment or all.

        Logged as ``statistics.read``. FrsError INVALID_FIELD for a period that does not end after it begins,
        DEPLOYMENT_NOT_FOUND, LOG_UNAVAILABLE, STORAGE_*.
        """
        if since >= until:
            raise FrsError(Reason.INVALID_FIELD, "The period does not end after it begins.", field="until")
        found = self._read(Scope(since, until, deployment_id, actor.scope))
        asked: dict[str, Json] = {"since": since.isoformat(), "until": until.isoformat()}
        event = Event(Action.STATISTICS_READ, actor, References(deployment=deployment_id), asked)
        self._database.write(lambda tx: self._audit.append(tx, event))
        return found

    def _read(self, scope: Scope) -> PeriodFigures:
        with self._database.read() as connection:
            _require(connection, scope)
            tallies = counting.tally(connection, scope)
            rows = counting.deployments(connection, scope, tallies.deployments())
            lists = counting.lists_of(connection, scope)
            searches = counting.searches(connection, scope) if scope.whole else None
            checks = vigilance(connection, scope) if scope.whole else None
        return PeriodFigures(
            since=scope.since,
            until=scope.until,
            total=tallies.figures(),
            deployments=tuple(_deployment(row, lists.get(row.id, ()), tallies) for row in rows),
            reviewers=tallies.breakdown("reviewer"),
            groups=tallies.breakdown("group"),
            searches=searches,
            vigilance=checks,
            least_published=self._settings.least_published,
        )


def _deployment(row: sa.Row[Any], lists: tuple[ListFigures, ...], tallies: Tallies) -> DeploymentFigures:
    return DeploymentFigures(
        deployment=row.id,
        purpose=row.purpose,
        place=row.place,
        authorising_officer=row.authorising_officer,
        starts_at=row.starts_at,
        ends_at=row.closed_at or row.ends_at,
        watchlists=lists,
        figures=tallies.figures(row.id),
        cameras=tallies.breakdown("camera", row.id),
        reviewers=tallies.breakdown("reviewer", row.id),
        groups=tallies.breakdown("group", row.id),
    )


def _require(connection: sa.Connection, scope: Scope) -> None:
    name = scope.deployment
    asked = sa.and_(deployment.c.id == name, scope.of(deployment.c.id))
    if name is not None and connection.scalar(sa.select(deployment.c.id).where(asked)) is None:
        raise FrsError(Reason.DEPLOYMENT_NOT_FOUND, f"There is no deployment {name}.", deployment=name)
