"""Values that cross from one room to another: frozen, typed, free of any library's objects but numpy's.

Vocabulary follows ISO/IEC 19795 and NIST FRVT: probe, candidate, template, threshold.
Pictures are uint8 RGB arrays of shape (height, width, 3), upright (EXIF already applied).
Templates are float32 arrays of shape (dimension,), of unit Euclidean length; scores are cosines in [-1, 1].
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
Template = npt.NDArray[np.float32]
T = TypeVar("T")
Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


def new_id() -> str:
    """Return a random 128-bit identifier as 32 lower-case hexadecimal digits."""
    return secrets.token_hex(16)


class Mode(StrEnum):
    """The three ways a face is searched; thresholds are set for each."""

    LIVE = "live"
    RETROSPECTIVE = "retrospective"
    OPERATOR = "operator"


class Role(StrEnum):
    """What an identity may be. The method table maps RPCs to roles."""

    FEED = "feed"
    OFFICER = "officer"
    INVESTIGATOR = "investigator"
    REVIEWER = "reviewer"
    WATCHLIST_MANAGER = "watchlist-manager"
    AUTHORISING_OFFICER = "authorising-officer"
    OVERSIGHT = "oversight"
    DATA_PROTECTION_OFFICER = "data-protection-officer"
    ADMINISTRATOR = "administrator"


@dataclass(frozen=True, slots=True)
class Scope:
    """What somebody may act on: watchlists, and deployments by their name or by their site. None sets no limit."""

    watchlists: frozenset[str] | None = None
    deployments: frozenset[str] | None = None
    sites: frozenset[str] | None = None

    @property
    def unlimited(self) -> bool:
        """Whether it limits nothing."""
        return self.watchlists is None and self.deployments is None and self.sites is None

    def has_watchlist(self, watchlist: str) -> bool:
        """Whether the watchlist is within it."""
        return self.watchlists is None or watchlist in self.watchlists

    def has_deployment(self, deployment: str, site: str) -> bool:
        """Whether a deployment at a site (empty for none) is within it: named itself, or by its site."""
        if self.deployments is None and self.sites is None:
            return True
        return deployment in (self.deployments or ()) or (site != "" and site in (self.sites or ()))


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. Made at the edge from a verified credential, never from a request field."""

    name: str
    roles: frozenset[Role]
    credential: str
    """How the identity was proven: ``certificate:<serial hex>``, ``token:<id>`` (with ``+certificate:<serial hex>``
    where the connection carried one too) or ``loopback``; ``system`` for the service itself."""
    scope: Scope = Scope()
    """What it may act on."""

    @classmethod
    def system(cls) -> Actor:
        """Return the service itself as the actor of what it does on its own (expiry, recovery)."""
        return cls("frs-system", frozenset(), "system")


class QualityReason(StrEnum):
    """Why a detected face was not used."""

    TOO_SMALL = "too-small"
    TOO_BLURRED = "too-blurred"
    TOO_DARK = "too-dark"
    TOO_BRIGHT = "too-bright"
    EXTREME_POSE = "extreme-pose"
    LOW_CONFIDENCE = "low-confidence"
    CUT_OFF = "cut-off"


