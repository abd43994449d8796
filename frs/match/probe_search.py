"""Searches for probes of operator and retrospective searches: faces -> templates -> candidates.

Templates live in one buffer that is overwritten when the search is over, whether or not it succeeded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from frs.embed.engine import Analysis, FaceEngine
from frs.errors import FrsError, Reason
from frs.index.galleries import Galleries
from frs.match.decisions import as_json, decide
from frs.match.depth import search_deep
from frs.types import Candidate, Face, Json, Quality
from frs.watchlist.registry import Watchlists
from frs.watchlist.searchable import Described, SearchableList


@dataclass(frozen=True, slots=True)
class Found:
    """What a search of several probes found."""

    candidates: tuple[tuple[Candidate, ...], ...]
    """For each probe in order, ranked; empty is "no match"."""
    described: dict[str, Described]
    """What is known of the references that were hit, by reference id."""

    @property
    def all_candidates(self) -> tuple[Candidate, ...]:
        """The candidates of every probe."""
        return tuple(candidate for probe in self.candidates for candidate in probe)

    def references(self) -> dict[str, bytes]:
        """Open the reference crops (JPEG) of the candidates, by reference id; without those that are gone by now."""
        crops = {}
        for reference in dict.fromkeys(candidate.reference for candidate in self.all_candidates):
            try:
                crops[reference] = self.described[reference].reference_crop_loader()
            except FrsError as error:
                if error.reason not in {Reason.IMAGE_NOT_FOUND, Reason.KEY_MISSING}:
                    raise
        return crops


class ProbeSearch:
    """Searches galleries and explains what was found; safe in threads."""

    def __init__(self, galleries: Galleries, watchlists: Watchlists, engine: FaceEngine) -> None:
        self._galleries, self._watchlists, self._engine = galleries, watchlists, engine

    def searched(self, lists: Sequence[SearchableList]) -> list[Json]:
        """Return the lists as events record them: version, threshold, and the size of the gallery."""
        return [{**as_json(entry), "templates": self._galleries.size(entry.id)} for entry in lists]

    def faces(self, faces: Sequence[Face], lists: Sequence[SearchableList], limit: int) -> Found:
        """Embed usable faces in one batch and search them in one call; at most ``limit`` candidates each.

        Raises FrsError: OVERLOADED, SHUTTING_DOWN, INDEX_UNAVAILABLE.
        """
        templates = self._engine.embed(faces)
        try:
            return self.queries(templates, [face.quality for face in faces], [1] * len(faces), lists, limit)
        finally:
            templates.fill(0.0)

    def queries(
        self,
        queries: npt.NDArray[np.float32],
        qualities: Sequence[Quality],
        frames: Sequence[int],
        lists: Sequence[SearchableList],
        limit: int,
    ) -> Found:
        """Search (n, d) queries in one call; ``frames`` says how many frames each averages."""
        if not len(queries):
            return Found((), {})
        rows = search_deep(self._galleries, queries, lists, limit)
        described = self._watchlists.describe([hit for row in rows for hit in row])
        model = self._engine.model
        return Found(
            tuple(
                decide(row, lists, described, quality, model, limit, count)
                for row, quality, count in zip(rows, qualities, frames, strict=True)
            ),
            described,
        )


def overwrite(analysis: Analysis) -> None:
    """Leave no pixel of a picture or its faces in the memory that is given back."""
    for pixels in (analysis.picture, *(face.aligned for face in analysis.faces)):
        if pixels.flags.writeable:
            pixels.fill(0)
