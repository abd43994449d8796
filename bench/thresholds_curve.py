"""How often the faces of two strangers score how high: what a single score means, whatever the gallery.

The false match rate (FMR, ISO/IEC 19795-1) of one comparison, counted over comparisons of different people: for single
photographs every pair of people of LFW's development view, one photograph each; for tracks the drawn clips of
:mod:`bench.thresholds_clips` against the references of people who are not in them. A pack's manifest carries the counts
(``calibration.curves``), and an explanation turns them into words (``docs/explanations.md``).

The comparisons share people and are not independent: an interval that takes them as independent is too narrow.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from bench.thresholds_lfw import Floats, Templates

CURVE_GRID = {"starter": (0.85, 0.99, 0.005), "dev-pack": (0.0, 0.8, 0.025)}
"""From, to and step of the scores at which false matches are counted."""


def single_curve(templates: Templates, pack: str) -> dict[str, Any]:
    """Compare the first usable photograph of every person with that of every other."""
    usable = np.flatnonzero(templates.usable)
    _, first = np.unique(templates.people[usable], return_index=True)
    vectors = templates.vectors[usable[first]]
    scores = (vectors @ vectors.T)[np.triu_indices(len(vectors), k=1)]
    return {"of": "single", "people": len(vectors)} | _count(scores, pack)


def track_curve(mated: Floats, non_mated: Floats, pack: str) -> dict[str, Any]:
    """Take the (people, enrolled) best scores of tracks; of ``mated`` entry i of row i is the person's own.

    A track that never had enough usable frames was compared with nobody.
    """
    others = np.eye(*mated.shape) == 0
    scores = np.concatenate([mated[others], non_mated.ravel()])
    return {"of": "track", "people": len(mated) + len(non_mated)} | _count(scores[scores > -1], pack)


def _count(scores: npt.NDArray[np.floating[Any]], pack: str) -> dict[str, Any]:
    low, high, step = CURVE_GRID[pack]
    grid = [round(low + step * place, 4) for place in range(round((high - low) / step) + 1)]
    ordered = np.sort(scores)
    counts = len(ordered) - np.searchsorted(ordered, np.array(grid, ordered.dtype), side="left")
    return {
        "comparisons": len(ordered),
        "points": [[score, int(count)] for score, count in zip(grid, counts, strict=True)],
        "greatest": round(float(ordered[-1]), 4),
    }
