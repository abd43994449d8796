"""A case: something for people to decide, and what each of them saw and decided.

States::

    pending --claim--> claimed --decide--> adjudicated      when enough independent reviewers agree
       ^                  |---decide--> pending             when more are needed
       |---release, or the claim ends---|
    pending, claimed --> expired       a live alert that nobody decided while it was worth acting on
    pending, claimed --> unreviewed    its retention ended

With two reviewers needed, two who agree settle a case; where they differ a third decides with them, and what two of
three say stands. Three different answers are *cannot tell*: nobody is stopped on that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from frs.types import Candidate, Json


class CaseKind(StrEnum):
    """What it is about."""

    ALERT = "alert"
    CANDIDATES = "candidates"
    """One face of a retrospective job with the candidates found for it."""
    VIGILANCE = "vigilance"
    """A known pair, shown as an alert: nobody but oversight is told."""


class CaseState(StrEnum):
    """Where it stands."""

    PENDING = "pending"
    CLAIMED = "claimed"
    ADJUDICATED = "adjudicated"
    EXPIRED = "expired"
    UNREVIEWED = "unreviewed"


OPEN = frozenset({CaseState.PENDING, CaseState.CLAIMED})


class Decision(StrEnum):
    """What a reviewer, or the reviewers together, decided."""

    TRUE = "true"
    """The person is the subject; of a candidate list: is the one named."""
    FALSE = "false"
    CANNOT_TELL = "cannot-tell"


class Feature(StrEnum):
    """What facial comparison looks at one by one (after FISWG's feature list for morphological analysis)."""

    FACE_SHAPE = "face-shape"
    FOREHEAD_AND_HAIRLINE = "forehead-and-hairline"
    EYEBROWS = "eyebrows"
    EYES = "eyes"
    NOSE = "nose"
    MOUTH = "mouth"
    CHIN_AND_JAW = "chin-and-jaw"
    EARS = "ears"
    MARKS = "marks"


class Finding(StrEnum):
    """What a comparison of one feature gave."""

    AGREES = "agrees"
    DIFFERS = "differs"
    NOT_VISIBLE = "not-visible"


class Occlusion(StrEnum):
    """What hides a part of the face."""

    NONE = "none"
    HAIR = "hair"
    GLASSES = "glasses"
    MASK = "mask"
    HEADWEAR = "headwear"
    HAND_OR_OBJECT = "hand-or-object"
    SHADOW = "shadow"


class SeenQuality(StrEnum):
    """How good a picture is to a person who compares it."""

    GOOD = "good"
    USABLE = "usable"
    POOR = "poor"


@dataclass(frozen=True, slots=True)
class Observation:
    """What a reviewer sees, recorded before they are shown the score."""

    features: Mapping[Feature, Finding]
    probe_quality: SeenQuality
    reference_quality: SeenQuality
    occlusions: frozenset[Occlusion]
    """Never empty; NONE stands alone."""
    note: str = ""
    observed_at: datetime | None = None
    """Filled in when it is recorded."""

    def as_json(self) -> dict[str, Json]:
        """Return it as it is stored and logged."""
        return {
            "features": {str(feature): str(finding) for feature, finding in self.features.items()},
            "probe_quality": str(self.probe_quality),
            "reference_quality": str(self.reference_quality),
            "occlusions": [*sorted(str(each) for each in self.occlusions)],
            "note": self.note,
        }


@dataclass(frozen=True, slots=True)
class ReviewerDecision:
    """One reviewer's work on a case, once decided."""

    reviewer: str
    decision: Decision
    reason: str
    """Empty once what names the person was erased."""
    observation: Observation | None
    """None once it was erased."""
    decided_at: datetime
    look_seconds: float
    """From being shown the images to the decision."""
    chosen_subject: str | None
    """In a candidate list decided true: bare id of the subject."""


@dataclass(frozen=True, slots=True)
class Case:
    """A case as one person may see it."""

    id: str
    kind: CaseKind
    """A vigilance check is an ``alert`` to everybody it is shown to."""
    state: CaseState
    grading: str
    deployment: str | None
    camera: str
    """Of an alert; for a candidate list the file's name."""
    captured_at: datetime | None
    opened_at: datetime
    escalates_at: datetime | None
    escalations: int
    stale_at: datetime | None
    claimed_by: str | None
    claim_until: datetime | None
    reviewers: int
    """How many independent reviewers must decide."""
    decided: int
    """How many have."""
    candidates: tuple[Candidate, ...]
    """While ``withheld``: score, threshold and frames 0, margin None, ordered by nominal and ranked so."""
    withheld: bool
    observation: Observation | None
    """The caller's own."""
    decision: Decision | None
    decisions: tuple[ReviewerDecision, ...]
    """Every reviewer's, once the case is closed; before, none: the second must not see the first's."""
    chosen_subject: str | None
    closed_at: datetime | None
    job: str | None


@dataclass(frozen=True, slots=True)
class Pictures:
    """What a reviewer looks at."""

    probe: bytes
    """JPEG of the face, every other face in it blurred."""
    frame: bytes = b""
    """JPEG of the frame, every face but this one blurred; empty where none was kept."""
    references: Mapping[str, bytes] = field(default_factory=dict)
    """JPEG of each candidate's reference face, by reference id."""


@dataclass(frozen=True, slots=True)
class ShownCase:
    """A case with its pictures, where the caller may see them."""

    case: Case
    pictures: Pictures | None = None
