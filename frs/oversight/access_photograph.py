"""Who somebody with a photograph may be: a search of every gallery that can be searched, for subject access alone.

Nobody is taken for a person on a score: one nominal above its list's retrospective threshold is an answer, several are
a question to whoever asks. The photograph's pixels and the template are overwritten when the search is over, and
neither is kept; the log commits to the photograph by a keyed hash.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from frs.embed.engine import Analysis, FaceEngine
from frs.errors import FrsError, Reason
from frs.index.galleries import Galleries
from frs.match.probe_search import ProbeSearch, overwrite
from frs.settings import Settings
from frs.store.database import Database
from frs.store.schema import watchlist
from frs.types import Candidate, Face, Json, Mode
from frs.watchlist.registry import Watchlists
from frs.watchlist.searchable import SearchableList

MOST = 20
"""Subjects asked for in a search."""
_LEFT_OUT = frozenset(
    {
        Reason.WATCHLIST_NOT_ACTIVE,
        Reason.WATCHLIST_NOT_FOUND,
        Reason.WATCHLIST_EXPIRED,
        Reason.WATCHLIST_EMPTY,
        Reason.THRESHOLD_MISSING,
        Reason.THRESHOLD_OTHER_MODEL,
        Reason.TEMPLATES_OTHER_MODEL,
    }
)


@dataclass(frozen=True, slots=True)
class Likely:
    """Whom a photograph may show."""

    candidates: tuple[Candidate, ...]
    searched: list[Json]
    """The lists, their versions, thresholds and sizes."""
    left_out: dict[str, str]
    """Why other active lists could not be searched, by list."""

    @property
    def nominals(self) -> tuple[str, ...]:
        """Return the nominals, best first, each once."""
        return tuple(dict.fromkeys(candidate.nominal for candidate in self.candidates))

    def as_json(self) -> list[Json]:
        """Return who reached which list's threshold."""
        return [
            {
                "nominal": each.nominal,
                "watchlist": each.watchlist,
                "score": round(each.score, 6),
                "threshold": each.threshold,
            }
            for each in self.candidates
        ]


class PhotographSearch:
    """Looks for the person of a photograph. Thread-safe; the caller logs it."""

    def __init__(
        self, database: Database, galleries: Galleries, watchlists: Watchlists, engine: FaceEngine, settings: Settings
    ) -> None:
        self._database, self._watchlists, self._engine = database, watchlists, engine
        self._ratio = settings.operator.dominant_face_ratio
        self._probes = ProbeSearch(galleries, watchlists, engine)

    def find(self, photograph: bytes) -> Likely:
        """Search the one face of a photograph.

        Raises FrsError: what decoding raises, NO_FACE, SEVERAL_FACES, FACE_QUALITY_TOO_LOW, OVERLOADED,
        INDEX_UNAVAILABLE.
        """
        lists, left_out = self._lists()
        analysis = self._engine.analyse(photograph)
        try:
            face = self._one_face(analysis)
            found = self._probes.faces([face], lists, MOST) if lists else None
        finally:
            overwrite(analysis)
        return Likely(found.all_candidates if found else (), self._probes.searched(lists), left_out)

    def _lists(self) -> tuple[Sequence[SearchableList], dict[str, str]]:
        with self._database.read() as connection:
            query = sa.select(watchlist.c.id).where(watchlist.c.state == "active").order_by(watchlist.c.id)
            active = connection.scalars(query).all()
        lists: list[SearchableList] = []
        left_out: dict[str, str] = {}
        for name in active:
            try:
                lists += self._watchlists.searchable([name], Mode.RETROSPECTIVE)
            except FrsError as error:
                if error.reason not in _LEFT_OUT:
                    raise
                left_out[name] = str(error.reason)
        return lists, left_out

    def _one_face(self, analysis: Analysis) -> Face:
        faces = analysis.faces
        if not faces:
            raise FrsError(Reason.NO_FACE, "No face was found in the photograph.")
        if len(faces) > 1 and _area(faces[0]) < self._ratio * _area(faces[1]):
            raise FrsError(Reason.SEVERAL_FACES, f"The photograph shows {len(faces)} faces.", faces=str(len(faces)))
        if not faces[0].quality.usable:
            reasons = ", ".join(faces[0].quality.reasons)
            raise FrsError(Reason.FACE_QUALITY_TOO_LOW, f"The face cannot be searched: {reasons}.", reasons=reasons)
        return faces[0]


def _area(face: Face) -> float:
    x1, y1, x2, y2 = face.box
    return (x2 - x1) * (y2 - y1)
