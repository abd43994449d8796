"""An explanation of one match, for the person who decides: figures, and the same in sentences.

The sentences stand in the order in which they are to be read: what was compared, the score, what such a score means,
how well the subject is told from the next, how good the pictures are, and what the figures do not say. They name
nobody. ``docs/explanations.md`` explains each.
"""

from __future__ import annotations

from dataclasses import dataclass

from frs.review.score_meaning import ScoreMeaning
from frs.types import Candidate, Quality

OLD_DAYS = 5 * 365
"""A reference older than this is said to be old: faces change with the years."""
_CAUTION = (
    "A score says how alike two pictures are to this model, and not who a person is: compare the faces, and decide on"
    " what you see."
)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why the system proposed somebody."""

    case: str
    candidate: Candidate
    meaning: ScoreMeaning
    seen_seconds: float
    """From the first to the last usable frame; 0 for a still."""
    reference_taken_on: str
    """ISO 8601 date; empty where the reference is no longer held."""
    reference_age_days: int | None
    """Days between that and the probe's capture; None where either is not known."""
    reference_source: str
    sentences: tuple[str, ...]
    saliency_png: bytes = b""
    """See :mod:`frs.review.saliency`; empty unless it was asked for."""


def sentences_for(
    candidate: Candidate,
    meaning: ScoreMeaning,
    seen_seconds: float,
    reference: tuple[str, str, int | None],
    with_map: bool = False,
) -> tuple[str, ...]:
    """Return the sentences. ``reference`` is its source, date and age in days."""
    said = [_compared(candidate, seen_seconds, reference), _score(candidate), *_meaning(meaning), *_margin(candidate)]
    said.append(f"Picture of the person: {_quality(candidate.probe_quality)}.")
    said.append(f"Reference: {_quality(candidate.reference_quality)}.")
    if with_map:
        said.append(
            "The map shows where covering a region of the face loses most of the likeness: there the model found it,"
            " which is not to say that the faces agree there."
        )
    if candidate.notice:
        said.append(candidate.notice)
    return (*said, _CAUTION)


def _compared(candidate: Candidate, seen_seconds: float, reference: tuple[str, str, int | None]) -> str:
    source, taken_on, age = reference
    if candidate.frames > 1:
        probe = f"The best {candidate.frames} frames of a person who was in sight for {seen_seconds:.1f} seconds were"
    else:
        probe = "One picture of a person was"
    about = ""
    if taken_on:
        about = f" from {source}, taken on {taken_on}"
        if age is not None:
            about += f", {_years(age)} before"
            about += ": faces change over so long a time" if age > OLD_DAYS else ""
    return f"{probe} compared with one reference photograph{about}."


def _score(candidate: Candidate) -> str:
    return (
        f"The score is {candidate.score:.3f}, which is {candidate.score - candidate.threshold:.3f} above the"
        f" {candidate.threshold:.3f} from which the watchlist proposes somebody."
    )


def _meaning(meaning: ScoreMeaning) -> list[str]:
    if not meaning.calibrated:
        return [
            "How often strangers score this high is not known: the model that made the score has no calibration of its"
            " own. Do not read the score as a probability."
        ]
    lower, upper = meaning.false_match_rate_95
    if meaning.false_match_rate > 0:
        often = _share(meaning.false_match_rate, "comparisons")
        said = [f"Two strangers' faces score this high in {often} (95% interval: {_share(lower)} to {_share(upper)})."]
    else:
        most = _share(upper, "comparisons")
        said = [f"Two strangers' faces never scored this high: they do in at most {most} (95%)."]
    said.append(f"Counted in {meaning.basis}.")
    if meaning.gallery_size:
        people = "one person" if meaning.gallery_size == 1 else f"{meaning.gallery_size:,} people"
        low, high = meaning.stranger_rate_95
        found, between = f"at most {_share(high, 'strangers')}", ""
        if meaning.stranger_rate > 0:
            found, between = _share(meaning.stranger_rate, "strangers"), f" ({_share(low)} to {_share(high)})"
        said.append(f"With {people} on the lists searched, {found} would find somebody at this score{between}.")
    return said


def _margin(candidate: Candidate) -> list[str]:
    less = [] if candidate.margin is None else [f"The next person on the lists scores {candidate.margin:.3f} less."]
    if candidate.rank > 1:
        higher = "One candidate of the list scores" if candidate.rank == 2 else f"{candidate.rank - 1} candidates score"
        return [f"{higher} higher than this one.", *less]
    return less or ["There is nobody else on the lists searched to tell this person from."]


def _quality(quality: Quality) -> str:
    turned = "frontal" if quality.pose < 0.15 else "slightly turned" if quality.pose < 0.35 else "turned"
    light = "dark" if quality.brightness < 70 else "bright" if quality.brightness > 190 else "evenly lit"
    return f"the face is {quality.size:.0f} pixels wide, {turned} and {light}, sharpness {quality.sharpness:.0f}"


def _share(rate: float, of: str = "") -> str:
    """Return a rate as people say it: "1 of 12,000 strangers", to two figures; "35% of strangers" if common."""
    if rate > 0.1:
        return f"{rate:.0%} of {of}" if of else f"{rate:.0%}"
    chances = 1 / rate
    digits = max(0, len(str(int(chances))) - 2)
    return f"1 of {round(chances / 10**digits) * 10**digits:,} {of}".rstrip()


def _years(days: int) -> str:
    if days < 60:
        return f"{days} days"
    return f"{days // 30} months" if days < 730 else f"{days // 365} years"
