"""An assignment: an alert that is sent to the officers of its deployment.

States::

    offered --acknowledge--> acknowledged --engage--> engaged
    offered, acknowledged --> withdrawn      its alert was decided otherwise, expired or was erased

One officer acknowledges it, and the same officer says what came of it: also of one that was withdrawn after they had
taken it, because they may have spoken to the person by then.

It carries no score and no threshold. A person has compared the faces before it is offered, unless the deployment's
policy sends alerts to officers at once; the officer forms a view of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from frs.review.alert import AlertState
from frs.store.schema import alert, assignment, deployment, subject
from frs.types import ListVersion, References


class AssignmentState(StrEnum):
    """Where it stands."""

    OFFERED = "offered"
    ACKNOWLEDGED = "acknowledged"
    ENGAGED = "engaged"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Assignment:
    """An assignment without its pictures."""

    id: str
    alert: str
    deployment: str
    place: str
    camera: str
    captured_at: datetime
    grading: str
    nominal: str
    watchlist: str
    watchlist_version: int
    justification: str
    """Why the person is on the list; empty once it was erased."""
    state: AssignmentState
    adjudicated: bool
    """Whether reviewers decided that it is the person."""
    adjudication_reason: str
    """What they gave as their reason; empty before, and once it was erased."""
    offered_at: datetime
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    engagement: str | None
    """``confirmed-true``, ``confirmed-false`` or ``not-engaged``."""
    engaged_at: datetime | None
    engagement_note: str
    self_defined_group: str | None
    notice: str
    """A warning about the model that is shown with the result; may be empty."""

    @property
    def references(self) -> References:
        """What an event about it refers to."""
        listed = ListVersion(self.watchlist, self.watchlist_version)
        return References((listed,), (self.nominal,), self.deployment, self.alert)


@dataclass(frozen=True, slots=True)
class ShownAssignment:
    """An assignment with what the officer looks at."""

    assignment: Assignment
    probe: bytes
    """JPEG of the face on the camera, every other face in it blurred."""
    reference: bytes
    """JPEG of the reference face as it was when the alert was raised."""


@dataclass(frozen=True, slots=True)
class AssignmentEntry:
    """One change of one assignment, in the order of commits."""

    position: int
    change: str
    """``offered``, ``adjudicated``, ``acknowledged``, ``engaged`` or ``withdrawn``."""
    assignment: Assignment
    """As it stands now."""


_DECIDED_TRUE = (AlertState.TRUE, AlertState.CONFIRMED_TRUE, AlertState.CONFIRMED_FALSE, AlertState.UNCONFIRMED)
_AS_STORED = ("id", "offered_at", "acknowledged_by", "acknowledged_at", "engagement")

READ: sa.Select[Any] = sa.select(
    *(assignment.c[name] for name in _AS_STORED),
    assignment.c.state,
    assignment.c.alert_id,
    assignment.c.deployment_id,
    deployment.c.place,
    alert.c.camera_id,
    alert.c.captured_at,
    alert.c.grading,
    alert.c.nominal,
    alert.c.watchlist_id,
    alert.c.watchlist_version,
    sa.case((alert.c.erased_at.is_(None), subject.c.justification), else_="").label("justification"),
    alert.c.state.label("alert_state"),
    alert.c.adjudication_reason,
    alert.c.engagement_at,
    alert.c.engagement_note,
    alert.c.self_defined_group,
    alert.c.notice,
).select_from(
    assignment.join(alert, alert.c.id == assignment.c.alert_id)
    .join(deployment, deployment.c.id == assignment.c.deployment_id)
    .outerjoin(subject, subject.c.id == alert.c.subject_id)
)
"""What :func:`assignment_from` reads."""


def assignment_from(row: sa.Row[Any]) -> Assignment:
    """Make an assignment of a row of :data:`READ`."""
    values = row._mapping
    adjudicated = AlertState(values["alert_state"]) in _DECIDED_TRUE
    return Assignment(
        alert=values["alert_id"],
        deployment=values["deployment_id"],
        place=values["place"],
        camera=values["camera_id"],
        captured_at=values["captured_at"],
        grading=values["grading"],
        nominal=values["nominal"],
        watchlist=values["watchlist_id"],
        watchlist_version=values["watchlist_version"],
        justification=values["justification"] or "",
        state=AssignmentState(values["state"]),
        adjudicated=adjudicated,
        adjudication_reason=(values["adjudication_reason"] or "") if adjudicated else "",
        engaged_at=values["engagement_at"] if values["engagement"] is not None else None,
        engagement_note=values["engagement_note"] or "",
        self_defined_group=values["self_defined_group"],
        notice=values["notice"],
        **{name: values[name] for name in _AS_STORED},
    )
