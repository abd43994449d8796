"""What watchlists, subjects and reference images are, as values; and what is asked for to make or change them.

No value here holds a picture, a template or a sealed byte but :class:`ImageDraft`, which is on its way in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from frs.types import Mode, Quality, Threshold


class Grading(StrEnum):
    """How to respond to an alert: red at once, amber arrest, green identify for intelligence."""

    RED = "red"
    AMBER = "amber"
    GREEN = "green"


class WatchlistState(StrEnum):
    """A watchlist's life; only active lists are searched."""

    DRAFT = "draft"
    APPROVED = "approved"
    ACTIVE = "active"
    RETIRED = "retired"


class SubjectState(StrEnum):
    """A subject's life on a watchlist."""

    ENROLLED = "enrolled"
    WITHDRAWN = "withdrawn"
    ERASED = "erased"
    """What named or showed the person is gone: the nominal is a pseudonym."""


@dataclass(frozen=True, slots=True)
class ThresholdSpec:
    """A threshold as it is asked for; what is None is filled in from the model in use."""

    mode: Mode
    score: float | None = None
    """Cosine; None asks for the pack's own default."""
    model: str | None = None
    profile: str | None = None


@dataclass(frozen=True, slots=True)
class WatchlistDraft:
    """A new watchlist's definition."""

    id: str
    """Chosen by people: a letter, then letters, digits and hyphens, lower-case, at most 63."""
    purpose: str
    category: str
    legal_basis: str
    authorising_officer: str
    expires_at: datetime
    grading: Grading = Grading.AMBER
    """Of entries that state none."""
    thresholds: tuple[ThresholdSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class WatchlistChanges:
    """New values of a definition's fields; None leaves a field as it is."""

    purpose: str | None = None
    category: str | None = None
    legal_basis: str | None = None
    authorising_officer: str | None = None
    expires_at: datetime | None = None
    grading: Grading | None = None
    thresholds: tuple[ThresholdSpec, ...] | None = None
    """All of them: a mode that is not among them takes the pack's default when there is one."""


@dataclass(frozen=True, slots=True)
class Watchlist:
    """A watchlist as it stands."""

    id: str
    purpose: str
    category: str
    legal_basis: str
    authorising_officer: str
    grading: Grading
    expires_at: datetime
    state: WatchlistState
    version: int
    """Grows with every change of definition or entries, from 1."""
    revision: int
    """Grows with every change of the templates, from 0: what the index must agree with."""
    thresholds: tuple[Threshold, ...]
    subject_count: int
    """Subjects enrolled and not withdrawn."""
    image_count: int
    created_at: datetime
    created_by: str
    updated_at: datetime
    approved_at: datetime | None
    approved_by: str | None
    activated_at: datetime | None
    retired_at: datetime | None
    reviewed_at: datetime | None
    reviewed_by: str | None
    reviewed_version: int | None

    def expired(self, now: datetime) -> bool:
        """Whether its authority has ended; from that instant on it matches nobody."""
        return now >= self.expires_at


@dataclass(frozen=True, slots=True)
class SubjectDraft:
    """A person to be enrolled."""

    nominal: str
    justification: str
    grading: Grading | None = None
    """None takes the watchlist's."""
    lawfully_held: bool = False
    """The enroller's statement that the images are lawfully held."""
    under_18: bool = False
    under_18_rationale: str = ""


@dataclass(frozen=True, slots=True)
class ImageDraft:
    """A picture to be enrolled."""

    data: bytes
    source: str
    taken_on: str
    """ISO 8601 date."""


@dataclass(frozen=True, slots=True)
class ReferenceImage:
    """An enrolled image: what is known of it, without its pixels."""

    id: str
    subject: str
    watchlist: str
    source: str
    taken_on: str
    sha256: str
    """Of the picture's bytes as they came."""
    quality: Quality
    model: str
    profile: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Subject:
    """A person on a watchlist."""

    id: str
    watchlist: str
    nominal: str
    justification: str
    grading: Grading
    under_18: bool
    under_18_rationale: str
    lawfully_held: bool
    state: SubjectState
    images: tuple[ReferenceImage, ...]
    """Empty once withdrawn or erased."""
    created_at: datetime
    created_by: str
    withdrawn_at: datetime | None
    withdrawn_by: str | None
    withdrawn_reason: str | None


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What came of an enrolment."""

    subject: Subject
    warnings: tuple[str, ...]
    """What a person should look at; nothing was refused for it."""
