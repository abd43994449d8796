"""The retention policy as data: what is kept for how long, from when, and what happens then.

The periods come from ``settings.retention``; where the defaults come from is said in ``docs/retention.md``. What a
person may ask to be erased at once is not a matter of periods: see :mod:`frs.retention.erasure`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from frs.settings import RetentionSettings

_BEFORE_EVERYTHING = datetime(1970, 1, 1, tzinfo=UTC)
"""Nothing began so early; stored instants sort as text, and years of three digits would not."""


class Kind(StrEnum):
    """What retention knows, in the order in which a run goes through it."""

    NON_MATCH = "non-match"
    ALERT_PICTURES = "alert-pictures"
    ALERT = "alert"
    UPLOAD = "upload"
    JOB = "job"
    SEARCH = "search"
    WATCHLIST = "watchlist"
    WITHDRAWN_SUBJECT = "withdrawn-subject"
    HOLD = "hold"
    PAYLOAD = "payload"


@dataclass(frozen=True, slots=True)
class Period:
    """How long one kind of thing is kept."""

    kind: Kind
    hours: float
    """0 for what is never kept."""
    runs_from: str
    """From what the period runs, in words."""
    what_happens: str
    """What is destroyed at its end, and what stays."""

    @property
    def span(self) -> timedelta:
        """The period as a span; one longer than the calendar is the longest there is."""
        return _span(self.hours)

    def due(self, start: datetime) -> datetime:
        """Return when what began at ``start`` falls due."""
        try:
            return start + self.span
        except OverflowError:
            return datetime.max.replace(tzinfo=UTC)

    def cutoff(self, until: datetime) -> datetime:
        """Return the latest start of what has fallen due at ``until``; an instant before everything when none has."""
        try:
            return max(until - self.span, _BEFORE_EVERYTHING)
        except OverflowError:
            return _BEFORE_EVERYTHING


def periods(settings: RetentionSettings) -> tuple[Period, ...]:
    """Return the period of every kind, in the order in which a run goes through them."""
    return (
        Period(
            Kind.NON_MATCH,
            0.0,
            "the search",
            "The face, its pixels and its template are let go when the search is answered; a count stays.",
        ),
        Period(
            Kind.ALERT_PICTURES,
            settings.alert_picture_hours,
            "the alert was raised",
            "Both pictures are destroyed; the alert's record stays.",
        ),
        Period(
            Kind.ALERT,
            settings.alert_hours,
            "the alert was raised",
            "Pictures, the name and every free text are destroyed; a pending alert is closed as unreviewed; scores, "
            "times and the outcome stay for the figures.",
        ),
        Period(
            Kind.UPLOAD,
            settings.upload_hours,
            "the upload was announced",
            "The media that no unfinished job needs are destroyed; the record and its checksum stay.",
        ),
        Period(
            Kind.JOB,
            settings.job_hours,
            "the job ended",
            "Faces, candidates and the reason are destroyed; the job's counts stay.",
        ),
        Period(
            Kind.SEARCH,
            settings.search_hours,
            "the search was made",
            "Candidates, the reason and a kept photograph are destroyed; the fact and the outcome stay.",
        ),
        Period(
            Kind.WATCHLIST,
            settings.watchlist_hours,
            "the list was retired or expired, whichever came first",
            "Everyone's templates, pictures, names and justifications are destroyed, and an expired list is retired; "
            "the list's own row stays, and who was listed when stays in the log under pseudonyms.",
        ),
        Period(
            Kind.WITHDRAWN_SUBJECT,
            settings.withdrawn_hours,
            "the withdrawal, which destroys the biometrics at once",
            "The name and the justification are destroyed; dates stay under a pseudonym.",
        ),
        Period(
            Kind.HOLD,
            settings.withdrawn_hours,
            "the hold was released or ended",
            "The name of the person held and the reasons are destroyed; dates, owner and pseudonym stay.",
        ),
        Period(
            Kind.PAYLOAD,
            settings.payload_hours,
            "the event",
            "The event's sealed payload and its key are destroyed; the leaf stays in the log and still verifies.",
        ),
    )


def _span(hours: float) -> timedelta:
    try:
        return timedelta(hours=hours)
    except OverflowError:
        return timedelta.max
