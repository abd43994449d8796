"""How deep to search: as many subjects as it takes to know every candidate and every margin.

Each list has a threshold of its own, so that any number of people who miss a strict list's can stand between two who
reach a lenient one's. Most faces are settled by the first, shallow search; only those that are not are searched again,
deeper.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from frs.types import Hit
from frs.watchlist.searchable import SearchableList


class Index(Protocol):
    """What is searched: :class:`frs.index.galleries.Galleries`."""

    def search(self, queries: npt.NDArray[np.float32], watchlists: Sequence[str], k: int) -> list[list[Hit]]:
        """Return for each of (q, d) queries its best k subjects over the watchlists, best first."""
        ...


DEEPEST = 4096
"""Subjects, beyond which nobody is looked for: a face that so many reach the threshold for tells of the threshold."""
_STEP = 4


def search_deep(
    index: Index, queries: npt.NDArray[np.float32], lists: Sequence[SearchableList], limit: int | None
) -> list[list[Hit]]:
    """Return for each query the hits that its first ``limit`` candidates and their margins follow from; None is all.

    Each query's hits come from one search, whatever changes meanwhile.
    """
    least = {entry.id: entry.threshold.score for entry in lists}
    depth = min((limit or 1) + len(lists), DEEPEST)
    names = [*least]
    found = index.search(queries, names, depth)
    while depth < DEEPEST:
        unsettled = [
            place for place, hits in enumerate(found) if len(hits) == depth and not _settled(hits, least, limit)
        ]
        if not unsettled:
            break
        depth = min(depth * _STEP, DEEPEST)
        for place, hits in zip(unsettled, index.search(queries[unsettled], names, depth), strict=True):
            found[place] = hits
    return found


def _settled(hits: Sequence[Hit], least: dict[str, float], limit: int | None) -> bool:
    """Whether hits beyond these, none of which scores higher than the last, change no candidate and no margin."""
    reaching = [place for place, hit in enumerate(hits) if hit.score >= least[hit.watchlist]][:limit]
    if len(reaching) != limit and hits[-1].score >= min(least.values()):
        return False
    # A person stands at most once in a list: of as many hits as there are lists, one is of somebody else.
    return not reaching or len(hits) - 1 - reaching[-1] >= len(least)