@dataclass(frozen=True, slots=True)
class Quality:
    """One face's quality record."""

    size: float
    """Shorter side of the face box, in pixels of the upright picture."""
    sharpness: float
    """Variance of the Laplacian of the aligned grey face, at a fixed scale (unit: grey levels squared)."""
    pose: float
    """Deviation from frontal from the five landmarks: 0 is frontal, 1 is profile."""
    brightness: float
    """Mean grey level of the aligned face, 0 to 255."""
    detector_score: float
    """The detector's confidence, 0 to 1."""
    reasons: tuple[QualityReason, ...] = ()
    """Why the face is not used; empty when it is."""

    @property
    def usable(self) -> bool:
        """Whether the face may be matched."""
        return not self.reasons

    def as_json(self) -> dict[str, Json]:
        """Return the record as it is stored and logged, rounded to four decimals."""
        return {
            "size": round(self.size, 4),
            "sharpness": round(self.sharpness, 4),
            "pose": round(self.pose, 4),
            "brightness": round(self.brightness, 4),
            "detector_score": round(self.detector_score, 4),
            "reasons": [str(r) for r in self.reasons],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Json]) -> Quality:
        """Read a record written by :meth:`as_json`."""
        reasons = value["reasons"]
        assert isinstance(reasons, list)
        return cls(
            size=float(value["size"]),  # type: ignore[arg-type]  # written by as_json as numbers
            sharpness=float(value["sharpness"]),  # type: ignore[arg-type]
            pose=float(value["pose"]),  # type: ignore[arg-type]
            brightness=float(value["brightness"]),  # type: ignore[arg-type]
            detector_score=float(value["detector_score"]),  # type: ignore[arg-type]
            reasons=tuple(QualityReason(str(r)) for r in reasons),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """A detected face: where, how good, and its aligned crop ready for the recogniser."""

    box: tuple[float, float, float, float]
    """x1, y1, x2, y2 in pixels of the upright picture."""
    landmarks: npt.NDArray[np.float32]
    """(5, 2): left eye, right eye, nose tip, left and right mouth corner (the viewer's left), in pixels."""
    quality: Quality
    aligned: npt.NDArray[np.uint8]
    """(S, S, 3) RGB in the recogniser's input size, aligned by a similarity transform."""


@dataclass(frozen=True, slots=True)
class ThresholdDefault:
    """A threshold a pack ships for a mode, with the data behind it."""

    mode: Mode
    score: float
    basis: str
    """What it was measured on and what it gives, in a sentence."""


@dataclass(frozen=True, slots=True)
class ScoreCurve:
    """How often the faces of two strangers score how high, as it was counted for a model and scoring profile."""

    of: str
    """``single`` (two photographs) or ``track`` (the mean over a track's best frames against a photograph)."""
    comparisons: int
    """Comparisons of two different people."""
    people: int
    """Among whom they were made."""
    points: tuple[tuple[float, int], ...]
    """Ascending scores, and how many comparisons scored as high or higher."""
    basis: str
    """What it was measured on, and when."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The model version and scoring profile that a score belongs to."""

    pack: str
    version: str
    """First 12 hexadecimal digits of the SHA-256 over the pack's recogniser and detector files and preprocessing."""
    dimension: int
    profile: str
    """Scoring profile: how a face's pixels become a score (``plain`` or ``mirror``)."""
    provider: str
    """The ONNX Runtime execution provider in use, e.g. ``CPUExecutionProvider``."""
    notice: str = ""
    """A warning to show with every result made with this pack; empty when there is none."""
    thresholds: tuple[ThresholdDefault, ...] = ()
    curves: tuple[ScoreCurve, ...] = ()
    """At most one of each kind; none where the pack has no calibration for the profile."""

    @property
    def id(self) -> str:
        """``pack@version``: what thresholds and templates are tied to."""
        return f"{self.pack}@{self.version}"

    def default_threshold(self, mode: Mode) -> ThresholdDefault | None:
        """Return the pack's own threshold for a mode, or None when it has no calibration."""
        return next((t for t in self.thresholds if t.mode is mode), None)


@dataclass(frozen=True, slots=True)
class Threshold:
    """A decision threshold, tied to what it was set for."""

    mode: Mode
    score: float
    model: str
    """``ModelInfo.id`` it was set for."""
    profile: str
    source: str
    """``explicit`` or ``pack-default``."""


@dataclass(frozen=True, slots=True)
class ListVersion:
    """A watchlist as it stood when it was searched."""

    watchlist: str
    version: int


@dataclass(frozen=True, slots=True)
class Hit:
    """The best reference of one subject of one watchlist for one query, as the index returns it."""

    watchlist: str
    subject: str
    reference: str
    """Identifier of the reference image whose template scored best."""
    score: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """A subject whose score reached the threshold, with all that explains the match."""

    rank: int
    watchlist: str
    watchlist_version: int
    subject: str
    nominal: str
    grading: str
    reference: str
    score: float
    threshold: float
    margin: float | None
    """Score minus that of the next subject in the lists searched; None when there is no other subject."""
    model: str
    profile: str
    probe_quality: Quality
    reference_quality: Quality
    notice: str = ""
    frames: int = 1
    """How many frames of the track were averaged into the score; 1 for a still."""


@dataclass(frozen=True, slots=True)
class References:
    """What an event concerns, for filters. People are nominals here and pseudonyms in the log."""

    watchlists: tuple[ListVersion, ...] = ()
    subjects: tuple[str, ...] = ()
    """Nominal references; the log turns them into keyed pseudonyms."""
    deployment: str | None = None
    alert: str | None = None
    search: str | None = None
    job: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """An act to be recorded in the audit log, before it has an index or a time."""

    action: str
    """A value of :class:`frs.audit.actions.Action`."""
    actor: Actor
    references: References = field(default_factory=References)
    payload: Mapping[str, Json] = field(default_factory=dict)
    """What may name people and carry reasons: sealed under the event's own key, committed to by the leaf."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a listing."""

    items: tuple[T, ...]
    next_token: str
    """Opaque; empty on the last page."""
    total: int | None = None


@dataclass(frozen=True, slots=True)
class SearchAuthority:
    """Why a search is made; carried by every retrospective search."""

    reason: str
    incident: str
    authorisation: str
    authorisation_expires: datetime
