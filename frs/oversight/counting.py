"""What the database counts for figures of a period: faces by camera, alerts by state, times in order, searches.

An alert belongs to the period in which it was raised (``created_at``), whatever happened to it later; a face to the
hour in which it was written down, and an hour to the period in which it began. Both lie within [since, until). Alerts
are read from one index that holds all that is needed, so pictures are not paged in, and erased alerts count like any
other: erasure leaves state, times, camera, who decided and the self-defined group.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from frs import types
from frs.access.scoping import of_deployment_within, watchlists_within
from frs.audit.actions import Action
from frs.oversight.figures import ListFigures, SearchFigures
from frs.oversight.tallying import Source, Tallies
from frs.store.schema import (
    alert,
    audit_event,
    camera_hour,
    deployment,
    deployment_watchlist,
    job,
    operator_search,
    review_case,
)

_AT_ONCE = 5000
_UNLIMITED = types.Scope()
_Key: TypeAlias = tuple[str, str, str | None, str | None]
"""Deployment, camera, reviewer, group: the fields of :class:`Source`."""
_SOURCE = (alert.c.deployment_id, alert.c.camera_id, alert.c.adjudicated_by, alert.c.self_defined_group)


@dataclass(frozen=True, slots=True)
class Scope:
    """What is asked for: a period, and one deployment or all, within what the asker is limited to."""

    since: datetime
    until: datetime
    deployment: str | None = None
    limits: types.Scope = _UNLIMITED

    def covers(self, instant: sa.ColumnElement[datetime]) -> sa.ColumnElement[bool]:
        """Whether an instant lies in the period."""
        return sa.and_(instant >= self.since, instant < self.until)

    def of(self, column: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
        """Whether a row is of the deployment, and within the limits."""
        of_one = sa.true() if self.deployment is None else column == self.deployment
        return sa.and_(of_one, of_deployment_within(self.limits, column))

    def of_list(self, column: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
        """Whether a row is of a watchlist within the limits."""
        return watchlists_within(self.limits, column)

    @property
    def whole(self) -> bool:
        """Whether nothing of the installation is left out, so that what belongs to no deployment is counted too."""
        return self.deployment is None and self.limits.unlimited


class SecondsBetween(FunctionElement[float]):
    """Seconds from the first instant to the second, to the millisecond."""

    type = sa.Float()
    name = "seconds_between"
    inherit_cache = True


@compiles(SecondsBetween)
def _in_postgresql(element: SecondsBetween, compiler: SQLCompiler, **options: Any) -> str:
    first, second = (compiler.process(clause, **options) for clause in element.clauses)
    return f"CAST(EXTRACT(EPOCH FROM CAST({second} AS timestamptz) - CAST({first} AS timestamptz)) AS double precision)"


@compiles(SecondsBetween, "sqlite")
def _in_sqlite(element: SecondsBetween, compiler: SQLCompiler, **options: Any) -> str:
    first, second = (compiler.process(clause, **options) for clause in element.clauses)
    return f"((julianday({second}) - julianday({first})) * 86400.0)"


def tally(connection: sa.Connection, scope: Scope) -> Tallies:
    """Count faces and alerts, and take the times."""
    tallies = Tallies()
    faces = sa.select(camera_hour.c.deployment_id, camera_hour.c.camera_id, sa.func.sum(camera_hour.c.faces_seen))
    faces = faces.where(scope.covers(camera_hour.c.hour), scope.of(camera_hour.c.deployment_id))
    for where, camera, seen in connection.execute(faces.group_by(*faces.selected_columns[:2])):
        tallies.add_faces(Source(where, camera), seen)
    of_lists = scope.of_list(alert.c.watchlist_id)
    within = sa.and_(scope.covers(alert.c.created_at), scope.of(alert.c.deployment_id), of_lists)
    counted = sa.select(*_SOURCE, alert.c.state, sa.func.count()).where(within).group_by(*_SOURCE, alert.c.state)
    for *source, state, count in connection.execute(counted):
        tallies.add_alerts(Source(*source), state, count)
    had_to = sa.and_(review_case.c.kind == "alert", review_case.c.escalations > 0)
    escalated = sa.select(*_SOURCE, sa.func.count()).join(review_case, review_case.c.alert_id == alert.c.id)
    for *source, count in connection.execute(escalated.where(had_to, within).group_by(*_SOURCE)):
        tallies.add_escalated(Source(*source), count)
    for key, (to_adjudication, to_engagement) in _times(connection, within).items():
        tallies.add_times(Source(*key), to_adjudication, to_engagement)
    return tallies


def _times(connection: sa.Connection, within: sa.ColumnElement[bool]) -> dict[_Key, tuple[array[float], array[float]]]:
    """Return seconds to adjudication and to engagement by source."""
    adjudicated = SecondsBetween(alert.c.created_at, alert.c.adjudicated_at)
    engaged = SecondsBetween(alert.c.adjudicated_at, alert.c.engagement_at)
    query = sa.select(*_SOURCE, adjudicated, engaged).where(within, alert.c.adjudicated_at.is_not(None))
    found: defaultdict[_Key, tuple[array[float], array[float]]] = defaultdict(lambda: (array("d"), array("d")))
    for partition in connection.execute(query.execution_options(yield_per=_AT_ONCE)).partitions():
        for where, camera, reviewer, group, adjudicated_after, engaged_after in partition:
            to_adjudication, to_engagement = found[where, camera, reviewer, group]
            to_adjudication.append(adjudicated_after)
            if engaged_after is not None and engaged_after >= 0:  # officers may have been sent before reviewers decided
                to_engagement.append(engaged_after)
    return found


def deployments(connection: sa.Connection, scope: Scope, counted: set[str]) -> list[sa.Row[Any]]:
    """Return the deployments that ran within the period or of which something was counted, by start."""
    end = sa.func.coalesce(deployment.c.closed_at, deployment.c.ends_at)
    ran = sa.and_(deployment.c.starts_at < scope.until, end > scope.since)
    found = connection.execute(sa.select(deployment).where(ran, scope.of(deployment.c.id))).all()
    others = sorted(counted - {row.id for row in found})
    for start in range(0, len(others), _AT_ONCE):
        part = others[start : start + _AT_ONCE]
        found = [*found, *connection.execute(sa.select(deployment).where(deployment.c.id.in_(part)))]
    return sorted(found, key=lambda row: (row.starts_at, row.id))


def lists_of(connection: sa.Connection, scope: Scope) -> dict[str, tuple[ListFigures, ...]]:
    """Return each deployment's lists as they stood when it was opened."""
    query = (
        sa.select(deployment_watchlist)
        .where(scope.of(deployment_watchlist.c.deployment_id), scope.of_list(deployment_watchlist.c.watchlist_id))
        .order_by(deployment_watchlist.c.watchlist_id)
    )
    found: dict[str, tuple[ListFigures, ...]] = {}
    for row in connection.execute(query):
        entry = ListFigures(
            watchlist=row.watchlist_id,
            category=row.category,
            version=row.version_at_open,
            subjects=row.subjects_at_open,
            threshold=row.threshold_at_open,
            model=row.model_at_open,
        )
        found[row.deployment_id] = (*found.get(row.deployment_id, ()), entry)
    return found


