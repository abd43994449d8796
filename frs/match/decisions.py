"""From the index's hits to candidates: thresholds applied, ranks given, margins measured.

One rule for all three modes. A hit becomes a candidate when its score reaches the threshold of *its* watchlist.
The margin is the distance to the next hit of **another person**: the same nominal may stand in several lists, and
its second entry says nothing about how well the face is told apart from other people. Hits below the threshold
are needed for that margin and appear nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from frs.types import Candidate, Hit, Json, ModelInfo, Quality
from frs.watchlist.searchable import Described, SearchableList


def as_json(entry: SearchableList) -> dict[str, Json]:
    """Return a searched list as events record it: version, and the threshold with what it was set for."""
    threshold = entry.threshold
    return {
        "watchlist": entry.id,
        "version": entry.version,
        "threshold": threshold.score,
        "threshold_source": threshold.source,
        "model": threshold.model,
        "profile": threshold.profile,
    }


def decide(
    hits: Sequence[Hit],
    lists: Sequence[SearchableList],
    described: Mapping[str, Described],
    probe_quality: Quality,
    model: ModelInfo,
    limit: int,
    frames: int = 1,
) -> tuple[Candidate, ...]:
    """Return the hits that reach their list's threshold, best first and ranked from 1, at most ``limit``.

    ``hits`` are the best subjects over ``lists`` in descending order of score, including those below threshold.
    ``described`` tells of each hit's reference (by reference id); a hit it does not know has been withdrawn since
    the search, and one whose list is not among ``lists`` is no longer searched: both are left out altogether.
    ``frames`` is how many frames were averaged into the score.
    """
    searched = {entry.id: entry for entry in lists}
    known = [hit for hit in hits if hit.watchlist in searched and hit.reference in described]
    candidates: list[Candidate] = []
    for place, hit in enumerate(known):
        entry, about = searched[hit.watchlist], described[hit.reference]
        if hit.score < entry.threshold.score or len(candidates) == limit:
            continue
        others = (other.score for other in known[place + 1 :] if described[other.reference].nominal != about.nominal)
        runner_up = next(others, None)
        candidates.append(
            Candidate(
                rank=len(candidates) + 1,
                watchlist=hit.watchlist,
                watchlist_version=entry.version,
                subject=hit.subject,
                nominal=about.nominal,
                grading=about.grading,
                reference=hit.reference,
                score=hit.score,
                threshold=entry.threshold.score,
                margin=None if runner_up is None else hit.score - runner_up,
                model=model.id,
                profile=model.profile,
                probe_quality=probe_quality,
                reference_quality=about.reference_quality,
                notice=model.notice,
                frames=frames,
            )
        )
    return tuple(candidates)


def best_person(
    hits: Sequence[Hit], described: Mapping[str, Described], candidates: Sequence[Candidate]
) -> Candidate | None:
    """Return the best candidate if it is the person who scored best of all; None when somebody else scored higher.

    Lists have thresholds of their own: a hit can reach its list's while a better one misses a stricter list's. Then
    the face looks more like somebody who is not alerted for, and nobody is.
    """
    best = next((described[hit.reference].nominal for hit in hits if hit.reference in described), None)
    return next((candidate for candidate in candidates if candidate.nominal == best), None)
