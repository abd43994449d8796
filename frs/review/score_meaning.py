"""What a score means for the model that made it: how often strangers score as high.

The false match rate (FMR, ISO/IEC 19795-1) at a score is read off the curve that the pack's manifest carries
(``calibration.curves``), between two counted points by a straight line in the logarithm of the count; its interval is
that of Clopper and Pearson for the comparisons counted. With ``N`` people on the lists searched, a stranger finds
somebody at this score or above with the rate ``1 - (1 - FMR)^N`` (the false-positive identification rate, FPIR), as if
the ``N`` comparisons were independent and each person had one reference. ``docs/explanations.md`` says what both leave
out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from frs.match.binomial import clopper_pearson
from frs.types import Candidate, ModelInfo, ScoreCurve


@dataclass(frozen=True, slots=True)
class ScoreMeaning:
    """How often strangers score this high."""

    calibrated: bool
    """Without a curve of the model that made the score nothing is known: rates are 0 to 1 then."""
    false_match_rate: float
    """Of one comparison of two strangers."""
    false_match_rate_95: tuple[float, float]
    gallery_size: int
    """People on the lists that were searched."""
    stranger_rate: float
    """Of one search of a stranger among that many people."""
    stranger_rate_95: tuple[float, float]
    comparisons: int
    """Counted behind the rates."""
    basis: str
    """What was compared, and when."""


def curve_for(model: ModelInfo, candidate: Candidate) -> ScoreCurve | None:
    """Return the curve of the model in use that a candidate's score belongs to: of a track when it averages frames.

    None when another model or profile made the score, or the pack has no such curve.
    """
    if (candidate.model, candidate.profile) != (model.id, model.profile):
        return None
    kind = "track" if candidate.frames > 1 else "single"
    return next((curve for curve in model.curves if curve.of == kind), None)


def meaning_of(curve: ScoreCurve | None, score: float, gallery_size: int) -> ScoreMeaning:
    """Return what a score means in a gallery of so many people."""
    if curve is None:
        return ScoreMeaning(False, 0.0, (0.0, 1.0), gallery_size, 0.0, (0.0, 1.0), 0, "")
    count = false_matches(curve, score)
    rate = count / curve.comparisons
    lower, upper = clopper_pearson(count, curve.comparisons)
    kind = "the best frames of drawn tracks with a photograph" if curve.of == "track" else "two photographs"
    return ScoreMeaning(
        calibrated=True,
        false_match_rate=rate,
        false_match_rate_95=(lower, upper),
        gallery_size=gallery_size,
        stranger_rate=in_gallery(rate, gallery_size),
        stranger_rate_95=(in_gallery(lower, gallery_size), in_gallery(upper, gallery_size)),
        comparisons=curve.comparisons,
        basis=f"{curve.comparisons:,} comparisons of {kind}, among {curve.people:,} people; {curve.basis}",
    )


def false_matches(curve: ScoreCurve, score: float) -> float:
    """Return how many of the curve's comparisons score as high: below its first score all, above its last as there."""
    before: tuple[float, int] | None = None
    for at, count in curve.points:
        if at > score:
            if before is None:
                return float(curve.comparisons)
            share = (score - before[0]) / (at - before[0])
            # Towards a point that nobody reached there is no logarithm: the greater count stands.
            return before[1] * (count / before[1]) ** share if count else float(before[1])
        before = (at, count)
    assert before is not None
    return float(before[1])


def in_gallery(rate: float, people: int) -> float:
    """Return ``1 - (1 - rate)^people``, exact for small rates too."""
    return 1.0 if rate >= 1 and people else -math.expm1(people * math.log1p(-rate)) if people else 0.0
