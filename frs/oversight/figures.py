"""Figures of use, accuracy and review, as oversight reads them; docs/statistics.md defines each.

South Wales Police's definitions: an alert is a *true* or a *false alert* by its adjudication, and *confirmed* true or
false by what came of speaking to the person. No name of a member of the public is in any of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Rate:
    """A share with its 95 % interval."""

    numerator: int
    denominator: int
    rate: float | None
    """None where the denominator is 0, or below the numerator at a period's edge; the interval is then 0 to 1."""
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class ResponseTimes:
    """How long something took, seconds; all 0 when it never happened."""

    count: int = 0
    median_seconds: float = 0.0
    p90_seconds: float = 0.0
    """The least time within which nine of ten were done."""
    longest_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Figures:
    """What was counted.

    ``alerts`` = ``pending`` + ``true_alerts`` + ``false_alerts`` + ``cannot_tell`` + ``expired`` + ``unreviewed``.
    """

    faces_seen: int
    alerts: int
    pending: int
    true_alerts: int
    """Adjudicated true, whatever came of it: the three that follow are among them."""
    false_alerts: int
    """Adjudicated false."""
    confirmed_true: int
    confirmed_false: int
    unconfirmed: int
    """Nobody engaged."""
    unreviewed: int
    """Nobody decided before the retention of the alert ended."""
    cannot_tell: int
    """Adjudicated, and the pictures did not tell."""
    expired: int
    """Nobody decided while it was worth acting on."""
    escalated: int
    """Had to escalate before somebody took them, whatever became of them: not a state of their own."""
    false_alerts_per_face: Rate
    """Adjudicated false or confirmed false, over faces seen."""
    false_alerts_per_alert: Rate
    """The same over alerts."""
    to_adjudication: ResponseTimes
    """From the alert to its adjudication."""
    to_engagement: ResponseTimes
    """From the adjudication to the record of the engagement."""


@dataclass(frozen=True, slots=True)
class NamedFigures:
    """The figures of one camera, reviewer or group."""

    name: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class ListFigures:
    """A watchlist as it stood when the deployment was opened."""

    watchlist: str
    category: str
    version: int
    subjects: int
    threshold: float
    model: str


@dataclass(frozen=True, slots=True)
class DeploymentFigures:
    """One deployment within the period."""

    deployment: str
    purpose: str
    place: str
    authorising_officer: str
    starts_at: datetime
    ends_at: datetime
    """When it was closed, or else will end."""
    watchlists: tuple[ListFigures, ...]
    figures: Figures
    cameras: tuple[NamedFigures, ...]
    reviewers: tuple[NamedFigures, ...]
    """By who adjudicated: for oversight, not for publication. Faces are nobody's."""
    groups: tuple[NamedFigures, ...]
    """By self-defined group, where one was recorded. Faces are no group's: a face has none."""


@dataclass(frozen=True, slots=True)
class SearchFigures:
    """Searches of the period."""

    operator_searches: int
    operator_with_candidates: int
    outcomes_same: int
    outcomes_different: int
    outcomes_cannot_tell: int
    outcomes_owed: int
    outcomes_overdue: int
    """Not recorded in time, whether or not they were recorded later."""
    jobs: int
    still_searches: int
    candidate_lists: int
    """Faces of jobs for which somebody was found: each is a case for review. How they were adjudicated follows."""
    candidate_lists_true: int
    candidate_lists_false: int
    candidate_lists_cannot_tell: int
    candidate_lists_unreviewed: int


@dataclass(frozen=True, slots=True)
class VigilanceFigures:
    """How one reviewer did on known pairs that were shown as alerts. For oversight, never for publication."""

    reviewer: str
    checks: int
    hits: Rate
    """Pairs of one person that were decided true, over those shown."""
    false_accepts: Rate
    """Pairs of two people that were decided true, over those shown."""
    cannot_tell: int
    look: ResponseTimes
    """How long the reviewer looked, from being shown the pictures to the decision."""


@dataclass(frozen=True, slots=True)
class PeriodFigures:
    """All of a period: from ``since`` on and before ``until``."""

    since: datetime
    until: datetime
    total: Figures
    deployments: tuple[DeploymentFigures, ...]
    """By start."""
    reviewers: tuple[NamedFigures, ...]
    groups: tuple[NamedFigures, ...]
    searches: SearchFigures | None
    """None when one deployment was asked for: searches belong to none."""
    vigilance: tuple[VigilanceFigures, ...] | None
    """By reviewer; None when one deployment was asked for: checks belong to nobody's use of the system."""
    least_published: int
    """A part of a breakdown with fewer alerts is not to be published."""