def searches(connection: sa.Connection, scope: Scope) -> SearchFigures:
    """Count the searches made within the period. Of a search of a still the log's event is all there is."""
    outcome = operator_search.c.outcome
    made = sa.select(outcome, sa.func.count()).where(scope.covers(operator_search.c.created_at)).group_by(outcome)
    outcomes = {row[0]: row[1] for row in connection.execute(made)}
    jobs = sa.select(sa.func.count()).select_from(job).where(scope.covers(job.c.created_at))
    stills = (
        sa.select(sa.func.count())
        .select_from(audit_event)
        .where(audit_event.c.action == str(Action.SEARCH_STILL), scope.covers(audit_event.c.time))
    )
    late = sa.select(sa.func.count()).where(scope.covers(operator_search.c.created_at))
    overdue = late.where(operator_search.c.overdue_at.is_not(None)).select_from(operator_search)
    lists = _candidate_lists(connection, scope)
    total = sum(outcomes.values())
    return SearchFigures(
        operator_searches=total,
        operator_with_candidates=total - outcomes.get("none-owed", 0),
        outcomes_same=outcomes.get("same", 0),
        outcomes_different=outcomes.get("different", 0),
        outcomes_cannot_tell=outcomes.get("cannot-tell", 0),
        outcomes_owed=outcomes.get("owed", 0),
        outcomes_overdue=connection.scalar(overdue) or 0,
        jobs=connection.scalar(jobs) or 0,
        still_searches=connection.scalar(stills) or 0,
        candidate_lists=sum(lists.values()),
        candidate_lists_true=lists["true"],
        candidate_lists_false=lists["false"],
        candidate_lists_cannot_tell=lists["cannot-tell"],
        candidate_lists_unreviewed=lists["unreviewed"],
    )


def _candidate_lists(connection: sa.Connection, scope: Scope) -> Counter[str]:
    """Count the candidate lists that came up within the period, by decision, or by state where there is none."""
    case = review_case.c
    outcome = sa.func.coalesce(case.decision, case.state)
    query = sa.select(outcome, sa.func.count()).where(case.kind == "candidates", scope.covers(case.opened_at))
    return Counter({row[0]: row[1] for row in connection.execute(query.group_by(outcome))})
